//! Resident memory stays within `-m` and what `docs/tuning.md` adds, whatever is stored; it follows `cache_memlimit`
//! down and up while clients go on; and `-L` asks for huge pages.

#[path = "common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use common::{Client, DEADLINE, Flavour, POLL_INTERVAL, RaisedAtEnd, Server};

const MIB: u64 = 1 << 20;

/// What the process has beside items and index while few clients are connected: its code, buffers of workers, the
/// allocator's slack.
const OTHER_BYTES_MAX: u64 = 16 * MIB;

const VALUE_BYTES: usize = 1000;

/// More than fits 128 MiB, so that the cache is full.
const KEYS: usize = 150_000;

/// Requests that leave in one write.
const BATCH: usize = 100;

fn sets(keys: std::ops::Range<usize>) -> String {
    let value = "v".repeat(VALUE_BYTES);
    keys.map(|n| format!("set key:{} 0 0 {VALUE_BYTES}\r\n{value}\r\n", n % KEYS)).collect()
}

fn store_batches(client: &mut Client, batches: usize) {
    for batch in 0..batches {
        client.send(sets(batch * BATCH..(batch + 1) * BATCH));
        client.expect("STORED\r\n".repeat(BATCH));
    }
}

#[track_caller]
fn await_memory(server: &Server, what: &str, is_reached: impl Fn(u64) -> bool) {
    let since = Instant::now();
    while !is_reached(server.memory_bytes("VmRSS")) {
        let held = server.memory_bytes("VmRSS") / MIB;
        assert!(since.elapsed() < DEADLINE, "{what}: {held} MiB are resident after {DEADLINE:?}");
        thread::sleep(POLL_INTERVAL);
    }
}

fn set_limit(client: &mut Client, mebibytes: u64) {
    client.send_line(format!("cache_memlimit {mebibytes}"));
    client.expect_line("OK");
    assert_eq!(client.statistic("", "limit_maxbytes"), Some((mebibytes * MIB).to_string()));
}

#[test]
fn resident_memory_follows_the_limit_down_and_up_under_load() {
    let server = Server::start(&["-m", "128", "-t", "2"]);
    if server.flavour() == Flavour::Memcached {
        // Its pages go back one by one over minutes.
        return;
    }
    let mut operator = server.connect();
    store_batches(&mut operator, KEYS / BATCH);
    await_memory(&server, "filled", |bytes| bytes > 120 * MIB);
    assert!(server.memory_bytes("VmRSS") < 128 * MIB + OTHER_BYTES_MAX);

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let ends_the_load = RaisedAtEnd(&over);
        // Every reply is looked at: STORED, or a value that is whole.
        let load = scope.spawn(|| {
            let mut client = server.connect();
            let mut at = 0;
            while !over.load(Ordering::Acquire) {
                client.send(sets(at..at + BATCH));
                client.expect("STORED\r\n".repeat(BATCH));
                client.send_line(format!("get key:{} key:{}", at % KEYS, (at + KEYS / 2) % KEYS));
                loop {
                    match client.line().as_slice() {
                        b"END" => break,
                        line => assert!(line.starts_with(b"VALUE key:"), "{}", line.escape_ascii()),
                    }
                    client.expect("v".repeat(VALUE_BYTES) + "\r\n");
                }
                at += BATCH;
            }
        });
        for round in 0..2 {
            set_limit(&mut operator, 16);
            await_memory(&server, &format!("lowered, round {round}"), |bytes| bytes < 16 * MIB + OTHER_BYTES_MAX);
            set_limit(&mut operator, 128);
            // The load alone fills it again.
            await_memory(&server, &format!("raised, round {round}"), |bytes| bytes > 100 * MIB);
        }
        drop(ends_the_load);
        load.join().expect("every reply was right");
    });
    for name in ["store_no_memory", "store_too_large"] {
        assert_eq!(operator.statistic("", name).as_deref(), Some("0"), "{name}");
    }
}

#[test]
fn empty_memory_goes_back_as_well() {
    let server = Server::start(&["-m", "128", "-t", "2"]);
    if server.flavour() == Flavour::Memcached {
        return;
    }
    let mut client = server.connect();
    store_batches(&mut client, KEYS / BATCH);
    client.send_line("flush_all");
    client.expect_line("OK");
    set_limit(&mut client, 16);
    await_memory(&server, "flushed and lowered", |bytes| bytes < 16 * MIB + OTHER_BYTES_MAX);
    store_batches(&mut client, 200);
    assert!(server.memory_bytes("VmRSS") < 16 * MIB + OTHER_BYTES_MAX);
}

#[test]
fn index_and_items_of_every_size_count_in_the_limit() {
    let server = Server::start(&["-m", "32", "-t", "2"]);
    if server.flavour() == Flavour::Memcached {
        // Its index stands outside.
        return;
    }
    let mut client = server.connect();
    let mut stored = 0;
    // The smallest items have most index to them; then each size takes the memory of the last one; then all at once.
    for (round, sizes) in
        [&[0][..], &[1_000_000], &[40], &[500], &[7000, 0], &[0, 1, 60, 3000, 40_000], &[0]].iter().enumerate()
    {
        let mut bytes = 0;
        while bytes < 48 * MIB as usize {
            let mut batch = String::new();
            while batch.len() < 1 << 20 {
                let size = sizes[stored % sizes.len()];
                // Half of them expire at once.
                batch += &format!("set {stored:x} 0 {} {size} noreply\r\n{}\r\n", stored % 2, "v".repeat(size));
                bytes += 60 + size;
                stored += 1;
            }
            client.send(batch + "mn\r\n");
            client.expect_line("MN");
        }
        let peak = server.memory_bytes("VmHWM");
        println!("after round {round}: {} KiB at most", peak >> 10);
        assert!(peak < 32 * MIB + OTHER_BYTES_MAX, "round {round}: {} MiB", peak / MIB);
    }
}

#[test]
fn huge_pages_are_asked_for_with_the_flag_only() {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    if setting.is_empty() || setting.contains("[never]") {
        // There it refuses to start; `sys::huge_pages` knows.
        return;
    }
    for (arguments, expected) in [(&["-m", "64"][..], false), (&["-m", "64", "-L"], true)] {
        let server = Server::start(arguments);
        if server.flavour() == Flavour::Memcached {
            return;
        }
        let mappings = std::fs::read_to_string(format!("/proc/{}/smaps", server.pid())).expect("the server lives");
        // What is granted depends on the machine; `hg` says that it was asked for.
        let asked =
            mappings.lines().filter_map(|line| line.strip_prefix("VmFlags:")).any(|flags| flags.contains(" hg"));
        assert_eq!(asked, expected, "{arguments:?}");
    }
}

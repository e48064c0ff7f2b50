//! Sizes that change at once, expiry, flushes, and a memory limit that moves, under load.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::{DEADLINE, POLL_INTERVAL, RaisedAtEnd, Server};
use crate::stand::{Stand, pattern, set, value_reply};

/// Between two flushes of a storm, so that there is something to flush.
const STORM_PAUSE: Duration = Duration::from_millis(100);

/// Stores and reads values of all sizes until told to stop; whatever is found must be whole.
fn load(server: &Server, seed: usize, over: &AtomicBool) -> usize {
    let mut client = server.connect();
    let mut rounds = 0;
    while !over.load(Ordering::Acquire) {
        let n = seed * 1000 + rounds % 700;
        let value = pattern(n, n * 7919 % 60_000);
        client.send(set(&format!("load-{n}"), &value));
        let line = client.line();
        assert!(line == b"STORED" || line.starts_with(b"SERVER_ERROR out of memory"), "{}", line.escape_ascii());
        client.send_line(format!("get load-{n}"));
        if client.line() != b"END" {
            client.expect([&value[..], b"\r\nEND\r\n"].concat());
        }
        rounds += 1;
    }
    rounds
}

#[test]
fn a_flush_at_once_and_one_in_the_future_take_everything_before_them() {
    let mut stand = Stand::start(64, &[]);
    stand.under("flush storm, in the future", |server| {
        let mut client = server.connect();
        for n in 0..2000 {
            client.send(format!("flush_all {}\r\n", 1000 + n));
            client.expect_line("OK");
        }
        // The last one counts: a pending flush is replaced.
        client.send("flush_all 1000000\r\n");
        client.expect_line("OK");
    });
    let mut client = stand.server.connect();
    client.send("flush_all 1\r\n");
    client.expect_line("OK");
    client.await_line("get canary-1", "END");
    stand.expect_flushed();
    client.send(set("k", b"v"));
    client.expect_line("STORED");
    for _ in 0..2000 {
        client.send("flush_all\r\nget k\r\n");
        client.expect("OK\r\nEND\r\n");
    }
}

#[test]
fn a_memory_limit_that_shrinks_under_load_is_kept() {
    let mut stand = Stand::start(256, &[]);
    stand.under_pressure("limit moved between 64 and 256 MiB under load", |server| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _ends_the_load = RaisedAtEnd(&over);
            for seed in 1..3 {
                let over = &over;
                scope.spawn(move || load(server, seed, over));
            }
            let mut client = server.connect();
            for mebibytes in [128, 64, 256, 64, 100, 64] {
                client.send(format!("cache_memlimit {mebibytes}\r\n"));
                client.expect_line("OK");
                for n in 0..200 {
                    client.send(set(&format!("fill-{n}"), &pattern(n, 500_000)));
                    client.expect_line("STORED");
                }
            }
        });
        // What is above the limit goes in the background.
        let since = std::time::Instant::now();
        let bound = (64 << 20) + (64 << 20);
        while server.memory_bytes("VmRSS") > bound {
            assert!(since.elapsed() < DEADLINE, "{} MiB resident", server.memory_bytes("VmRSS") >> 20);
            std::thread::sleep(POLL_INTERVAL);
        }
        println!("after shrinking to 64 MiB: {} MiB resident", server.memory_bytes("VmRSS") >> 20);
    });
}

/// Stores `bytes` of values of these sizes in turn, from key number `first` on, each with one of the `exptimes`.
fn pour(server: &Server, first: usize, sizes: &[usize], exptimes: &[u32], bytes: usize) {
    let mut client = server.connect();
    let (mut poured, mut n) = (0, first);
    while poured < bytes {
        let mut batch = Vec::new();
        while batch.len() < 256 << 10 {
            let size = sizes[n % sizes.len()];
            let exptime = exptimes[n / 3 % exptimes.len()];
            batch.extend_from_slice(format!("set pour-{n} 0 {exptime} {size} noreply\r\n").as_bytes());
            batch.resize(batch.len() + size, b'v');
            batch.extend_from_slice(b"\r\n");
            n += 1;
        }
        poured += batch.len();
        client.send([&batch[..], b"mn\r\n"].concat());
        client.expect_line("MN");
    }
}

#[test]
fn a_cache_full_of_small_items_becomes_one_of_large_items_in_the_same_memory() {
    const LARGE_BYTES: usize = 100_000;
    let mut stand = Stand::start(64, &[]);
    stand.under_pressure("100-byte items, then 100 KB only", |server| {
        pour(server, 0, &[100], &[0], 64 << 20);
        let mut client = server.connect();
        let value = pattern(1, LARGE_BYTES);
        for n in 0..1500 {
            client.send(set(&format!("large-{n}"), &value));
            client.expect_line("STORED");
        }
        let held = (0..1500)
            .filter(|n| {
                client.send_line(format!("mg large-{n}"));
                client.line() == b"HD"
            })
            .count();
        println!("large items held: {held}, {} MB", held * LARGE_BYTES / 1_000_000);
        assert!(held * LARGE_BYTES > (64 << 20) / 4 * 3, "{held} large items");
    });
    stand.await_steady();
}

#[test]
fn storms_of_expiry_and_flushes_with_all_sizes_stay_in_the_memory() {
    let mut stand = Stand::start(32, &[]);
    stand.under_pressure("all sizes expire and are flushed while others come", |server| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let over = &over;
            scope.spawn(move || {
                let mut operator = server.connect();
                for n in 0.. {
                    if over.load(Ordering::Acquire) {
                        break;
                    }
                    let line = ["flush_all", "flush_all 1", "lru_crawler crawl all"][n % 3];
                    operator.send_line(line);
                    let reply = operator.line();
                    assert!(reply == b"OK" || reply.starts_with(b"BUSY"), "{}", reply.escape_ascii());
                    std::thread::sleep(STORM_PAUSE);
                }
            });
            let writers: Vec<_> = (0..3)
                .map(|writer| {
                    let sizes: &[usize] =
                        [&[0, 10, 100][..], &[700, 6000, 40_000, 0], &[1_000_000, 300_000, 20]][writer];
                    scope.spawn(move || pour(server, writer << 32, sizes, &[1, 2, 0], 160 << 20))
                })
                .collect();
            for writer in writers {
                writer.join().expect("every batch is answered");
            }
            over.store(true, Ordering::Release);
        });
    });
    stand.await_steady();
}

#[test]
fn the_smallest_limit_keeps_values_right() {
    let mut stand = Stand::start(64, &[]);
    let mut client = stand.server.connect();
    client.send("cache_memlimit 8\r\n");
    client.expect_line("OK");
    for n in 0..300 {
        client.send(set(&format!("fill-{n}"), &pattern(n, 100_000)));
        client.expect_line("STORED");
    }
    client.send("get fill-299\r\n");
    client.expect([&value_reply("fill-299", &pattern(299, 100_000))[..], b"END\r\n"].concat());
    println!("canaries left in 8 MiB: {}", stand.surviving());
}

#[test]
fn walks_over_all_items_by_many_clients_leave_the_others_their_turn() {
    let mut stand = Stand::start(64, &["-c", "4000"]);
    stand.under("300 clients delete by prefix, 300 ask for dumps", |server| {
        let mut clients: Vec<_> = (0..300).map(|_| (server.connect(), server.connect())).collect();
        for (deleter, dumper) in &mut clients {
            deleter.send("larder delete_prefix nosuch\r\n".repeat(20));
            dumper.send("lru_crawler mgdump all nosuch\r\n");
        }
        for (deleter, dumper) in &mut clients {
            deleter.expect("DELETED 0\r\n".repeat(20));
            let line = dumper.line();
            if line == b"OK" {
                dumper.expect_line("EN");
            } else {
                assert_eq!(line, b"BUSY currently processing crawler request");
            }
        }
    });
}

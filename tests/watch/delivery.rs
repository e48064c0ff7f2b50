//! How lines reach the watchers, and what becomes of those that do not.

use crate::Watcher;
use crate::common::{Client, Flavour, Server};

/// `get`s of keys of 200 bytes, in batches that are answered before the next is sent.
fn look_up(client: &mut Client, count: usize) {
    const BATCH: usize = 100;
    let request = format!("get {}\r\n", "#".repeat(200)).repeat(BATCH);
    for _ in 0..count / BATCH {
        client.send(&request);
        client.expect("END\r\n".repeat(BATCH));
    }
}

fn count(client: &mut Client, name: &str) -> u64 {
    client.statistic("", name).expect("such a statistic").parse().expect("a number")
}

#[test]
fn each_watcher_gets_what_it_asked_for_from_then_on() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let mut fetchers = Watcher::of(&server, "");
    let mut mutations = Watcher::of(&server, "mutations");
    client.send("set a 0 0 1\r\nx\r\nget a\r\n");
    client.expect("STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\n");
    let mut late = Watcher::of(&server, "fetchers");
    client.send("get b\r\n");
    client.expect("END\r\n");
    let keys = [fetchers.line(), fetchers.line(), fetchers.line()].map(|line| line.word("key").to_owned());
    assert_eq!(keys, ["a", "a", "b"]);
    assert!(mutations.line().text.starts_with("type=item_store key=a "));
    assert_eq!(late.line().word("key"), "b");
}

#[test]
fn every_line_arrives_where_the_buffers_are_large_enough() {
    let server = Server::start(&["-t", "4", "-o", "worker_logbuf_size=65536,watcher_logbuf_size=65536"]);
    let mut watcher = Watcher::of(&server, "fetchers");
    const EACH: usize = 5000;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| look_up(&mut server.connect(), EACH));
        }
    });
    let mut numbers: Vec<u64> = (0..4 * EACH).map(|_| watcher.line().gid).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 4 * EACH, "each line has a number of its own");
    let mut client = server.connect();
    assert_eq!(count(&mut client, "log_worker_dropped"), 0);
    assert_eq!(count(&mut client, "log_watcher_skipped"), 0);
}

/// The watcher does not read while others work; they are answered all the same. What it then reads is either a line or
/// counted as skipped, and what never left a worker's buffer is counted as dropped.
#[test]
fn watcher_that_reads_late_is_told_how_many_lines_it_missed() {
    const LOOKED_UP_AT_ONCE: u64 = 60_000;
    let server = Server::start(&["-o", "watcher_logbuf_size=8"]);
    let mut watcher = Watcher::of(&server, "");
    let mut client = server.connect();
    let mut looked_up = 0;
    let since = std::time::Instant::now();
    loop {
        look_up(&mut client, LOOKED_UP_AT_ONCE as usize);
        looked_up += LOOKED_UP_AT_ONCE;
        if server.flavour() == Flavour::Memcached {
            break;
        }
        await_sum(&mut client, looked_up);
        // Workers drop what the thread that writes to watchers is too slow for; enough of it gets through in the end.
        if count(&mut client, "log_watcher_skipped") > 0 {
            break;
        }
        assert!(since.elapsed() < crate::common::DEADLINE, "nothing is skipped after {looked_up} lines");
    }
    // A line that comes when there is room again says what went before.
    let (mut lines, mut skipped) = (0, 0);
    let mut more = 0;
    while skipped == 0 {
        let line = watcher.raw_line();
        match line.strip_prefix("skipped=") {
            Some(number) => skipped = number.parse::<u64>().expect("a number"),
            None => {
                assert!(line.contains(" type=item_get key=%23%23"), "{line}");
                lines += 1;
            }
        }
        // Whatever has been read, another line is to come.
        client.send_line(format!("get {}", "#".repeat(200)));
        client.expect_line("END");
        more += 1;
    }
    assert!(watcher.raw_line().contains("type=item_get"), "a line follows");
    assert!(lines + skipped <= looked_up + more);
}

/// Until all lines have found their place in one of the counts.
fn await_sum(client: &mut Client, expected: u64) {
    let since = std::time::Instant::now();
    loop {
        let names = ["log_worker_dropped", "log_watcher_skipped", "log_watcher_sent"];
        let sum: u64 = names.map(|name| count(client, name)).iter().sum();
        if sum == expected {
            return;
        }
        assert!(sum < expected && since.elapsed() < crate::common::DEADLINE, "{sum} of {expected} lines");
    }
}

#[test]
fn counts_are_reset_and_the_number_of_watchers_is_not() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "");
    let mut client = server.connect();
    client.send_line("get k");
    client.expect_line("END");
    watcher.line();
    client.await_statistic("log_worker_written", "1");
    client.await_statistic("log_watcher_sent", "1");
    client.send_line("stats reset");
    client.expect_line("RESET");
    for (name, expected) in [("log_worker_written", "0"), ("log_watcher_sent", "0"), ("log_watchers", "1")] {
        assert_eq!(client.statistic("", name).as_deref(), Some(expected), "{name}");
    }
}

#[test]
fn twenty_watchers_that_do_not_read_cost_their_buffers_and_no_more() {
    let server = Server::start(&["-t", "2", "-m", "64"]);
    if server.flavour() == Flavour::Memcached {
        return; // Its own footprint is not ours to judge.
    }
    let watchers: Vec<Watcher> = (0..20).map(|_| Watcher::of(&server, "fetchers mutations")).collect();
    let mut client = server.connect();
    look_up(&mut client, 20_000);
    let before = server.memory_bytes("VmRSS");
    look_up(&mut client, 100_000);
    let grown = server.memory_bytes("VmRSS").saturating_sub(before);
    // 256 KiB for each of them, at most twice that while a buffer grows, and the workers' buffers.
    assert!(grown < 16 << 20, "{grown} bytes more");
    drop(watchers);
    client.await_statistic("log_watchers", "0");
}

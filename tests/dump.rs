//! Walks over all items by a real server: dumps and deleting by prefix, while others work.
//!
//! All but the tests of what memcached does not have also hold for one (`LARDER_BIN`).

mod common;

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use common::{Client, DEADLINE, Flavour, POLL_INTERVAL, RaisedAtEnd, Server};
use socket2::{Domain, SockAddr, Socket, Type};

/// Stores `count` small items whose keys begin with `prefix`.
fn fill(client: &mut Client, prefix: &str, count: usize) {
    let batch: String = (0..count).map(|n| format!("set {prefix}{n} 0 0 4 noreply\r\nabcd\r\n")).collect();
    client.send(batch);
    client.send_line("mn");
    client.expect_line("MN");
}

/// Dumps, and returns the lines without `OK` and `END`.
fn metadump(client: &mut Client, words: &str) -> Vec<String> {
    client.send_line(format!("lru_crawler metadump {words}"));
    client.expect_line("OK");
    let dump = String::from_utf8(client.take_through(b"END\r\n")).expect("keys are encoded");
    let lines = dump.strip_suffix("END\r\n").expect("the end");
    lines.lines().map(str::to_owned).collect()
}

fn key_of(line: &str) -> &str {
    line.strip_prefix("key=").and_then(|line| line.split(' ').next()).unwrap_or_else(|| panic!("no key in {line}"))
}

/// What `work` returns, while another client runs `load` again and again; it has begun before.
fn while_another<R>(server: &Server, load: impl Fn(&mut Client, usize) + Sync, work: impl FnOnce() -> R) -> R {
    let over = AtomicBool::new(false);
    let (tell, begun) = channel();
    thread::scope(|scope| {
        let (over, load) = (&over, &load);
        let ends_the_other = RaisedAtEnd(over);
        let other = scope.spawn(move || {
            let mut client = server.connect();
            let mut round = 0;
            while !over.load(Ordering::Acquire) {
                load(&mut client, round);
                round += 1;
                if round == 1 {
                    tell.send(()).expect("it is waited for");
                }
            }
        });
        begun.recv_timeout(DEADLINE).expect("the other client is served");
        let result = work();
        drop(ends_the_other);
        other.join().expect("the other client is served");
        result
    })
}

#[test]
fn fields_of_a_metadump_line() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set user:1/ä 7 0 4\r\nabcd\r\nget user:1/ä\r\n");
    client.take_through(b"END\r\n");
    client.send("gets user:1/ä\r\n");
    let reply = String::from_utf8(client.take_through(b"END\r\n")).expect("text");
    let cas = reply.split([' ', '\r']).nth(4).expect("a CAS number").to_owned();
    let time: i64 = client.statistic("", "time").expect("a statistic").parse().expect("seconds");
    let lines = metadump(&mut client, "all");
    assert_eq!(lines.len(), 1);
    let line = &lines[0];
    assert!(line.ends_with(' '), "{line}");
    let fields: Vec<(&str, &str)> = line.trim_end().split(' ').filter_map(|field| field.split_once('=')).collect();
    let names: Vec<&str> = fields.iter().map(|field| field.0).collect();
    assert_eq!(names, ["key", "exp", "la", "cas", "fetch", "cls", "size", "flags"]);
    let fields: HashMap<&str, &str> = fields.into_iter().collect();
    assert_eq!(fields["key"], "user%3A1%2F%C3%A4");
    assert_eq!(fields["exp"], "-1");
    assert_eq!(fields["cas"], cas);
    assert_eq!(fields["fetch"], "yes");
    assert_eq!(fields["flags"], "7");
    let accessed: i64 = fields["la"].parse().expect("seconds");
    assert!((time - 60..=time + 60).contains(&accessed), "{line}");
}

#[test]
fn expiry_is_shown_as_unix_time() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let time: i64 = client.statistic("", "time").expect("a statistic").parse().expect("seconds");
    let expiry = time + 1_000_000;
    client.send(format!("set k 0 {expiry} 1\r\na\r\n"));
    client.expect_line("STORED");
    let lines = metadump(&mut client, "hash");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains(&format!(" exp={expiry} ")), "{lines:?}");
}

#[test]
fn dump_meets_every_item_once_while_others_write() {
    const STABLE: usize = 60_000;
    let server = Server::start(&["-m", "128", "-t", "2"]);
    let mut client = server.connect();
    fill(&mut client, "stable", STABLE);
    let churn = |client: &mut Client, round: usize| {
        let batch: String = (0..200)
            .map(|n| {
                let stable = (round * 200 + n) % STABLE;
                let size = 4 + (round + n) % 300;
                let value = "x".repeat(size);
                format!(
                    "set stable{stable} 0 0 {size} noreply\r\n{value}\r\nset new{round}-{n} 0 0 1 noreply\r\na\r\ndelete new{}-{n} noreply\r\n",
                    round / 2
                )
            })
            .collect();
        client.send(batch);
        client.send_line("mn");
        client.expect_line("MN");
    };
    let lines = while_another(&server, churn, || metadump(&mut client, "hash"));
    let mut met = vec![0; STABLE];
    for line in &lines {
        if let Some(number) = key_of(line).strip_prefix("stable") {
            met[number.parse::<usize>().expect("a number")] += 1;
        }
    }
    let wrong: Vec<_> = met.iter().enumerate().filter(|&(_, &count)| count != 1).take(5).collect();
    assert!(wrong.is_empty(), "items and how often they were met: {wrong:?}");
}

#[test]
fn other_requests_before_a_dump_refuse_it_and_those_behind_wait() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("version\r\nlru_crawler metadump all\r\n");
    client.line();
    client.expect_line("ERROR cannot pipeline other commands before metadump");
    client.send("version\r\nlru_crawler mgdump all\r\n");
    client.line();
    client.expect_line("ERROR cannot pipeline other commands before mgdump");
    if server.flavour() == Flavour::Memcached {
        // There what came with the dump waits until something else comes.
        return;
    }
    client.send("lru_crawler metadump all\r\nset k 0 0 1\r\na\r\n");
    client.expect("OK\r\nEND\r\nSTORED\r\n");
}

/// A connection that the kernel keeps little for.
fn dial_narrow(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(&SockAddr::from(server.address())).expect("the server accepts connections");
    socket.into()
}

/// Waits until a connection has replies stuck.
fn await_stuck(client: &mut Client) {
    let since = Instant::now();
    loop {
        client.send_line("stats conns");
        let conns = String::from_utf8(client.take_through(b"END\r\n")).expect("text");
        if conns.contains(":state conn_mwrite") {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "nobody is stuck:\n{conns}");
        thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn reader_who_does_not_read_costs_little_and_lets_go_when_it_leaves() {
    let server = Server::start(&["-m", "128", "-t", "1"]);
    if server.flavour() == Flavour::Memcached {
        // There the crawler waits for the client, half an hour if need be.
        return;
    }
    let mut client = server.connect();
    fill(&mut client, "k", 300_000);
    // What a dump takes at most, and keeps.
    assert_eq!(metadump(&mut client, "all").len(), 300_000);
    let before = server.memory_bytes("VmRSS");
    let mut slow = dial_narrow(&server);
    slow.write_all(b"lru_crawler metadump all\r\n").expect("the server reads");
    await_stuck(&mut client);
    client.send_line("lru_crawler metadump all");
    client.expect_line("BUSY currently processing crawler request");
    client.send_line("lru_crawler crawl all");
    client.expect_line("BUSY currently processing crawler request");
    assert_eq!(client.statistic("", "lru_crawler_running").as_deref(), Some("1"));
    let grown = server.memory_bytes("VmRSS").saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes for a dump that nobody reads");
    drop(slow);
    client.await_line("lru_crawler mgdump 63", "OK");
}

#[test]
fn prefix_chooses_keys() {
    let server = Server::start(&[]);
    if server.flavour() == Flavour::Memcached {
        return;
    }
    let mut client = server.connect();
    fill(&mut client, "a:", 5000);
    fill(&mut client, "b:", 5000);
    let mut lines = metadump(&mut client, "all a:1");
    assert!(lines.iter().all(|line| line.starts_with("key=a%3A1")));
    lines.dedup();
    assert_eq!(lines.len(), 1111);
    assert_eq!(metadump(&mut client, "all c:").len(), 0);
}

#[test]
fn delete_prefix_takes_its_own_and_serves_others() {
    let server = Server::start(&["-m", "64", "-t", "1"]);
    if server.flavour() == Flavour::Memcached {
        return;
    }
    let mut client = server.connect();
    fill(&mut client, "a:", 100_000);
    fill(&mut client, "b:", 50_000);
    let gets = |client: &mut Client, round: usize| {
        client.send_line(format!("get b:{}", round % 50_000));
        client.take_through(b"abcd\r\nEND\r\n");
    };
    while_another(&server, gets, || {
        client.send_line("larder delete_prefix a:");
        client.expect_line("DELETED 100000");
    });
    assert_eq!(client.statistic("", "curr_items").as_deref(), Some("50000"));
    client.send("larder delete_prefix a:\r\nlarder delete_prefix b: noreply\r\nget b:1\r\n");
    client.expect("DELETED 0\r\nEND\r\n");
}

//! Lines that are too long, too empty, too strange or too slow.

use std::io::{Read, Write};

use crate::common::Client;
use crate::stand::{Stand, assert_same, converse, dial, flood, pattern, set, value_reply};

const HUNDRED_MB: usize = 100_000_000;
const BAD: &str = "CLIENT_ERROR bad command line format\r\n";

#[test]
fn endless_lines_are_hung_up_on() {
    let mut stand = Stand::start(64, &[]);
    for byte in [b'x', b' ', b'\t', 0] {
        stand.under(&format!("endless line of {}", byte.escape_ascii()), |server| {
            let mut stream = dial(server.address());
            let taken = flood(&mut stream, &vec![byte; 64 << 10], HUNDRED_MB);
            assert!(!taken, "the server took all of it");
        });
    }
}

#[test]
fn endless_lines_of_get_need_no_memory() {
    let mut stand = Stand::start(64, &[]);
    for (what, chunk, answer) in [
        ("one key", "x".repeat(64 << 10), BAD),
        ("blanks", " ".repeat(64 << 10), "END\r\n"),
        ("keys", "some-key ".repeat(7000), "END\r\n"),
    ] {
        stand.under(&format!("endless get of {what}"), |server| {
            let mut stream = dial(server.address());
            stream.write_all(b"get ").expect("connected");
            assert!(flood(&mut stream, chunk.as_bytes(), HUNDRED_MB), "hung up");
            let replies = converse(stream, b"\r\nmn\r\n");
            assert_same(&replies, format!("{answer}MN\r\n").as_bytes());
        });
    }
}

#[test]
fn strange_keys_are_stored_or_refused() {
    let mut stand = Stand::start(64, &[]);
    stand.under("strange keys", |server| {
        let mut client = server.connect();
        for key in [&b"a\0b"[..], b"a\tb", b"\xff\xfe\x80", b"a\rb", &[b'k'; 250]] {
            client.send([b"set ", key, b" 0 0 1\r\nv\r\nget ", key, b"\r\n"].concat());
            client.expect([b"STORED\r\nVALUE ", key, b" 0 1\r\nv\r\nEND\r\n"].concat());
        }
        let long = "k".repeat(251);
        client.send(format!("set {long} 0 0 1\r\nv\r\nget {long}\r\nget a {long} b\r\ndelete {long}\r\nmn\r\n"));
        client.expect(BAD.repeat(4) + "MN\r\n");
    });
}

#[test]
fn a_multiget_of_20_000_long_keys_is_answered_whole() {
    let mut stand = Stand::start(64, &[]);
    let key = |n: usize| format!("{n:0250}");
    let stored: Vec<u8> = (0..10_000)
        .flat_map(|n| format!("set {} 0 0 5 noreply\r\n{n:05}\r\n", key(n)).into_bytes())
        .chain(*b"mn\r\n")
        .collect();
    let expected: Vec<u8> = (0..10_000).flat_map(|n| value_reply(&key(n), format!("{n:05}").as_bytes())).collect();
    stand.under("multiget of 20,000 keys", |server| {
        assert_same(&converse(dial(server.address()), &stored), b"MN\r\n");
        // Every other key is missing.
        let line: String = (0..10_000).map(|n| format!(" {} {}", key(n), key(n + 10_000))).collect();
        let replies = converse(dial(server.address()), format!("get{line}\r\nmn\r\n").as_bytes());
        assert_same(&replies, &[&expected[..], b"END\r\nMN\r\n"].concat());
    });
}

#[test]
fn a_megabyte_of_gets_that_nobody_reads_costs_little_and_is_answered_when_somebody_does() {
    let mut stand = Stand::start(64, &[]);
    let value = pattern(1, 100_000);
    stand.under("1 MB of get a a a, unread", |server| {
        let mut client = server.connect();
        client.send(set("a", &value));
        client.expect_line("STORED");
        let line = format!("get{}\r\n", " a".repeat(500_000));
        let hoarders: Vec<_> = (0..8)
            .map(|_| {
                let mut stream = dial(server.address());
                stream.set_nonblocking(true).expect("a socket");
                // As much as the server takes and the kernels between.
                let mut sent = 0;
                while let Ok(count @ 1..) = stream.write(&line.as_bytes()[sent..]) {
                    sent += count;
                }
                stream
            })
            .collect();
        // They hold what they hold for as long as this takes.
        let key = "a".repeat(250);
        client.send(set(&key, &value));
        client.expect_line("STORED");
        let keys = 1_000_000 / 251;
        let request = format!("get{}\r\nmn\r\n", format!(" {key}").repeat(keys));
        let mut stream = dial(server.address());
        let mut writer = stream.try_clone().expect("a descriptor");
        std::thread::scope(|scope| {
            scope.spawn(move || writer.write_all(request.as_bytes()).expect("the server reads in the end"));
            let one = value_reply(&key, &value);
            let mut got = vec![0; one.len()];
            for _ in 0..keys {
                stream.read_exact(&mut got).expect("all values come");
                assert_same(&got, &one);
            }
            let mut end = [0; 9];
            stream.read_exact(&mut end).expect("and the end");
            assert_eq!(&end, b"END\r\nMN\r\n");
        });
        drop(hoarders);
    });
}

#[test]
fn http_is_hung_up_on() {
    let mut stand = Stand::start(64, &[]);
    stand.under("HTTP", |server| {
        for request in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /a HTTP/1.0\r\n\r\nflush_all\r\n"] {
            let mut client = server.connect();
            client.send(request);
            client.expect_closed();
        }
    });
}

#[test]
fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    let mut stand = Stand::start(64, &[]);
    stand.under("one byte at a time", |server| {
        let mut client: Client = server.connect();
        let value = pattern(3, 9000).escape_ascii().to_string();
        let request = [&set("slow", value.as_bytes())[..], b"get slow nothing slow\r\nincr slow 1\r\nmn\r\n"].concat();
        for byte in &request {
            client.send([*byte]);
        }
        let found = value_reply("slow", value.as_bytes());
        let number = b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
        client.expect([b"STORED\r\n", &found[..], &found, b"END\r\n", number, b"MN\r\n"].concat());
    });
}

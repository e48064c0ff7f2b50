//! Values of many megabytes: right bytes by every command, the limit to the byte, joins that others do not wait for, and
//! readers that do not read.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::{PATIENCE, Server};

/// `-I`, half of `-m`: the most that is allowed.
const ITEM_MAX: usize = 32 << 20;

/// memcached's header with CAS, the NUL behind the key, CRLF.
const OVERHEAD: usize = 56 + 1 + 2;

fn start() -> Server {
    Server::on_loopback(&["-m", "64", "-I", "32m", "-t", "2"])
}

fn value(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|n| ((n + seed) % 251) as u8).collect()
}

fn send(stream: &mut TcpStream, command: &str, value: &[u8]) {
    stream.write_all(format!("{command} {}\r\n", value.len()).as_bytes()).unwrap();
    stream.write_all(value).unwrap();
    stream.write_all(b"\r\n").unwrap();
}

#[track_caller]
fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut got = vec![0; expected.len()];
    stream.read_exact(&mut got).unwrap();
    let differs = got.iter().zip(expected).position(|(a, b)| a != b);
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    assert_eq!(differs, None, "{:?} instead of {:?}", shown(&got), shown(expected));
}

/// Connections that there have been, and that there are.
fn connections(stream: &mut TcpStream) -> (usize, usize) {
    stream.write_all(b"stats\r\n").unwrap();
    let rows: Vec<String> =
        BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| line != "END").collect();
    let count = |name: &str| {
        let value = rows.iter().find_map(|row| row.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
        value.expect("such a row").parse().unwrap()
    };
    (count("total_connections"), count("curr_connections"))
}

#[track_caller]
fn ask(stream: &mut TcpStream, command: &str, reply: &str) {
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    expect(stream, reply.as_bytes());
}

#[track_caller]
fn expect_value(stream: &mut TcpStream, command: &str, head: &str, value: &[u8], end: &str) {
    stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
    expect(stream, format!("{head}{}\r\n", value.len()).as_bytes());
    expect(stream, value);
    expect(stream, end.as_bytes());
}

#[test]
fn the_largest_value_is_stored_and_one_byte_more_is_not() {
    let server = start();
    let mut client = server.connect();
    let largest = value(ITEM_MAX - OVERHEAD - 1, 3);
    send(&mut client, "set k 0 0", &largest);
    expect(&mut client, b"STORED\r\n");
    expect_value(&mut client, "get k", "VALUE k 0 ", &largest, "\r\nEND\r\n");
    expect_value(&mut client, "gat 0 k", "VALUE k 0 ", &largest, "\r\nEND\r\n");
    expect_value(&mut client, "mg k v", "VA ", &largest, "\r\n");
    ask(&mut client, "touch k 0", "TOUCHED\r\n");
    ask(&mut client, "incr k 1", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
    send(&mut client, "append k 0 0", b"x");
    expect(&mut client, b"NOT_STORED\r\n");
    send(&mut client, "add k 0 0", &largest[..1 << 20]);
    expect(&mut client, b"NOT_STORED\r\n");
    expect_value(&mut client, "get k", "VALUE k 0 ", &largest, "\r\nEND\r\n");
    send(&mut client, "set k 0 0", &value(largest.len() + 1, 3));
    expect(&mut client, b"SERVER_ERROR object too large for cache\r\n");
    // A failed set leaves no older value behind.
    ask(&mut client, "get k", "END\r\n");
    send(&mut client, "set k 0 0", &largest);
    expect(&mut client, b"STORED\r\n");
    ask(&mut client, "delete k", "DELETED\r\n");
    ask(&mut client, "get k", "END\r\n");
}

#[test]
fn joins_are_whole_and_keep_the_order_of_replies() {
    let server = start();
    let mut client = server.connect();
    let (first, more) = (value(6 << 20, 3), value(4 << 20, 9));
    send(&mut client, "set k 7 0", &first);
    expect(&mut client, b"STORED\r\n");
    // All in one go: what follows a join waits for it.
    let other = std::thread::spawn({
        let mut stream = client.try_clone().unwrap();
        let more = more.clone();
        move || {
            send(&mut stream, "append k 0 0", b"end");
            stream.write_all(b"mn\r\n").unwrap();
            send(&mut stream, "prepend k 0 0", &more);
            stream.write_all(b"ms k 3 MA\r\nEND\r\nget k\r\n").unwrap();
        }
    });
    expect(&mut client, b"STORED\r\nMN\r\nSTORED\r\nHD\r\n");
    let joined = [&more[..], &first, b"endEND"].concat();
    expect(&mut client, format!("VALUE k 7 {}\r\n", joined.len()).as_bytes());
    expect(&mut client, &joined);
    expect(&mut client, b"\r\nEND\r\n");
    other.join().unwrap();
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_join_changes_nothing() {
    let server = start();
    let mut client = server.connect();
    let first = value(12 << 20, 3);
    send(&mut client, "set k 0 0", &first);
    expect(&mut client, b"STORED\r\n");
    for _ in 0..10 {
        let mut leaver = server.connect();
        leaver.write_all(format!("append k 0 0 {}\r\n", 8 << 20).as_bytes()).unwrap();
        leaver.write_all(&first[..5 << 20]).unwrap();
    }
    // Until the server has seen the last of them go, what they began holds memory.
    let deadline = Instant::now() + PATIENCE;
    while connections(&mut client) != (11, 1) {
        assert!(Instant::now() < deadline, "connections stay open");
        std::thread::sleep(Duration::from_millis(1));
    }
    expect_value(&mut client, "get k", "VALUE k 0 ", &first, "\r\nEND\r\n");
    // Nothing of what they sent is kept: there is room for more.
    send(&mut client, "append k 0 0", &first[..4 << 20]);
    expect(&mut client, b"STORED\r\n");
    expect_value(&mut client, "get k", "VALUE k 0 ", &[&first[..], &first[..4 << 20]].concat(), "\r\nEND\r\n");
}

#[test]
fn readers_that_do_not_read_keep_the_value_once_and_see_it_whole() {
    let server = start();
    let mut client = server.connect();
    let (first, second) = (value(24 << 20, 3), value(24 << 20, 9));
    send(&mut client, "set k 0 0", &first);
    expect(&mut client, b"STORED\r\n");
    let mut readers: Vec<TcpStream> = (0..8).map(|_| server.connect()).collect();
    for reader in &mut readers {
        reader.write_all(b"get k\r\n").unwrap();
        expect(reader, format!("VALUE k 0 {}\r\n", first.len()).as_bytes());
    }
    send(&mut client, "set k 0 0", &second);
    expect(&mut client, b"STORED\r\n");
    let resident: u64 = server.status_line("VmRSS").trim_end_matches(" kB").parse().unwrap();
    assert!(resident < 96 << 10, "{resident} kB");
    for reader in &mut readers {
        expect(reader, &first);
        expect(reader, b"\r\nEND\r\n");
    }
    expect_value(&mut client, "get k", "VALUE k 0 ", &second, "\r\nEND\r\n");
}

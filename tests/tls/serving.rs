//! What goes by way of TLS arrives as it was, in any amount and at any pace.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;

use rustls::version::{TLS12, TLS13};

use crate::common::Client;
use crate::stand::{Stand, Tls, connect};

fn value(bytes: usize, seed: u8) -> Vec<u8> {
    (0..bytes).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
}

fn set(client: &mut Client, key: &str, value: &[u8]) {
    client.send([format!("set {key} 0 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat());
    client.expect_line("STORED");
}

fn get(client: &mut Client, key: &str, value: &[u8]) {
    client.send_line(format!("get {key}"));
    client.expect_line(format!("VALUE {key} 0 {}", value.len()));
    client.expect(value);
    client.expect("\r\nEND\r\n");
}

#[test]
fn values_of_all_sizes_come_back_over_both_versions() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    for version in [&TLS13, &TLS12] {
        let mut client = connect(&Arc::new(stand.client(&[version], None)), server.address());
        for (at, bytes) in [0, 1, 100, 4_000, 16_300, 16_400, 33_000, 100_000, 1_000_000].into_iter().enumerate() {
            let value = value(bytes, at as u8);
            set(&mut client, "k", &value);
            get(&mut client, "k", &value);
        }
    }
}

#[test]
fn pipelines_that_are_sent_at_once_are_answered_in_order() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut client = stand.connect(&server);
    let big = value(300_000, 7);
    let mut requests = Vec::new();
    let mut answers = Vec::new();
    for at in 0..3_000 {
        requests.extend_from_slice(format!("set k{at} {at} 0 5\r\n{at:05}\r\nget k{at}\r\n").as_bytes());
        answers.extend_from_slice(format!("STORED\r\nVALUE k{at} {at} 5\r\n{at:05}\r\nEND\r\n").as_bytes());
        if at % 500 == 0 {
            requests.extend_from_slice(&[&b"set big 0 0 300000\r\n"[..], &big, b"\r\nget big\r\n"].concat());
            answers.extend_from_slice(&[&b"STORED\r\nVALUE big 0 300000\r\n"[..], &big, b"\r\nEND\r\n"].concat());
        }
    }
    let writer = thread::spawn(move || {
        client.send(&requests[..150_000]);
        client.send(&requests[150_000..]);
        client
    });
    // The server goes on while its answers are not read; then everything comes.
    let mut client = writer.join().expect("it sends");
    client.expect(&answers);
}

/// A client that takes nothing for a while leaves encrypted bytes with the server, which go out once it reads.
#[test]
fn slow_readers_get_everything_in_the_end() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut client = stand.connect(&server);
    let value = value(900_000, 3);
    set(&mut client, "k", &value);
    let mut others = stand.connect(&server);
    for _ in 0..20 {
        client.send_line("get k");
    }
    others.send_line("mn");
    others.expect_line("MN");
    let answer = [&b"VALUE k 0 900000\r\n"[..], &value, b"\r\nEND\r\n"].concat();
    for _ in 0..20 {
        client.expect(&answer);
    }
    client.send_line("mn");
    client.expect_line("MN");
}

#[test]
fn requests_behind_the_handshake_in_the_same_packets_are_served() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let config = Arc::new(stand.client(&[&TLS13], None));
    let mut tls = Tls::begin(&config, server.address());
    // The server's part of the handshake comes; our end of it leaves together with requests.
    let rustls::StreamOwned { conn, sock } = &mut tls.0;
    conn.write_tls(sock).expect("sent");
    while conn.is_handshaking() {
        conn.read_tls(sock).expect("it answers");
        conn.process_new_packets().expect("it is right");
    }
    conn.writer().write_all(b"set k 0 0 2\r\nhi\r\nget k\r\n").expect("room");
    let mut flight = Vec::new();
    while conn.wants_write() {
        conn.write_tls(&mut flight).expect("memory");
    }
    sock.write_all(&flight).expect("sent");
    let mut answer = [0; 8 + 13 + 4 + 5];
    tls.read_exact(&mut answer).expect("it answers");
    assert_eq!(answer.escape_ascii().to_string(), "STORED\\r\\nVALUE k 0 2\\r\\nhi\\r\\nEND\\r\\n");
}

/// Each byte of a handshake and of requests comes by itself.
#[test]
fn records_may_be_cut_anywhere() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let config = Arc::new(stand.client(&[&TLS12], None));
    let mut tls = Tls::begin(&config, server.address());
    tls.0.sock.set_nodelay(true).expect("a socket");
    tls.0.conn.writer().write_all(b"set k 0 0 2\r\nhi\r\nget k\r\n").expect("room");
    let rustls::StreamOwned { conn, sock } = &mut tls.0;
    let mut answer = Vec::new();
    while !answer.ends_with(b"END\r\n") {
        let mut flight = Vec::new();
        while conn.wants_write() {
            conn.write_tls(&mut flight).expect("memory");
        }
        for byte in flight {
            sock.write_all(&[byte]).expect("sent");
        }
        conn.read_tls(sock).expect("it answers");
        conn.process_new_packets().expect("it is right");
        let mut part = [0; 100];
        if let Ok(bytes) = conn.reader().read(&mut part) {
            answer.extend_from_slice(&part[..bytes]);
        }
    }
    assert_eq!(answer.escape_ascii().to_string(), "STORED\\r\\nVALUE k 0 2\\r\\nhi\\r\\nEND\\r\\n");
}

#[test]
fn who_watches_by_way_of_tls_sees_events() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut watcher = stand.connect(&server);
    watcher.send_line("watch fetchers");
    watcher.expect_line("OK");
    let mut client = stand.connect(&server);
    client.send_line("get nothing");
    client.expect_line("END");
    let line = String::from_utf8(watcher.lf_line()).expect("text");
    assert!(line.contains("type=item_get key=nothing status=not_found"), "{line}");
}

#[test]
fn both_sides_may_end_a_connection() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut client = stand.connect(&server);
    client.send_line("quit");
    client.expect_closed();
    let config = Arc::new(stand.client(&[&TLS13], None));
    let mut tls = Tls::begin(&config, server.address());
    tls.ask().expect("served");
    tls.0.conn.send_close_notify();
    tls.flush().expect("sent");
    let mut rest = Vec::new();
    // The server's farewell, or else this is an error.
    tls.read_to_end(&mut rest).expect("an orderly end");
    assert!(rest.is_empty());
}

#[test]
fn a_key_update_in_between_changes_nothing() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut tls = Tls::begin(&Arc::new(stand.client(&[&TLS13], None)), server.address());
    for _ in 0..5 {
        assert_eq!(tls.ask().expect("served"), "MN\r\n");
        tls.0.conn.refresh_traffic_keys().expect("TLS 1.3");
    }
}

#[test]
fn tls_may_begin_behind_the_header_of_a_load_balancer() {
    let stand = Stand::new();
    let server = stand.serve("", &["--proxy-protocol-from", "127.0.0.1", "--deny", "10.0.0.8"]);
    let config = Arc::new(stand.client(&[&TLS13], None));
    for (last, served) in [(7, true), (8, false)] {
        let mut socket = TcpStream::connect(server.address()).expect("it accepts");
        let header =
            [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x0a\0\0"[..], &[last], &[127, 0, 0, 1, 1, 1, 2, 2]].concat();
        socket.write_all(&header).expect("sent");
        assert_eq!(Tls::over(&config, socket).ask().is_ok(), served, "10.0.0.{last}");
    }
}

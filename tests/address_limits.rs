//! What one client address may take: `--max-connections-per-address`, `--max-connection-rate`, over real sockets.

#[path = "common/mod.rs"]
mod common;

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use common::neighbours::{
    expect_flood_turned_away, expect_served, expect_turned_away, is_turned_away, try_connect_from,
};
use common::{Client, DEADLINE, POLL_INTERVAL, Server};

/// A connection from 127.0.0.`last` that has sent a request.
fn request(server: &Server, last: u8) -> io::Result<TcpStream> {
    let mut stream = try_connect_from(server, last)?;
    stream.write_all(b"mn\r\n")?;
    Ok(stream)
}

/// Waits until an address that had its share is served again, and returns that connection.
#[track_caller]
fn await_served(server: &Server, last: u8) -> Client {
    let since = Instant::now();
    loop {
        let mut answer = [0; 4];
        if let Ok(mut stream) = request(server, last)
            && stream.read_exact(&mut answer).is_ok()
        {
            assert_eq!(&answer, b"MN\r\n");
            return Client::over(stream);
        }
        assert!(since.elapsed() < DEADLINE, "the address is never served again");
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn one_address_has_so_many_connections_and_no_more() {
    let server = Server::start(&["--max-connections-per-address", "3"]);
    let mut held: Vec<Client> = (0..3).map(|_| expect_served(&server, 1)).collect();
    for _ in 0..3 {
        expect_turned_away(&server, 1);
    }
    server.await_stderr("connection refused address=127.0.0.1: --max-connections-per-address=3 reached");
    let mut other = expect_served(&server, 2);
    assert_eq!(other.statistic("", "rejected_per_address").as_deref(), Some("3"));
    assert_eq!(other.statistic("", "rejected_connections").as_deref(), Some("0"));
    assert_eq!(other.statistic("", "curr_connections").as_deref(), Some("4"));
    held.pop();
    await_served(&server, 1);
    other.send_line("stats reset");
    other.expect_line("RESET");
    assert_eq!(other.statistic("", "rejected_per_address").as_deref(), Some("0"));
}

/// However a connection ends, its address may have another one.
#[test]
fn connections_are_counted_out_whatever_becomes_of_them() {
    let server = Server::start(&["--max-connections-per-address", "1"]);
    let ends: &[&[u8]] = &[b"", b"quit\r\n", b"mn\r\nquit\r\n", b"\x80\x00", b"set k 0 0 100\r\nhalf", b"watch\r\n"];
    for sent in ends {
        let mut client = await_served(&server, 1);
        client.send(sent);
        if *sent == b"watch\r\n" {
            client.expect_line("OK");
        }
        drop(client);
    }
    await_served(&server, 1);
}

#[test]
fn one_address_connects_so_often_and_no_more() {
    // One a second: the next is due long after this test, or a little later on a slow machine.
    let server = Server::start(&["--max-connection-rate", "1"]);
    drop(expect_served(&server, 1));
    let refused = (0..200).filter(|_| is_turned_away(request(&server, 1))).count();
    assert!(refused > 0, "none of 200 connections was refused");
    server.await_stderr("connection refused address=127.0.0.1: --max-connection-rate=1 reached");
    let mut other = expect_served(&server, 2);
    assert_eq!(other.statistic("", "rejected_per_address"), Some(refused.to_string()));
    await_served(&server, 1);
}

#[test]
fn without_a_limit_stats_are_those_of_memcached() {
    let server = Server::start(&[]);
    assert_eq!(expect_served(&server, 1).statistic("", "rejected_per_address"), None);
}

/// A flood from one address neither takes memory nor keeps others outside.
#[test]
fn a_flood_from_one_address_hurts_nobody_else() {
    let server = Server::start(&["-c", "20", "--max-connections-per-address", "4"]);
    let held: Vec<Client> = (0..4).map(|_| expect_served(&server, 1)).collect();
    let mut other = expect_served(&server, 2);
    expect_flood_turned_away(&server, 1);
    assert_eq!(other.statistic("", "curr_connections").as_deref(), Some("5"));
    drop(held);
}

#[test]
fn unix_sockets_are_not_concerned() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = directory.path().join("socket");
    let server = Server::start_unix(&path, &["--max-connections-per-address", "1", "--max-connection-rate", "1"]);
    let mut clients: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(&path).expect("it is served")).collect();
    for client in &mut clients {
        client.set_read_timeout(Some(DEADLINE)).expect("not zero");
        client.write_all(b"mn\r\n").expect("it is open");
        let mut reply = [0; 4];
        client.read_exact(&mut reply).expect("an answer");
        assert_eq!(&reply, b"MN\r\n");
    }
    drop(server);
}

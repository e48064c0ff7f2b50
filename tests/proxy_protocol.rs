//! Clients behind a load balancer (`--proxy-protocol-from`), over real sockets: this test is the balancer.

#[path = "common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use common::neighbours::{connect_from, expect_served, expect_turned_away};
use common::{Client, DEADLINE, Server};

/// The header for a client at this address and port 4242.
fn header(client: &str) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    let addresses = match client.parse().expect("an address") {
        IpAddr::V4(client) => [&[0x11, 0, 12], &client.octets()[..], &[127, 0, 0, 1, 0x10, 0x92, 0x2b, 0xcb]].concat(),
        IpAddr::V6(client) => [&[0x21, 0, 36], &client.octets()[..], &[0; 16], &[0x10, 0x92, 0x2b, 0xcb]].concat(),
    };
    header.extend(addresses);
    header
}

const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

fn open(server: &Server) -> TcpStream {
    let socket = TcpStream::connect_timeout(&server.address(), DEADLINE).expect("it accepts");
    socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
    socket
}

/// What the server answers to these bytes on a connection of the balancer's, until it ends or has answered `mn`.
fn answer(server: &Server, bytes: &[u8]) -> String {
    let mut socket = open(server);
    let _ = socket.write_all(bytes);
    let mut answer = Vec::new();
    while !answer.ends_with(b"MN\r\n") && matches!((&socket).take(1).read_to_end(&mut answer), Ok(1)) {}
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(client: &str) -> Vec<u8> {
    [&header(client)[..], b"mn\r\n"].concat()
}

#[test]
fn the_address_in_the_header_counts() {
    let server =
        Server::start(&["--proxy-protocol-from", "127.0.0.1", "--allow", "10.0.0.0/8,2001:db8::/32,127.0.0.2"]);
    for (client, expected) in
        [("10.0.0.7", "MN\r\n"), ("2001:db8::7", "MN\r\n"), ("11.0.0.7", ""), ("2001:db9::7", ""), ("127.0.0.1", "")]
    {
        assert_eq!(answer(&server, &request(client)), expected, "{client}");
    }
    server.await_stderr("connection denied address=11.0.0.7");
    // Clients whose address is not told have that of the balancer, which may not connect.
    for family in [0x00, 0x31, 0x12, 0x22] {
        let unknown = [&b"\r\n\r\n\0\r\nQUIT\n\x21"[..], &[family, 0, 0], b"mn\r\n"].concat();
        assert_eq!(answer(&server, &unknown), "", "{family:#x}");
    }
    assert_eq!(answer(&server, &[LOCAL, b"mn\r\n"].concat()), "MN\r\n", "the balancer looks whether we are well");
    // Whoever comes by itself needs no header, and one is no more than a wrong request.
    expect_served(&server, 2);
    expect_turned_away(&server, 3);
}

#[test]
fn statistics_and_limits_know_the_client() {
    let server = Server::start(&["--proxy-protocol-from", "127.0.0.1", "--max-connections-per-address", "2"]);
    let connect = |client: &str| {
        let mut socket = open(&server);
        socket.write_all(&header(client)).expect("sent");
        Client::over(socket)
    };
    let mut held: Vec<Client> = (0..2).map(|_| connect("10.0.0.7")).collect();
    for client in &mut held {
        client.send_line("mn");
        client.expect_line("MN");
    }
    assert_eq!(answer(&server, &request("10.0.0.7")), "");
    assert_eq!(answer(&server, &request("10.0.0.8")), "MN\r\n");
    let rows = held[0].statistics("conns");
    assert!(rows.iter().any(|(name, value)| name.ends_with(":addr") && value == "tcp:10.0.0.7:4242"), "{rows:?}");
    held.pop();
    let mut ended = connect("10.0.0.9");
    ended.send_line("quit");
    ended.expect_closed();
    held[0].await_line("stats", "STAT pid");
    let rows = held[0].statistics("conns");
    assert!(!rows.iter().any(|(_, value)| value.contains("10.0.0.9")), "who has left is not listed: {rows:?}");
}

#[test]
fn connections_of_the_balancer_without_a_header_end() {
    let server = Server::start(&["--proxy-protocol-from", "127.0.0.0/8"]);
    let v1 = b"PROXY TCP4 10.0.0.7 127.0.0.1 4242 11211\r\nmn\r\n";
    let mut long = header("10.0.0.7");
    long[14..16].copy_from_slice(&[0xff, 0xff]);
    for bytes in [
        &b"mn\r\nmn\r\nmn\r\nmn\r\nmn\r\n"[..],
        v1,
        &long,
        &[0; 100],
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x00mn\r\n",
        b"get a\r\n",
    ] {
        assert_eq!(answer(&server, bytes), "", "{}", bytes.escape_ascii());
    }
    server.await_stderr("PROXY header failed address=127.0.0.1: this is no header of version 2");
    assert!(!server.stderr().contains("took too long"), "all of these are known at their first wrong byte");
    // One that is cut anywhere arrives.
    let whole = request("10.0.0.7");
    for at in 1..whole.len() {
        let mut socket = open(&server);
        socket.set_nodelay(true).expect("a socket");
        socket.write_all(&whole[..at]).expect("sent");
        socket.write_all(&whole[at..]).expect("sent");
        let mut client = Client::over(socket);
        client.expect_line("MN");
    }
    // One that stalls has its time, which the others above may need on a busy machine.
    let impatient = Server::start(&["--proxy-protocol-from", "127.0.0.0/8", "--handshake-timeout", "1"]);
    assert_eq!(answer(&impatient, &whole[..20]), "");
    impatient.await_stderr("PROXY header failed address=127.0.0.1: it took too long");
}

/// Between the client and the balancer somebody may read along, however near the balancer is to us.
#[test]
fn a_near_balancer_does_not_make_its_clients_near() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users");
    std::fs::write(&path, "[users.app]\n").expect("room");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    let users = path.display().to_string();
    let server = Server::start(&["--users", &users, "--proxy-protocol-from", "127.0.0.1"]);
    let names = |socket: TcpStream| {
        let mut client = Client::over(socket);
        client.send_line("sasl mech");
        String::from_utf8(client.line()).expect("text")
    };
    assert!(names(connect_from(&server, 2)).ends_with(" PLAIN"), "straight from this machine");
    for client in ["10.0.0.7", "127.0.0.1", "::1"] {
        let mut socket = open(&server);
        socket.write_all(&header(client)).expect("sent");
        let names = names(socket);
        assert!(names.contains("SCRAM") && !names.contains("PLAIN"), "{client}: {names}");
    }
}

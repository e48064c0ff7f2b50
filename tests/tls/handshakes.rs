//! Handshakes that never end, go wrong, or are none. Nobody else notices.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use crate::common::{Client, DEADLINE, Server};
use crate::stand::{Stand, Tls};

fn open(server: &Server) -> TcpStream {
    let socket = TcpStream::connect(server.address()).expect("it accepts");
    socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
    socket
}

/// Reads until the server ends the connection.
fn await_end(mut socket: TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match socket.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server ends it"),
    }
    rest
}

#[test]
fn what_is_no_handshake_ends_at_once_with_an_alert() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    for hello in [&b"get a key in the clear\r\n"[..], b"\x80\0\0\0\0\0", &[0; 100], &[0x16, 3, 1, 0xFF, 0xFF, 1]] {
        let mut socket = open(&server);
        socket.write_all(hello).expect("sent");
        let answer = await_end(socket);
        assert!(answer.is_empty() || answer[0] == 0x15, "an alert or nothing: {}", answer.escape_ascii());
    }
    let mut client = stand.connect(&server);
    let failed = client.statistic("", "ssl_handshake_errors").expect("a count");
    assert_eq!(failed, "4");
    server.await_stderr("TLS handshake failed address=127.0.0.1: ");
}

#[test]
fn handshakes_that_take_too_long_end_and_count_no_more() {
    let stand = Stand::new();
    let server = stand.serve("", &["--handshake-timeout", "1"]);
    let silent: Vec<_> = (0..20).map(|_| open(&server)).collect();
    let mut slow = open(&server);
    slow.write_all(&[0x16, 3, 1]).expect("sent");
    // Whoever keeps to the protocol has no more time than they: on a busy machine it can be over, and is counted.
    let config = Arc::new(stand.client(&[&rustls::version::TLS13], None));
    let (since, mut late) = (Instant::now(), 0);
    let mut client = loop {
        let mut tls = Tls::begin(&config, server.address());
        match tls.ask() {
            Ok(answer) => {
                assert_eq!(answer, "MN\r\n");
                break Client::over(tls);
            }
            Err(error) => assert!(since.elapsed() < DEADLINE, "nobody is served: {error}"),
        }
        late += 1;
    };
    for socket in silent.into_iter().chain([slow]) {
        assert_eq!(await_end(socket), b"");
    }
    let failed = client.statistic("", "ssl_handshake_errors").expect("a count");
    assert_eq!(failed, (21 + late).to_string());
    client.await_line("stats", "STAT pid");
    assert_eq!(client.statistic("", "curr_connections").as_deref(), Some("1"));
}

/// More than the lobby has places: whoever waits longest leaves, and who keeps to the protocol is served.
#[test]
fn a_crowd_that_never_speaks_shuts_nobody_out() {
    let stand = Stand::new();
    let server = stand.serve("", &["-t", "1", "-c", "3000"]);
    let crowd: Vec<_> = (0..1_100).map(|_| open(&server)).collect();
    let mut client = stand.connect(&server);
    client.send_line("mn");
    client.expect_line("MN");
    for socket in crowd.into_iter().take(76) {
        assert_eq!(await_end(socket), b"");
    }
}

/// What a client sends after its handshake must be encrypted by it.
#[test]
fn garbage_behind_the_handshake_ends_the_connection() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let config = Arc::new(stand.client(&[&rustls::version::TLS13], None));
    let mut tls = Tls::begin(&config, server.address());
    tls.ask().expect("served");
    tls.0.sock.write_all(&[&[0x17, 3, 3, 0, 50][..], &[7; 50]].concat()).expect("sent");
    let mut rest = Vec::new();
    assert!(tls.read_to_end(&mut rest).is_err(), "an alert");
    let mut client = stand.connect(&server);
    assert_eq!(client.statistic("", "ssl_proto_errors").as_deref(), Some("1"));
}

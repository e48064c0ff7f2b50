//! Connections with TLS over a pair of sockets; what time it is, each test says itself.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use socket2::Socket;

use super::*;
use crate::admin::response::Status;
use crate::settings::TlsSettings;
use crate::tls::{ClientCertificates, Tls};

/// A client that has sent nothing yet, and the server's side of it.
struct Pair {
    tls: ClientConnection,
    socket: UnixStream,
    connection: Connection,
    begun: Instant,
}

impl Pair {
    fn new() -> Pair {
        let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = (directory.path().join("chain"), directory.path().join("key"));
        std::fs::write(&chain, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let server =
            Tls::start(TlsSettings { chain_cert: Some(chain), key: Some(key), ..TlsSettings::default() }).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certified.cert.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
        let tls = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
        let (socket, other) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        other.set_nonblocking(true).unwrap();
        let server = Arc::new(server);
        let wire = Wire::secure(Socket::from(OwnedFd::from(other)), &server, ClientCertificates::Ignored).unwrap();
        let begun = Instant::now();
        let connection = Connection::new(wire, begun);
        Pair { tls, socket, connection, begun }
    }

    /// A turn of the server, so long after the beginning.
    fn turn(&mut self, after: Duration) -> Turn {
        self.connection.turn(self.begun + after, answer)
    }

    /// Sends and reads what there is.
    fn exchange(&mut self) -> Vec<u8> {
        while self.tls.wants_write() && self.tls.write_tls(&mut self.socket).is_ok() {}
        let mut plain = Vec::new();
        while self.tls.read_tls(&mut self.socket).is_ok_and(|bytes| bytes > 0) {
            self.tls.process_new_packets().unwrap();
            // At the end of what there is this says so.
            let _ = self.tls.reader().read_to_end(&mut plain);
        }
        plain
    }

    /// Reads so many bytes at most, as they came.
    fn read(&mut self, most: u64) -> Vec<u8> {
        let mut plain = Vec::new();
        self.tls.read_tls(&mut (&self.socket).take(most)).unwrap();
        self.tls.process_new_packets().unwrap();
        let _ = self.tls.reader().read_to_end(&mut plain);
        plain
    }

    /// Both sides to the end of the handshake.
    fn shake_hands(&mut self) {
        while self.tls.is_handshaking() {
            self.exchange();
            assert_eq!(self.turn(Duration::ZERO), Turn::Wait);
        }
        self.exchange();
        assert_eq!(self.turn(Duration::ZERO), Turn::Wait);
        assert!(self.connection.wire.is_open());
    }

    /// What TLS has said to a client that cannot read it.
    fn read_raw(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.socket.read_to_end(&mut bytes).unwrap();
        bytes
    }
}

fn answer(request: &Request<'_>) -> Response {
    let content = Cow::Owned(vec![b'x'; if request.path == "/large" { LARGE_BYTES } else { 1 }]);
    Response { status: Status::Ok, media_type: "text/plain", policy: "", content }
}

const LARGE_BYTES: usize = 3 << 20;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_handshake_and_its_request_have_the_time_of_one_request() {
    let mut pair = Pair::new();
    let end = pair.begun + REQUEST_TIME_MAX;
    assert_eq!(pair.connection.deadline(), end);
    let mut hello = Vec::new();
    pair.tls.write_tls(&mut hello).unwrap();
    let (first, rest) = hello.split_at(10);
    pair.socket.write_all(first).unwrap();
    assert_eq!((pair.turn(3 * SECOND), pair.connection.deadline()), (Turn::Wait, end), "the hello is not whole");
    pair.socket.write_all(rest).unwrap();
    while !pair.connection.wire.is_open() {
        assert_eq!((pair.turn(4 * SECOND), pair.connection.deadline()), (Turn::Wait, end), "nothing was asked");
        pair.exchange();
    }
    pair.tls.writer().write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
    pair.exchange();
    assert_eq!((pair.turn(4 * SECOND), pair.connection.deadline()), (Turn::Wait, end), "half a request");
    pair.tls.writer().write_all(b"\r\n\r\n").unwrap();
    pair.exchange();
    assert_eq!(pair.turn(4 * SECOND), Turn::Wait);
    assert_eq!(pair.connection.deadline(), pair.begun + 4 * SECOND + IDLE_TIME_MAX);
    assert!(pair.exchange().starts_with(b"HTTP/1.1 200 OK"));
    pair.connection.give_up("it took too long");
    assert_eq!(pair.connection.take_fault(), None, "it was done in time");
}

#[test]
fn a_handshake_that_is_given_up_or_left_is_a_fault_and_counts_once() {
    let mut pair = Pair::new();
    pair.connection.give_up("it took too long");
    assert_eq!(pair.connection.take_fault(), Some(TlsFault::Handshake("it took too long".to_owned())));
    assert_eq!(pair.connection.take_fault(), None);
    let mut pair = Pair::new();
    pair.socket.shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Close);
    assert!(matches!(pair.connection.take_fault(), Some(TlsFault::Handshake(_))));
}

#[test]
fn what_is_no_handshake_is_told_so_and_has_a_moment_to_read_it() {
    let mut pair = Pair::new();
    pair.socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Wait);
    assert!(matches!(pair.connection.take_fault(), Some(TlsFault::Handshake(_))));
    assert_eq!(pair.connection.deadline(), pair.begun + SECOND + LINGER_TIME_MAX);
    assert_eq!(pair.read_raw()[0], 0x15, "an alert and the end");
    pair.socket.write_all(&[0; 100]).unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Wait, "thrown away");
    pair.connection.give_up("it took too long");
    assert_eq!(pair.connection.take_fault(), None, "it was noted");
    pair.socket.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Close);
}

#[test]
fn a_handshake_that_failed_is_one_fault_however_its_client_leaves() {
    let mut pair = Pair::new();
    pair.socket.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Wait);
    assert!(matches!(pair.connection.take_fault(), Some(TlsFault::Handshake(_))));
    // The alert is unread, so the kernel resets the connection.
    drop(pair.socket);
    assert_eq!(pair.connection.turn(pair.begun + SECOND, answer), Turn::Close);
    assert_eq!(pair.connection.take_fault(), None, "it was noted");
}

#[test]
fn a_connection_that_is_over_says_so_in_tls() {
    let farewell = |mut pair: Pair| {
        drop(pair.connection);
        pair.tls.read_tls(&mut pair.socket).unwrap();
        pair.tls.process_new_packets().unwrap().peer_has_closed()
    };
    let mut idle = Pair::new();
    idle.shake_hands();
    idle.connection.give_up("it took too long");
    assert!(farewell(idle), "its time was over");
    let mut left = Pair::new();
    left.shake_hands();
    left.tls.send_close_notify();
    left.exchange();
    assert_eq!(left.turn(SECOND), Turn::Close);
    assert!(farewell(left), "its client has ended it");
}

#[test]
fn what_is_not_encrypted_behind_the_handshake_ends_the_connection() {
    let mut pair = Pair::new();
    pair.shake_hands();
    pair.socket.write_all(&[&[0x17, 3, 3, 0, 50][..], &[7; 50]].concat()).unwrap();
    assert_eq!(pair.turn(SECOND), Turn::Wait);
    assert!(matches!(pair.connection.take_fault(), Some(TlsFault::Data(_))));
    assert_eq!(pair.connection.deadline(), pair.begun + SECOND + LINGER_TIME_MAX);
    assert!(pair.read_raw().len() > 5, "an alert, encrypted, and the end");
}

/// Requests that came in one record are in nobody's socket any more.
#[test]
fn requests_beyond_the_room_for_one_are_answered_without_an_event() {
    let mut pair = Pair::new();
    pair.shake_hands();
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let count = 16_000 / REQUEST.len();
    pair.tls.writer().write_all(&REQUEST.repeat(count)).unwrap();
    let mut answers = pair.exchange();
    assert!(pair.socket.take_error().unwrap().is_none());
    assert_eq!(pair.turn(SECOND), Turn::Wait);
    assert!(pair.connection.has_more() || pair.connection.is_sending(), "it has to be asked again");
    for _ in 0..100 {
        answers.extend(pair.exchange());
        if pair.connection.has_more() || pair.connection.is_sending() {
            assert_eq!(pair.turn(SECOND), Turn::Wait);
        }
    }
    let found = answers.windows(8).filter(|window| window == b"HTTP/1.1").count();
    assert_eq!(found, count);
    assert!(!pair.connection.has_more(), "nothing is left to be asked for");
}

#[test]
fn whoever_asks_without_end_leaves_others_their_turn() {
    let (mut client, other) = UnixStream::pair().unwrap();
    client.set_nonblocking(true).unwrap();
    other.set_nonblocking(true).unwrap();
    let mut connection = Connection::new(Wire::plain(Socket::from(OwnedFd::from(other))), Instant::now());
    client.write_all(&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100)).unwrap();
    let mut found = 0;
    while found < 100 {
        assert!(found == 0 || connection.has_more(), "no event tells of what was read");
        assert_eq!(connection.turn(Instant::now(), answer), Turn::Wait);
        let mut answers = Vec::new();
        // At the end of what there is this says so.
        let _ = client.read_to_end(&mut answers);
        let count = answers.windows(8).filter(|window| window == b"HTTP/1.1").count();
        assert!((1..=ANSWERS_MAX).contains(&count), "{count} at once");
        found += count;
    }
    assert_eq!(connection.turn(Instant::now(), answer), Turn::Wait);
    assert!(!connection.has_more(), "nothing is left to be asked for");
}

#[test]
fn a_large_answer_leaves_as_fast_as_it_is_read() {
    let mut pair = Pair::new();
    pair.shake_hands();
    pair.tls.writer().write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    pair.exchange();
    let (mut content, mut turns) = (Vec::new(), 0);
    while pair.connection.phase != Phase::Lingering {
        assert_eq!(pair.turn(SECOND), Turn::Wait);
        assert!(pair.connection.phase == Phase::Lingering || pair.connection.is_sending());
        assert_eq!(pair.connection.deadline() == pair.begun + SECOND + LINGER_TIME_MAX, !pair.connection.is_sending());
        content.extend(pair.read(4 << 10));
        turns += 1;
    }
    content.extend(pair.exchange());
    let head = content.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(content.len() - head, LARGE_BYTES);
    assert!(content[head..].iter().all(|byte| *byte == b'x'));
    assert!(turns > 100, "it went out in {turns} pieces");
}

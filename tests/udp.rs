//! UDP as a client sees it, against the real binary.

mod support;

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, UdpSocket};

use larder::protocol::udp::{DATAGRAM_BYTES_MAX, Header, REPLY_TOO_LARGE};
use rustix::process::Signal;
use socket2::SockRef;
use support::{PATIENCE, Server};

/// A server with UDP at any port of 127.0.0.1.
fn server() -> Server {
    Server::on_loopback(&["-U", "-1"])
}

fn udp_port(server: &Server) -> u16 {
    let ports = server.ports();
    ports.iter().find_map(|line| line.strip_prefix("UDP INET: ")?.parse().ok()).expect("an IPv4 port of UDP")
}

/// A client of one server.
struct Client {
    socket: UdpSocket,
}

impl Client {
    fn of(server: &Server) -> Client {
        Client::at(&format!("127.0.0.1:{}", udp_port(server)))
    }

    fn at(address: &str) -> Client {
        let any = if address.starts_with('[') { "[::1]:0" } else { "127.0.0.1:0" };
        let socket = UdpSocket::bind(any).unwrap();
        socket.connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        SockRef::from(&socket).set_recv_buffer_size(1 << 20).unwrap();
        Client { socket }
    }

    fn send(&self, header: Header, requests: &[u8]) {
        self.socket.send(&[&header.encode()[..], requests].concat()).unwrap();
    }

    /// A machine that was suspended interrupts waits that have a deadline.
    fn try_receive(&self, datagram: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.recv(datagram) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => return received,
            }
        }
    }

    /// The next datagram.
    fn receive(&self) -> (Header, Vec<u8>) {
        let mut datagram = [0; 2 * DATAGRAM_BYTES_MAX];
        let len = self.try_receive(&mut datagram).expect("an answer");
        assert!(len <= DATAGRAM_BYTES_MAX, "{len} bytes");
        assert_eq!(datagram[6..8], [0, 0], "reserved");
        let (header, payload) = Header::parse(&datagram[..len]).expect("a header");
        (header, payload.to_vec())
    }

    /// The whole reply to `requests`, and how many datagrams it came in.
    fn ask(&self, id: u16, requests: &[u8]) -> (Vec<u8>, usize) {
        self.send(Header { id, sequence: 0, total: 1 }, requests);
        let (first, mut reply) = self.receive();
        assert_eq!((first.id, first.sequence), (id, 0));
        for sequence in 1..first.total {
            let (header, payload) = self.receive();
            assert_eq!(header, Header { sequence, ..first });
            reply.extend_from_slice(&payload);
        }
        (reply, usize::from(first.total))
    }

    #[track_caller]
    fn check(&self, requests: &str, reply: &str) {
        let (found, _) = self.ask(0x1234, requests.as_bytes());
        assert_eq!(String::from_utf8_lossy(&found), reply, "{requests:?}");
    }

    /// Everything that was sent before has been dealt with, and nothing of it was answered.
    #[track_caller]
    fn check_silence(&self, what: &str) {
        self.send(Header { id: 0xfeed, sequence: 0, total: 1 }, b"mn\r\n");
        let (header, payload) = self.receive();
        assert_eq!((header.id, &payload[..]), (0xfeed, &b"MN\r\n"[..]), "{what}");
    }
}

#[test]
fn request_id_comes_back_with_the_reply() {
    let server = server();
    let client = Client::of(&server);
    for id in [0, 1, 1, 0x1234, 0xffff] {
        client.send(Header { id, sequence: 7, total: 1 }, b"version\r\n");
        let (header, payload) = client.receive();
        assert_eq!(header, Header { id, sequence: 0, total: 1 });
        assert_eq!(payload, b"VERSION 1.6.45\r\n");
    }
}

#[test]
fn commands_work_as_over_tcp_on_the_same_cache() {
    let server = server();
    let client = Client::of(&server);
    client.check("set n 5 0 2\r\n10\r\n", "STORED\r\n");
    client.check("incr n 5\r\n", "15\r\n");
    client.check("get n missing\r\n", "VALUE n 5 2\r\n15\r\nEND\r\n");
    let mut stream = server.connect();
    stream.write_all(b"get n\r\ndelete n\r\n").unwrap();
    let lines: Vec<String> = BufReader::new(stream).lines().take(4).map(Result::unwrap).collect();
    assert_eq!(lines, ["VALUE n 5 2", "15", "END", "DELETED"]);
    client.check("get n\r\n", "END\r\n");
    client.check("nonsense\r\n", "ERROR\r\n");
    // Nothing that could be watched would reach anybody.
    client.check("watch\r\n", "WATCHER_FAILED failed to add log watcher\r\n");
    client.check("watch foo\r\n", "ERROR\r\n");
}

#[test]
fn requests_of_one_datagram_are_answered_by_one_message() {
    let server = server();
    let client = Client::of(&server);
    client.check(
        "set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\ny\r\nget a b\r\nnonsense\r\ndelete a\r\n",
        "STORED\r\nVALUE a 0 1\r\nx\r\nVALUE b 0 1\r\ny\r\nEND\r\nERROR\r\nDELETED\r\n",
    );
}

#[test]
fn large_values_are_cut_and_arrive_whole() {
    let server = server();
    let client = Client::of(&server);
    // Below and above the size from which values are sent from the store, and around one datagram.
    for len in [1300, 1370, 1372, 1400, 5000, 8191, 8192, 60_000] {
        let value: String = (0..len).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
        client.check(&format!("set k 0 0 {len}\r\n{value}\r\n"), "STORED\r\n");
        let expected = format!("VALUE k 0 {len}\r\n{value}\r\nEND\r\n");
        let (reply, datagrams) = client.ask(9, b"get k\r\n");
        assert!(reply == expected.as_bytes(), "{len} bytes");
        assert_eq!(datagrams, expected.len().div_ceil(1392), "{len} bytes");
    }
}

#[test]
fn what_is_no_whole_request_is_dropped_without_an_answer() {
    let server = server();
    let client = Client::of(&server);
    let header = Header { id: 1, sequence: 0, total: 1 };
    for len in 0..=8 {
        client.socket.send(&header.encode()[..len]).unwrap();
        client.check_silence("no header, or nothing behind it");
    }
    for total in [0, 2, 0xffff] {
        client.send(Header { total, ..header }, b"version\r\n");
        client.check_silence("one datagram of several");
    }
    let requests: [&[u8]; 9] = [
        b"version",
        b"set k 0 0 10\r\nabc",
        b"set k 0 0 3\r\nabc",
        b"set k 0 0 1 noreply\r\nx\r\n",
        b"quit\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\x80\x00\x00\x01\n\r\n",
        &[b'x'; 60_000],
        // Of another server that takes us for its client.
        b"ERROR\r\n",
    ];
    for requests in requests {
        client.send(header, requests);
        client.check_silence(&requests.escape_ascii().to_string());
    }
    client.check("get a\r\nget a", "END\r\n");
    client.check("get k\r\nquit\r\nget k\r\n", "VALUE k 0 1\r\nx\r\nEND\r\n");
}

#[test]
fn requests_that_wait_for_the_next_turn_are_answered_without_another_event() {
    let server = server();
    let client = Client::of(&server);
    const COUNT: u16 = 150;
    // So that all of them are there when it looks: a stopped process receives and does not run.
    server.signal(Signal::STOP);
    for id in 0..COUNT {
        client.send(Header { id, sequence: 0, total: 1 }, b"mn\r\n");
    }
    server.signal(Signal::CONT);
    for id in 0..COUNT {
        assert_eq!(client.receive(), (Header { id, sequence: 0, total: 1 }, b"MN\r\n".to_vec()));
    }
}

#[test]
fn only_the_addresses_of_l_are_bound() {
    let server = server();
    let elsewhere = Client::at(&format!("127.0.0.2:{}", udp_port(&server)));
    elsewhere.send(Header { id: 1, sequence: 0, total: 1 }, b"mn\r\n");
    let error = elsewhere.try_receive(&mut [0; 64]).expect_err("nobody is there");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(!server.stop().contains("listening on UDP"));
}

#[test]
fn without_l_both_loopback_addresses_are_served_and_in_the_port_file() {
    let server = Server::start(&["-p", "-1", "-U", "-1"]);
    let (tcp, udp) = (server.port(), udp_port(&server));
    let mut expected = vec![format!("TCP INET: {tcp}"), format!("UDP INET: {udp}")];
    Client::of(&server).check("mn\r\n", "MN\r\n");
    if TcpListener::bind("[::1]:0").is_ok() {
        expected.insert(1, format!("TCP INET6: {tcp}"));
        expected.push(format!("UDP INET6: {udp}"));
        Client::at(&format!("[::1]:{udp}")).check("mn\r\n", "MN\r\n");
    }
    assert_eq!(server.ports(), expected);
}

#[test]
fn udp_needs_no_tcp() {
    let server = Server::start(&["-l", "127.0.0.1", "-p", "0", "-U", "-1"]);
    assert_eq!(server.ports(), [format!("UDP INET: {}", udp_port(&server))]);
    Client::of(&server).check("mn\r\n", "MN\r\n");
    assert!(!server.stop().contains("nobody can connect"));
}

#[test]
fn network_sockets_warn_and_send_no_more_than_ten_times_the_request() {
    let server = Server::start(&["-l", "0.0.0.0", "-p", "-1", "-U", "-1"]);
    let client = Client::of(&server);
    let value = "v".repeat(200);
    client.check(&format!("set k 0 0 200\r\n{value}\r\n"), "STORED\r\n");
    client.check("get k\r\n", str::from_utf8(REPLY_TOO_LARGE).unwrap());
    client.check("stats\r\n", str::from_utf8(REPLY_TOO_LARGE).unwrap());
    // A longer request draws a longer reply.
    client.check("get k missing-but-long\r\n", &format!("VALUE k 0 200\r\n{value}\r\nEND\r\n"));
    let log = server.stop();
    assert!(log.contains("level=warn") && log.contains("listening on UDP addr=0.0.0.0:"), "{log}");
}

#[test]
fn the_bound_on_replies_to_a_network_can_be_lifted_and_that_is_said() {
    let server = Server::start(&["-l", "0.0.0.0", "-p", "-1", "-U", "-1", "--unbounded-udp-replies"]);
    let client = Client::of(&server);
    let value = "v".repeat(200);
    client.check(&format!("set k 0 0 200\r\n{value}\r\n"), "STORED\r\n");
    client.check("get k\r\n", &format!("VALUE k 0 200\r\n{value}\r\nEND\r\n"));
    let log = server.stop();
    assert!(log.contains("level=warn") && log.contains("without a bound on replies"), "{log}");
}

#[test]
fn stats_list_the_sockets_as_memcached_does() {
    let server = server();
    let port = udp_port(&server);
    let client = Client::of(&server);
    let (reply, _) = client.ask(1, b"stats conns\r\n");
    let text = String::from_utf8(reply).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    let fd: u32 =
        lines.iter().find_map(|line| line.strip_prefix("STAT ")?.strip_suffix(":UDP UDP")?.parse().ok()).unwrap();
    let at = lines.iter().position(|line| line.ends_with(":UDP UDP")).unwrap();
    assert_eq!(
        lines[at..at + 3],
        [
            format!("STAT {fd}:UDP UDP"),
            format!("STAT {fd}:addr udp:127.0.0.1:{port}"),
            format!("STAT {fd}:state conn_read"),
        ],
        "{text}"
    );
    let since = lines[at + 3].strip_prefix(&format!("STAT {fd}:secs_since_last_cmd ")).expect("the fourth line");
    assert!(since.parse::<u32>().is_ok_and(|secs| secs < 60), "{text}");
    let (settings, _) = client.ask(2, b"stats settings\r\n");
    assert!(String::from_utf8(settings).unwrap().contains("STAT udpport -1\r\n"));
}

#[test]
fn taken_port_is_refused_with_advice() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = support::run(&["-l", "127.0.0.1", "-p", "-1", "-U", &port]);
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains(&format!("cannot bind addr=127.0.0.1:{port}: in use; stop the other server or pass -U")),
        "{text}"
    );
}

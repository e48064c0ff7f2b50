//! The accept thread over real sockets, with a worker that only holds what it is given.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use larder::net::acceptor::Acceptor;
use larder::net::listen::{ListenSocket, Listener, bind_network};
use larder::net::mailbox::{Accepted, Mailbox, Message};
use larder::net::roster::Activity;
use larder::net::unix_socket;
use larder::settings::{ProtocolChoice, Settings};
use larder::shared::Shared;
use mio::{Events, Poll, Token};

/// A worker that passes on what it gets.
struct Holder {
    mailbox: Arc<Mailbox>,
    arrivals: Receiver<Accepted>,
    thread: JoinHandle<()>,
}

impl Holder {
    fn start() -> Holder {
        let mut poll = Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
        let inbox = Arc::clone(&mailbox);
        let (arrived, arrivals) = channel();
        let thread = std::thread::spawn(move || {
            let mut events = Events::with_capacity(1);
            loop {
                match poll.poll(&mut events, None) {
                    Err(error) if error.kind() != ErrorKind::Interrupted => panic!("poll: {error}"),
                    _ => {}
                }
                for message in inbox.take() {
                    match message {
                        Message::Serve(accepted) => arrived.send(accepted).unwrap(),
                        Message::Verdict { .. } => unreachable!("no login is asked for"),
                        Message::Stop => return,
                    }
                }
            }
        });
        Holder { mailbox, arrivals, thread }
    }

    fn next(&self) -> Accepted {
        self.arrivals.recv_timeout(PATIENCE).expect("a connection arrives")
    }
}

/// An accept thread with its holders.
struct Server {
    shared: Arc<Shared>,
    acceptor: Acceptor,
    holders: Vec<Holder>,
    address: SocketAddr,
}

impl Server {
    fn start(settings: Settings) -> Server {
        let settings = Settings { tcp_port: -1, ..settings };
        let listeners = bind_network(&settings).unwrap();
        let address = listeners[0].tcp_address().unwrap();
        Server::start_on(settings, listeners, address)
    }

    fn start_on(settings: Settings, listeners: Vec<Listener>, address: SocketAddr) -> Server {
        let holders: Vec<Holder> = (0..settings.threads).map(|_| Holder::start()).collect();
        let shared = Arc::new(Shared::new(settings).expect("memory"));
        let mailboxes = holders.iter().map(|holder| Arc::clone(&holder.mailbox)).collect();
        let acceptor = Acceptor::start(listeners, mailboxes, Arc::clone(&shared)).unwrap();
        Server { shared, acceptor, holders, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What a worker does with a client that leaves.
    fn close(&self, accepted: Accepted) {
        drop(accepted);
        self.shared.connections.current.fetch_sub(1, Ordering::Relaxed);
    }

    fn stop(self) -> Arc<Shared> {
        self.acceptor.stop();
        for holder in self.holders {
            holder.mailbox.post(Message::Stop).unwrap();
            holder.thread.join().unwrap();
        }
        self.shared
    }
}

/// Waits for a counter, which nothing announces.
fn await_that(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn read_all(mut stream: impl Read) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn connections_are_dealt_in_turn_and_counted() {
    let server = Server::start(Settings { threads: 3, protocol: ProtocolChoice::Ascii, ..Settings::default() });
    let _clients: Vec<TcpStream> = (0..6).map(|_| server.connect()).collect();
    for holder in &server.holders {
        assert_eq!([holder.next().protocol, holder.next().protocol], [ProtocolChoice::Ascii; 2]);
    }
    let connections = &server.shared.connections;
    assert_eq!(connections.current.load(Ordering::Relaxed), 6);
    assert_eq!(connections.total.load(Ordering::Relaxed), 6);
    server.stop();
}

#[test]
fn accepted_sockets_do_not_block() {
    let server = Server::start(Settings { threads: 1, ..Settings::default() });
    let _client = server.connect();
    let larder::net::stream::Socket::Tcp(mut socket) = server.holders[0].next().stream.socket else {
        panic!("not TCP")
    };
    assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    server.stop();
}

#[test]
fn limit_is_exact_and_the_next_client_is_told() {
    let server = Server::start(Settings { threads: 1, conn_limit: 2, ..Settings::default() });
    let _clients = [server.connect(), server.connect()];
    let first = server.holders[0].next();
    let _second = server.holders[0].next();
    for refused in 1..=3 {
        assert_eq!(read_all(server.connect()), "ERROR Too many open connections\r\n");
        assert_eq!(server.shared.connections.rejected.load(Ordering::Relaxed), refused);
    }
    server.close(first);
    let _third = server.connect();
    server.holders[0].next();
    let connections = &server.shared.connections;
    assert_eq!(connections.current.load(Ordering::Relaxed), 2);
    assert_eq!(connections.total.load(Ordering::Relaxed), 3);
    assert_eq!(connections.listen_disabled.load(Ordering::Relaxed), 0);
    assert!(connections.accepting.load(Ordering::Relaxed));
    server.stop();
}

#[test]
fn slow_limit_lets_clients_wait_and_resumes_within_100_ms() {
    let settings = Settings { threads: 1, conn_limit: 2, maxconns_fast: false, ..Settings::default() };
    let server = Server::start(settings);
    let _clients = [server.connect(), server.connect()];
    let mut held = vec![server.holders[0].next(), server.holders[0].next()];
    let connections = &server.shared.connections;
    let mut waiting = Vec::new();
    let mut shortest = Duration::MAX;
    for round in 1..=5 {
        waiting.push(server.connect());
        // Counted after accepting is off.
        await_that("accepting is off", || connections.listen_disabled.load(Ordering::Relaxed) >= round);
        assert_eq!(connections.listen_disabled.load(Ordering::Relaxed), round);
        assert!(!connections.accepting.load(Ordering::Relaxed));
        assert!(server.holders[0].arrivals.try_recv().is_err());

        let closed = Instant::now();
        server.close(held.remove(0));
        held.push(server.holders[0].next());
        shortest = shortest.min(closed.elapsed());
    }
    // The shortest, as other programs run on this machine too.
    assert!(shortest < Duration::from_millis(100), "took {shortest:?}");
    assert!(connections.listen_disabled_us.load(Ordering::Relaxed) > 0);
    assert_eq!(connections.rejected.load(Ordering::Relaxed), 0);
    assert_eq!(connections.total.load(Ordering::Relaxed), 7);
    server.stop();
}

#[test]
fn thousands_of_connects_all_arrive() {
    let server = Server::start(Settings { threads: 2, conn_limit: 4096, ..Settings::default() });
    for _ in 0..3 {
        let clients: Vec<TcpStream> = (0..1000).map(|_| server.connect()).collect();
        let held: Vec<Accepted> = (0..1000).map(|n| server.holders[n % 2].next()).collect();
        drop(clients);
        held.into_iter().for_each(|accepted| server.close(accepted));
    }
    assert_eq!(server.stop().connections.total.load(Ordering::Relaxed), 3000);
}

#[test]
fn listeners_of_both_kinds_are_listed_and_served() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let settings = Settings { threads: 1, tcp_port: -1, ..Settings::default() };
    let mut listeners = bind_network(&settings).unwrap();
    let address = listeners[0].tcp_address().unwrap();
    let (unix, file) = unix_socket::bind(&path, 0o700, None, 8).unwrap();
    listeners.push(Listener {
        socket: ListenSocket::Unix(unix, path.clone()),
        protocol: ProtocolChoice::Binary,
        tls: None,
    });
    let listening = listeners.len();
    let server = Server::start_on(settings, listeners, address);

    let _unix_client = UnixStream::connect(&path).unwrap();
    assert_eq!(server.holders[0].next().protocol, ProtocolChoice::Binary);
    let _tcp_client = server.connect();
    assert_eq!(server.holders[0].next().protocol, ProtocolChoice::Auto);
    let listed = server.shared.roster.list().filter(|(_, activity, _)| *activity == Activity::Listening);
    assert_eq!(listed.count(), listening);

    let shared = server.stop();
    assert_eq!(shared.roster.list().count(), 0);
    assert!(TcpStream::connect(address).is_err());
    assert!(UnixStream::connect(&path).is_err());
    drop(file);
}

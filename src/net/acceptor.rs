//! The accept thread: takes connections from all listeners and deals them to the workers in turn.
//!
//! It counts clients in, the workers count them out (`Shared::connections`), so that `-c` is exact. When there is no
//! room, or accept(2) fails, the [`Gate`] closes: the listeners stay registered (epoll is edge-triggered, so waiting
//! connections cause no wake-ups), and are merely not accepted from until the gate opens.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Registry, Token, Waker};

use super::admission::{admit, turn_away};
use super::complaints::Complaints;
use super::gate::{Gate, Why};
use super::limits::Counted;
use super::listen::{ListenSocket, Listener};
use super::lobby::{Guest, Lobby};
use super::mailbox::{Accepted, Mailbox, Message};
use super::roster::Activity;
use super::stream::{Socket, Stream};
use super::unix_socket;
use crate::net::listen_spec::ListenTls;
use crate::shared::Shared;

/// The running accept thread, seen from outside.
#[derive(Debug)]
pub struct Acceptor {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Acceptor {
    /// Starts to accept from `listeners` for `workers`, and the lobby, where there is TLS or a load balancer.
    ///
    /// # Errors
    /// When a poll, a waker or a thread cannot be made.
    pub fn start(
        mut listeners: Vec<Listener>,
        workers: Vec<Arc<Mailbox>>,
        shared: Arc<Shared>,
    ) -> io::Result<Acceptor> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), STOP)?;
        for (index, listener) in listeners.iter_mut().enumerate() {
            register(listener, Token(index), poll.registry())?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let has_lobby = shared.settings.tls.enabled || !shared.settings.proxy_protocol_from.is_empty();
        let lobby = if has_lobby { Some(Lobby::start(&shared)?) } else { None };
        let dealer =
            Dealer { workers, next: 0, lobby, shared, gate: Gate::default(), complaints: Complaints::default() };
        let told = Arc::clone(&stop);
        let thread =
            std::thread::Builder::new().name("accept".to_owned()).spawn(move || run(poll, listeners, dealer, &told))?;
        Ok(Acceptor { stop, waker, thread })
    }

    /// Ends the thread. When this returns, all listeners are closed and no worker gets another connection.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        match self.waker.wake() {
            Ok(()) => {
                if self.thread.join().is_err() {
                    log::error!("accept thread had panicked");
                }
            }
            // It never wakes up then; the process ends all the same.
            Err(error) => log::error!("cannot wake the accept thread: {error}"),
        }
    }
}

fn register(listener: &mut Listener, token: Token, registry: &Registry) -> io::Result<()> {
    match &mut listener.socket {
        ListenSocket::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
        ListenSocket::Unix(socket, _) => registry.register(socket, token, Interest::READABLE),
    }
}

fn run(mut poll: Poll, listeners: Vec<Listener>, mut dealer: Dealer, stop: &AtomicBool) {
    let shared = Arc::clone(&dealer.shared);
    for listener in &listeners {
        shared.roster.note(listener.as_raw_fd(), Activity::Listening, shared.clock.now());
    }
    let mut events = Events::with_capacity(listeners.len() + 1);
    // Which listeners may have connections waiting: set by an event, cleared by accept's "would block".
    let mut waiting = vec![true; listeners.len()];
    while !stop.load(Ordering::Acquire) {
        let timeout = waiting.contains(&true).then(|| dealer.gate.wait(Instant::now()).unwrap_or(Duration::ZERO));
        if let Err(error) = poll.poll(&mut events, timeout)
            && error.kind() != ErrorKind::Interrupted
        {
            log::error!("accept thread cannot poll: {error}; no more connections are accepted");
            break;
        }
        for event in events.iter().filter(|event| event.token() != STOP) {
            waiting[event.token().0] = true;
        }
        for (listener, waiting) in listeners.iter().zip(&mut waiting).filter(|(_, waiting)| **waiting) {
            *waiting = dealer.accept_some(listener);
        }
    }
    shared.connections.accepting.store(false, Ordering::Relaxed);
    for listener in &listeners {
        shared.roster.remove(listener.as_raw_fd());
    }
    if let Some(lobby) = dealer.lobby {
        lobby.stop();
    }
}

/// Takes connections and gives them away.
#[derive(Debug)]
struct Dealer {
    workers: Vec<Arc<Mailbox>>,
    next: usize,
    lobby: Option<Lobby>,
    shared: Arc<Shared>,
    gate: Gate,
    complaints: Complaints,
}

impl Dealer {
    /// Accepts a bounded number of connections, so that no listener starves another. Returns whether more may wait.
    fn accept_some(&mut self, listener: &Listener) -> bool {
        for _ in 0..ACCEPTS_PER_TURN_MAX {
            let now = Instant::now();
            if !self.gate.may_try(now) {
                return true;
            }
            let full = self.is_full();
            if full && !self.shared.settings.maxconns_fast {
                self.close_gate(Why::Limit, now, "connection limit reached");
                return true;
            }
            match accept(listener) {
                Ok((socket, peer)) => {
                    self.open_gate(now);
                    let is_proxied = peer.is_some_and(|peer| self.is_balancer(peer.ip()));
                    // Who comes by way of a balancer is let in or not when its header has come.
                    let admitted = if is_proxied { Ok(Counted::default()) } else { admit(&self.shared, peer, now) };
                    match admitted {
                        Err(line) => {
                            turn_away(socket);
                            self.complaints.warn(&line);
                        }
                        Ok(_) if full => self.reject(socket),
                        Ok(counted) => {
                            let external = self.user_behind(&socket);
                            let (stream, protocol) = (Stream::plain(socket), listener.protocol);
                            self.deal(Accepted { stream, peer, external, is_proxied, protocol, counted }, listener.tls);
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.open_gate(now);
                    return false;
                }
                Err(error) if is_of_that_connection(&error) => {}
                Err(error) => {
                    self.close_gate(Why::System, now, &error.to_string());
                    return true;
                }
            }
        }
        true
    }

    fn is_full(&self) -> bool {
        self.shared.connections.current.load(Ordering::Relaxed) >= i64::from(self.shared.settings.conn_limit)
    }

    /// Whether connections from there begin with a header.
    fn is_balancer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.shared.settings.proxy_protocol_from.iter().any(|network| network.contains(&address))
    }

    /// Whose process is at the other end of a Unix socket, where logins may build on that.
    fn user_behind(&mut self, socket: &Socket) -> Option<Arc<str>> {
        let Socket::Unix(stream) = socket else { return None };
        if !self.shared.settings.unix_peer_credentials {
            return None;
        }
        unix_socket::user_behind(stream).unwrap_or_else(|error| {
            self.complaints.warn(&format!("cannot tell whose process has connected: {error}"));
            None
        })
    }

    fn deal(&mut self, accepted: Accepted, tls: Option<ListenTls>) {
        let connections = &self.shared.connections;
        connections.current.fetch_add(1, Ordering::Relaxed);
        connections.total.fetch_add(1, Ordering::Relaxed);
        let worker = &self.workers[self.next];
        self.next = (self.next + 1) % self.workers.len();
        let dealt = match &mut self.lobby {
            Some(lobby) if tls.is_some() || accepted.is_proxied => {
                lobby.admit(Guest { accepted, tls, worker: Arc::clone(worker) })
            }
            _ => worker.post(Message::Serve(accepted)),
        };
        if let Err(error) = dealt {
            self.complaints.warn(&format!("cannot hand a connection over: {error}"));
        }
    }

    /// Tells the client why, once and without waiting, and hangs up.
    fn reject(&mut self, mut socket: Socket) {
        self.shared.connections.rejected.fetch_add(1, Ordering::Relaxed);
        // A fresh socket has room for this line; one that has not is not worth more. A client of TLS cannot read it and sees
        // the same as one that can: an answer that is none, and the end.
        let _ = socket.write(TOO_MANY);
        let limit = self.shared.settings.conn_limit;
        self.complaints.warn(&format!("connection refused: limit={limit} reached; raise -c"));
    }

    fn close_gate(&mut self, why: Why, now: Instant, reason: &str) {
        if self.gate.close(why, now) {
            let connections = &self.shared.connections;
            connections.accepting.store(false, Ordering::Relaxed);
            connections.listen_disabled.fetch_add(1, Ordering::Relaxed);
            let advice = match why {
                Why::Limit => "raise -c",
                Why::System => "raise the limit of open files (ulimit -n) or lower -c",
            };
            let current = connections.current.load(Ordering::Relaxed);
            self.complaints.warn(&format!("not accepting for now: {reason} connections={current}; {advice}"));
        }
    }

    fn open_gate(&mut self, now: Instant) {
        if let Some(closed_for) = self.gate.open(now) {
            let connections = &self.shared.connections;
            connections.listen_disabled_us.fetch_add(closed_for.as_micros() as u64, Ordering::Relaxed);
            connections.accepting.store(true, Ordering::Relaxed);
        }
    }
}

/// Accepts one connection: non-blocking, closed on exec. With its address, if it comes over a network.
fn accept(listener: &Listener) -> io::Result<(Socket, Option<SocketAddr>)> {
    match &listener.socket {
        ListenSocket::Tcp(socket) => socket.accept().map(|(stream, peer)| (Socket::Tcp(stream), Some(peer))),
        ListenSocket::Unix(socket, _) => socket.accept().map(|(stream, _)| (Socket::Unix(stream), None)),
    }
}

/// Whether accept(2) reports what befell the connection it was about to return, so that the next one may be fine:
/// the list of its manual page, "Error handling", and EPERM from a firewall.
fn is_of_that_connection(error: &io::Error) -> bool {
    let about_it = [
        libc::ECONNABORTED,
        libc::EINTR,
        libc::EPERM,
        libc::EPROTO,
        libc::ENETDOWN,
        libc::ENOPROTOOPT,
        libc::EHOSTDOWN,
        libc::ENONET,
        libc::EHOSTUNREACH,
        libc::EOPNOTSUPP,
        libc::ENETUNREACH,
    ];
    error.raw_os_error().is_some_and(|code| about_it.contains(&code))
}

const STOP: Token = Token(usize::MAX);
const ACCEPTS_PER_TURN_MAX: usize = 64;
const TOO_MANY: &[u8] = b"ERROR Too many open connections\r\n";

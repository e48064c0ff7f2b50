//! The lobby: where connections wait that have something to do before they are served: the header of a load balancer
//! (PROXY protocol), the TLS handshake.
//!
//! Handshakes cost a hundred times what a request does, and whoever begins one may never end it. So they take place on
//! threads of their own, which give way to the workers, and a worker gets a connection when it is ready for requests.
//! Neither the accept thread nor a worker ever sees a handshake. A connection has so much time, and the lobby so many
//! places; when all are taken, whoever has been there longest leaves.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::admission::{admit, turn_away};
use super::complaints::Complaints;
use super::mailbox::{Accepted, Mailbox, Message as ToWorker};
use super::proxy_header::HeaderReader;
use super::roster::Activity;
use super::stream::Socket;
use crate::net::listen_spec::ListenTls;
use crate::protocol::proxy::Source;
use crate::shared::Shared;
use crate::sys::priority;
use crate::tls::{Channel, Handshake};

/// Connections in one lobby. A handshake can keep about 64 KiB.
const PLACES: usize = 1024;

/// Worker threads for which there is one thread of the lobby.
const WORKERS_PER_THREAD: usize = 2;

/// How much the lobby gives way to the workers.
const GIVE_WAY_STEPS: u8 = 5;

const EVENTS_MAX: usize = 256;

const MAILBOX: Token = Token(usize::MAX);

/// A connection that is not ready to be served, and who will serve it.
#[derive(Debug)]
pub struct Guest {
    /// The connection. Its stream is plain so far.
    pub accepted: Accepted,
    /// Which TLS its listener asks for; `None` = none.
    pub tls: Option<ListenTls>,
    /// The worker that gets it.
    pub worker: Arc<Mailbox>,
}

#[derive(Debug)]
enum Message {
    Admit(Guest),
    Stop,
}

/// The lobby's threads, seen from outside.
#[derive(Debug)]
pub struct Lobby {
    threads: Vec<(Arc<Mailbox<Message>>, JoinHandle<()>)>,
    next: usize,
}

impl Lobby {
    /// Starts it, with a thread for every two workers.
    ///
    /// # Errors
    /// When a poll, its waker or a thread cannot be made.
    pub fn start(shared: &Arc<Shared>) -> io::Result<Lobby> {
        let count = shared.settings.threads.div_ceil(WORKERS_PER_THREAD);
        let threads = (0..count).map(|index| start_thread(index, Arc::clone(shared))).collect::<io::Result<_>>()?;
        Ok(Lobby { threads, next: 0 })
    }

    /// Takes a connection in.
    ///
    /// # Errors
    /// When the lobby cannot be woken.
    pub fn admit(&mut self, guest: Guest) -> io::Result<()> {
        let (mailbox, _) = &self.threads[self.next];
        self.next = (self.next + 1) % self.threads.len();
        mailbox.post(Message::Admit(guest))
    }

    /// Ends it. Whoever is in it goes.
    pub fn stop(self) {
        for (mailbox, thread) in self.threads {
            match mailbox.post(Message::Stop) {
                Ok(()) => {
                    if thread.join().is_err() {
                        log::error!("a thread of the lobby had panicked");
                    }
                }
                // It never wakes up then; the process ends all the same.
                Err(error) => log::error!("cannot wake the lobby: {error}"),
            }
        }
    }
}

fn start_thread(index: usize, shared: Arc<Shared>) -> io::Result<(Arc<Mailbox<Message>>, JoinHandle<()>)> {
    let poll = Poll::new()?;
    let mailbox = Arc::new(Mailbox::new(poll.registry(), MAILBOX)?);
    let inbox = Arc::clone(&mailbox);
    let thread = std::thread::Builder::new().name(format!("lobby-{index}")).spawn(move || {
        priority::give_way(GIVE_WAY_STEPS);
        let patience = Duration::from_secs(u64::from(shared.settings.handshake_timeout_secs));
        let complaints = Complaints::default();
        let (places, vacant, order) = Default::default();
        Loop { shared, poll, inbox, places, vacant, order, serial: 0, patience, complaints }.run();
    })?;
    Ok((mailbox, thread))
}

/// Somebody in the lobby.
struct Place {
    serial: u64,
    guest: Guest,
    stage: Stage,
}

/// What somebody is doing here.
enum Stage {
    Header(HeaderReader),
    Handshake(Box<Channel>),
    /// Nothing more.
    Ready,
}

/// The state of one thread.
struct Loop {
    shared: Arc<Shared>,
    poll: Poll,
    inbox: Arc<Mailbox<Message>>,
    places: Vec<Option<Place>>,
    /// Places that are free.
    vacant: Vec<usize>,
    /// Who came when, the oldest first: when their time is over, place and serial. Those who left are still in it.
    order: VecDeque<(Instant, usize, u64)>,
    serial: u64,
    patience: Duration,
    complaints: Complaints,
}

impl Loop {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("the lobby cannot wait for events: {error}; no handshake is done any more");
                return;
            }
            // Before newcomers, who might otherwise take the place of somebody whose bytes are here already.
            for event in events.iter().filter(|event| event.token() != MAILBOX) {
                self.go_on(event.token().0);
            }
            for message in self.inbox.take() {
                match message {
                    Message::Admit(guest) => self.admit(guest),
                    Message::Stop => return self.send_all_away(),
                }
            }
            self.send_away_overdue();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.order.front().map(|(until, ..)| until.saturating_duration_since(Instant::now()))
    }

    fn admit(&mut self, mut guest: Guest) {
        if self.places.len() - self.vacant.len() >= PLACES {
            self.send_away_oldest();
        }
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            self.places.len() - 1
        });
        let socket = &mut guest.accepted.stream.socket;
        let registered = socket.register(self.poll.registry(), Token(id), Interest::READABLE | Interest::WRITABLE);
        self.shared.roster.note(socket.as_raw_fd(), Activity::Read, self.shared.clock.now());
        self.serial += 1;
        self.order.push_back((Instant::now() + self.patience, id, self.serial));
        let is_proxied = guest.accepted.is_proxied;
        let stage = if is_proxied { Stage::Header(HeaderReader::default()) } else { Stage::Ready };
        self.places[id] = Some(Place { serial: self.serial, guest, stage });
        let begun = if is_proxied { Ok(()) } else { self.secure(id) };
        if let Err(error) = registered.map_err(|error| error.to_string()).and(begun.map_err(|error| error.to_string()))
        {
            self.fail(id, &error);
        }
    }

    fn go_on(&mut self, id: usize) {
        // An event can be older than whoever has the place now; a needless look does no harm.
        let Some(Some(place)) = self.places.get_mut(id) else { return };
        let socket = &mut place.guest.accepted.stream.socket;
        let progress = match &mut place.stage {
            Stage::Header(reader) => match reader.read(socket) {
                Ok(Some(source)) => return self.identify(id, source),
                Ok(None) => Ok(Handshake::Waits),
                Err(error) => Err(error),
            },
            Stage::Handshake(channel) => channel.handshake(socket),
            Stage::Ready => Ok(Handshake::Done),
        };
        match progress {
            Ok(Handshake::Waits) => {}
            Ok(Handshake::Done) => self.hand_over(id),
            Err(error) => self.fail(id, &error.to_string()),
        }
    }

    /// Lets in, or not, whoever the header of a balancer says it is, and goes on.
    fn identify(&mut self, id: usize, source: Source) {
        let Some(Some(place)) = self.places.get_mut(id) else { return };
        let accepted = &mut place.guest.accepted;
        if let Source::Client(client) = source {
            match admit(&self.shared, Some(client), Instant::now()) {
                Ok(counted) => (accepted.peer, accepted.counted) = (Some(client), counted),
                Err(line) => {
                    self.complaints.warn(&line);
                    let Some(place) = self.leave(id) else { return };
                    self.forget(&place.guest);
                    return turn_away(place.guest.accepted.stream.socket);
                }
            }
            self.shared.roster.note_client(accepted.stream.socket.as_raw_fd(), client);
        }
        match self.secure(id) {
            Ok(()) => self.go_on(id),
            Err(error) => self.fail(id, &error.to_string()),
        }
    }

    /// Begins with TLS, where the listener has it.
    fn secure(&mut self, id: usize) -> Result<(), rustls::Error> {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.stage = match (place.guest.tls, &self.shared.tls) {
                (Some(kind), Some(tls)) => Stage::Handshake(Box::new(tls.accept(kind)?)),
                _ => Stage::Ready,
            };
        }
        Ok(())
    }

    /// Leaves somebody who is ready to a worker.
    fn hand_over(&mut self, id: usize) {
        let Some(Place { mut guest, stage, .. }) = self.leave(id) else { return };
        if let Stage::Handshake(channel) = stage {
            if let Some(tls) = self.shared.tls.as_ref().filter(|tls| tls.resumes() && channel.is_new_session()) {
                tls.counters.new_sessions.fetch_add(1, Ordering::Relaxed);
            }
            acknowledge(&guest.accepted.stream.socket);
            guest.accepted.stream = guest.accepted.stream.secure(channel);
        }
        let Guest { accepted, worker, .. } = guest;
        if let Err(error) = worker.post(ToWorker::Serve(accepted)) {
            self.complaints.warn(&format!("cannot wake a worker: {error}"));
        }
    }

    fn send_away_overdue(&mut self) {
        let now = Instant::now();
        while let Some(&(until, id, serial)) = self.order.front() {
            let is_here = self.places[id].as_ref().is_some_and(|place| place.serial == serial);
            if is_here && until > now {
                return;
            }
            self.order.pop_front();
            if is_here {
                self.fail(id, "it took too long");
            }
        }
    }

    fn send_away_oldest(&mut self) {
        while let Some((_, id, serial)) = self.order.pop_front() {
            if self.places[id].as_ref().is_some_and(|place| place.serial == serial) {
                return self.fail(id, "others came while it took long");
            }
        }
    }

    fn send_all_away(mut self) {
        for id in 0..self.places.len() {
            if let Some(place) = self.leave(id) {
                self.forget(&place.guest);
            }
        }
    }

    /// Ends a connection that never got to be served.
    fn fail(&mut self, id: usize, why: &str) {
        let Some(place) = self.leave(id) else { return };
        let what = match &place.stage {
            Stage::Header(_) => "PROXY header",
            Stage::Handshake(_) | Stage::Ready => "TLS handshake",
        };
        if let (Stage::Handshake(_), Some(tls)) = (&place.stage, &self.shared.tls) {
            tls.counters.handshake_errors.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(peer) = place.guest.accepted.peer {
            self.complaints.warn(&format!("{what} failed address={}: {why}", peer.ip()));
        }
        self.forget(&place.guest);
    }

    /// Takes somebody out.
    fn leave(&mut self, id: usize) -> Option<Place> {
        let mut place = self.places.get_mut(id)?.take()?;
        self.vacant.push(id);
        let socket = &mut place.guest.accepted.stream.socket;
        let _ = socket.deregister(self.poll.registry());
        Some(place)
    }

    /// Counts a connection out that will not be served.
    fn forget(&self, guest: &Guest) {
        self.shared.roster.remove(guest.accepted.stream.socket.as_raw_fd());
        self.shared.connections.current.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Has the kernel acknowledge the end of a handshake at once. There may be nothing to answer it with, and a client whose
/// own kernel waits for that (RFC 1122 section 4.2.3.4) would send its first request 40 ms later.
fn acknowledge(socket: &Socket) {
    if let Socket::Tcp(stream) = socket {
        // Without it, it merely takes longer.
        let _ = SockRef::from(stream).set_tcp_quickack(true);
    }
}

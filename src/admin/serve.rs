//! The loop of the admin thread: waits for its sockets, and gives each connection that can go on a turn.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, TlsFault, Turn};
use super::door::Door;
use super::wire::Wire;
use super::{State, routes};
use crate::net::complaints::Complaints;
use crate::settings::ADMIN_CONNECTIONS_MAX;
use crate::sys::priority;
use crate::tls::{ClientCertificates, Tls};

/// How long the door stays shut when there is no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// How much the thread gives way to the workers where it does handshakes, each of which costs a hundred requests.
const GIVE_WAY_STEPS: u8 = 5;

/// What connections are made of that come in.
pub(super) enum Entry {
    /// Their sockets.
    Plain,
    /// Sockets and TLS, for which clients have to show this.
    Secure(Arc<Tls>, ClientCertificates),
}

/// The state of the thread.
pub(super) struct Server {
    door: Door,
    entry: Entry,
    /// Ends when the thread shall.
    woken: UnixStream,
    state: Arc<State>,
    connections: Vec<Connection>,
    /// Nothing is accepted before.
    shut_until: Option<Instant>,
    complaints: Complaints,
    /// Apart from ours, as whoever comes can cause them.
    complaints_of_clients: Complaints,
}

impl Server {
    pub(super) fn new(door: Door, entry: Entry, woken: UnixStream, state: Arc<State>) -> Server {
        let (connections, complaints, complaints_of_clients) = Default::default();
        Server { door, entry, woken, state, connections, shut_until: None, complaints, complaints_of_clients }
    }

    pub(super) fn run(mut self) {
        if matches!(self.entry, Entry::Secure(..)) {
            priority::give_way(GIVE_WAY_STEPS);
        }
        loop {
            let now = Instant::now();
            for mut overdue in self.connections.extract_if(.., |connection| connection.deadline() <= now) {
                overdue.give_up("it took too long");
                note_fault(&mut overdue, &self.entry, &mut self.complaints_of_clients);
            }
            self.shut_until = self.shut_until.filter(|until| *until > now);
            let Ok(ready) = self.wait(now) else {
                log::error!("the admin port cannot wait for its sockets and closes");
                return;
            };
            let [woken, door, of_connections @ ..] = &ready[..] else { return };
            if *woken {
                return;
            }
            let now = Instant::now();
            let mut ready = of_connections.iter();
            self.connections.retain_mut(|connection| {
                let is_ready = ready.next().copied().unwrap_or_default();
                let state = &self.state;
                if !is_ready {
                    return true;
                }
                let turn = connection.turn(now, |request| routes::answer(request, state, now));
                note_fault(connection, &self.entry, &mut self.complaints_of_clients);
                turn == Turn::Wait
            });
            if *door {
                // The time of now: those before may have taken long.
                self.accept(Instant::now());
            }
        }
    }

    /// Which of these can go on: the end, the door, the connections in their order.
    fn wait(&self, now: Instant) -> rustix::io::Result<Vec<bool>> {
        // Decrypted bytes are not seen at the socket. Their turn comes within a millisecond, not at once, so that empty
        // records keep nobody busy.
        let at_once = self.connections.iter().any(Connection::has_more).then_some(now);
        let deadlines = self.connections.iter().map(Connection::deadline).chain(self.shut_until).chain(at_once);
        let timeout = deadlines.min().map(|deadline| {
            // Rounded up, so that it is over when the call returns.
            let left = deadline.saturating_duration_since(now) + Duration::from_millis(1);
            Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) }
        });
        let interest = |fd, flags| -> PollFd<'_> { PollFd::from_borrowed_fd(fd, flags) };
        let door: BorrowedFd<'_> = self.door.as_fd();
        let at_door = if self.shut_until.is_some() { PollFlags::empty() } else { PollFlags::IN };
        let mut fds = vec![interest(self.woken.as_fd(), PollFlags::IN), interest(door, at_door)];
        for connection in &self.connections {
            let flags = if connection.is_sending() { PollFlags::OUT } else { PollFlags::IN };
            fds.push(interest(connection.wire.as_fd(), flags));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        let has_more = [false; 2].into_iter().chain(self.connections.iter().map(Connection::has_more));
        Ok(fds.iter().zip(has_more).map(|(fd, has_more)| has_more || !fd.revents().is_empty()).collect())
    }

    /// Takes one connection; if there are more, the next wait says so. When there are too many, the one whose last request
    /// is longest ago goes, so that a crowd that never asks shuts nobody out; before all of those who have done their
    /// handshake goes whoever has not.
    fn accept(&mut self, now: Instant) {
        match self.door.accept() {
            Ok(socket) => {
                if self.connections.len() >= ADMIN_CONNECTIONS_MAX
                    && let Some(oldest) = (0..self.connections.len()).min_by_key(|&place| {
                        let connection = &self.connections[place];
                        (connection.wire.is_open(), connection.last_asked())
                    })
                {
                    let mut oldest = self.connections.swap_remove(oldest);
                    oldest.give_up("others came while it took long");
                    note_fault(&mut oldest, &self.entry, &mut self.complaints_of_clients);
                }
                let wire = match &self.entry {
                    Entry::Plain => Ok(Wire::plain(socket)),
                    Entry::Secure(tls, clients) => Wire::secure(socket, tls, *clients),
                };
                match wire {
                    Ok(wire) => self.connections.push(Connection::new(wire, now)),
                    Err(error) => self.complaints.warn(&format!("the admin port cannot begin with TLS: {error}")),
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                self.complaints.warn(&format!("the admin port cannot accept a connection: {error}"));
                self.shut_until = Some(now + PAUSE);
            }
        }
    }
}

/// Counts and logs what has gone wrong with a connection's TLS.
fn note_fault(connection: &mut Connection, entry: &Entry, complaints: &mut Complaints) {
    let (Entry::Secure(tls, _), Some(fault)) = (entry, connection.take_fault()) else { return };
    let (count, what, why) = match fault {
        TlsFault::Handshake(why) => (&tls.counters.handshake_errors, "TLS handshake", why),
        TlsFault::Data(why) => (&tls.counters.proto_errors, "TLS", why),
    };
    count.fetch_add(1, Ordering::Relaxed);
    let address = connection.wire.peer().map(|address| format!(" address={address}")).unwrap_or_default();
    complaints.warn(&format!("{what} failed at the admin port{address}: {why}"));
}

//! The loop of the admin thread: waits for its sockets, and gives each connection that can go on a turn.

use std::io::ErrorKind;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::{Connection, Turn};
use super::door::Door;
use super::{State, routes};
use crate::net::complaints::Complaints;
use crate::settings::ADMIN_CONNECTIONS_MAX;

/// How long the door stays shut when there is no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The state of the thread.
pub(super) struct Server {
    door: Door,
    /// Ends when the thread shall.
    woken: UnixStream,
    state: Arc<State>,
    connections: Vec<Connection>,
    /// Nothing is accepted before.
    shut_until: Option<Instant>,
    complaints: Complaints,
}

impl Server {
    pub(super) fn new(door: Door, woken: UnixStream, state: Arc<State>) -> Server {
        Server { door, woken, state, connections: Vec::new(), shut_until: None, complaints: Complaints::default() }
    }

    pub(super) fn run(mut self) {
        loop {
            let now = Instant::now();
            self.connections.retain(|connection| connection.deadline() > now);
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
                !is_ready || connection.turn(now, |request| routes::answer(request, state, now)) == Turn::Wait
            });
            if *door {
                self.accept(now);
            }
        }
    }

    /// Which of these can go on: the end, the door, the connections in their order.
    fn wait(&self, now: Instant) -> rustix::io::Result<Vec<bool>> {
        let deadlines = self.connections.iter().map(Connection::deadline).chain(self.shut_until);
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
            fds.push(interest(connection.socket.as_fd(), flags));
        }
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        Ok(fds.iter().map(|fd| !fd.revents().is_empty()).collect())
    }

    /// Takes one connection; if there are more, the next wait says so. When there are too many, the one whose last request
    /// is longest ago goes, so that a crowd that never asks shuts nobody out.
    fn accept(&mut self, now: Instant) {
        match self.door.accept() {
            Ok(socket) => {
                if self.connections.len() >= ADMIN_CONNECTIONS_MAX
                    && let Some(oldest) =
                        (0..self.connections.len()).min_by_key(|&place| self.connections[place].last_asked())
                {
                    self.connections.swap_remove(oldest);
                }
                self.connections.push(Connection::new(socket, now));
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
            Err(error) => {
                self.complaints.warn(&format!("the admin port cannot accept a connection: {error}"));
                self.shut_until = Some(now + PAUSE);
            }
        }
    }
}

//! The watch thread: owns the sockets of clients that watch, and sends them the lines that all threads write
//! (`crate::watch`).
//!
//! Nobody waits for a watcher. What its socket does not take stays in a buffer of bounded size, and what that does not
//! take is skipped, with a line that says how many lines were. What a watcher sends is never read.
//!
//! The thread sleeps in its poll while nobody watches and while nothing happens. Whoever writes the first line wakes
//! it; after that it looks every [`PAUSE`] on its own, and earlier when a buffer is half full, so that a stream of
//! events costs the workers no system call for each.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::event::Event as Readiness;
use mio::{Events, Interest, Poll, Token};

use super::limits::Counted;
use super::mailbox::Mailbox;
use super::stream::Stream;
use crate::auth::user::Identity;
use crate::clock::Seconds;
use crate::protocol::text::reply::line::OK;
use crate::shared::Shared;
use crate::watch::{Batch, CloseReason, Event, Line, Seat, WATCHERS_MAX};

/// Time between two looks while there are events.
const PAUSE: Duration = Duration::from_millis(5);

/// How often it is looked who may still watch, where a login is asked for.
const EXPEL_PERIOD: Duration = Duration::from_secs(1);

/// Room that a line must leave in a watcher's buffer for the line that tells how many were skipped.
const SKIPPED_LINE_BYTES_MAX: usize = 128;

const MAILBOX: Token = Token(usize::MAX);

/// A client that is to watch, on its way from its worker.
#[derive(Debug)]
pub struct Newcomer {
    /// Its connection, registered nowhere.
    pub stream: Stream,
    /// Its address; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// It counts among the connections of its address.
    pub counted: Counted,
    /// Its descriptor.
    pub fd: i32,
    /// Its right to watch.
    pub seat: Seat,
    /// Who it is, where a login was asked for.
    pub identity: Option<Identity>,
}

#[derive(Debug)]
enum Message {
    Admit(Newcomer),
    Stop,
}

/// Where workers leave clients that watch.
#[derive(Clone, Debug)]
pub struct Watchers {
    mailbox: Arc<Mailbox<Message>>,
}

impl Watchers {
    /// Takes a client over. One that cannot be taken is closed with the server.
    pub fn admit(&self, newcomer: Newcomer) {
        if let Err(error) = self.mailbox.post(Message::Admit(newcomer)) {
            log::error!("cannot wake the watch thread: {error}");
        }
    }
}

/// The running watch thread, seen from outside.
#[derive(Debug)]
pub struct WatchThread {
    watchers: Watchers,
    thread: JoinHandle<()>,
}

impl WatchThread {
    /// Starts it.
    ///
    /// # Errors
    /// When the poll, its waker or the thread cannot be made.
    pub fn start(shared: Arc<Shared>) -> io::Result<WatchThread> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox::new(poll.registry(), MAILBOX)?);
        let alarm = Arc::clone(&mailbox);
        shared.watch.set_alarm(move || {
            // A waker that fails would fail always; the thread then hears of events when it wakes for other reasons.
            let _ = alarm.wake();
        });
        let inbox = Arc::clone(&mailbox);
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let (watchers, batch) = Default::default();
            Loop { shared, poll, inbox, watchers, batch, expelled: 0 }.run();
        })?;
        Ok(WatchThread { watchers: Watchers { mailbox }, thread })
    }

    /// Where to leave clients.
    pub fn watchers(&self) -> Watchers {
        self.watchers.clone()
    }

    /// Ends the thread. What its watchers' sockets take without waiting is sent before.
    pub fn stop(self) {
        match self.watchers.mailbox.post(Message::Stop) {
            Ok(()) => {
                if self.thread.join().is_err() {
                    log::error!("the watch thread had panicked");
                }
            }
            // It never wakes up then; the process ends all the same.
            Err(error) => log::error!("cannot wake the watch thread: {error}"),
        }
    }
}

/// The state of the thread.
struct Loop {
    shared: Arc<Shared>,
    poll: Poll,
    inbox: Arc<Mailbox<Message>>,
    watchers: [Option<Watcher>; WATCHERS_MAX],
    batch: Batch,
    /// When it was last looked who may still watch.
    expelled: Seconds,
}

impl Loop {
    fn run(mut self) {
        let mut events = Events::with_capacity(WATCHERS_MAX + 1);
        let mut timeout = None;
        let mut stopping = false;
        while !stopping {
            if let Err(error) = self.poll.poll(&mut events, timeout)
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("watch thread cannot poll: {error}; nobody can watch any more");
                break;
            }
            for message in self.inbox.take() {
                match message {
                    Message::Admit(newcomer) => self.admit(newcomer),
                    Message::Stop => stopping = true,
                }
            }
            for event in events.iter().filter(|event| event.token() != MAILBOX) {
                self.on_event(event);
            }
            self.expel();
            self.deliver();
            timeout = if self.batch.is_empty() && self.shared.watch.may_sleep() { None } else { Some(PAUSE) };
            let nobody = self.watchers.iter().all(Option::is_none);
            if timeout.is_none() && nobody {
                self.batch = Batch::default();
            } else if timeout.is_none() && self.shared.authority.is_some() {
                timeout = Some(EXPEL_PERIOD);
            }
        }
        for at in 0..WATCHERS_MAX {
            self.close(at, CloseReason::Shutdown);
        }
    }

    /// Closes, once a second, connections of users who are no administrators any more.
    fn expel(&mut self) {
        let now = self.shared.clock.now();
        if self.expelled == now {
            return;
        }
        self.expelled = now;
        let shared = Arc::clone(&self.shared);
        let Some(authority) = &shared.authority else { return };
        let unix_secs = u64::try_from(shared.clock.unix(now)).unwrap_or(0);
        for at in 0..WATCHERS_MAX {
            let identity = self.watchers[at].as_ref().and_then(|watcher| watcher.newcomer.identity.as_ref());
            if identity.is_some_and(|identity| !authority.is_still_admin(identity, unix_secs)) {
                self.close(at, CloseReason::Error);
            }
        }
    }

    fn admit(&mut self, newcomer: Newcomer) {
        // There are as many places as seats, and a place is free before its seat is.
        let Some(at) = self.watchers.iter().position(Option::is_none) else { return self.forget(&newcomer) };
        let bytes_max = self.shared.settings.watcher_logbuf_bytes as usize;
        let mut watcher = Watcher::new(newcomer, bytes_max);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = watcher.newcomer.stream.socket.register(self.poll.registry(), Token(at), interest);
        let fd = watcher.newcomer.fd;
        self.watchers[at] = Some(watcher);
        match registered {
            Ok(()) => log::debug!("watcher admitted fd={fd}"),
            Err(error) => {
                log::error!("cannot watch fd={fd}: {error}");
                self.close(at, CloseReason::Error);
            }
        }
    }

    fn on_event(&mut self, event: &Readiness) {
        let Token(at) = event.token();
        let Some(Some(watcher)) = self.watchers.get_mut(at) else { return };
        // Whoever says no more is gone: there is no other way to end a watch.
        if event.is_read_closed() || event.is_error() {
            return self.close(at, CloseReason::Error);
        }
        watcher.blocked &= !event.is_writable();
    }

    /// Takes the lines that were written meanwhile, and sends what the sockets take.
    fn deliver(&mut self) {
        self.shared.watch.take(&mut self.batch);
        let (mut sent, mut skipped) = (0, 0);
        for line in self.batch.lines() {
            for watcher in self.watchers.iter_mut().flatten().filter(|watcher| watcher.newcomer.seat.wants(&line)) {
                match watcher.add(&line) {
                    Added::Yes => sent += 1,
                    Added::No => skipped += 1,
                }
            }
        }
        if sent + skipped > 0 {
            self.shared.watch.count_delivery(sent, skipped);
        }
        for at in 0..WATCHERS_MAX {
            if let Some(watcher) = &mut self.watchers[at] {
                watcher.send();
                if watcher.failed {
                    self.close(at, CloseReason::Error);
                }
            }
        }
    }

    fn close(&mut self, at: usize, reason: CloseReason) {
        let Some(Watcher { mut newcomer, .. }) = self.watchers[at].take() else { return };
        // Closing the descriptor would do it, but not if it had been duplicated.
        let _ = newcomer.stream.socket.deregister(self.poll.registry());
        newcomer.stream.say_farewell();
        let Newcomer { peer, fd, .. } = newcomer;
        self.shared.watch.note(&Event::Closed { peer, fd, reason });
        self.forget(&newcomer);
    }

    fn forget(&self, newcomer: &Newcomer) {
        log::debug!("watcher closed fd={}", newcomer.fd);
        self.shared.roster.remove(newcomer.fd);
        self.shared.connections.current.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a line is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    Yes,
    No,
}

/// One client that watches.
#[derive(Debug)]
struct Watcher {
    newcomer: Newcomer,
    /// What is to be sent.
    waiting: VecDeque<u8>,
    waiting_max: usize,
    /// Lines skipped since the last one that was not.
    skipped: u64,
    /// The socket takes nothing until an event says so.
    blocked: bool,
    /// The socket is of no more use.
    failed: bool,
}

impl Watcher {
    fn new(newcomer: Newcomer, waiting_max: usize) -> Watcher {
        let waiting = VecDeque::from(OK.to_vec());
        Watcher { newcomer, waiting, waiting_max, skipped: 0, blocked: false, failed: false }
    }

    /// Keeps a line to be sent, or skips it.
    fn add(&mut self, line: &Line<'_>) -> Added {
        let needed = line.text.len() + SKIPPED_LINE_BYTES_MAX;
        if self.waiting.len() + needed > self.waiting_max {
            self.send();
        }
        if self.waiting.len() + needed > self.waiting_max {
            self.skipped += 1;
            return Added::No;
        }
        if self.skipped > 0 {
            self.waiting.extend(format!("skipped={}\n", self.skipped).as_bytes());
            self.skipped = 0;
        }
        self.waiting.extend(line.text);
        Added::Yes
    }

    /// Sends until nothing waits or the socket is full.
    fn send(&mut self) {
        if !self.blocked && !self.failed {
            match self.newcomer.stream.send_taken() {
                Ok(all) => self.blocked = !all,
                Err(_) => self.failed = true,
            }
        }
        while !self.waiting.is_empty() && !self.blocked && !self.failed {
            let (front, back) = self.waiting.as_slices();
            match self.newcomer.stream.write_vectored(&[IoSlice::new(front), IoSlice::new(back)]) {
                Ok(0) => self.failed = true,
                Ok(sent) => drop(self.waiting.drain(..sent)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(_) => self.failed = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    use super::super::stream::Socket;
    use super::*;
    use crate::command::WatchKinds;
    use crate::watch::Watch;

    fn watcher(waiting_max: usize) -> (Watcher, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("non-blocking");
        let stream = Stream::plain(Socket::Unix(mio::net::UnixStream::from_std(ours)));
        let seat = Watch::new(1, 1 << 10).seat(WatchKinds::FETCHERS).expect("a seat");
        (
            Watcher::new(
                Newcomer { stream, peer: None, counted: Counted::default(), fd: -1, seat, identity: None },
                waiting_max,
            ),
            theirs,
        )
    }

    fn line(text: &[u8]) -> Line<'_> {
        Line { number: 1, kind: WatchKinds::FETCHERS, text }
    }

    #[test]
    fn watcher_that_does_not_read_loses_lines_and_is_told_how_many() {
        let (mut watcher, mut client) = watcher(4 << 10);
        let text = [&[b'x'; 99][..], b"\n"].concat();
        let mut kept = 0;
        let mut skipped = 0;
        while skipped < 1000 {
            match watcher.add(&line(&text)) {
                Added::Yes => kept += 1,
                Added::No => skipped += 1,
            }
            assert!(watcher.waiting.len() <= 4 << 10);
        }
        client.set_nonblocking(true).expect("non-blocking");
        let mut received = Vec::new();
        while !watcher.waiting.is_empty() {
            let _ = client.read_to_end(&mut received);
            watcher.blocked = false;
            watcher.send();
        }
        assert_eq!(watcher.add(&line(b"again\n")), Added::Yes);
        watcher.send();
        drop(watcher);
        client.read_to_end(&mut received).expect("all of it");
        let expected = [&b"OK\r\n"[..], &text.repeat(kept), b"skipped=1000\nagain\n"].concat();
        assert!(received == expected);
    }

    #[test]
    fn client_that_is_gone_is_noticed() {
        let (mut watcher, client) = watcher(4 << 10);
        drop(client);
        watcher.send();
        assert!(watcher.failed);
    }
}

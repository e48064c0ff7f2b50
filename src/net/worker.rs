//! One worker thread: a `Poll`, its connections, its UDP sockets, one read buffer and one outbox for all of them.
//!
//! A connection at rest owns no buffer. What arrives is read into the worker's buffer, answered into the worker's
//! outbox and sent, with one read and one write for as many complete requests as came. Only what is incomplete or
//! cannot be sent yet is copied into memory of the connection's own, and that memory is bounded for each connection
//! and for all together.
//!
//! Sockets are registered once, edge-triggered, for reading and writing. Therefore:
//! * a read that fills less than it was offered has drained the socket, unless the event said that the peer closed or
//!   failed: then a further read is needed to see it (mio's events come once; see `Connection::ended`);
//! * whoever stops before the socket is drained, to be fair or because output is stuck, must remember to come back
//!   without an event: the queue of ready connections, and `Connection::unread`.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use zeroize::Zeroize as _;

use super::complaints::Complaints;
use super::connection::{Connection, Discarded, Read};
use super::kept::Kept;
use super::listen::UdpListener;
use super::mailbox::{Accepted, Mailbox, Message};
use super::stopwatch::Stopwatch;
use super::udp::UdpPort;
use super::watchers::{Newcomer, Watchers};
use crate::auth::authority::Verdict;
use crate::clock::Seconds;
use crate::conn::{Next, Outbox};
use crate::exec::Context;
use crate::net::roster::Activity;
use crate::shared::Shared;
use crate::watch::{self, CloseReason, Event as Watched};

/// Bytes of the buffer that requests are read into. The first part takes what a connection had kept of an incomplete
/// request; reads go behind it.
pub const READ_BUFFER_BYTES: usize = 96 << 10;

/// Bytes offered to one read. More would copy much of a large value through the buffer before it is known that it
/// can be read straight into the store; less would cut large batches.
pub(crate) const READ_BYTES: usize = 32 << 10;

/// How often a worker whose connections keep much looks whether some of them have to go.
const SHED_LOOK_PERIOD: Duration = Duration::from_millis(100);

/// Bytes sent to one connection before others get their turn.
const TURN_BYTES_MAX: usize = 1 << 20;

/// Requests of one wake-up when `-R` is at its default: more than a read buffer holds. Fairness comes from the
/// buffer's size then; cutting pipelines after 20 requests would cost a write for each cut.
const REQUESTS_UNCUT: u32 = u32::MAX;

/// memcached's default of `-R`.
const REQUESTS_DEFAULT: u32 = 20;

/// How often a stopping worker looks whether what it sent has arrived.
const STOP_LOOK_PERIOD: Duration = Duration::from_millis(2);

/// How long a client may go on writing a request that was refused and ends the connection.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// How long a stopping worker goes on with requests that it has read.
const STOP_ANSWERING: Duration = Duration::from_millis(300);

/// How long a stopping worker waits for slow readers.
const STOP_PATIENCE: Duration = Duration::from_millis(1200);

const MAILBOX: Token = Token(usize::MAX);

/// The token of the first UDP socket; connections have those below.
const UDP_FIRST: usize = usize::MAX / 2;

const EVENTS_MAX: usize = 1024;

/// A running worker, seen from outside.
#[derive(Debug)]
pub struct Worker {
    /// Where to leave connections and the order to stop.
    pub mailbox: Arc<Mailbox>,
    /// Ends after [`Message::Stop`].
    pub thread: JoinHandle<()>,
}

impl Worker {
    /// Starts worker `index` (0-based), which serves these UDP sockets all the time and leaves those who watch to
    /// `watchers`.
    ///
    /// # Errors
    /// When the poll, its waker or the thread cannot be made.
    pub fn start(index: usize, udp: Vec<UdpListener>, watchers: Watchers, shared: Arc<Shared>) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let mut ports = Vec::with_capacity(udp.len());
        for (number, listener) in udp.into_iter().enumerate() {
            let port = UdpPort::new(listener, &shared.settings, poll.registry(), Token(UDP_FIRST + number))?;
            shared.roster.note(port.fd, Activity::Datagrams, shared.clock.now());
            ports.push(port);
        }
        let mailbox = Arc::new(Mailbox::new(poll.registry(), MAILBOX)?);
        let inbox = Arc::clone(&mailbox);
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || Loop::new(index, poll, inbox, ports, watchers, shared).run())?;
        Ok(Worker { mailbox, thread })
    }
}

/// The state of the thread.
struct Loop {
    index: usize,
    shared: Arc<Shared>,
    poll: Poll,
    mailbox: Arc<Mailbox>,
    connections: Vec<Option<Connection>>,
    /// Places in `connections` that are free.
    vacant: Vec<usize>,
    /// Connections that have work without an event, in the order in which they get their turn.
    ready: VecDeque<usize>,
    udp: Vec<UdpPort>,
    watchers: Watchers,
    buffer: Box<[u8]>,
    /// How much of `buffer` the last turn used.
    filled: usize,
    /// Where encrypted bytes are read to; empty without TLS.
    scratch: Box<[u8]>,
    outbox: Outbox,
    /// What is in buffers of connections.
    kept: Kept,
    complaints: Complaints,
    /// Number of the connection that came last.
    serial: u64,
    requests_max: u32,
    stopwatch: Stopwatch,
    now: Seconds,
    /// Connections that linger, by place and serial, in the order in which their time ends.
    lingering: VecDeque<(Instant, usize, u64)>,
    /// Set by the order to stop.
    stop_by: Option<Instant>,
    idle_checked: Seconds,
    expelled: Seconds,
}

impl Loop {
    fn new(
        index: usize,
        poll: Poll,
        mailbox: Arc<Mailbox>,
        udp: Vec<UdpPort>,
        watchers: Watchers,
        shared: Arc<Shared>,
    ) -> Loop {
        let settings = &shared.settings;
        let requests_max = match settings.requests_per_event {
            REQUESTS_DEFAULT => REQUESTS_UNCUT,
            requests => requests,
        };
        Loop {
            index,
            poll,
            mailbox,
            connections: Vec::new(),
            vacant: Vec::new(),
            ready: VecDeque::new(),
            udp,
            watchers,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            filled: 0,
            scratch: vec![0; if shared.settings.tls.enabled { READ_BYTES } else { 0 }].into_boxed_slice(),
            outbox: Outbox::default(),
            kept: Kept::new(Arc::clone(&shared)),
            complaints: Complaints::default(),
            serial: 0,
            requests_max,
            stopwatch: Stopwatch::new(settings),
            now: shared.clock.now(),
            lingering: VecDeque::new(),
            stop_by: None,
            idle_checked: 0,
            expelled: 0,
            shared,
        }
    }

    fn run(mut self) {
        watch::begin_worker(self.index);
        let mut events = Events::with_capacity(EVENTS_MAX);
        while !self.is_over() {
            if let Err(error) = self.poll.poll(&mut events, self.poll_timeout())
                && error.kind() != ErrorKind::Interrupted
            {
                log::error!("worker={} cannot wait for events: {error}", self.index);
                break;
            }
            self.now = self.shared.clock.now();
            for event in &events {
                match event.token() {
                    MAILBOX => self.read_mail(),
                    Token(token) if token >= UDP_FIRST => self.on_datagrams(token - UDP_FIRST),
                    Token(id) => self.on_event(id, event),
                }
            }
            // Only those that were ready before: who gets ready again waits for the next round of events.
            for _ in 0..self.ready.len() {
                if let Some(id) = self.ready.pop_front() {
                    self.on_turn(id);
                }
            }
            self.serve_udp();
            if self.stop_by.is_some() {
                self.see_off_all();
            }
            if !self.lingering.is_empty() {
                self.end_lingering();
            }
            self.close_idle();
            self.expel();
            self.shed();
        }
        self.close_udp();
        let cut_off = self.connections.len() - self.vacant.len();
        if cut_off > 0 {
            log::warn!("stopped with replies unsent connections={cut_off} worker={}", self.index);
        }
        for id in 0..self.connections.len() {
            self.close(id);
        }
        debug_assert_eq!(self.kept.bytes(), 0, "memory of closed connections is still counted");
    }

    fn is_over(&self) -> bool {
        self.stop_by.is_some_and(|by| Instant::now() >= by || self.vacant.len() == self.connections.len())
    }

    fn poll_timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || self.udp.iter().any(|port| port.unread) {
            return Some(Duration::ZERO);
        }
        if let Some(by) = self.stop_by {
            return Some(by.saturating_duration_since(Instant::now()).min(STOP_LOOK_PERIOD));
        }
        if self.kept.is_greedy() {
            return Some(SHED_LOOK_PERIOD);
        }
        let looks_around = self.shared.settings.idle_timeout_secs > 0 || self.shared.authority.is_some();
        let look = (looks_around && self.vacant.len() < self.connections.len()).then_some(Duration::from_secs(1));
        let Some((until, ..)) = self.lingering.front() else { return look };
        let lingering = until.saturating_duration_since(Instant::now());
        Some(look.map_or(lingering, |look| look.min(lingering)))
    }

    fn read_mail(&mut self) {
        for message in self.mailbox.take() {
            match message {
                Message::Serve(accepted) => self.admit(accepted),
                Message::Verdict { id, serial, verdict } => self.conclude(id, serial, verdict),
                Message::Stop => self.begin_stop(),
            }
        }
    }

    fn admit(&mut self, accepted: Accepted) {
        let id = self.vacant.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        self.serial += 1;
        let mut connection = Connection::new(accepted, self.serial, self.shared.authority.as_ref(), self.now);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = connection.stream.socket.register(self.poll.registry(), Token(id), interest);
        self.shared.roster.note(connection.fd, Activity::Read, self.now);
        let fd = connection.fd;
        self.shared.watch.note(&Watched::Connected { peer: connection.peer, fd });
        self.connections[id] = Some(connection);
        match registered {
            Ok(()) => {
                log::debug!("connection opened fd={fd} worker={}", self.index);
                self.serve_early(id);
            }
            Err(error) => {
                log::error!("cannot watch fd={fd}: {error}");
                self.close(id);
            }
        }
    }

    /// A first turn for a connection that may have sent requests together with the end of its handshake.
    fn serve_early(&mut self, id: usize) {
        if self.connections[id].as_ref().is_some_and(|connection| connection.unread) {
            self.queue(id);
        }
    }

    fn on_event(&mut self, id: usize, event: &Event) {
        // An event can be older than the connection that has the place now; a needless turn does no harm.
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        connection.ended |= event.is_read_closed() || event.is_error();
        connection.unread |= event.is_readable() || connection.ended;
        if connection.queued {
            // Its turn comes in this round anyway, and it has one like the others.
            return;
        }
        if connection.is_blocked() && !event.is_writable() && !event.is_error() {
            return;
        }
        if connection.is_blocked() || connection.unread {
            self.on_turn(id);
        }
    }

    /// One turn of a connection: sends what is owed, then reads at most once and answers what came.
    fn on_turn(&mut self, id: usize) {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        connection.queued = false;
        if connection.leaving {
            return self.discard(id);
        }
        if connection.is_blocked() {
            let held = connection.kept_bytes();
            let sent = connection.send_owed(TURN_BYTES_MAX);
            self.kept.sub(held - connection.kept_bytes());
            connection.count_stream(&mut self.kept);
            let Ok(sent) = sent else { return self.close(id) };
            self.shared.counters[self.index].bytes_written.add(sent.bytes as u64);
            if sent.bytes > 0 {
                connection.last_active = self.now;
            }
            match connection.is_blocked() {
                true if sent.is_blocked => return,
                true => return self.queue(id),
                false if connection.closing => return self.part(id),
                false => {}
            }
        }
        if self.stop_by.is_some_and(|by| connection.hungry || Instant::now() + STOP_PATIENCE >= by + STOP_ANSWERING) {
            connection.close_reason = CloseReason::Shutdown;
            return self.part(id);
        }
        let hears_secrets = connection.session.hears_secrets();
        let timed = self.stopwatch.is_due().then(|| Stopwatch::start(connection, &self.shared.counters[self.index]));
        let after = self.serve(id);
        if let Some(timed) = timed {
            let Shared { counters, latency, .. } = &*self.shared;
            let text = &self.buffer[..self.filled];
            self.stopwatch.stop(&timed, text, &counters[self.index], &latency[self.index]);
        }
        self.forget_secrets(id, hears_secrets);
        match after {
            Ok(After::Wait) => {}
            Ok(After::Again) => self.queue(id),
            Ok(After::Close) => self.part(id),
            Err(_) => self.close(id),
        }
    }

    /// Wipes what the last turn used of the buffer, if part of a login may have been in it.
    fn forget_secrets(&mut self, id: usize, before: bool) {
        let heard = |connection: &mut Connection| connection.session.has_heard_secrets();
        if self.connections[id].as_mut().map_or(self.shared.authority.is_some(), heard) || before {
            self.buffer[..self.filled].zeroize();
        }
    }

    fn queue(&mut self, id: usize) {
        if let Some(Some(connection)) = self.connections.get_mut(id)
            && !connection.queued
        {
            connection.queued = true;
            self.ready.push_back(id);
        }
    }

    fn on_datagrams(&mut self, index: usize) {
        // An order to stop that came in the same round has closed the sockets.
        if let Some(port) = self.udp.get_mut(index) {
            port.unread = true;
        }
    }

    /// A turn for each UDP socket that may have datagrams.
    fn serve_udp(&mut self) {
        for port in self.udp.iter_mut().filter(|port| port.unread) {
            let counters = &self.shared.counters[self.index];
            let cx = Context { shared: &self.shared, counters, now: self.now, fd: port.fd };
            port.on_turn(&mut self.buffer, &mut self.outbox, &cx);
            self.shared.roster.note(port.fd, Activity::Datagrams, self.now);
        }
    }

    fn close_udp(&mut self) {
        for port in self.udp.drain(..) {
            self.shared.roster.remove(port.fd);
        }
    }

    /// Reads if the session needs input, feeds the session, sends its replies.
    fn serve(&mut self, id: usize) -> io::Result<After> {
        let shared = Arc::clone(&self.shared);
        let Some(Some(connection)) = self.connections.get_mut(id) else { return Ok(After::Wait) };
        let counters = &shared.counters[self.index];
        let cx = Context { shared: &shared, counters, now: self.now, fd: connection.fd };
        let mut filled = connection.take_input(&mut self.buffer, &mut self.kept);
        self.filled = filled;
        if connection.hungry {
            let read = connection.read(&mut self.buffer, filled, &mut self.scratch, &cx);
            connection.count_stream(&mut self.kept);
            match read? {
                Read::Bytes(bytes) => filled += bytes,
                Read::Nothing => {
                    let waiting = &self.buffer[..filled];
                    connection.keep_input(waiting, &mut self.kept);
                    // Interrupted before it began: no event will tell again.
                    return Ok(if connection.unread { After::Again } else { After::Wait });
                }
                Read::End => {
                    connection.close_reason = CloseReason::Normal;
                    return Ok(After::Close);
                }
            }
        }
        self.filled = filled;
        connection.last_command = self.now;
        connection.last_active = self.now;
        let mut at = 0;
        let mut sent_bytes = 0;
        loop {
            self.outbox.set_short(self.kept.is_tight());
            let progress = connection.session.feed(&self.buffer[at..filled], &mut self.outbox, &cx, self.requests_max);
            at += progress.consumed;
            let sent = self.outbox.send_share(&mut connection.stream, TURN_BYTES_MAX - sent_bytes);
            connection.count_stream(&mut self.kept);
            connection.hungry = matches!(progress.next, Next::Input { .. });
            if progress.next == Next::Close {
                connection.close_reason = connection.session.close_reason();
                connection.refused_bytes = connection.session.refused_bytes().saturating_sub(filled - at);
            }
            // What was answered to a connection that failed goes with it.
            let sent = sent.inspect_err(|_| drop(self.outbox.take_unsent()))?;
            counters.bytes_written.add(sent.bytes as u64);
            sent_bytes += sent.bytes;
            if !self.outbox.is_empty() || connection.stream.has_unsent() {
                connection.closing = progress.next == Next::Close;
                let is_blocked = sent.is_blocked || connection.stream.has_unsent();
                self.park(id, at..filled);
                return Ok(if is_blocked { After::Wait } else { After::Again });
            }
            match progress.next {
                Next::Room if sent_bytes < TURN_BYTES_MAX => {}
                Next::Close => return Ok(After::Close),
                Next::Watch => {
                    self.hand_over(id);
                    return Ok(After::Wait);
                }
                Next::Login => {
                    connection.keep_input(&self.buffer[at..filled], &mut self.kept);
                    self.run_errand(id);
                    return Ok(After::Wait);
                }
                Next::Room | Next::Turn | Next::Later | Next::Input { .. } => {
                    let yielded = progress.next == Next::Turn;
                    let rest = at..filled;
                    return self.rest(id, rest, yielded);
                }
            }
        }
    }

    /// The replies do not fit in the socket or the turn: they wait with the connection, and so do the requests behind
    /// them.
    fn park(&mut self, id: usize, input: std::ops::Range<usize>) {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        if !self.outbox.is_empty() {
            let unsent = self.outbox.take_unsent();
            self.kept.add(unsent.held_bytes() as u64);
            connection.owe(unsent);
        }
        if !connection.closing {
            connection.keep_input(&self.buffer[input], &mut self.kept);
        }
        self.shared.roster.note(connection.fd, Activity::Mwrite, connection.last_command);
        self.shed();
    }

    /// Keeps the connections' own memory within its bound: whoever holds most of it goes, be it by requests that never
    /// end or by replies that are never read, and not whoever comes next.
    fn shed(&mut self) {
        while self.kept.must_shed() {
            let kept = |id: &usize| self.connections[*id].as_ref().map_or(0, Connection::kept_bytes);
            let Some(id) = (0..self.connections.len()).max_by_key(kept) else { return };
            let Some(connection) = &self.connections[id] else { return };
            let (fd, bytes) = (connection.fd, connection.kept_bytes());
            let counters = &self.shared.counters[self.index];
            if connection.is_blocked() {
                counters.response_obj_oom.add(1);
                self.complaints
                    .warn(&format!("connection closed fd={fd}: no memory for its unread replies bytes={bytes}"));
            } else {
                counters.read_buf_oom.add(1);
                self.complaints
                    .warn(&format!("connection closed fd={fd}: no memory for its incomplete request bytes={bytes}"));
            }
            self.close(id);
        }
    }

    /// All replies were sent; what is left of the input waits for more, or for the next turn.
    fn rest(&mut self, id: usize, input: std::ops::Range<usize>, yielded: bool) -> io::Result<After> {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return Ok(After::Wait) };
        connection.keep_input(&self.buffer[input], &mut self.kept);
        self.shared.roster.note(connection.fd, connection.session.activity(), connection.last_command);
        if yielded {
            self.shared.counters[self.index].conn_yields.add(1);
        }
        let after = if connection.unread || !connection.hungry { After::Again } else { After::Wait };
        self.shed();
        Ok(after)
    }

    /// Leaves a connection to the watch thread. What its client sent behind `watch` is of no interest.
    fn hand_over(&mut self, id: usize) {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        let Some(seat) = connection.session.take_seat() else { return };
        let identity = connection.session.identity().cloned();
        let deregistered = connection.stream.socket.deregister(self.poll.registry());
        if let Err(error) = deregistered {
            log::error!("cannot leave fd={} to the watch thread: {error}", connection.fd);
            return self.close(id);
        }
        let Some(connection) = self.connections[id].take() else { return };
        self.vacant.push(id);
        self.kept.sub(connection.kept_bytes());
        let Connection { stream, peer, counted, fd, last_command, .. } = connection;
        self.shared.roster.note(fd, Activity::Watch, last_command);
        self.watchers.admit(Newcomer { stream, peer, counted, fd, seat, identity });
    }

    fn close(&mut self, id: usize) {
        let Some(Some(mut connection)) = self.connections.get_mut(id).map(Option::take) else { return };
        self.kept.sub(connection.kept_bytes());
        self.shared.roster.remove(connection.fd);
        let Connection { peer, fd, close_reason: reason, .. } = connection;
        self.shared.watch.note(&Watched::Closed { peer, fd, reason });
        // Closing the descriptor would do it, but not if it had been duplicated.
        let _ = connection.stream.socket.deregister(self.poll.registry());
        connection.forget_input();
        connection.stream.say_farewell();
        log::debug!("connection closed fd={} worker={}", connection.fd, self.index);
        drop(connection);
        self.vacant.push(id);
        debug_assert!(self.vacant.len() < self.connections.len() || self.kept.bytes() == 0, "memory of nobody");
        self.shared.connections.current.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Gives what a login waits for to those who decide.
    fn run_errand(&mut self, id: usize) {
        let (Some(Some(connection)), Some(authority)) = (self.connections.get_mut(id), &self.shared.authority) else {
            return;
        };
        let Some(errand) = connection.session.take_errand() else { return };
        let (mailbox, serial) = (Arc::clone(&self.mailbox), connection.serial);
        authority.submit(errand.not_before, errand.work, move |verdict| {
            if let Err(error) = mailbox.post(Message::Verdict { id, serial, verdict }) {
                log::error!("cannot wake a worker: {error}");
            }
        });
    }

    fn conclude(&mut self, id: usize, serial: u64, verdict: Verdict) {
        if let Some(Some(connection)) = self.connections.get_mut(id)
            && connection.serial == serial
        {
            connection.session.conclude(verdict);
            self.queue(id);
        }
    }

    /// Closes, once a second, connections whose login is overdue or no longer good.
    fn expel(&mut self) {
        if self.shared.authority.is_none() || self.expelled == self.now {
            return;
        }
        self.expelled = self.now;
        let shared = Arc::clone(&self.shared);
        for id in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get_mut(id) else { continue };
            let cx =
                Context { shared: &shared, counters: &shared.counters[self.index], now: self.now, fd: connection.fd };
            if connection.session.is_expelled(&cx) {
                self.close(id);
            }
        }
    }

    fn close_idle(&mut self) {
        let timeout = self.shared.settings.idle_timeout_secs;
        if timeout == 0 || self.idle_checked == self.now {
            return;
        }
        self.idle_checked = self.now;
        for id in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get_mut(id) else { continue };
            if connection.is_idle(self.now, timeout) {
                self.shared.counters[self.index].idle_kicks.add(1);
                connection.close_reason = CloseReason::IdleTimeout;
                self.close(id);
            }
        }
    }

    /// Each connection gets a last turn for what it has sent already. From then on nothing is read any more; for a
    /// while what was read is answered, and until the deadline replies may arrive.
    fn begin_stop(&mut self) {
        self.close_udp();
        for id in 0..self.connections.len() {
            if let Some(Some(connection)) = self.connections.get_mut(id) {
                connection.unread = true;
                self.on_turn(id);
            }
        }
        self.stop_by = Some(Instant::now() + STOP_PATIENCE);
        for id in 0..self.connections.len() {
            if let Some(Some(connection)) = self.connections.get_mut(id)
                && connection.hungry
                && !connection.is_blocked()
            {
                connection.close_reason = CloseReason::Shutdown;
                self.part(id);
            }
        }
    }

    /// Ends a connection that has its replies. A client in the middle of a request that was refused would be reset, fail
    /// at writing on and never read why: it is told that nothing more comes, and closed when the request is over, or it
    /// has closed, or takes too long. While the server stops, its replies have to arrive instead.
    fn part(&mut self, id: usize) {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        if self.stop_by.is_none() {
            if !connection.begin_lingering() {
                return self.close(id);
            }
            self.shared.roster.note(connection.fd, Activity::Closing, connection.last_command);
            self.lingering.push_back((Instant::now() + LINGER_TIME_MAX, id, connection.serial));
        }
        connection.leaving = true;
        self.discard(id);
    }

    /// Closes those that lingered for long enough.
    fn end_lingering(&mut self) {
        while let Some(&(until, id, serial)) = self.lingering.front() {
            let is_there = self.connections[id].as_ref().is_some_and(|connection| connection.serial == serial);
            if is_there && Instant::now() < until {
                return;
            }
            self.lingering.pop_front();
            if is_there {
                self.close(id);
            }
        }
    }

    fn see_off_all(&mut self) {
        for id in 0..self.connections.len() {
            if self.connections[id].as_ref().is_some_and(|connection| connection.leaving) {
                self.discard(id);
            }
        }
    }

    /// Throws away what a connection that ends still sends, and closes it if its client has, or, while the server stops,
    /// if its replies have arrived.
    #[cold]
    fn discard(&mut self, id: usize) {
        let Some(Some(connection)) = self.connections.get_mut(id) else { return };
        let is_stopping = self.stop_by.is_some();
        match connection.discard(&mut self.buffer) {
            // A peer that has said all it will may still read.
            Discarded::End if !is_stopping => self.close(id),
            _ if is_stopping && !connection.is_unsent() => self.close(id),
            Discarded::Failed => self.close(id),
            _ if !is_stopping && connection.refused_bytes == 0 => self.close(id),
            Discarded::Some if !is_stopping => self.queue(id),
            Discarded::Some | Discarded::All | Discarded::End => {}
        }
    }
}

/// What to do with a connection after its turn.
enum After {
    /// It waits for an event.
    Wait,
    /// It gets another turn.
    Again,
    /// It ends.
    Close,
}

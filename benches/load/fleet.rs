//! All connections of one load, driven by one thread through epoll.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use crate::load::checker::{Mismatch, Tally};
use crate::load::connection::Connection;
use crate::load::latency::Latencies;
use crate::load::traffic::Traffic;

/// Connections to one server. They stay open between runs.
pub(crate) struct Fleet {
    poll: Poll,
    events: Events,
    connections: Vec<Connection>,
    input: Vec<u8>,
    scratch: Vec<u8>,
}

/// When to stop asking. What is under way is still awaited, so every request sent is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After this time.
    Elapsed(Duration),
    /// After this many requests.
    Requests(u64),
}

/// What a run measured.
pub(crate) struct Outcome {
    /// Answers by kind.
    pub(crate) tally: Tally,
    /// From the first request to the last reply.
    pub(crate) elapsed: Duration,
    /// From the sending of each batch to its last reply.
    pub(crate) latencies: Latencies,
}

/// A run that cannot be trusted.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A wrong answer.
    Mismatch(Mismatch),
    /// The server closed a connection.
    Closed,
    /// No answer for [`STALL_SECS_MAX`] seconds.
    Stalled,
    /// The host.
    Io(io::Error),
}

/// The changing part of a run.
struct Run {
    tally: Tally,
    latencies: Latencies,
    started: Instant,
    until: Until,
    requests_sent: u64,
    busy: usize,
}

impl Fleet {
    /// Opens so many connections.
    pub(crate) fn connect(address: SocketAddr, count: usize) -> io::Result<Self> {
        assert!(address.ip().is_loopback(), "the load generator talks to loopback only");
        let poll = Poll::new()?;
        let mut connections = Vec::with_capacity(count);
        for number in 0..count {
            let mut connection = Connection::open(address)?;
            poll.registry().register(connection.stream(), Token(number), Interest::READABLE | Interest::WRITABLE)?;
            connections.push(connection);
        }
        let events = Events::with_capacity(EVENTS_MAX);
        Ok(Fleet { poll, events, connections, input: vec![0; INPUT_BYTES], scratch: Vec::new() })
    }

    /// Asks until told to stop, and checks every answer.
    pub(crate) fn run(&mut self, traffic: &mut Traffic, until: Until) -> Result<Outcome, Failure> {
        let started = Instant::now();
        let mut run =
            Run { tally: Tally::default(), latencies: Latencies::none(), started, until, requests_sent: 0, busy: 0 };
        for connection in &mut self.connections {
            let Some(requests_max) = run.requests_left(Instant::now()) else { break };
            let now = Instant::now();
            run.requests_sent += connection.send_batch(traffic, requests_max, &mut self.scratch, now)?;
            run.busy += 1;
        }
        while run.busy > 0 {
            self.turn(traffic, &mut run)?;
        }
        Ok(Outcome { tally: run.tally, elapsed: started.elapsed(), latencies: run.latencies })
    }

    /// Waits once and serves every connection that woke.
    fn turn(&mut self, traffic: &mut Traffic, run: &mut Run) -> Result<(), Failure> {
        match self.poll.poll(&mut self.events, Some(Duration::from_secs(STALL_SECS_MAX))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        if self.events.is_empty() {
            return Err(Failure::Stalled);
        }
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            if event.is_writable() {
                connection.flush()?;
            }
            if !event.is_readable() || connection.is_done() {
                continue;
            }
            connection.receive(traffic, &mut run.tally, &mut self.input)?;
            if !connection.is_done() {
                if event.is_read_closed() {
                    return Err(Failure::Closed);
                }
                continue;
            }
            let now = Instant::now();
            run.latencies.count(now - connection.batch_sent_at());
            match run.requests_left(now) {
                Some(requests_max) => {
                    run.requests_sent += connection.send_batch(traffic, requests_max, &mut self.scratch, now)?;
                }
                None => run.busy -= 1,
            }
        }
        Ok(())
    }
}

impl Run {
    /// How many more requests may be sent; `None` when it is time to stop.
    fn requests_left(&self, now: Instant) -> Option<u64> {
        match self.until {
            Until::Elapsed(span) => (now - self.started < span).then_some(u64::MAX),
            Until::Requests(count) => count.checked_sub(self.requests_sent).filter(|left| *left > 0),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Mismatch(mismatch) => write!(out, "the server answered {mismatch}"),
            Failure::Closed => write!(out, "the server closed a connection"),
            Failure::Stalled => write!(out, "no answer within secs={STALL_SECS_MAX}"),
            Failure::Io(error) => write!(out, "{error}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<Mismatch> for Failure {
    fn from(mismatch: Mismatch) -> Self {
        Failure::Mismatch(mismatch)
    }
}

/// Longer silence is a failure, not a measurement.
const STALL_SECS_MAX: u64 = 10;
/// As many as can be ready at once in our rows.
const EVENTS_MAX: usize = 1024;
/// One read takes at most this.
const INPUT_BYTES: usize = 256 * 1024;

//! How long a worker is at a connection's requests: for the histograms of the admin port and the log of slow requests.

use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Instant;

use super::connection::Connection;
use super::slow::{Batch, SlowLog};
use crate::net::roster::Activity;
use crate::settings::Settings;
use crate::stats::counters::WorkerCounters;
use crate::stats::latency::{Kind, Latency, Sampler, Timing};

/// The worker's.
pub(super) struct Stopwatch {
    sampler: Sampler,
    slow: SlowLog,
}

/// A turn that is being timed.
pub(super) struct Timed {
    begun: Instant,
    /// The connection is in the middle of a value, so that what comes begins with no command.
    is_value: bool,
    /// What comes may hold a password.
    is_secret: bool,
    peer: Option<SocketAddr>,
    fd: RawFd,
    /// What the worker had counted before.
    bytes_read: u64,
}

impl Stopwatch {
    /// One that times what these settings ask for.
    pub(super) fn new(settings: &Settings) -> Stopwatch {
        let slow = SlowLog::new(settings.slow_request_micros);
        let timing = match (slow.is_asked_for(), settings.admin.is_some()) {
            (true, _) => Timing::All,
            (false, true) => Timing::Samples,
            (false, false) => Timing::None,
        };
        Stopwatch { sampler: Sampler::new(timing), slow }
    }

    /// Whether the turn that comes now is to be timed.
    #[inline]
    pub(super) fn is_due(&mut self) -> bool {
        self.sampler.is_due()
    }

    /// Begins with a turn of `connection`.
    #[cold]
    pub(super) fn start(connection: &Connection, counters: &WorkerCounters) -> Timed {
        Timed {
            begun: Instant::now(),
            is_value: connection.session.activity() == Activity::Nread,
            is_secret: connection.session.hears_secrets(),
            peer: connection.peer,
            fd: connection.fd,
            bytes_read: counters.bytes_read.value(),
        }
    }

    /// Ends with the turn, which had `text` before it. What took a turn without bringing a byte is not counted.
    #[cold]
    pub(super) fn stop(&mut self, timed: &Timed, text: &[u8], counters: &WorkerCounters, latency: &Latency) {
        let took = timed.begun.elapsed();
        let bytes = counters.bytes_read.value() - timed.bytes_read;
        if bytes == 0 {
            return;
        }
        let &Timed { peer, fd, is_value, is_secret, .. } = timed;
        let kind = if is_value { Kind::Set } else { Kind::of(text) };
        latency.note(kind, took);
        let text = if is_value || is_secret { &[] } else { text };
        self.slow.note(took, &Batch { kind, peer, fd, bytes, text });
    }
}

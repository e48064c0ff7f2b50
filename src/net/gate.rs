//! When the listeners rest: the connection limit is reached (without `-o maxconns_fast`), or the system has no
//! descriptor or memory for one more connection.
//!
//! A state machine without sockets and clocks: the accept thread says what happened and what time it is, and asks
//! whether it may try again. It never spins: between two tries after the same failure lies [`Why::pause`].

use std::time::{Duration, Instant};

/// Why nothing is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// As many clients as `-c` allows. How many there are is looked at often, as it costs nothing.
    Limit,
    /// accept(2) failed: no descriptors, no memory.
    System,
}

impl Why {
    fn pause(self) -> Duration {
        match self {
            // memcached's, too.
            Why::Limit => Duration::from_millis(10),
            Why::System => Duration::from_millis(50),
        }
    }
}

/// The state: open, or closed since some time and to be tried again at another.
#[derive(Debug, Default)]
pub struct Gate {
    closed: Option<Closed>,
}

#[derive(Debug)]
struct Closed {
    since: Instant,
    retry: Instant,
}

impl Gate {
    /// Closes it, or keeps it closed after a try that failed. True if it was open.
    pub fn close(&mut self, why: Why, now: Instant) -> bool {
        let retry = now + why.pause();
        match &mut self.closed {
            Some(closed) => {
                closed.retry = retry;
                false
            }
            None => {
                self.closed = Some(Closed { since: now, retry });
                true
            }
        }
    }

    /// Opens it after a try that succeeded, and returns how long it was closed.
    pub fn open(&mut self, now: Instant) -> Option<Duration> {
        self.closed.take().map(|closed| now.saturating_duration_since(closed.since))
    }

    /// Whether a connection may be accepted now, be it as a try.
    pub fn may_try(&self, now: Instant) -> bool {
        self.closed.as_ref().is_none_or(|closed| closed.retry <= now)
    }

    /// How long until the next try; `None` when it is open.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.closed.as_ref().map(|closed| closed.retry.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_gate_lets_pass_without_a_deadline() {
        let mut gate = Gate::default();
        let now = Instant::now();
        assert!(gate.may_try(now));
        assert_eq!(gate.wait(now), None);
        assert_eq!(gate.open(now), None);
    }

    #[test]
    fn closed_gate_is_tried_once_per_pause_and_counts_the_whole_time() {
        for (why, pause) in [(Why::Limit, 10), (Why::System, 50)] {
            let pause = Duration::from_millis(pause);
            let mut gate = Gate::default();
            let start = Instant::now();
            assert!(gate.close(why, start));
            assert!(!gate.may_try(start));
            assert_eq!(gate.wait(start + pause / 2), Some(pause / 2));
            assert!(gate.may_try(start + pause));
            assert!(!gate.close(why, start + pause), "closed already");
            assert!(!gate.may_try(start + pause));
            assert_eq!(gate.wait(start + pause * 3), Some(Duration::ZERO));
            assert_eq!(gate.open(start + pause * 3), Some(pause * 3));
            assert!(gate.may_try(start));
        }
    }
}

//! Whether the workers still turn: each is woken, and has to have looked into its mailbox when the next one asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::net::mailbox::Mailbox;

/// How long a worker may take. A turn of its loop takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// The workers and what they were asked.
#[derive(Debug)]
pub(super) struct Health {
    pulses: Vec<Pulse>,
}

#[derive(Debug)]
struct Pulse {
    mailbox: Arc<Mailbox>,
    asked: Mutex<Option<Asked>>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// How often the worker had looked then.
    looks: u64,
    at: Instant,
}

impl Health {
    pub(super) fn new(workers: Vec<Arc<Mailbox>>) -> Health {
        let pulse = |mailbox| Pulse { mailbox, asked: Mutex::new(None) };
        Health { pulses: workers.into_iter().map(pulse).collect() }
    }

    /// The first worker that has not answered for [`PATIENCE`]. Asks all others anew and waits for none: what they say
    /// is told next time.
    pub(super) fn silent_worker(&self, now: Instant) -> Option<usize> {
        let silent: Vec<bool> = self.pulses.iter().map(|pulse| pulse.is_silent(now)).collect();
        silent.iter().position(|&silent| silent)
    }
}

impl Pulse {
    fn is_silent(&self, now: Instant) -> bool {
        let mut asked = self.asked.lock();
        let looks = self.mailbox.looks();
        if let Some(asked) = asked.filter(|asked| asked.looks == looks) {
            return now.saturating_duration_since(asked.at) > PATIENCE;
        }
        *asked = Some(Asked { looks, at: now });
        if let Err(error) = self.mailbox.wake() {
            log::error!("cannot wake a worker: {error}");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    #[test]
    fn a_worker_that_does_not_answer_is_found_and_forgiven() {
        let poll = Poll::new().unwrap();
        let mailbox = Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
        let health = Health::new(vec![Arc::clone(&mailbox)]);
        let start = Instant::now();
        assert_eq!(health.silent_worker(start), None);
        assert_eq!(health.silent_worker(start + PATIENCE), None, "not too late yet");
        let late = start + PATIENCE + Duration::from_millis(1);
        assert_eq!(health.silent_worker(late), Some(0));
        mailbox.take();
        assert_eq!(health.silent_worker(late), None);
    }
}

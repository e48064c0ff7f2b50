//! Whether workers still turn: each is woken, and has to have looked into its mailbox when the next one asks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mailbox::Mailbox;

/// The workers, and what was asked of them.
#[derive(Debug)]
pub struct Pulse {
    workers: Vec<Worker>,
    patience: Duration,
}

#[derive(Debug)]
struct Worker {
    mailbox: Arc<Mailbox>,
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    /// How often the worker had looked then.
    looks: u64,
    at: Instant,
}

impl Pulse {
    /// Of the workers with these mailboxes, each of which may take `patience` to look after it was woken. A turn of its
    /// loop takes milliseconds.
    pub fn new(mailboxes: Vec<Arc<Mailbox>>, patience: Duration) -> Pulse {
        let workers = mailboxes.into_iter().map(|mailbox| Worker { mailbox, asked: None }).collect();
        Pulse { workers, patience }
    }

    /// The first worker that has not looked in time. Wakes those anew that have, and waits for none: what they do is told
    /// next time.
    pub fn silent_worker(&mut self, now: Instant) -> Option<usize> {
        let mut silent = None;
        for (number, worker) in self.workers.iter_mut().enumerate() {
            if worker.is_silent(now, self.patience) {
                silent = silent.or(Some(number));
            }
        }
        silent
    }
}

impl Worker {
    fn is_silent(&mut self, now: Instant, patience: Duration) -> bool {
        let looks = self.mailbox.looks();
        if let Some(asked) = self.asked.filter(|asked| asked.looks == looks) {
            return now.saturating_duration_since(asked.at) > patience;
        }
        self.asked = Some(Asked { looks, at: now });
        // One that cannot be woken does not answer, which is what is to be found out.
        let _ = self.mailbox.wake();
        false
    }
}

#[cfg(test)]
mod tests {
    use mio::{Poll, Token};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn each_worker_must_look_each_time_it_is_woken() {
        let polls = [Poll::new().unwrap(), Poll::new().unwrap()];
        let mailbox = |poll: &Poll| Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
        let mailboxes: Vec<Arc<Mailbox>> = polls.iter().map(mailbox).collect();
        let mut pulse = Pulse::new(mailboxes.clone(), PATIENCE);
        let start = Instant::now();
        assert_eq!(pulse.silent_worker(start), None);
        assert_eq!(pulse.silent_worker(start + PATIENCE), None, "not too late yet");
        let late = start + PATIENCE + Duration::from_millis(1);
        assert_eq!(pulse.silent_worker(late), Some(0));
        mailboxes[0].take();
        assert_eq!(pulse.silent_worker(late), Some(1), "one does not answer for the other");
        mailboxes[1].take();
        assert_eq!(pulse.silent_worker(late), None, "it is forgiven");
        assert_eq!(pulse.silent_worker(late + PATIENCE + PATIENCE), Some(0), "a new question needs a new answer");
    }
}

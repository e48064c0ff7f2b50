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

    /// The workers that have not looked in time. Wakes those anew that have, and waits for none: what they do is told next
    /// time. Whoever else asks in between takes nothing away: a worker is waited for from the first question behind its
    /// last look, so more questions find one that is stuck earlier, never later.
    pub fn silent_workers(&mut self, now: Instant) -> Vec<usize> {
        let patience = self.patience;
        let workers = self.workers.iter_mut().enumerate();
        workers.filter_map(|(number, worker)| worker.is_silent(now, patience).then_some(number)).collect()
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

    const NONE: [usize; 0] = [];
    const A_MOMENT: Duration = Duration::from_millis(1);

    /// Two workers, whose polls have to live as long as they do.
    fn two() -> (Vec<Poll>, Vec<Arc<Mailbox>>, Pulse) {
        let polls = vec![Poll::new().unwrap(), Poll::new().unwrap()];
        let mailbox = |poll: &Poll| Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
        let mailboxes: Vec<Arc<Mailbox>> = polls.iter().map(mailbox).collect();
        let pulse = Pulse::new(mailboxes.clone(), PATIENCE);
        (polls, mailboxes, pulse)
    }

    #[test]
    fn each_worker_must_look_each_time_it_is_woken() {
        let (_polls, mailboxes, mut pulse) = two();
        let start = Instant::now();
        assert_eq!(pulse.silent_workers(start), NONE);
        assert_eq!(pulse.silent_workers(start + PATIENCE), NONE, "not too late yet");
        let late = start + PATIENCE + A_MOMENT;
        assert_eq!(pulse.silent_workers(late), [0, 1]);
        mailboxes[0].take();
        assert_eq!(pulse.silent_workers(late), [1], "one does not answer for the other");
        mailboxes[1].take();
        assert_eq!(pulse.silent_workers(late), NONE, "it is forgiven");
        assert_eq!(pulse.silent_workers(late + PATIENCE + PATIENCE), [0, 1], "a new question needs a new answer");
    }

    #[test]
    fn those_who_ask_often_hide_nothing_from_those_who_ask_seldom() {
        let (_polls, mailboxes, mut pulse) = two();
        let start = Instant::now();
        assert_eq!(pulse.silent_workers(start), NONE);
        for step in 0..=PATIENCE.as_millis() as u64 {
            mailboxes[1].take();
            assert_eq!(pulse.silent_workers(start + Duration::from_millis(step)), NONE, "{step}");
        }
        let late = start + PATIENCE + A_MOMENT;
        for _ in 0..3 {
            mailboxes[1].take();
            assert_eq!(pulse.silent_workers(late), [0], "whoever asks next is told the same");
        }
    }
}

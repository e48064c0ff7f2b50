//! Whether all workers are alive: they are woken, and have to look into their mailboxes before the next look.

use std::sync::Arc;

use crate::net::mailbox::Mailbox;

/// The workers, and what they had done when they were woken last.
#[derive(Debug)]
pub(super) struct Pulse {
    workers: Vec<(Arc<Mailbox>, u64)>,
}

impl Pulse {
    /// Wakes all workers of these mailboxes.
    pub(super) fn new(mailboxes: Vec<Arc<Mailbox>>) -> Pulse {
        let mut pulse = Pulse { workers: mailboxes.into_iter().map(|mailbox| (mailbox, 0)).collect() };
        pulse.wake();
        pulse
    }

    /// The first worker that has done nothing since it was woken. When there is none, all are woken again.
    pub(super) fn stuck(&mut self) -> Option<usize> {
        let stuck = self.workers.iter().position(|(mailbox, looks)| mailbox.looks() == *looks);
        if stuck.is_none() {
            self.wake();
        }
        stuck
    }

    fn wake(&mut self) {
        for (mailbox, looks) in &mut self.workers {
            *looks = mailbox.looks();
            // One that cannot be woken does not answer, which is what is to be found out.
            let _ = mailbox.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll, Token};

    use super::*;

    #[test]
    fn all_must_answer_each_time_they_are_woken() {
        let mut polls = [Poll::new().unwrap(), Poll::new().unwrap()];
        let mailbox = |poll: &Poll| Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
        let mailboxes: Vec<Arc<Mailbox>> = polls.iter().map(mailbox).collect();
        let mut pulse = Pulse::new(mailboxes.clone());
        assert_eq!(pulse.stuck(), Some(0));
        mailboxes[0].take();
        assert_eq!(pulse.stuck(), Some(1));
        mailboxes[0].take();
        assert_eq!(pulse.stuck(), Some(1), "one does not answer for the other");
        mailboxes[1].take();
        assert_eq!(pulse.stuck(), None);
        assert_eq!(pulse.stuck(), Some(0), "a new question needs a new answer");
        let mut events = Events::with_capacity(1);
        for poll in &mut polls {
            poll.poll(&mut events, None).unwrap();
        }
    }
}

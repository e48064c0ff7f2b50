//! One worker thread: a `Poll`, its connections, one read buffer and one write buffer.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use mio::{Poll, Token};

use super::mailbox::{Mailbox, Message};
use crate::shared::Shared;

const MAILBOX: Token = Token(usize::MAX);

/// A running worker, seen from outside.
#[derive(Debug)]
pub struct Worker {
    /// Where to leave connections and the order to stop.
    pub mailbox: Arc<Mailbox>,
    /// Ends after [`Message::Stop`].
    pub thread: JoinHandle<()>,
}

impl Worker {
    /// Starts worker `index` (0-based).
    ///
    /// # Errors
    /// When the poll, its waker or the thread cannot be made.
    pub fn start(index: usize, _shared: Arc<Shared>) -> io::Result<Worker> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox::new(poll.registry(), MAILBOX)?);
        let inbox = Arc::clone(&mailbox);
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let mut poll = poll;
            let mut events = mio::Events::with_capacity(16);
            loop {
                let _ = poll.poll(&mut events, None);
                for message in inbox.take() {
                    if let Message::Stop = message {
                        return;
                    }
                }
            }
        })?;
        Ok(Worker { mailbox, thread })
    }
}

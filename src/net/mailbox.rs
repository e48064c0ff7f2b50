//! How threads talk to one that waits in a poll: messages in a locked queue and a waker.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mio::{Registry, Token, Waker};
use parking_lot::Mutex;

use super::limits::Counted;
use super::stream::Stream;
use crate::auth::authority::Verdict;
use crate::settings::ProtocolChoice;

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking, with its options set, and TLS where its handshake is done.
    pub stream: Stream,
    /// The client's address; `None` on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The user that the transport vouches for, if it does.
    pub external: Option<Arc<str>>,
    /// It comes by way of a load balancer, so nothing near is near the client.
    pub is_proxied: bool,
    /// What the listener allows.
    pub protocol: ProtocolChoice,
    /// It counts among the connections of its address.
    pub counted: Counted,
}

/// What a worker can be told.
#[derive(Debug)]
pub enum Message {
    /// Serve this connection.
    Serve(Accepted),
    /// A login was decided.
    Verdict {
        /// Where the connection is.
        id: usize,
        /// Which it is: another one may have its place by now.
        serial: u64,
        /// What was decided.
        verdict: Verdict,
    },
    /// Finish what was read, send what is owed, close everything and end the thread.
    Stop,
}

/// The queue of one thread: a worker's when nothing else is said.
#[derive(Debug)]
pub struct Mailbox<M = Message> {
    queue: Mutex<Vec<M>>,
    waker: Waker,
    /// How often the thread has looked.
    looks: AtomicU64,
}

impl<M> Mailbox<M> {
    /// A mailbox whose arrivals wake the poll of `registry` with `token`.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Mailbox<M>> {
        Ok(Mailbox { queue: Mutex::new(Vec::new()), waker: Waker::new(registry, token)?, looks: AtomicU64::new(0) })
    }

    /// Leaves a message. A wake-up is sent only for the first one of a batch.
    ///
    /// # Errors
    /// When the waker's descriptor cannot be written; the message stays queued.
    pub fn post(&self, message: M) -> io::Result<()> {
        let first = {
            let mut queue = self.queue.lock();
            queue.push(message);
            queue.len() == 1
        };
        if first { self.waker.wake() } else { Ok(()) }
    }

    /// Wakes the thread without a message.
    ///
    /// # Errors
    /// When the waker's descriptor cannot be written.
    pub fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }

    /// How often the thread has taken its messages: whoever wakes it sees by this that it lives.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Acquire)
    }

    /// Takes all messages.
    pub fn take(&self) -> Vec<M> {
        self.looks.fetch_add(1, Ordering::Release);
        std::mem::take(&mut *self.queue.lock())
    }
}

//! How the accept thread and the main thread talk to a worker: messages in a locked queue and a waker.

use std::io;

use mio::net::{TcpStream, UnixStream};
use mio::{Registry, Token, Waker};
use parking_lot::Mutex;

use crate::settings::ProtocolChoice;

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking, with its options set.
    pub socket: Socket,
    /// What the listener allows.
    pub protocol: ProtocolChoice,
}

/// A stream socket of either family.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
}

/// What a worker can be told.
#[derive(Debug)]
pub enum Message {
    /// Serve this connection.
    Serve(Accepted),
    /// Finish what was read, send what is owed, close everything and end the thread.
    Stop,
}

/// The queue of one worker.
#[derive(Debug)]
pub struct Mailbox {
    queue: Mutex<Vec<Message>>,
    waker: Waker,
}

impl Mailbox {
    /// A mailbox whose arrivals wake the poll of `registry` with `token`.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Mailbox> {
        Ok(Mailbox { queue: Mutex::new(Vec::new()), waker: Waker::new(registry, token)? })
    }

    /// Leaves a message. A wake-up is sent only for the first one of a batch.
    ///
    /// # Errors
    /// When the waker's descriptor cannot be written; the message stays queued.
    pub fn post(&self, message: Message) -> io::Result<()> {
        let first = {
            let mut queue = self.queue.lock();
            queue.push(message);
            queue.len() == 1
        };
        if first { self.waker.wake() } else { Ok(()) }
    }

    /// Takes all messages.
    pub fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.queue.lock())
    }
}

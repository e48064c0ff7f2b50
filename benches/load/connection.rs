//! One connection: a socket, what is still to be sent, and a checker.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as BlockingStream};
use std::time::Instant;

use mio::net::TcpStream;

use crate::load::checker::{Checker, Tally};
use crate::load::fleet::Failure;
use crate::load::traffic::Traffic;

/// A connection that has at most one batch under way.
pub(crate) struct Connection {
    stream: TcpStream,
    checker: Checker,
    outbox: Vec<u8>,
    outbox_sent: usize,
    leftover: Vec<u8>,
    batch_sent_at: Instant,
}

impl Connection {
    /// Connects, waiting for it.
    pub(crate) fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = BlockingStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream: TcpStream::from_std(stream),
            checker: Checker::default(),
            outbox: Vec::new(),
            outbox_sent: 0,
            leftover: Vec::new(),
            batch_sent_at: Instant::now(),
        })
    }

    /// The socket, to be registered.
    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// When the batch under way was handed to the kernel.
    pub(crate) fn batch_sent_at(&self) -> Instant {
        self.batch_sent_at
    }

    /// Whether every request sent is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.checker.is_done()
    }

    /// Sends the next batch, of at most `requests_max`; returns how many requests it has. `scratch` is any buffer.
    pub(crate) fn send_batch(
        &mut self,
        traffic: &mut Traffic,
        requests_max: u64,
        scratch: &mut Vec<u8>,
        now: Instant,
    ) -> io::Result<u64> {
        let count = traffic.write_batch(requests_max, self.checker.next_batch(), scratch);
        self.batch_sent_at = now;
        let sent = write_some(&mut self.stream, scratch)?;
        if sent < scratch.len() {
            std::mem::swap(&mut self.outbox, scratch);
            self.outbox_sent = sent;
        }
        Ok(count)
    }

    /// Sends what the socket did not take before.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.outbox_sent < self.outbox.len() {
            self.outbox_sent += write_some(&mut self.stream, &self.outbox[self.outbox_sent..])?;
            if self.outbox_sent == self.outbox.len() {
                self.outbox.clear();
                self.outbox_sent = 0;
            }
        }
        Ok(())
    }

    /// Reads and checks all there is. `input` is a buffer shared by all connections.
    pub(crate) fn receive(&mut self, traffic: &Traffic, tally: &mut Tally, input: &mut [u8]) -> Result<(), Failure> {
        loop {
            let kept = self.leftover.len();
            input[..kept].copy_from_slice(&self.leftover);
            let room = input.len() - kept;
            let fresh = match self.stream.read(&mut input[kept..]) {
                Ok(0) => return Err(Failure::Closed),
                Ok(fresh) => fresh,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let filled = &input[..kept + fresh];
            let taken = self.checker.feed(traffic.corpus(), tally, filled)?;
            self.leftover.clear();
            self.leftover.extend_from_slice(&filled[taken..]);
            // A read that fills less than was offered has drained the socket.
            if fresh < room {
                return Ok(());
            }
        }
    }
}

/// Writes until done or until the socket is full.
fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.write(&bytes[sent..]) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}

//! One connection on which many requests may be under way: whatever is sent, replies are taken in meanwhile, so that
//! neither side waits for the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A connection and what it brought.
pub(crate) struct Lane {
    stream: TcpStream,
    inbox: Vec<u8>,
    read: usize,
}

impl Lane {
    /// Connects.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Lane> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Lane { stream, inbox: Vec::new(), read: 0 })
    }

    /// Sends all of it. What was read from the inbox is gone afterwards.
    pub(crate) fn send(&mut self, mut out: &[u8]) -> io::Result<()> {
        self.inbox.drain(..self.read);
        self.inbox.shrink_to(INBOX_KEPT_BYTES);
        self.read = 0;
        while !out.is_empty() {
            match self.stream.write(out) {
                Ok(sent) => out = &out[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.ready(PollFlags::IN | PollFlags::OUT)?.contains(PollFlags::IN) {
                        self.receive()?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut looked = self.read;
        loop {
            if let Some(at) = self.inbox[looked..].iter().position(|&byte| byte == b'\n') {
                let line = String::from_utf8_lossy(&self.inbox[self.read..looked + at]);
                let line = line.trim_end_matches('\r').to_owned();
                self.read = looked + at + 1;
                return Ok(line);
            }
            looked = self.inbox.len();
            self.wait()?;
        }
    }

    /// The next so many bytes, to be seen by [`Lane::seen`] until something is sent again.
    pub(crate) fn bytes(&mut self, count: usize) -> io::Result<Range<usize>> {
        while self.inbox.len() - self.read < count {
            self.wait()?;
        }
        self.read += count;
        Ok(self.read - count..self.read)
    }

    /// Bytes that were read.
    pub(crate) fn seen(&self, at: Range<usize>) -> &[u8] {
        &self.inbox[at]
    }

    fn wait(&mut self) -> io::Result<()> {
        self.ready(PollFlags::IN)?;
        self.receive()
    }

    fn ready(&self, wanted: PollFlags) -> io::Result<PollFlags> {
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        let mut polled = [PollFd::new(&self.stream, wanted)];
        match poll(&mut polled, Some(&patience))? {
            0 => Err(io::Error::new(ErrorKind::TimedOut, "no reply")),
            _ => Ok(polled[0].revents()),
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        let filled = self.inbox.len();
        self.inbox.resize(filled + READ_BYTES, 0);
        let outcome = self.stream.read(&mut self.inbox[filled..]);
        self.inbox.truncate(filled + *outcome.as_ref().unwrap_or(&0));
        match outcome {
            Ok(0) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the server closed the connection")),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
const READ_BYTES: usize = 64 << 10;
const INBOX_KEPT_BYTES: usize = 4 << 20;

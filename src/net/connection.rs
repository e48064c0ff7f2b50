//! One client on a worker: its socket, its session, and the little it may keep.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use mio::event::Source;
use mio::{Interest, Registry, Token};

use super::kept::Kept;
use super::limits::Place;
use super::mailbox::{Accepted, Socket};
use super::roster::Activity;
use super::worker::READ_BUFFER_BYTES;
use crate::auth::authority::Authority;
use crate::clock::Seconds;
use crate::conn::outbox::{Outbox, Sent};
use crate::conn::{Client, Session, forget};
use crate::sys::unsent::unsent_bytes;
use crate::watch::CloseReason;

/// See the module. At rest neither `input` nor `owed` has memory.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) session: Session,
    /// No other connection of this worker ever has it.
    pub(super) serial: u64,
    /// The client's address; `None` on a Unix socket.
    pub(super) peer: Option<SocketAddr>,
    /// Its place among the connections of its address.
    pub(super) place: Place,
    /// Input that the session could not take yet.
    input: Vec<u8>,
    /// Replies that the socket could not take yet.
    owed: Option<Box<Outbox>>,
    pub(super) fd: i32,
    pub(super) last_command: Seconds,
    /// When the client last sent something or took some of what it is owed.
    pub(super) last_active: Seconds,
    /// What of its replies the peer had not acknowledged at the last look.
    unsent_seen: usize,
    /// The session needs input; otherwise it has something to do with what it was given.
    pub(super) hungry: bool,
    /// The socket may hold input although no event will say so.
    pub(super) unread: bool,
    /// The peer closed or failed, so only a read of nothing tells that all was read.
    pub(super) ended: bool,
    /// In the queue of ready connections.
    pub(super) queued: bool,
    /// To be closed once everything owed is sent.
    pub(super) closing: bool,
    /// The server stops and nothing more is answered here: to be closed once what was sent has arrived.
    pub(super) leaving: bool,
    /// Why it ends, once it does.
    pub(super) close_reason: CloseReason,
}

impl Connection {
    /// `serial` is this worker's number for it. Where there is an authority, a login is asked for.
    pub(super) fn new(accepted: Accepted, serial: u64, authority: Option<&Authority>, now: Seconds) -> Connection {
        let fd = accepted.socket.as_raw_fd();
        let session = match authority {
            Some(authority) => {
                let address = accepted.peer.map(|peer| peer.ip().to_canonical());
                let may_send_secrets = authority.takes_plain() || address.is_none_or(|address| address.is_loopback());
                Session::with_login(accepted.protocol, Client { address, may_send_secrets }, now)
            }
            None => Session::new(accepted.protocol),
        };
        Connection {
            socket: accepted.socket,
            session,
            serial,
            peer: accepted.peer,
            place: accepted.place,
            input: Vec::new(),
            owed: None,
            fd,
            last_command: now,
            last_active: now,
            unsent_seen: 0,
            hungry: true,
            unread: false,
            ended: false,
            queued: false,
            closing: false,
            leaving: false,
            close_reason: CloseReason::default(),
        }
    }

    /// Whether replies wait to be sent. Such a connection is not read from.
    pub(super) fn is_blocked(&self) -> bool {
        self.owed.is_some()
    }

    /// Whether a client on a network has kept us waiting for longer than `timeout_secs`: for a command, or for room
    /// for its replies while it took none. Who is in the middle of sending a value has all the time it wants.
    pub(super) fn is_idle(&mut self, now: Seconds, timeout_secs: u32) -> bool {
        let Socket::Tcp(stream) = &self.socket else { return false };
        if self.is_blocked() {
            // A slow reader makes progress long before the kernel says that there is room.
            let unsent = unsent_bytes(stream.as_fd());
            if unsent != self.unsent_seen {
                self.unsent_seen = unsent;
                self.last_active = now;
            }
        } else if !matches!(self.session.activity(), Activity::Read) {
            return false;
        }
        now.saturating_sub(self.last_active) > timeout_secs
    }

    /// Memory of the connection's own buffers.
    pub(super) fn kept_bytes(&self) -> u64 {
        (self.input.capacity() + self.owed.as_ref().map_or(0, |owed| owed.held_bytes())) as u64
    }

    /// Moves what was kept of the input to the start of `buffer`; how much that is.
    pub(super) fn take_input(&mut self, buffer: &mut [u8], kept: &mut Kept) -> usize {
        let mut input = std::mem::take(&mut self.input);
        buffer[..input.len()].copy_from_slice(&input);
        if self.session.hears_secrets() {
            forget(&mut input);
        }
        kept.sub(input.capacity() as u64);
        input.len()
    }

    /// Keeps input that the session did not take.
    pub(super) fn keep_input(&mut self, input: &[u8], kept: &mut Kept) {
        debug_assert!(self.input.is_empty(), "input was kept twice");
        debug_assert!(input.len() <= READ_BUFFER_BYTES);
        if !input.is_empty() {
            self.input = input.to_vec();
            kept.add(self.input.capacity() as u64);
        }
    }

    /// Whether replies are still on their way to the peer.
    pub(super) fn is_unsent(&self) -> bool {
        match &self.socket {
            Socket::Tcp(stream) => unsent_bytes(stream.as_fd()) > 0,
            // What was written to a Unix socket is with the peer.
            Socket::Unix(_) => false,
        }
    }

    /// Keeps replies that the socket did not take.
    pub(super) fn owe(&mut self, unsent: Outbox) {
        self.owed = Some(Box::new(unsent));
    }

    /// Sends about `bytes_max` bytes of what is owed.
    pub(super) fn send_owed(&mut self, bytes_max: usize) -> io::Result<Sent> {
        let Some(owed) = &mut self.owed else { return Ok(Sent { bytes: 0, is_blocked: false }) };
        let sent = owed.send_share(&mut self.socket, bytes_max)?;
        if owed.is_empty() {
            self.owed = None;
        }
        Ok(sent)
    }
}

macro_rules! either {
    ($socket:expr, $stream:ident => $act:expr) => {
        match $socket {
            Socket::Tcp($stream) => $act,
            Socket::Unix($stream) => $act,
        }
    };
}

impl Socket {
    pub(super) fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        either!(self, stream => Source::register(stream, registry, token, interest))
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        either!(self, stream => Source::deregister(stream, registry))
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> i32 {
        either!(self, stream => stream.as_raw_fd())
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        either!(self, stream => stream.read(buffer))
    }

    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.read_vectored(buffers))
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        either!(self, stream => stream.write(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        either!(self, stream => stream.write_vectored(slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

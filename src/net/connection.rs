//! One client on a worker: its socket, its session, and the little it may keep.

use std::io::{self, ErrorKind, IoSliceMut, Read as _};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use zeroize::Zeroize as _;

use super::kept::Kept;
use super::limits::Counted;
use super::mailbox::Accepted;
use super::roster::Activity;
use super::stream::{Socket, Stream};
use super::worker::{READ_BUFFER_BYTES, READ_BYTES};
use crate::auth::authority::Authority;
use crate::auth::client::Client;
use crate::clock::Seconds;
use crate::conn::Session;
use crate::conn::outbox::{Outbox, Sent};
use crate::exec::Context;
use crate::sys::unsent::unsent_bytes;
use crate::tls::{Channel, Received};
use crate::watch::CloseReason;

/// Reads in one turn for a connection whose input is thrown away.
const DISCARD_READS_MAX: usize = 8;

/// How much a client may go on writing a request that was refused and ends the connection: about two of the largest
/// values at the default of `-I`.
const LINGER_BYTES_MAX: usize = 2 << 20;

/// A value of which more is still to come at one read is large.
const LARGE_BYTES: usize = 64 << 10;

/// What is read behind a large value: a line, and of another value just enough for it to go straight into the store from
/// there on. More would be copied there, which takes longer than another read.
const FIRST_READ_BYTES: usize = 8 << 10;

/// See the module. At rest neither `input` nor `owed` has memory.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: Stream,
    pub(super) session: Session,
    /// No other connection of this worker ever has it.
    pub(super) serial: u64,
    /// The client's address; `None` on a Unix socket.
    pub(super) peer: Option<SocketAddr>,
    /// It counts among the connections of its address.
    pub(super) counted: Counted,
    /// Input that the session could not take yet.
    input: Vec<u8>,
    /// Replies that the socket could not take yet.
    owed: Option<Box<Outbox>>,
    /// Memory that `stream` kept when it was counted last.
    stream_bytes: u64,
    pub(super) fd: i32,
    pub(super) last_command: Seconds,
    /// When the client last sent something or took some of what it is owed.
    pub(super) last_active: Seconds,
    /// What of its replies the peer had not acknowledged at the last look.
    unsent_seen: usize,
    /// Bytes of its last request that may still come and are thrown away, while it is `leaving`.
    pub(super) refused_bytes: usize,
    /// The session needs input; otherwise it has something to do with what it was given.
    pub(super) hungry: bool,
    /// The socket may hold input although no event will say so.
    pub(super) unread: bool,
    /// The peer closed or failed, so only a read of nothing tells that all was read.
    pub(super) ended: bool,
    /// Much of its last value was read straight into the store; the next one may be like it.
    sends_large: bool,
    /// In the queue of ready connections.
    pub(super) queued: bool,
    /// To be closed once everything owed is sent.
    pub(super) closing: bool,
    /// Nothing more is answered here, and what still comes is thrown away.
    pub(super) leaving: bool,
    /// Why it ends, once it does.
    pub(super) close_reason: CloseReason,
}

/// What came of a read.
pub(super) enum Read {
    /// So many bytes are in the buffer.
    Bytes(usize),
    /// Nothing to go on with.
    Nothing,
    /// The client will send no more.
    End,
}

/// What came of throwing input away.
pub(super) enum Discarded {
    /// All that was there.
    All,
    /// Some, and there may be more.
    Some,
    /// The client will send no more.
    End,
    /// The socket failed.
    Failed,
}

impl Connection {
    /// `serial` is this worker's number for it. Where there is an authority, a login is asked for.
    pub(super) fn new(accepted: Accepted, serial: u64, authority: Option<&Authority>, now: Seconds) -> Connection {
        let Accepted { stream, peer, external, is_proxied, protocol, counted } = accepted;
        let fd = stream.socket.as_raw_fd();
        let session = match authority {
            Some(authority) => {
                let address = peer.map(|peer| peer.ip().to_canonical());
                let channel = stream.channel();
                let is_near = !is_proxied && address.is_none_or(|address| address.is_loopback());
                let client = Client {
                    address,
                    may_send_secrets: authority.takes_plain() || is_near || channel.is_some(),
                    external: external.or_else(|| channel?.client_name().map(Arc::from)),
                    channel_binding: channel.and_then(Channel::binding),
                };
                Session::with_login(protocol, client, now)
            }
            None => Session::new(protocol),
        };
        Connection {
            // What came behind a handshake is here already, and no event will tell.
            unread: stream.channel().is_some(),
            stream,
            stream_bytes: 0,
            session,
            serial,
            peer,
            counted,
            input: Vec::new(),
            owed: None,
            fd,
            last_command: now,
            last_active: now,
            unsent_seen: 0,
            refused_bytes: 0,
            hungry: true,
            ended: false,
            sends_large: false,
            queued: false,
            closing: false,
            leaving: false,
            close_reason: CloseReason::default(),
        }
    }

    /// Whether replies wait to be sent. Such a connection is not read from.
    pub(super) fn is_blocked(&self) -> bool {
        self.owed.is_some() || self.stream.has_unsent()
    }

    /// Whether a client on a network has kept us waiting for longer than `timeout_secs`: for a command, or for room
    /// for its replies while it took none. Who is in the middle of sending a value has all the time it wants.
    pub(super) fn is_idle(&mut self, now: Seconds, timeout_secs: u32) -> bool {
        let Socket::Tcp(stream) = &self.stream.socket else { return false };
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
        (self.input.capacity() + self.owed.as_ref().map_or(0, |owed| owed.held_bytes())) as u64 + self.stream_bytes
    }

    /// Counts what the stream keeps now.
    pub(super) fn count_stream(&mut self, kept: &mut Kept) {
        let bytes = self.stream.held_bytes();
        kept.add(bytes.saturating_sub(self.stream_bytes));
        kept.sub(self.stream_bytes.saturating_sub(bytes));
        self.stream_bytes = bytes;
    }

    /// One read: of a large value straight into the store, of all else into the buffer behind the `filled` bytes that are
    /// there. With TLS it goes by way of `scratch`.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        filled: usize,
        scratch: &mut [u8],
        cx: &Context<'_>,
    ) -> io::Result<Read> {
        let mut direct_bytes = 0;
        let result = match self.session.direct_room(cx).filter(|_| filled == 0) {
            Some(mut room) => {
                direct_bytes = room.bytes;
                self.sends_large |= room.bytes >= LARGE_BYTES;
                if room.is_all {
                    room.ranges.push(IoSliceMut::new(&mut buffer[..READ_BYTES]));
                }
                self.stream.read(&mut room.ranges, scratch)
            }
            None => {
                let most = if std::mem::take(&mut self.sends_large) { FIRST_READ_BYTES } else { READ_BYTES };
                let room_end = buffer.len().min(filled + most);
                self.stream.read(&mut [IoSliceMut::new(&mut buffer[filled..room_end])], scratch)
            }
        };
        let (bytes, more) = match result {
            Ok(Received::End) => return Ok(Read::End),
            Ok(Received::Bytes { bytes, more }) => (bytes, more),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                self.unread = error.kind() == ErrorKind::Interrupted;
                return Ok(Read::Nothing);
            }
            Err(error) => {
                if let Some(tls) = cx.shared.tls.as_ref().filter(|_| error.kind() == ErrorKind::InvalidData) {
                    tls.counters.proto_errors.fetch_add(1, Ordering::Relaxed);
                }
                return Err(error);
            }
        };
        self.unread = more || self.ended;
        if bytes == 0 {
            return Ok(Read::Nothing);
        }
        cx.counters.bytes_read.add(bytes as u64);
        let direct = bytes.min(direct_bytes);
        if direct > 0 {
            self.session.filled(direct);
        }
        Ok(Read::Bytes(bytes - direct))
    }

    /// Ends its replies, if the client is in the middle of a request that was refused. False when there is nothing to
    /// wait for.
    pub(super) fn begin_lingering(&mut self) -> bool {
        if self.refused_bytes == 0 || self.stream.end_replies().is_err() {
            return false;
        }
        // With TLS other bytes come than those of the request, and more.
        let is_plain = self.stream.channel().is_none();
        self.refused_bytes = LINGER_BYTES_MAX.min(if is_plain { self.refused_bytes } else { usize::MAX });
        true
    }

    /// Reads past TLS and session, and forgets it.
    pub(super) fn discard(&mut self, buffer: &mut [u8]) -> Discarded {
        for _ in 0..DISCARD_READS_MAX {
            match self.stream.socket.read(buffer) {
                Ok(0) => return Discarded::End,
                Ok(bytes) => {
                    if self.session.has_login() {
                        buffer[..bytes].zeroize();
                    }
                    self.refused_bytes = self.refused_bytes.saturating_sub(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Discarded::All,
                Err(_) => return Discarded::Failed,
            }
        }
        Discarded::Some
    }

    /// Moves what was kept of the input to the start of `buffer`; how much that is.
    pub(super) fn take_input(&mut self, buffer: &mut [u8], kept: &mut Kept) -> usize {
        let len = self.input.len();
        buffer[..len].copy_from_slice(&self.input);
        kept.sub(self.input.capacity() as u64);
        self.forget_input();
        len
    }

    /// Drops what was kept of the input, and leaves no secret behind.
    pub(super) fn forget_input(&mut self) {
        let mut input = std::mem::take(&mut self.input);
        if self.session.has_login() {
            input.zeroize();
        }
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
        match &self.stream.socket {
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
        let mut sent = Sent { bytes: 0, is_blocked: false };
        if let Some(owed) = &mut self.owed {
            sent = owed.send_share(&mut self.stream, bytes_max)?;
            if owed.is_empty() {
                self.owed = None;
            }
        }
        sent.is_blocked |= !self.stream.send_taken()?;
        Ok(sent)
    }
}

//! What a connection's bytes go through: its socket, and TLS where the listener has it.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::tls::{Channel, Received};

macro_rules! either {
    ($socket:expr, $stream:ident => $act:expr) => {
        match $socket {
            Socket::Tcp($stream) => $act,
            Socket::Unix($stream) => $act,
        }
    };
}

/// A stream socket of either family.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    /// The socket. Nothing may be read from or written to it by itself while there is TLS.
    pub socket: Socket,
    /// There once the handshake is done.
    channel: Option<Box<Channel>>,
}

impl Stream {
    /// Bytes as they are.
    pub fn plain(socket: Socket) -> Stream {
        Stream { socket, channel: None }
    }

    /// Bytes by way of TLS from now on, whose handshake is done.
    pub fn secure(self, channel: Box<Channel>) -> Stream {
        Stream { channel: Some(channel), ..self }
    }

    /// The TLS, if there is any.
    pub fn channel(&self) -> Option<&Channel> {
        self.channel.as_deref()
    }

    /// Reads once, into `room`; with TLS by way of `scratch`.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included; `InvalidData` when the client breaks TLS.
    pub fn read(&mut self, room: &mut [IoSliceMut<'_>], scratch: &mut [u8]) -> io::Result<Received> {
        if let Some(channel) = &mut self.channel {
            return channel.read(&mut self.socket, room, scratch);
        }
        let (bytes, offered) = match room {
            [slice] => (self.socket.read(slice)?, slice.len()),
            slices => (self.socket.read_vectored(slices)?, slices.iter().map(|slice| slice.len()).sum()),
        };
        Ok(if bytes == 0 { Received::End } else { Received::Bytes { bytes, more: bytes == offered } })
    }

    /// Whether bytes were taken that the socket has not.
    #[inline]
    pub fn has_unsent(&self) -> bool {
        self.channel.as_ref().is_some_and(|channel| channel.has_unsent())
    }

    /// Sends these. True when none are left.
    ///
    /// # Errors
    /// Those of the socket but `WouldBlock`.
    pub fn send_taken(&mut self) -> io::Result<bool> {
        let Some(channel) = &mut self.channel else { return Ok(true) };
        match channel.flush(&mut self.socket) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Memory that it keeps.
    #[inline]
    pub fn held_bytes(&self) -> u64 {
        self.channel.as_ref().map_or(0, |channel| channel.held_bytes() as u64)
    }

    /// Tells the client that nothing more comes, where TLS has a word for it and the socket takes it.
    pub fn say_farewell(&mut self) {
        if let Some(channel) = &mut self.channel {
            channel.close(&mut self.socket);
        }
    }

    /// The same, and ends this direction of the socket.
    ///
    /// # Errors
    /// When the peer is gone already.
    pub fn end_replies(&mut self) -> io::Result<()> {
        self.say_farewell();
        either!(&self.socket, stream => stream.shutdown(Shutdown::Write))
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.channel {
            None => self.socket.write(bytes),
            Some(channel) => channel.write(&mut self.socket, &[IoSlice::new(bytes)]),
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.channel {
            None => self.socket.write_vectored(slices),
            Some(channel) => channel.write(&mut self.socket, slices),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
    fn as_raw_fd(&self) -> RawFd {
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

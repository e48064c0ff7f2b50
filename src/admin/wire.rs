//! What bytes go through between the admin port and one client: a socket, and TLS where the port has it.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use socket2::Socket;

use crate::tls::{Channel, ClientCertificates, Handshake, Received, Tls};

/// Encrypted bytes that are read at once.
const SCRATCH_BYTES: usize = 4 << 10;

/// See the module. The socket does not block.
#[derive(Debug)]
pub(super) struct Wire {
    socket: Socket,
    secure: Option<Box<Secure>>,
}

#[derive(Debug)]
struct Secure {
    channel: Channel,
    tls: Arc<Tls>,
    /// How often certificates had been read again when it began.
    reloads: u64,
    /// Asked for while it is surely there.
    peer: Option<IpAddr>,
    is_open: bool,
    /// Bytes have come that no event of the socket will tell of.
    has_more: bool,
}

impl Wire {
    /// Bytes as they are.
    pub(super) fn plain(socket: Socket) -> Wire {
        Wire { socket, secure: None }
    }

    /// Bytes by way of TLS, whose handshake is to come, for clients that have to show this.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub(super) fn secure(socket: Socket, tls: &Arc<Tls>, clients: ClientCertificates) -> Result<Wire, rustls::Error> {
        let peer = socket.peer_addr().ok().and_then(|address| address.as_socket()).map(|address| address.ip());
        let reloads = tls.reloads();
        let channel = tls.accept_admin(clients)?;
        let secure = Secure { channel, tls: Arc::clone(tls), reloads, peer, is_open: false, has_more: false };
        Ok(Wire { socket, secure: Some(Box::new(secure)) })
    }

    /// Whether the certificate that the client has shown may not be good any more: its time is over, or authorities were
    /// read again. A new handshake will tell.
    pub(super) fn has_lapsed(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| {
            let is_of_before = secure.tls.reloads() != secure.reloads && secure.channel.has_shown_certificate();
            is_of_before || secure.channel.is_client_over()
        })
    }

    /// Whether there is no handshake to be done any more.
    pub(super) fn is_open(&self) -> bool {
        self.secure.as_ref().is_none_or(|secure| secure.is_open)
    }

    /// Goes on with the handshake, if there is one.
    ///
    /// # Errors
    /// Those of [`Channel::handshake`]; `WouldBlock` while it is not done.
    pub(super) fn open(&mut self) -> io::Result<()> {
        if let Some(secure) = self.secure.as_mut().filter(|secure| !secure.is_open) {
            if secure.channel.handshake(&mut self.socket)? == Handshake::Waits {
                return Err(ErrorKind::WouldBlock.into());
            }
            secure.is_open = true;
        }
        Ok(())
    }

    /// Reads once; 0 at the end.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included; `InvalidData` when the client breaks TLS.
    pub(super) fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(secure) = &mut self.secure else { return self.socket.read(room) };
        secure.has_more = false;
        let mut scratch = [0; SCRATCH_BYTES];
        match secure.channel.read(&mut self.socket, &mut [IoSliceMut::new(room)], &mut scratch)? {
            Received::End => Ok(0),
            Received::Bytes { bytes, more } => {
                secure.has_more = more;
                // A part of a record, or one without content.
                if bytes == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(bytes) }
            }
        }
    }

    /// Sends some of these. What was taken may have to be sent by [`Wire::flush`].
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.secure {
            Some(secure) => secure.channel.write(&mut self.socket, &[IoSlice::new(bytes)]),
            None => self.socket.write(bytes),
        }
    }

    /// Sends what was taken.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` when something is left.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.secure.as_mut().map_or(Ok(()), |secure| secure.channel.flush(&mut self.socket))
    }

    /// Tells the client that nothing more comes.
    ///
    /// # Errors
    /// When it is gone already.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Some(secure) = self.secure.as_mut().filter(|secure| secure.is_open) {
            secure.channel.close(&mut self.socket);
        }
        self.shut()
    }

    /// Ends the answers without a word. Why, the client was told by TLS, if the socket took it.
    ///
    /// # Errors
    /// When it is gone already.
    pub(super) fn shut(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)
    }

    /// Reads once what nobody wants any more; 0 at the end.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included.
    pub(super) fn discard(&mut self) -> io::Result<usize> {
        self.socket.read(&mut [0; SCRATCH_BYTES])
    }

    /// Whether bytes were taken that the socket has not.
    pub(super) fn has_unsent(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.channel.has_unsent())
    }

    /// Whether there may be something to read although the socket has nothing.
    pub(super) fn has_more(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.has_more)
    }

    /// The client's address, with TLS.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.secure.as_ref()?.peer
    }
}

/// However a connection ends, TLS says so: a client must be able to tell it from bytes that somebody cut off (RFC 8446
/// section 6.1).
impl Drop for Wire {
    fn drop(&mut self) {
        // Whoever is gone needs no word.
        let _ = self.end();
    }
}

impl AsFd for Wire {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

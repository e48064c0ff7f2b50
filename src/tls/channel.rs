//! One TLS connection without its socket: what comes from it is decrypted, what goes to it is encrypted.
//!
//! At rest a channel keeps what rustls keeps. Encrypted bytes that the socket does not take, or that came when nobody had
//! room for what is in them, are kept here and counted by [`Channel::held_bytes`].

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};

use super::identity::{self, Validity, validity};

/// Bytes that bind a login to its connection.
const BINDING_BYTES: usize = 32;

/// Bytes above which a read has made rustls's buffer larger than it is at rest.
const LARGE_READ_BYTES: usize = 4 << 10;

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It waits for the socket.
    Waits,
    /// It is done, and all of it was sent.
    Done,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// The client will send no more.
    End,
    /// Something, which may be nothing so far.
    Bytes {
        /// Bytes that were read.
        bytes: usize,
        /// There may be more that no event will tell of.
        more: bool,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Channel {
    tls: ServerConnection,
    /// Decrypted bytes that rustls holds for us.
    plain: usize,
    /// Received and not decrypted yet.
    incoming: Vec<u8>,
    /// Encrypted and not sent yet. What rustls holds comes behind it.
    outgoing: Vec<u8>,
    ended: bool,
}

impl Channel {
    /// A connection that has seen nothing yet.
    pub(super) fn new(config: Arc<ServerConfig>) -> Result<Channel, rustls::Error> {
        let tls = ServerConnection::new(config)?;
        Ok(Channel { tls, plain: 0, incoming: Vec::new(), outgoing: Vec::new(), ended: false })
    }

    /// Goes on with the handshake as far as the socket allows.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` when the client left; `InvalidData` when it did not keep to the protocol or has
    /// no certificate that is good enough. It has been told so, if the socket took it.
    pub fn handshake(&mut self, socket: &mut (impl Read + Write)) -> io::Result<Handshake> {
        while self.tls.is_handshaking() {
            match self.tls.read_tls(socket) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            let processed = self.process();
            match self.flush(socket) {
                Err(error) if error.kind() != ErrorKind::WouldBlock && processed.is_ok() => return Err(error),
                _ => processed?,
            }
        }
        match self.flush(socket) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Handshake::Waits),
            Err(error) => Err(error),
            Ok(()) if self.tls.is_handshaking() => Ok(Handshake::Waits),
            Ok(()) => Ok(Handshake::Done),
        }
    }

    /// Whether the handshake that is done was none of an earlier session.
    pub fn is_new_session(&self) -> bool {
        self.tls.handshake_kind() != Some(HandshakeKind::Resumed)
    }

    /// Reads once from the socket, by way of `scratch`, and decrypts into `room`.
    ///
    /// # Errors
    /// Those of the socket, `WouldBlock` included; `InvalidData` when what came was not encrypted by the client.
    pub fn read(
        &mut self,
        socket: &mut impl Read,
        room: &mut [IoSliceMut<'_>],
        scratch: &mut [u8],
    ) -> io::Result<Received> {
        let mut room = Room { slices: room, filled: 0 };
        self.decrypted(&mut room)?;
        let kept = std::mem::take(&mut self.incoming);
        let mut unread = false;
        let mut encrypted = kept.as_slice();
        if room.filled == 0 && encrypted.is_empty() && !self.ended {
            let bytes = socket.read(scratch)?;
            self.ended = bytes == 0;
            unread = bytes == scratch.len();
            encrypted = &scratch[..bytes];
        } else if !self.ended {
            // The socket was not looked at.
            unread = true;
        }
        while !encrypted.is_empty() && !room.is_full() {
            if self.tls.read_tls(&mut encrypted)? == 0 {
                // It takes nothing more, so nothing more can count.
                return Err(ErrorKind::InvalidData.into());
            }
            self.process()?;
            self.decrypted(&mut room)?;
            if self.ended {
                // Nothing counts behind the client's farewell.
                encrypted = &[];
            }
        }
        self.incoming = encrypted.to_vec();
        if room.filled > LARGE_READ_BYTES {
            // rustls makes its buffer small again when it is to read on, which may be long from now.
            let _ = self.tls.read_tls(&mut Dry);
        }
        if self.ended && room.filled == 0 && self.plain == 0 {
            return Ok(Received::End);
        }
        let more = unread || self.ended || self.plain > 0 || !self.incoming.is_empty();
        Ok(Received::Bytes { bytes: room.filled, more })
    }

    fn process(&mut self) -> io::Result<()> {
        let state = self.tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        self.plain = state.plaintext_bytes_to_read();
        self.ended |= state.peer_has_closed();
        Ok(())
    }

    /// Moves decrypted bytes to where they are wanted.
    fn decrypted(&mut self, room: &mut Room<'_, '_>) -> io::Result<()> {
        while self.plain > 0 && !room.is_full() {
            let bytes = self.tls.reader().read(room.free())?;
            room.advance(bytes);
            self.plain -= bytes;
        }
        Ok(())
    }

    /// Encrypts what there is room for, and sends it as far as the socket takes it.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` when nothing was taken because what was encrypted before is not sent yet.
    pub fn write(&mut self, socket: &mut impl Write, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.flush(socket)?;
        let bytes = self.tls.writer().write_vectored(slices)?;
        match self.flush(socket) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(bytes),
        }
    }

    /// Sends what is encrypted.
    ///
    /// # Errors
    /// Those of the socket; `WouldBlock` when something is left.
    pub fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match socket.write(&self.outgoing) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => drop(self.outgoing.drain(..bytes)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing = Vec::new();
        while self.tls.wants_write() {
            match self.tls.write_tls(socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // Here it is counted, and rustls has room for more.
                    while self.tls.wants_write() {
                        self.tls.write_tls(&mut self.outgoing)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Whether something encrypted is not sent yet.
    pub fn has_unsent(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Memory that is kept beside what rustls keeps.
    pub fn held_bytes(&self) -> usize {
        self.incoming.capacity() + self.outgoing.capacity()
    }

    /// Tells the client that nothing more comes (`close_notify`), if the socket takes it.
    pub fn close(&mut self, socket: &mut impl Write) {
        self.tls.send_close_notify();
        let _ = self.flush(socket);
    }

    /// Who the client is by its certificate, which was verified and whose time is not over: that of a resumed session
    /// was verified when it began.
    pub fn client_name(&self) -> Option<String> {
        self.client_certificate().filter(|certificate| is_good(certificate)).and_then(identity::name)
    }

    /// Whether the client has shown a certificate.
    pub fn has_shown_certificate(&self) -> bool {
        self.client_certificate().is_some()
    }

    /// Whether the client has shown a certificate whose time is over since.
    pub fn is_client_over(&self) -> bool {
        self.client_certificate().is_some_and(|certificate| !is_good(certificate))
    }

    fn client_certificate(&self) -> Option<&CertificateDer<'static>> {
        self.tls.peer_certificates()?.first()
    }

    /// What binds a login to this connection (`tls-exporter`, RFC 9266); there with TLS 1.3 alone.
    pub fn binding(&self) -> Option<[u8; BINDING_BYTES]> {
        if self.tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return None;
        }
        self.tls.export_keying_material([0; BINDING_BYTES], b"EXPORTER-Channel-Binding", None).ok()
    }
}

/// Whether a certificate's time is now.
fn is_good(certificate: &CertificateDer<'_>) -> bool {
    matches!(validity(certificate), Some(Validity::Until(_)))
}

/// A socket that has nothing to read.
struct Dry;

impl Read for Dry {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::WouldBlock.into())
    }
}

/// Where decrypted bytes go.
struct Room<'r, 's> {
    /// What is left of it.
    slices: &'r mut [IoSliceMut<'s>],
    /// Bytes that are in it.
    filled: usize,
}

impl Room<'_, '_> {
    fn is_full(&self) -> bool {
        self.slices.iter().all(|slice| slice.is_empty())
    }

    fn free(&mut self) -> &mut [u8] {
        self.slices.iter_mut().find(|slice| !slice.is_empty()).map_or(&mut [], |slice| slice)
    }

    fn advance(&mut self, bytes: usize) {
        IoSliceMut::advance_slices(&mut self.slices, bytes);
        self.filled += bytes;
    }
}

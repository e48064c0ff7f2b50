//! Reads the header of a load balancer from its socket, and no byte beyond it.

use std::io::{self, ErrorKind, Read};

use crate::protocol::proxy::{self, FIXED_BYTES, Malformed, Source};

/// A header that is on its way.
#[derive(Debug, Default)]
pub(super) struct HeaderReader {
    fixed: [u8; FIXED_BYTES],
    /// Empty until its length is known.
    rest: Vec<u8>,
    /// Bytes of both that are here.
    filled: usize,
}

impl HeaderReader {
    /// Reads on; `None` while there is more to come.
    ///
    /// # Errors
    /// Those of the socket but `WouldBlock`; `UnexpectedEof` when the balancer left; `InvalidData` when this is no header.
    pub(super) fn read(&mut self, socket: &mut impl Read) -> io::Result<Option<Source>> {
        let malformed = |Malformed| io::Error::new(ErrorKind::InvalidData, "this is no header of version 2");
        loop {
            let room = match self.filled.checked_sub(FIXED_BYTES) {
                None => &mut self.fixed[self.filled..],
                Some(filled) => &mut self.rest[filled..],
            };
            if room.is_empty() {
                return proxy::source(&self.fixed, &self.rest).map(Some).map_err(malformed);
            }
            match socket.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => self.filled += bytes,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
            if self.filled == FIXED_BYTES {
                self.rest = vec![0; proxy::rest_bytes(&self.fixed).map_err(malformed)?];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte, then nothing for now.
    struct Drip<'a> {
        bytes: &'a [u8],
        rests: bool,
    }

    impl Read for Drip<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.rests = !self.rests;
            if self.rests && !self.bytes.is_empty() {
                return Err(ErrorKind::WouldBlock.into());
            }
            let most = room.len().min(1);
            self.bytes.read(&mut room[..most])
        }
    }

    const HEADER: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0f\x0a\x00\x00\x07\x0a\x00\x00\x01\x30\x39\x2b\xcb\x04\x00\x00get k";

    #[test]
    fn a_header_is_read_at_any_pace_and_not_a_byte_beyond() {
        let client = Some(Source::Client("10.0.0.7:12345".parse().expect("an address")));
        let mut whole = HEADER;
        assert_eq!(HeaderReader::default().read(&mut whole).expect("fine"), client);
        assert_eq!(whole, b"get k");
        let mut socket = Drip { bytes: HEADER, rests: false };
        let mut reader = HeaderReader::default();
        let mut waits = 0;
        let source = loop {
            match reader.read(&mut socket).expect("fine") {
                None => waits += 1,
                source => break source,
            }
        };
        assert_eq!((source, socket.bytes), (client, &b"get k"[..]));
        assert_eq!(waits, HEADER.len() - b"get k".len());
    }

    #[test]
    fn a_header_that_ends_early_or_is_none_is_an_error() {
        for len in 0..HEADER.len() - b"get k".len() {
            let error = HeaderReader::default().read(&mut &HEADER[..len]).expect_err("cut");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{len}");
        }
        let error = HeaderReader::default().read(&mut &b"get key-without-a-header\r\n"[..]).expect_err("none");
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}

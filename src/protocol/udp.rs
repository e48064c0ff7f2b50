//! Framing of requests and replies in UDP datagrams, in front of any protocol.
//!
//! ```text
//!   0        2          4       6          8
//!   | id     | sequence | total | reserved | requests, or a part of the reply ...
//! ```
//!
//! Numbers are big-endian. The client chooses the id, and every datagram of the reply carries it. A request must fit
//! into one datagram; of its header memcached looks at id and total only, and so do we. The replies to all requests of
//! a datagram are one message, cut into datagrams that are numbered from 0.

/// Bytes of the header.
pub const HEADER_BYTES: usize = 8;

/// Bytes of a reply's datagram at most, its header included: memcached's, which fit into an Ethernet frame.
pub const DATAGRAM_BYTES_MAX: usize = 1400;

/// Bytes of a reply that one datagram takes.
pub const PAYLOAD_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - HEADER_BYTES;

/// How the reply to anything begins that is no request: a reply, for example.
const ERROR_REPLY: &[u8] = b"ERROR";

/// What a request is answered whose reply is longer than its sender may be sent.
pub const REPLY_TOO_LARGE: &[u8] = b"SERVER_ERROR reply too large for UDP\r\n";

/// The header of one datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The client's number for the request.
    pub id: u16,
    /// The datagram's place in the message, from 0.
    pub sequence: u16,
    /// Datagrams of the message.
    pub total: u16,
}

impl Header {
    /// The header of `datagram` and what is behind it; `None` when it is too short to have one.
    pub fn parse(datagram: &[u8]) -> Option<(Header, &[u8])> {
        let (&[a, b, c, d, e, f, _, _], payload) = datagram.split_first_chunk::<HEADER_BYTES>()?;
        let header = Header {
            id: u16::from_be_bytes([a, b]),
            sequence: u16::from_be_bytes([c, d]),
            total: u16::from_be_bytes([e, f]),
        };
        Some((header, payload))
    }

    /// The header as it is sent.
    pub fn encode(self) -> [u8; HEADER_BYTES] {
        let ([a, b], [c, d], [e, f]) = (self.id.to_be_bytes(), self.sequence.to_be_bytes(), self.total.to_be_bytes());
        [a, b, c, d, e, f, 0, 0]
    }
}

/// The id and the text of the requests in `datagram`; `None` when it has to be dropped without a word, as memcached
/// does: too short, empty, or one of several.
///
/// So is an error reply. Two servers that are made to believe they are each other's clients, by one forged datagram,
/// would answer errors with errors for ever; and every reply but an error is answered with one.
pub fn requests(datagram: &[u8]) -> Option<(u16, &[u8])> {
    let (header, payload) = Header::parse(datagram)?;
    let is_request = header.total == 1 && !payload.is_empty() && !payload.starts_with(ERROR_REPLY);
    is_request.then_some((header.id, payload))
}

/// The datagrams of a reply. A reply that needs more than their numbers can count has none.
pub fn replies(id: u16, reply: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    let total = u16::try_from(reply.len().div_ceil(PAYLOAD_BYTES_MAX)).unwrap_or(0);
    reply
        .chunks(PAYLOAD_BYTES_MAX)
        .zip(0..total)
        .map(move |(payload, sequence)| (Header { id, sequence, total }, payload))
}

/// Bytes that a reply takes with the headers of its datagrams.
pub fn framed_bytes(reply_bytes: usize) -> usize {
    reply_bytes + reply_bytes.div_ceil(PAYLOAD_BYTES_MAX) * HEADER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_is_read_and_written_as_drawn() {
        for (bytes, id, sequence, total) in [
            ([0x12, 0x34, 0, 0, 0, 1, 0, 0], 0x1234, 0, 1),
            ([0, 0xff, 0x01, 0x02, 0x03, 0x04, 0, 0], 0xff, 0x0102, 0x0304),
            ([0xff; 8], 0xffff, 0xffff, 0xffff),
        ] {
            let header = Header { id, sequence, total };
            assert_eq!(Header::parse(&bytes), Some((header, &[][..])));
            assert_eq!(header.encode()[..6], bytes[..6]);
            assert_eq!(header.encode()[6..], [0, 0], "reserved");
        }
    }

    #[test]
    fn only_whole_requests_are_taken() {
        let whole = b"\x12\x34\x00\x00\x00\x01\x00\x00get a\r\n";
        for len in 0..=HEADER_BYTES {
            assert_eq!(requests(&whole[..len]), None, "{len} bytes");
        }
        for len in HEADER_BYTES + 1..=whole.len() {
            assert_eq!(requests(&whole[..len]), Some((0x1234, &whole[HEADER_BYTES..len])));
        }
        for (header, taken) in [
            (b"\x12\x34\x00\x00\x00\x00\x00\x00", false),
            (b"\x12\x34\x00\x00\x00\x02\x00\x00", false),
            (b"\x12\x34\x00\x00\x01\x01\x00\x00", false),
            (b"\x12\x34\x00\x07\x00\x01\x00\x63", true),
        ] {
            let datagram = [&header[..], b"get a\r\n"].concat();
            assert_eq!(requests(&datagram).is_some(), taken, "{header:?}");
        }
    }

    #[test]
    fn errors_are_not_answered() {
        for (payload, taken) in [(&b"ERROR\r\n"[..], false), (b"ERROR reason\r\n", false), (b"END\r\n", true)] {
            let datagram = [&Header { id: 1, sequence: 0, total: 1 }.encode()[..], payload].concat();
            assert_eq!(requests(&datagram).is_some(), taken);
        }
    }

    #[test]
    fn replies_are_cut_and_numbered() {
        for (reply_bytes, datagrams) in [
            (0, 0),
            (1, 1),
            (PAYLOAD_BYTES_MAX, 1),
            (PAYLOAD_BYTES_MAX + 1, 2),
            (3 * PAYLOAD_BYTES_MAX, 3),
            (usize::from(u16::MAX) * PAYLOAD_BYTES_MAX, u16::MAX),
        ] {
            let reply: Vec<u8> = (0..reply_bytes).map(|n| n as u8).collect();
            let mut joined = Vec::new();
            let mut next = 0;
            for (header, payload) in replies(7, &reply) {
                assert_eq!(header, Header { id: 7, sequence: next, total: datagrams });
                assert!(payload.len() + HEADER_BYTES <= DATAGRAM_BYTES_MAX);
                joined.extend_from_slice(payload);
                next += 1;
            }
            assert!(next == datagrams && joined == reply, "{reply_bytes} bytes in {next} datagrams");
            assert_eq!(framed_bytes(reply_bytes), reply_bytes + usize::from(datagrams) * HEADER_BYTES);
        }
    }

    #[test]
    fn reply_that_cannot_be_numbered_has_no_datagram() {
        let reply = vec![0; usize::from(u16::MAX) * PAYLOAD_BYTES_MAX + 1];
        assert_eq!(replies(7, &reply).count(), 0);
    }
}

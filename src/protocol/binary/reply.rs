//! Replies: the header, and the texts of statuses.

use super::{HEADER_BYTES, REPLY_MAGIC};
use crate::bytes::append::append;

/// What a reply says of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Success,
    /// No such item, or no such group of statistics.
    NotFound,
    /// The CAS number is another, or there is an item where none should be.
    Exists,
    /// Above `-I`.
    TooLarge,
    /// Lengths that the verb cannot have; the connection closes.
    InvalidArguments,
    /// Nothing to append to.
    NotStored,
    /// incr on something else.
    NonNumeric,
    /// A login failed, or the right is missing.
    AuthError,
    /// A login goes on.
    AuthContinue,
    /// Not a command.
    UnknownCommand,
    /// No memory for a value.
    NoMemory,
    /// No memory for a number that got longer.
    NoMemoryToCount,
    /// No memory for a number that is new.
    NoMemoryForNew,
    /// A large value could neither be sent from the store nor copied.
    NoMemoryToGet,
    /// Not now.
    TemporaryFailure,
}

impl Status {
    fn code(self) -> u16 {
        match self {
            Status::Success => 0x00,
            Status::NotFound => 0x01,
            Status::Exists => 0x02,
            Status::TooLarge => 0x03,
            Status::InvalidArguments => 0x04,
            Status::NotStored => 0x05,
            Status::NonNumeric => 0x06,
            Status::AuthError => 0x20,
            Status::AuthContinue => 0x21,
            Status::UnknownCommand => 0x81,
            Status::NoMemory | Status::NoMemoryToCount | Status::NoMemoryForNew | Status::NoMemoryToGet => 0x82,
            Status::TemporaryFailure => 0x86,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Status::Success | Status::AuthContinue => "",
            Status::NotFound => "Not found",
            Status::Exists => "Data exists for key.",
            Status::TooLarge => "Too large.",
            Status::InvalidArguments => "Invalid arguments",
            Status::NotStored => "Not stored.",
            Status::NonNumeric => "Non-numeric server-side value for incr or decr",
            Status::AuthError => "Auth failure.",
            Status::UnknownCommand => "Unknown command",
            Status::NoMemory => "Out of memory allocating item",
            Status::NoMemoryToCount => "Out of memory incrementing value",
            Status::NoMemoryForNew => "Out of memory allocating new item",
            Status::NoMemoryToGet => "Out of memory writing get response",
            Status::TemporaryFailure => "Temporary failure",
        }
    }
}

/// What a reply repeats of its request.
#[derive(Clone, Copy, Debug)]
pub struct Echo {
    /// The opcode.
    pub opcode: u8,
    /// The opaque.
    pub opaque: [u8; 4],
}

impl Echo {
    /// The header for a body of these lengths.
    #[inline]
    pub(crate) fn header(
        self,
        status: Status,
        extras_len: u8,
        key_len: usize,
        value_len: usize,
        cas: u64,
    ) -> [u8; HEADER_BYTES] {
        let [k1, k0] = (key_len as u16).to_be_bytes();
        let [s1, s0] = status.code().to_be_bytes();
        let [b3, b2, b1, b0] = ((usize::from(extras_len) + key_len + value_len) as u32).to_be_bytes();
        let [o0, o1, o2, o3] = self.opaque;
        let [c7, c6, c5, c4, c3, c2, c1, c0] = cas.to_be_bytes();
        [
            REPLY_MAGIC,
            self.opcode,
            k1,
            k0,
            extras_len,
            0,
            s1,
            s0,
            b3,
            b2,
            b1,
            b0,
            o0,
            o1,
            o2,
            o3,
            c7,
            c6,
            c5,
            c4,
            c3,
            c2,
            c1,
            c0,
        ]
    }

    /// Appends the answer to a get: header, client flags, `key`, and `value`, which may be sent apart.
    #[inline]
    pub fn found(self, out: &mut Vec<u8>, key: &[u8], client_flags: u32, value_len: usize, cas: u64, value: &[u8]) {
        let mut head = [0; HEADER_BYTES + 4];
        head[..HEADER_BYTES].copy_from_slice(&self.header(Status::Success, 4, key.len(), value_len, cas));
        head[HEADER_BYTES..].copy_from_slice(&client_flags.to_be_bytes());
        if key.is_empty() {
            append(out, [&head, value]);
        } else {
            append(out, [&head, key, value]);
        }
    }

    /// Appends a successful reply with this value.
    #[inline]
    pub fn success(self, out: &mut Vec<u8>, value: &[u8], cas: u64) {
        append(out, [&self.header(Status::Success, 0, 0, value.len(), cas), value]);
    }

    /// Appends what a client is asked in the middle of a login.
    pub fn challenge(self, out: &mut Vec<u8>, data: &[u8]) {
        append(out, [&self.header(Status::AuthContinue, 0, 0, data.len(), 0), data]);
    }

    /// Appends a reply with the status's text.
    pub fn error(self, out: &mut Vec<u8>, status: Status) {
        let text = status.text();
        append(out, [&self.header(status, 0, 0, text.len(), 0), text.as_bytes()]);
    }

    /// Appends the answer to a miss of a verb that returns the key.
    pub fn miss_with_key(self, out: &mut Vec<u8>, key: &[u8]) {
        append(out, [&self.header(Status::NotFound, 0, key.len(), 0, 0), key]);
    }

    /// Appends one statistic.
    pub fn stat(self, out: &mut Vec<u8>, name: &str, value: &[u8]) {
        append(out, [&self.header(Status::Success, 0, name.len(), value.len(), 0), name.as_bytes(), value]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_their_fields_in_place() {
        let header = Echo { opcode: 0x0c, opaque: [9, 8, 7, 6] }.header(Status::Success, 4, 3, 300, 5);
        let expected: [u8; 24] = [0x81, 0x0c, 0, 3, 4, 0, 0, 0, 0, 0, 1, 51, 9, 8, 7, 6, 0, 0, 0, 0, 0, 0, 0, 5];
        assert_eq!(header, expected);
    }

    #[test]
    fn errors_carry_their_text() {
        let mut out = Vec::new();
        Echo { opcode: 0, opaque: [0; 4] }.error(&mut out, Status::NoMemory);
        assert_eq!(&out[6..8], [0, 0x82]);
        assert_eq!(&out[24..], b"Out of memory allocating item");
    }
}

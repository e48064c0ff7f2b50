//! From bytes to a request, with what memcached 1.6.45 refuses.

use super::HEADER_BYTES;
use super::reply::Status;
use crate::command::KEY_MAX;

/// The longest body in bytes; a longer one closes the connection.
const BODY_MAX: u32 = 1 << 30;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Get, by whether the key comes back.
    Get {
        /// GetK.
        with_key: bool,
    },
    /// Get and touch.
    GetAndTouch {
        /// GATK.
        with_key: bool,
    },
    /// Touch.
    Touch,
    /// Set.
    Set,
    /// Add.
    Add,
    /// Replace.
    Replace,
    /// Append.
    Append,
    /// Prepend.
    Prepend,
    /// Delete.
    Delete,
    /// Increment.
    Increment,
    /// Decrement.
    Decrement,
    /// Flush.
    Flush,
    /// No-op.
    Noop,
    /// Version.
    Version,
    /// Stat.
    Stat,
    /// Quit.
    Quit,
    /// Which mechanisms there are for a login.
    SaslList,
    /// The first message of a login.
    SaslAuth,
    /// A further message of a login.
    SaslStep,
    /// ElastiCache's config get. Where it has no meaning, neither have its lengths.
    ConfigGet,
    /// Everything else, such as ElastiCache's config set (0x64) and config delete (0x66).
    Unknown,
}

/// Which extras, keys and values a verb has.
struct Shape {
    /// One bit for each length in bytes.
    extras: u32,
    key: Part,
    value: Part,
}

/// Whether there may be such a part: a bit for an empty one, and one for any other.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Part {
    Never = 0b01,
    Always = 0b10,
    Maybe = 0b11,
}

impl Part {
    #[inline]
    fn allows(self, len: usize) -> bool {
        self as u8 >> u8::from(len > 0) & 1 != 0
    }
}

/// What an opcode means.
struct Meaning {
    verb: Verb,
    is_quiet: bool,
    shape: Shape,
}

/// Of every opcode.
static MEANINGS: [Meaning; 256] = {
    let mut meanings = [const { Meaning { verb: Verb::Unknown, is_quiet: false, shape: Verb::Unknown.shape() } }; 256];
    let mut opcode = 0;
    while opcode < meanings.len() {
        let (verb, is_quiet) = Verb::of(opcode as u8);
        meanings[opcode] = Meaning { verb, is_quiet, shape: verb.shape() };
        opcode += 1;
    }
    meanings
};

impl Verb {
    /// The verb of an opcode, and whether it is the quiet form.
    const fn of(opcode: u8) -> (Verb, bool) {
        match opcode {
            0x00 => (Verb::Get { with_key: false }, false),
            0x09 => (Verb::Get { with_key: false }, true),
            0x0c => (Verb::Get { with_key: true }, false),
            0x0d => (Verb::Get { with_key: true }, true),
            0x01 => (Verb::Set, false),
            0x11 => (Verb::Set, true),
            0x02 => (Verb::Add, false),
            0x12 => (Verb::Add, true),
            0x03 => (Verb::Replace, false),
            0x13 => (Verb::Replace, true),
            0x04 => (Verb::Delete, false),
            0x14 => (Verb::Delete, true),
            0x05 => (Verb::Increment, false),
            0x15 => (Verb::Increment, true),
            0x06 => (Verb::Decrement, false),
            0x16 => (Verb::Decrement, true),
            0x07 => (Verb::Quit, false),
            0x17 => (Verb::Quit, true),
            0x08 => (Verb::Flush, false),
            0x18 => (Verb::Flush, true),
            0x0a => (Verb::Noop, false),
            0x0b => (Verb::Version, false),
            0x0e => (Verb::Append, false),
            0x19 => (Verb::Append, true),
            0x0f => (Verb::Prepend, false),
            0x1a => (Verb::Prepend, true),
            0x10 => (Verb::Stat, false),
            0x1c => (Verb::Touch, false),
            0x1d => (Verb::GetAndTouch { with_key: false }, false),
            0x1e => (Verb::GetAndTouch { with_key: false }, true),
            0x23 => (Verb::GetAndTouch { with_key: true }, false),
            0x24 => (Verb::GetAndTouch { with_key: true }, true),
            0x20 => (Verb::SaslList, false),
            0x21 => (Verb::SaslAuth, false),
            0x22 => (Verb::SaslStep, false),
            0x60 => (Verb::ConfigGet, false),
            _ => (Verb::Unknown, false),
        }
    }

    /// Whether it is part of a login.
    pub fn is_login(self) -> bool {
        matches!(self, Verb::SaslList | Verb::SaslAuth | Verb::SaslStep)
    }

    const fn shape(self) -> Shape {
        let (extras, key, value) = match self {
            Verb::Get { .. } | Verb::Delete => (1 << 0, Part::Always, Part::Never),
            Verb::GetAndTouch { .. } | Verb::Touch => (1 << 4, Part::Always, Part::Maybe),
            Verb::Set | Verb::Add | Verb::Replace => (1 << 8, Part::Always, Part::Maybe),
            Verb::Append | Verb::Prepend => (1 << 0, Part::Always, Part::Maybe),
            Verb::Increment | Verb::Decrement => (1 << 20, Part::Always, Part::Never),
            Verb::Flush => (1 << 0 | 1 << 4, Part::Never, Part::Never),
            Verb::Noop | Verb::Version | Verb::Quit | Verb::SaslList => (1 << 0, Part::Never, Part::Never),
            Verb::SaslAuth | Verb::SaslStep => (1 << 0, Part::Always, Part::Maybe),
            Verb::Stat => (1 << 0, Part::Maybe, Part::Maybe),
            Verb::ConfigGet | Verb::Unknown => (0, Part::Maybe, Part::Maybe),
        };
        Shape { extras, key, value }
    }
}

/// A header.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// As sent, for the reply.
    pub opcode: u8,
    /// What it means.
    pub verb: Verb,
    /// Whether success, or a miss of the reading verbs, is not told.
    pub is_quiet: bool,
    /// Bytes of the extras.
    pub extras_len: usize,
    /// Bytes of the key.
    pub key_len: usize,
    /// Bytes of the value.
    pub value_len: usize,
    /// To be sent back.
    pub opaque: [u8; 4],
    /// The CAS number to compare with; 0 for none.
    pub cas: u64,
}

/// A header that ends the connection, and the status that is sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The opcode of the reply.
    pub opcode: u8,
    /// To be sent back.
    pub opaque: [u8; 4],
    /// Why.
    pub status: Status,
}

impl Header {
    /// Reads a header. Nothing of the body is needed to refuse it.
    ///
    /// # Errors
    /// The [`Fault`] of lengths that contradict each other or the verb.
    #[inline]
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Header, Fault> {
        let [_, opcode, k1, k0, extras, _, _, _, b3, b2, b1, b0, o3, o2, o1, o0, cas @ ..] = *bytes;
        let opaque = [o3, o2, o1, o0];
        let fault = |status| Fault { opcode, opaque, status };
        let (key_len, extras_len) = (usize::from(u16::from_be_bytes([k1, k0])), usize::from(extras));
        let body_len = u32::from_be_bytes([b3, b2, b1, b0]);
        let Some(value_len) = (body_len as usize).checked_sub(key_len + extras_len) else {
            return Err(fault(Status::UnknownCommand));
        };
        if body_len > BODY_MAX || key_len > KEY_MAX {
            return Err(fault(Status::InvalidArguments));
        }
        let Meaning { verb, is_quiet, ref shape } = MEANINGS[usize::from(opcode)];
        let fits = 1u32.checked_shl(u32::from(extras)).is_some_and(|bit| shape.extras & bit != 0)
            && shape.key.allows(key_len)
            && shape.value.allows(value_len);
        if !fits && !matches!(verb, Verb::ConfigGet | Verb::Unknown) {
            return Err(fault(Status::InvalidArguments));
        }
        let cas = u64::from_be_bytes(cas);
        Ok(Header { opcode, verb, is_quiet, extras_len, key_len, value_len, opaque, cas })
    }

    /// Bytes of header, extras and key.
    #[inline]
    pub fn head_len(&self) -> usize {
        HEADER_BYTES + self.extras_len + self.key_len
    }
}

/// Four bytes of extras, from `at`.
#[inline]
pub fn u32_at(extras: &[u8], at: usize) -> u32 {
    extras.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Eight bytes of extras, from `at`.
#[inline]
pub fn u64_at(extras: &[u8], at: usize) -> u64 {
    extras.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(opcode: u8, key_len: u16, extras_len: u8, body_len: u32) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 0x80;
        bytes[1] = opcode;
        bytes[2..4].copy_from_slice(&key_len.to_be_bytes());
        bytes[4] = extras_len;
        bytes[8..12].copy_from_slice(&body_len.to_be_bytes());
        bytes[12..16].copy_from_slice(&[1, 2, 3, 4]);
        bytes[16..].copy_from_slice(&77u64.to_be_bytes());
        bytes
    }

    #[test]
    fn lengths_and_numbers_are_read() {
        let read = Header::read(&header(0x11, 3, 8, 16)).expect("sound");
        assert_eq!((read.verb, read.is_quiet, read.opcode), (Verb::Set, true, 0x11));
        assert_eq!((read.extras_len, read.key_len, read.value_len, read.head_len()), (8, 3, 5, 35));
        assert_eq!((read.opaque, read.cas), ([1, 2, 3, 4], 77));
    }

    #[test]
    fn shapes_are_checked() {
        let sound = [
            (0x00, 1, 0, 1),
            (0x00, 250, 0, 250),
            (0x01, 1, 8, 9),
            (0x01, 1, 8, 1 << 30),
            (0x05, 1, 20, 21),
            (0x08, 0, 0, 0),
            (0x08, 0, 4, 4),
            (0x0a, 0, 0, 0),
            (0x0e, 1, 0, 1),
            (0x10, 0, 0, 0),
            (0x10, 5, 0, 5),
            (0x1c, 1, 4, 5),
            (0x1c, 1, 4, 9),
            (0xff, 9, 200, 5000),
            (0x60, 7, 0, 7),
            (0x60, 9, 200, 5000),
            (0x1b, 0, 4, 4),
        ];
        for (opcode, key, extras, body) in sound {
            assert!(Header::read(&header(opcode, key, extras, body)).is_ok(), "{opcode:#x} {key} {extras} {body}");
        }
        let refused = [
            (0x00, 0, 0, 0, Status::InvalidArguments),
            (0x00, 1, 0, 2, Status::InvalidArguments),
            (0x00, 1, 4, 5, Status::InvalidArguments),
            (0x00, 251, 0, 251, Status::InvalidArguments),
            (0xff, 251, 0, 251, Status::InvalidArguments),
            (0x01, 0, 8, 8, Status::InvalidArguments),
            (0x01, 1, 4, 9, Status::InvalidArguments),
            (0x01, 1, 8, (1 << 30) + 1, Status::InvalidArguments),
            (0x05, 1, 20, 22, Status::InvalidArguments),
            (0x08, 0, 4, 5, Status::InvalidArguments),
            (0x08, 0, 2, 2, Status::InvalidArguments),
            (0x0a, 1, 0, 1, Status::InvalidArguments),
            (0x07, 0, 0, 1, Status::InvalidArguments),
            (0x00, 2, 0, 1, Status::UnknownCommand),
            (0x01, 1, 8, 8, Status::UnknownCommand),
            (0xff, 1, 255, 255, Status::UnknownCommand),
        ];
        for (opcode, key, extras, body, status) in refused {
            let fault = Header::read(&header(opcode, key, extras, body)).expect_err("refused");
            assert_eq!(fault.status, status, "{opcode:#x} {key} {extras} {body}");
        }
    }
}

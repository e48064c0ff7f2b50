//! The three protocols as a client sees them: how a request is written, and what the head of a reply says.
//!
//! Values themselves are not read here; `checker` takes them from the stream as they arrive.

mod binary;
mod meta;
mod text;

use crate::load::keyspace::{Keyspace, NameBuffer};
use crate::load::values::Values;

/// A protocol, with the verb that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `get`, `set`.
    Text,
    /// `gets`, `set`.
    TextGets,
    /// `mg`, `ms`; several keys are quiet `mg` closed by `mn`.
    Meta,
    /// `get`, `set`; several keys are `getq` closed by `noop`.
    Binary,
}

/// What the head of a reply says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Head<'a> {
    /// A value of this many bytes follows, then the dialect's tail.
    Value {
        /// Which key it is for.
        key: KeySeen<'a>,
        /// Client flags; the generator stores 0.
        flags: u32,
        /// Length of the value.
        value_bytes: usize,
    },
    /// No more values for this read.
    End,
    /// The key of a single read is not there.
    Miss,
    /// The write was done.
    Stored,
    /// Anything else: the words of the server.
    Refused(&'a [u8]),
}

/// How a reply names the key it answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeySeen<'a> {
    /// By name.
    Name(&'a [u8]),
    /// By its position in the request (the opaque field).
    Position(u32),
    /// Not at all; the order of replies tells.
    Unsaid,
}

/// The bytes are no reply of this protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// The head of a reply and its length, or `None` while it is incomplete.
pub(crate) type HeadRead<'a> = Result<Option<(Head<'a>, usize)>, Unreadable>;

/// A write to be put on the wire.
pub(crate) struct Store {
    /// Key number.
    pub(crate) key: u64,
    /// Which of its values.
    pub(crate) version: u8,
    /// Expiry, 0 for never.
    pub(crate) ttl_secs: u32,
}

impl Dialect {
    /// Appends one read of all these keys.
    pub(crate) fn append_fetch(self, keys: &[u64], keyspace: Keyspace, out: &mut Vec<u8>) {
        match self {
            Dialect::Text => text::append_fetch(b"get", keys, keyspace, out),
            Dialect::TextGets => text::append_fetch(b"gets", keys, keyspace, out),
            Dialect::Meta => meta::append_fetch(keys, keyspace, out),
            Dialect::Binary => binary::append_fetch(keys, keyspace, out),
        }
    }

    /// Appends one write.
    pub(crate) fn append_store(self, store: &Store, keyspace: Keyspace, values: &Values, out: &mut Vec<u8>) {
        let mut buffer: NameBuffer = [0; _];
        let name = keyspace.name(store.key, &mut buffer);
        match self {
            Dialect::Text | Dialect::TextGets => text::append_store(name, store, values, out),
            Dialect::Meta => meta::append_store(name, store, values, out),
            Dialect::Binary => binary::append_store(name, store, values, out),
        }
    }

    /// Reads the head of a reply at the start of `input`.
    pub(crate) fn read_head(self, input: &[u8]) -> HeadRead<'_> {
        match self {
            Dialect::Text | Dialect::TextGets => text::read_head(input),
            Dialect::Meta => meta::read_head(input),
            Dialect::Binary => binary::read_head(input),
        }
    }

    /// What stands between a value and the next reply.
    pub(crate) fn tail(self) -> &'static [u8] {
        match self {
            Dialect::Text | Dialect::TextGets | Dialect::Meta => b"\r\n",
            Dialect::Binary => b"",
        }
    }

    /// Whether a read of so many keys is closed by an [`Head::End`], hit or miss.
    pub(crate) fn closes_fetch(self, key_count: usize) -> bool {
        match self {
            Dialect::Text | Dialect::TextGets => true,
            Dialect::Meta | Dialect::Binary => key_count > 1,
        }
    }
}

/// Cuts the first line off, without its line end; `None` while there is no line end.
fn first_line(input: &[u8]) -> Result<Option<(&[u8], usize)>, Unreadable> {
    match memchr::memchr(b'\n', input) {
        Some(end) => {
            let line = input[..end].strip_suffix(b"\r").ok_or(Unreadable)?;
            Ok(Some((line, end + 1)))
        }
        None if input.len() > LINE_BYTES_MAX => Err(Unreadable),
        None => Ok(None),
    }
}

/// An unsigned decimal number and nothing else.
fn number(digits: &[u8]) -> Result<usize, Unreadable> {
    if digits.is_empty() || digits.len() > 10 {
        return Err(Unreadable);
    }
    digits.iter().try_fold(0, |sum, byte| match byte {
        b'0'..=b'9' => Ok(sum * 10 + usize::from(byte - b'0')),
        _ => Err(Unreadable),
    })
}

fn append_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// No reply line to our requests is longer.
const LINE_BYTES_MAX: usize = 1024;

//! Requests and replies, as all protocols mean them.

use std::ops::Range;

use super::values::{Content, Piece};

/// What is asked of one key.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Value, flags and CAS number, where the protocol tells it also the seconds left.
    Get,
    /// The same, and a new time to live in seconds, 0 for ever.
    GetAndTouch(u32),
    Store {
        verb: Verb,
        content: Content,
        flags: u32,
        /// Seconds, 0 for ever.
        ttl: u32,
    },
    Join {
        side: Side,
        piece: Piece,
    },
    Delete,
    Touch(u32),
    /// Adds, or with `down` takes off.
    Count {
        delta: u64,
        down: bool,
    },
}

/// When a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Set,
    Add,
    Replace,
    /// Where the item has this CAS number.
    Cas(u64),
}

/// Where a piece goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Append,
    Prepend,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Value {
        flags: u32,
        cas: u64,
        ttl: Left,
        /// Where the value lies in the connection's inbox.
        at: Range<usize>,
    },
    /// Stored, deleted or touched; some protocols tell the new CAS number.
    Done {
        cas: Option<u64>,
    },
    Number {
        number: u64,
        cas: Option<u64>,
    },
    Missing,
    NotStored,
    Exists,
    /// The server found no memory.
    Refused,
}

/// The seconds that an item has left, as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    Untold,
    Forever,
    Seconds(u32),
}

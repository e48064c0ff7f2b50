//! What is stored: stretches of fixed random bytes whose start follows from key and version, so that a value of another
//! key or version, torn or shortened, is noticed.

use super::random::{Random, mixed};

/// The random bytes all values are cut from.
pub(crate) struct Pool {
    bytes: Vec<u8>,
}

/// A stretch of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    start: usize,
    bytes: usize,
}

/// A value: some bytes of its own, and pieces after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    /// Digits of a number, or the head of a value that tells what it is.
    pub(crate) literal: Vec<u8>,
    pub(crate) pieces: Vec<Piece>,
}

impl Pool {
    /// Always the same bytes.
    pub(crate) fn new() -> Pool {
        let mut random = Random::seeded(POOL_SEED);
        let words = (START_SPREAD as usize + PIECE_BYTES_MAX).div_ceil(8);
        Pool { bytes: (0..words).flat_map(|_| random.bits().to_le_bytes()).collect() }
    }

    /// Appends the value to a request.
    pub(crate) fn write(&self, content: &Content, out: &mut Vec<u8>) {
        out.extend_from_slice(&content.literal);
        for piece in &content.pieces {
            out.extend_from_slice(self.stretch(piece));
        }
    }

    /// Whether these are the bytes of the value.
    pub(crate) fn matches(&self, content: &Content, found: &[u8]) -> bool {
        let Some(mut rest) = found.strip_prefix(&content.literal[..]) else { return false };
        for piece in &content.pieces {
            match rest.strip_prefix(self.stretch(piece)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    fn stretch(&self, piece: &Piece) -> &[u8] {
        &self.bytes[piece.start..piece.start + piece.bytes]
    }
}

impl Piece {
    /// The one of this key and version, at most [`PIECE_BYTES_MAX`] long.
    pub(crate) fn of(key: u64, version: u64, bytes: usize) -> Piece {
        Piece { start: (mixed(mixed(key) ^ version) % START_SPREAD) as usize, bytes }
    }
}

impl Content {
    /// A value of one piece.
    pub(crate) fn of(piece: Piece) -> Content {
        Content { literal: Vec::new(), pieces: vec![piece] }
    }

    /// A number in digits.
    pub(crate) fn number(number: u64) -> Content {
        Content { literal: number.to_string().into_bytes(), pieces: Vec::new() }
    }

    /// Length in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.literal.len() + self.pieces.iter().map(|piece| piece.bytes).sum::<usize>()
    }
}

/// A length from 1 byte to 3 MB; three of four are below 1,000.
pub(crate) fn some_length(random: &mut Random) -> usize {
    let (least, most) = match random.below(1000) {
        0..350 => (1, 64),
        350..750 => (64, 1000),
        750..940 => (1000, 16_000),
        940..992 => (16_000, 200_000),
        992..999 => (200_000, 1_000_000),
        _ => (1_000_000, PIECE_BYTES_MAX),
    };
    least + random.below((most - least) as u64) as usize
}

/// Larger than memcached's default `-I`, so the server needs one of 4 MB.
pub(crate) const PIECE_BYTES_MAX: usize = 3_000_000;
const START_SPREAD: u64 = 4 << 20;
const POOL_SEED: u64 = 0x736f_616b;

//! The value of a key: its length and every byte follow from the key number and a one-byte version.
//!
//! ```text
//! value   = version, pool[start ..]          start = hash(key, version)
//! pool    = fixed random bytes, shared by all
//! ```
//! The version stands in the value itself, so a reader that does not know which write it meets can still check it. A
//! value made of two versions, of two keys, or cut short, differs from the pool at once; comparing with the pool is a
//! `memcmp`, which keeps the generator cheaper than the server.

use crate::load::random::{Random, mixed};

/// How long values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// All alike.
    Fixed(usize),
    /// A mix as caches of web applications hold it, 502 bytes in the mean: flags and counters, rows, fragments, pages.
    Web,
}

/// Makes and checks values.
pub(crate) struct Values {
    sizes: Sizes,
    pool: Vec<u8>,
}

impl Values {
    /// Values of the given sizes.
    pub(crate) fn of(sizes: Sizes) -> Self {
        let pool_bytes = START_SPREAD as usize + sizes.bytes_max();
        let mut random = Random::seeded(0x6c61_7264_6572);
        let mut pool = Vec::with_capacity(pool_bytes + 8);
        while pool.len() < pool_bytes {
            pool.extend_from_slice(&random.bits().to_le_bytes());
        }
        Values { sizes, pool }
    }

    /// Length of the value of a key.
    pub(crate) fn bytes_of(&self, key: u64) -> usize {
        self.sizes.bytes_of(key)
    }

    /// Appends the value of `key` at `version`.
    pub(crate) fn append(&self, key: u64, version: u8, out: &mut Vec<u8>) {
        let Some(patterned) = self.bytes_of(key).checked_sub(1) else { return };
        let start = start_of(key, version);
        out.push(version);
        out.extend_from_slice(&self.pool[start..start + patterned]);
    }

    /// A reader that checks the value of `key` piece by piece.
    pub(crate) fn check_of(&self, key: u64) -> ValueCheck {
        ValueCheck { key, taken: 0, bytes: self.bytes_of(key), start: 0 }
    }
}

/// Where the check of one value stands; a value may arrive in any number of pieces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueCheck {
    key: u64,
    taken: usize,
    bytes: usize,
    start: usize,
}

impl ValueCheck {
    /// Checks as much of `input` as belongs to the value; returns how much that was, or the offset in the value of the
    /// first wrong byte.
    pub(crate) fn take(&mut self, values: &Values, input: &[u8]) -> Result<usize, usize> {
        let length = input.len().min(self.bytes - self.taken);
        let mut piece = &input[..length];
        if self.taken == 0 {
            let Some((version, rest)) = piece.split_first() else { return Ok(0) };
            self.start = start_of(self.key, *version);
            self.taken = 1;
            piece = rest;
        }
        let from = self.start + self.taken - 1;
        let wanted = &values.pool[from..from + piece.len()];
        if piece != wanted {
            let same = piece.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
            return Err(self.taken + same);
        }
        self.taken += piece.len();
        Ok(length)
    }

    /// Whether the last byte has been seen.
    pub(crate) fn is_done(&self) -> bool {
        self.taken == self.bytes
    }
}

impl Sizes {
    /// Length of the value of a key.
    pub(crate) fn bytes_of(self, key: u64) -> usize {
        match self {
            Sizes::Fixed(bytes) => bytes,
            Sizes::Web => web_bytes(mixed(key ^ SIZE_SALT)),
        }
    }

    /// The longest there is.
    pub(crate) fn bytes_max(self) -> usize {
        match self {
            Sizes::Fixed(bytes) => bytes,
            Sizes::Web => WEB_SIZES.iter().map(|row| row.2).max().unwrap_or(0),
        }
    }
}

/// The low half of the random bits chooses a row of the table, the high half a length within it.
fn web_bytes(bits: u64) -> usize {
    let mut share = ((bits & 0xffff_ffff) * 100) >> 32;
    for &(percent, bytes_min, bytes_end) in WEB_SIZES {
        if share < percent {
            let width = (bytes_end - bytes_min) as u64;
            return bytes_min + (((bits >> 32) * width) >> 32) as usize;
        }
        share -= percent;
    }
    unreachable!("the shares add up to 100")
}

fn start_of(key: u64, version: u8) -> usize {
    let mixture = mixed(key.rotate_left(8) ^ u64::from(version) ^ START_SALT);
    (mixture % START_SPREAD) as usize
}

/// Percent of keys, shortest value, first length past the longest.
const WEB_SIZES: &[(u64, usize, usize)] =
    &[(25, 16, 64), (35, 64, 256), (25, 256, 1024), (12, 1024, 2048), (3, 2048, 4096)];
/// Starting points of a value in the pool. Larger would tell more values apart and miss the processor's cache more.
const START_SPREAD: u64 = 256 * 1024;
const SIZE_SALT: u64 = 0x7369_7a65;
const START_SALT: u64 = 0x7374_6172_7400_0000;

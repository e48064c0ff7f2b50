//! The value of an object: a stretch of fixed random bytes whose start follows from key and version, so that a value of
//! another key, of an older version, torn or shortened is noticed by one comparison.

use crate::load::random::{Random, mixed};
use crate::request::BYTES_MAX;

/// Makes and checks values.
pub(crate) struct Values {
    pool: Vec<u8>,
}

impl Values {
    /// Values of up to [`BYTES_MAX`] bytes.
    pub(crate) fn new() -> Values {
        let mut random = Random::seeded(POOL_SEED);
        let words = (START_SPREAD as usize + BYTES_MAX).div_ceil(8);
        Values { pool: (0..words).flat_map(|_| random.bits().to_le_bytes()).collect() }
    }

    /// The value of `key` at `version`, `bytes` long.
    pub(crate) fn value(&self, key: u64, version: u32, bytes: usize) -> &[u8] {
        let start = (mixed(mixed(key) ^ u64::from(version)) % START_SPREAD) as usize;
        &self.pool[start..start + bytes]
    }
}

const START_SPREAD: u64 = 1 << 20;
const POOL_SEED: u64 = 0x7265_706c_6179;

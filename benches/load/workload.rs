//! What is asked of a server, as data.

use crate::load::popularity::Popularity;
use crate::load::protocol::Dialect;
use crate::load::values::Sizes;

/// One kind of load.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// The protocol spoken.
    pub(crate) dialect: Dialect,
    /// Share of reads and writes.
    pub(crate) mix: Mix,
    /// Requests sent together before their replies are awaited.
    pub(crate) depth: usize,
    /// Keys asked for by one read. More than one is a multiget in text and a run of quiet gets in meta and binary.
    pub(crate) keys_per_fetch: usize,
    /// Length of a key.
    pub(crate) key_bytes: usize,
    /// Lengths of values.
    pub(crate) sizes: Sizes,
    /// Number of keys.
    pub(crate) key_count: u64,
    /// How often which key is meant.
    pub(crate) popularity: Popularity,
    /// Expiry sent with each write; 0 is never.
    pub(crate) ttl_secs: u32,
    /// Whether the server may have lost a key.
    pub(crate) losses: Losses,
}

/// Weights of reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mix {
    /// Reads among `gets + sets` requests.
    pub(crate) gets: u32,
    /// Writes among `gets + sets` requests.
    pub(crate) sets: u32,
}

/// Whether a miss, or a write refused for want of memory, is an answer or an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Losses {
    /// Everything fits and nothing expires: each key must be there.
    Forbidden,
    /// The cache evicts or expires.
    Allowed,
}

impl Mix {
    /// Reads only.
    pub(crate) const GETS: Mix = Mix { gets: 1, sets: 0 };
    /// Writes only.
    pub(crate) const SETS: Mix = Mix { gets: 0, sets: 1 };
}

impl Workload {
    /// Single gets of 32-byte keys and 100-byte values among 10,000 keys, one at a time: what `targets.md` means when
    /// it says nothing else.
    pub(crate) fn plain_gets() -> Self {
        Workload {
            dialect: Dialect::Text,
            mix: Mix::GETS,
            depth: 1,
            keys_per_fetch: 1,
            key_bytes: 32,
            sizes: Sizes::Fixed(100),
            key_count: 10_000,
            popularity: Popularity::Uniform,
            ttl_secs: 0,
            losses: Losses::Forbidden,
        }
    }

    /// Writes of the same keys and values: each once, in order; or, where keys may be lost, as popular as they are, so
    /// that a cache too small for all begins with what it would hold.
    pub(crate) fn filling(&self) -> Self {
        let value_bytes = self.sizes.bytes_max().max(1);
        Workload {
            dialect: Dialect::Text,
            mix: Mix::SETS,
            depth: (FILL_BATCH_BYTES / value_bytes).clamp(1, 32),
            keys_per_fetch: 1,
            popularity: match self.losses {
                Losses::Forbidden => Popularity::Sequential,
                Losses::Allowed => self.popularity,
            },
            ..self.clone()
        }
    }
}

/// A filling batch of large values is kept below this.
const FILL_BATCH_BYTES: usize = 256 * 1024;

//! Bringing the memory of several keys into the processor's cache at once.
//!
//! With a million keys nearly every look-up waits for main memory three times in a row: index, entry, item. The keys
//! of a pipeline do not depend on each other, so their waits can overlap: one pass finds all entries under one lock
//! for each shard and only asks for the items' memory; the look-ups that follow find it there.

use std::sync::atomic::Ordering;

use super::Store;
use super::shard::Shard;

/// Keys that one pass takes.
pub const PREFETCH_KEYS: usize = 16;

/// Bytes of index from which on the pass is worth its instructions: a smaller one stays in the processor's cache.
const INDEX_BYTES_MIN: u64 = 1 << 20;

impl Store {
    /// Whether the cache has outgrown the processor's.
    #[inline]
    pub fn wants_prefetch(&self) -> bool {
        self.inner.wants_prefetch.load(Ordering::Relaxed)
    }

    pub(super) fn decide_prefetch(&self) {
        let index_bytes: usize = self.shards().map(|shard| shard.index.bytes()).sum();
        self.inner.wants_prefetch.store(index_bytes as u64 >= INDEX_BYTES_MIN, Ordering::Relaxed);
    }

    /// Asks for the memory of the items of `keys`, at most [`PREFETCH_KEYS`] of them. Changes nothing.
    pub fn prefetch(&self, keys: &[&[u8]]) {
        let keys = &keys[..keys.len().min(PREFETCH_KEYS)];
        let mut hashes = [0; PREFETCH_KEYS];
        for (hash, key) in hashes.iter_mut().zip(keys) {
            *hash = self.hash(key);
        }
        let mut waiting: u32 = (1 << keys.len()) - 1;
        while waiting != 0 {
            let slot = self.slot_of(hashes[waiting.trailing_zeros() as usize]);
            let shard = self.inner.slots[slot].shard.lock();
            let mut left = waiting;
            while left != 0 {
                let at = left.trailing_zeros();
                left &= left - 1;
                let hash = hashes[at as usize];
                if self.slot_of(hash) == slot {
                    shard.prefetch(hash);
                    waiting &= !(1 << at);
                }
            }
        }
    }
}

impl Shard {
    #[inline]
    fn prefetch(&self, hash: u64) {
        let items = self.items();
        // Accepts no entry, so it sees all that share the hash's tag, mostly one.
        self.index.find(hash, |item| {
            items.arena.prefetch(item.offset());
            false
        });
    }
}

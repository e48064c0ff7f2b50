//! Which keys are asked for most, now: a small sample of the requests, by the space-saving algorithm.
//!
//! About one request in 128 is noted (at random distances, so that no pattern of requests hides from it). A shard
//! remembers [`ENTRIES`] keys. A key that is not among them takes the place of the one with the smallest count and
//! inherits that count as its possible error; so a key with more than 1/64 of the requests is always found, and what is
//! told of it, count minus error, is never more than was seen (A. Metwally et al., "Efficient computation of frequent
//! and top-k elements in data streams", 2005). All counts are halved every [`HALF_LIFE_SECS`] seconds, smoothly, so what
//! was hot is forgotten.
//!
//! Costs one comparison a request, 300 bytes for each remembered key, and nothing outside of that.

use super::Store;
use super::shard::Shard;
use crate::clock::{START, Seconds};
use crate::command::KEY_MAX;

/// Keys that a shard remembers.
const ENTRIES: usize = 64;

/// Logarithm of the longest distance between two samples, in requests.
const DISTANCE_BITS: u32 = 8;

/// Requests that one sample stands for: the mean of the distances 1 to 256.
const REQUESTS_PER_SAMPLE: f64 = ((1 << DISTANCE_BITS) + 1) as f64 / 2.0;

/// After so many seconds a request counts half.
const HALF_LIFE_SECS: f64 = 10.0;

/// A key that was certainly seen less often than this may be there by chance and is not told.
const SAMPLES_MIN: f64 = 2.0;

/// A key that is asked for often.
#[derive(Clone, Debug, PartialEq)]
pub struct HotKey {
    /// The key.
    pub key: Box<[u8]>,
    /// Requests per second for it, at least, over about the last quarter of a minute.
    pub per_second: f64,
    /// Its share of all requests, at least; 0 to 1.
    pub share: f64,
}

/// The sample of one shard.
#[derive(Debug)]
pub(super) struct HotKeys {
    /// The shard's tick from which on the next request is noted.
    next_at: u64,
    /// When all counts were last made smaller.
    aged_at: Seconds,
    /// Seconds that the counts stand for: those before count less, as the samples of that time do.
    seconds: f64,
    /// Samples of any key.
    total: f64,
    /// The hashes of the entries, apart, so that a look-up reads few cache lines.
    hashes: Vec<u64>,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    key: [u8; KEY_MAX],
    key_len: u8,
    /// Samples, and how many of them may have been of other keys.
    count: f64,
    error: f64,
}

impl Entry {
    /// Samples that were certainly of this key.
    fn certain(&self) -> f64 {
        self.count - self.error
    }
}

impl HotKeys {
    pub(super) fn new() -> HotKeys {
        HotKeys { next_at: 0, aged_at: START, seconds: 0.0, total: 0.0, hashes: Vec::new(), entries: Vec::new() }
    }

    /// Starts afresh at the second where it is.
    pub(super) fn forget(&mut self) {
        *self = HotKeys { next_at: self.next_at, aged_at: self.aged_at, ..HotKeys::new() };
    }

    /// Whether the request at `tick` is one to note.
    #[inline]
    pub(super) fn wants(&self, tick: u64) -> bool {
        tick >= self.next_at
    }

    /// Notes a request for `key` at the shard's `tick`.
    #[cold]
    pub(super) fn note(&mut self, tick: u64, hash: u64, key: &[u8], now: Seconds) {
        // Hash and tick, multiplied by the golden ratio, are random enough, and clients do not know the hash.
        let random = (hash ^ tick).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.next_at = tick + 1 + (random >> (u64::BITS - DISTANCE_BITS));
        self.age(now);
        self.total += 1.0;
        match self.position(hash, key) {
            Some(at) => self.entries[at].count += 1.0,
            None => self.replace_smallest(hash, key),
        }
    }

    fn position(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let is_it = |at: &usize| self.hashes[*at] == hash && self.entries[*at].key[..key.len()] == *key;
        (0..self.hashes.len()).filter(is_it).find(|&at| usize::from(self.entries[at].key_len) == key.len())
    }

    /// The key takes a new entry, or that of the key with the smallest count.
    fn replace_smallest(&mut self, hash: u64, key: &[u8]) {
        let key_len = key.len().min(KEY_MAX);
        let mut entry = Entry { key: [0; KEY_MAX], key_len: key_len as u8, count: 1.0, error: 0.0 };
        entry.key[..key_len].copy_from_slice(&key[..key_len]);
        if self.entries.len() < ENTRIES {
            self.hashes.push(hash);
            self.entries.push(entry);
            return;
        }
        let smallest = (0..ENTRIES).min_by(|&a, &b| self.entries[a].count.total_cmp(&self.entries[b].count));
        let at = smallest.expect("there are entries");
        entry.error = self.entries[at].count;
        entry.count += entry.error;
        self.hashes[at] = hash;
        self.entries[at] = entry;
    }

    /// Makes what was counted before `now` smaller.
    fn age(&mut self, now: Seconds) {
        let secs = f64::from(now.saturating_sub(self.aged_at));
        if secs == 0.0 {
            return;
        }
        self.aged_at = now;
        let rest = (-secs / HALF_LIFE_SECS).exp2();
        self.seconds = (self.seconds + secs) * rest;
        self.total *= rest;
        for entry in &mut self.entries {
            entry.count *= rest;
            entry.error *= rest;
        }
    }
}

impl Shard {
    /// What every operation on a key does first: [`Shard::begin`], and the key's sample.
    #[inline]
    pub(super) fn begin_with(&mut self, hash: u64, key: &[u8], now: Seconds) {
        self.begin(now);
        if self.hot.wants(self.tick) {
            self.hot.note(self.tick, hash, key, now);
        }
    }
}

impl Store {
    /// The up to `most` keys that are asked for most, hottest first; an estimate from a sample.
    pub fn hot_keys(&self, most: usize, now: Seconds) -> Vec<HotKey> {
        let mut found = Vec::new();
        let mut total = 0.0;
        for mut shard in self.shards() {
            let hot = &mut shard.hot;
            hot.age(now);
            total += hot.total;
            // In the first second there is no second yet to divide by.
            let requests_per_second = REQUESTS_PER_SAMPLE / hot.seconds.max(1.0);
            found.extend(hot.entries.iter().filter(|entry| entry.certain() >= SAMPLES_MIN).map(|entry| HotKey {
                key: entry.key[..usize::from(entry.key_len)].into(),
                per_second: entry.certain() * requests_per_second,
                share: entry.certain(),
            }));
        }
        for hot in &mut found {
            hot.share /= total;
        }
        found.sort_by(|a, b| b.share.total_cmp(&a.share));
        found.truncate(most);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(hot: &mut HotKeys) -> Vec<(&[u8], f64)> {
        hot.entries.sort_by(|a, b| b.certain().total_cmp(&a.certain()));
        hot.entries.iter().map(|entry| (&entry.key[..usize::from(entry.key_len)], entry.certain())).collect()
    }

    #[test]
    fn frequent_keys_stay_among_many_rare_ones() {
        let mut hot = HotKeys::new();
        for n in 0..10_000u64 {
            let rare = n.to_string();
            let (hash, key) = match n % 10 {
                0..5 => (1, "first"),
                5..8 => (2, "second"),
                _ => (n, rare.as_str()),
            };
            hot.note(n, hash, key.as_bytes(), START);
        }
        assert_eq!(hot.entries.len(), ENTRIES);
        let total = hot.total;
        let top = top(&mut hot);
        assert_eq!((top[0].0, top[1].0), (&b"first"[..], &b"second"[..]));
        assert!(top[0].1 <= 5000.0 && top[0].1 > 4500.0 && top[1].1 <= 3000.0 && top[1].1 > 2500.0, "{top:?}");
        assert!(top[2].1 <= 2.0, "rare keys count for little: {top:?}");
        assert_eq!(total, 10_000.0);
    }

    #[test]
    fn what_was_hot_is_forgotten() {
        let mut hot = HotKeys::new();
        (0..1000).for_each(|n| hot.note(n, 1, b"old", START));
        (0..100).for_each(|n| hot.note(n, 2, b"new", START + 50));
        let shares = top(&mut hot);
        assert_eq!(shares[0], (&b"new"[..], 100.0));
        assert_eq!(shares[1], (&b"old"[..], 1000.0 / 32.0));
    }

    #[test]
    fn keys_with_the_same_hash_are_told_apart() {
        let mut hot = HotKeys::new();
        for key in [&b"a"[..], b"ab", b"b", b"a", &[b'k'; KEY_MAX]] {
            hot.note(0, 7, key, START);
        }
        let counts: Vec<_> = top(&mut hot).into_iter().map(|(key, count)| (key.len(), count)).collect();
        assert_eq!(counts, [(1, 2.0), (2, 1.0), (1, 1.0), (KEY_MAX, 1.0)]);
    }

    #[test]
    fn about_one_request_in_64_is_noted() {
        let mut hot = HotKeys::new();
        let noted = (0..100_000)
            .filter(|&tick| {
                hot.wants(tick) && {
                    hot.note(tick, 5, b"k", START);
                    true
                }
            })
            .count();
        let expected = 100_000.0 / REQUESTS_PER_SAMPLE;
        assert!((noted as f64 - expected).abs() < expected / 5.0, "{noted} of 100,000");
    }
}

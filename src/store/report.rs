//! What the store tells about itself.

use std::collections::BTreeMap;

use super::counters::{ClassCounters, ClassGauges, StoreTotals};
use super::shard::{ClassState, SIZE_STEP, Shard};
use super::{Outcome, Store};
use crate::clock::Seconds;
use crate::slab::classes::ClassId;
use crate::slab::items::{Head, state};

/// One size class over all shards.
#[derive(Clone, Copy, Debug)]
pub struct ClassReport {
    /// The class, counted from 1 as memcached does.
    pub class: usize,
    /// What it counted.
    pub counters: ClassCounters,
    /// How it stands.
    pub gauges: ClassGauges,
}

/// One shard over all its classes.
#[derive(Clone, Copy, Debug)]
pub struct ShardReport {
    /// Counts and gauges.
    pub totals: StoreTotals,
    /// Bytes for its items and index together.
    pub limit_bytes: u64,
    /// Keys that were asked for and found in it.
    pub get_hits: u64,
    /// Items that had to go for new ones.
    pub evicted: u64,
}

/// One item of a dump.
#[derive(Clone, Debug)]
pub struct ListedItem {
    /// The key.
    pub key: Vec<u8>,
    /// Bytes of the value.
    pub value_len: usize,
    /// When it dies.
    pub expiry: Seconds,
}

impl Shard {
    pub(super) fn page_count(&self) -> usize {
        self.slabs.pages.len()
    }

    pub(super) fn no_memory_for(&mut self, head: &Head<'_>) -> Outcome {
        let bytes = self.items().bytes_needed(head.key.len(), head.client_flags, head.value_len);
        let class = self.slabs.classes.class_of(bytes).unwrap_or(self.slabs.classes.largest());
        self.no_memory(class)
    }

    fn report(&self) -> ShardReport {
        let sum = |read: fn(&ClassState) -> u64| self.classes.iter().map(read).sum();
        ShardReport {
            totals: StoreTotals {
                curr_items: self.index.len() as u64,
                bytes: sum(|class| class.bytes as u64),
                index_bytes: self.index.bytes() as u64,
                index_buckets: self.index.buckets() as u64,
                free_pages: self.slabs.free_pages() as u64,
                resident_pages: self.slabs.resident() as u64,
                ..self.totals
            },
            limit_bytes: self.budget as u64,
            get_hits: sum(|class| class.counters.get_hits),
            evicted: sum(|class| class.counters.evicted),
        }
    }

    fn add_gauges(&self, class: ClassId, gauges: &mut ClassGauges, now: Seconds) {
        let of_class = &self.slabs.by_class[class as usize];
        let state = &self.classes[class as usize];
        gauges.chunk_size = self.slabs.classes.size(class) as u64;
        gauges.chunks_per_page = self.slabs.classes.chunks_per_page(class) as u64;
        gauges.total_pages += of_class.pages.len() as u64;
        gauges.used_chunks += of_class.used as u64;
        gauges.number += of_class.live as u64;
        gauges.mem_requested += state.bytes as u64;
        gauges.evicted_time = gauges.evicted_time.max(state.evicted_time);
        gauges.age = gauges.age.max(self.age_at_hand(class, now));
    }

    /// Seconds since the first live item behind the hand was used.
    fn age_at_hand(&self, class: ClassId, now: Seconds) -> u64 {
        let of_class = &self.slabs.by_class[class as usize];
        let Some(&page) = of_class.pages.get(of_class.hand_page) else { return 0 };
        (of_class.hand_chunk..self.slabs.pages[page as usize].carved)
            .map(|number| self.slabs.chunk(page, number))
            .find(|&chunk| self.items().state(chunk) & state::LIVE != 0)
            .map_or(0, |item| u64::from(now.saturating_sub(self.items().accessed(item))))
    }
}

impl Store {
    /// Counts and gauges over all shards and classes.
    pub fn totals(&self) -> StoreTotals {
        let mut totals = StoreTotals::default();
        self.shards().for_each(|shard| totals.add(&shard.report().totals));
        totals
    }

    /// The same, shard by shard. Locks one at a time.
    pub fn shard_reports(&self) -> Vec<ShardReport> {
        self.shards().map(|shard| shard.report()).collect()
    }

    /// Parts with a lock of their own.
    pub fn shard_count(&self) -> usize {
        self.inner.slots.len()
    }

    /// All classes, ascending.
    pub fn classes(&self, now: Seconds) -> Vec<ClassReport> {
        let mut reports: BTreeMap<usize, ClassReport> = BTreeMap::new();
        for shard in self.shards() {
            for class in 0..shard.slabs.classes.len() {
                let report = reports.entry(class).or_insert(ClassReport {
                    class: class + 1,
                    counters: ClassCounters::default(),
                    gauges: ClassGauges::default(),
                });
                report.counters.add(&shard.classes[class].counters);
                shard.add_gauges(class as ClassId, &mut report.gauges, now);
            }
        }
        reports.into_values().collect()
    }

    /// Zeroes what was counted; gauges stay.
    pub fn reset_counters(&self) {
        for mut shard in self.shards() {
            for class in &mut shard.classes {
                class.counters = ClassCounters::default();
            }
            shard.totals = StoreTotals::default();
            shard.hot.forget();
        }
    }

    /// Live items by size: bytes rounded up to 32, and how many. `None` when no histogram is kept.
    pub fn sizes(&self) -> Option<BTreeMap<u64, u64>> {
        let mut sizes = BTreeMap::new();
        for shard in self.shards() {
            for (&step, &count) in shard.sizes.as_ref()? {
                if count > 0 {
                    *sizes.entry(u64::from(step) * SIZE_STEP as u64).or_insert(0) += count as u64;
                }
            }
        }
        Some(sizes)
    }

    /// Up to `most` live items of `class` (counted from 1) with `key_bytes_max` bytes of keys, in no order. Locks one
    /// shard at a time.
    pub fn list_class(&self, class: usize, most: usize, key_bytes_max: usize, now: Seconds) -> Vec<ListedItem> {
        let mut listed = Vec::new();
        let mut key_bytes = 0;
        for shard in self.shards() {
            let Some(of_class) = class.checked_sub(1).and_then(|class| shard.slabs.by_class.get(class)) else {
                continue;
            };
            let with_items = |page: &&u32| shard.slabs.pages[**page as usize].live > 0;
            for &page in of_class.pages.iter().filter(with_items) {
                for number in 0..shard.slabs.pages[page as usize].carved {
                    if listed.len() >= most || key_bytes >= key_bytes_max {
                        return listed;
                    }
                    let item = shard.slabs.chunk(page, number);
                    let items = shard.items();
                    // Keys that are no text are not listed as if they were.
                    let shown = items.state(item) & (state::LIVE | state::BINARY_KEY) == state::LIVE;
                    if shown && !items.is_expired(item, now) {
                        key_bytes += items.key_len(item);
                        listed.push(ListedItem {
                            key: items.key(item).to_vec(),
                            value_len: items.value_len(item),
                            expiry: items.expiry(item),
                        });
                    }
                }
            }
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Fetch, Put};
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;

    #[test]
    fn shards_add_up_and_a_hot_key_shows_in_one() {
        const MEMORY: u64 = 64 << 20;
        let store = Store::new(Config::new(MEMORY, 4)).expect("memory");
        let put = |key: &[u8]| {
            store.put(&Put { key, client_flags: 0, expiry: NEVER, mode: Mode::Set }, &[b'x'; 1000], START);
        };
        let hits = |key: &[u8], times: usize| {
            for _ in 0..times {
                store.fetch(key, &Fetch::GET, START, |_| ()).expect("it is there");
            }
        };
        // More than fits.
        for number in 0..100_000 {
            put(format!("key-{number}").as_bytes());
        }
        let before = store.shard_reports();
        let (totals, classes) = (store.totals(), store.classes(START));
        let sum = |read: fn(&ShardReport) -> u64| -> u64 { before.iter().map(read).sum() };
        assert_eq!(before.len(), 2);
        assert_eq!(sum(|of| of.totals.curr_items), totals.curr_items);
        assert_eq!(sum(|of| of.totals.bytes), totals.bytes);
        assert_eq!(sum(|of| of.totals.resident_pages), totals.resident_pages);
        assert_eq!(sum(|of| of.evicted), classes.iter().map(|class| class.counters.evicted).sum::<u64>());
        assert_eq!(sum(|of| of.evicted) + totals.curr_items, 100_000);
        assert!(before.iter().all(|of| of.evicted > 10_000 && of.totals.curr_items > 20_000), "{before:?}");
        let limit = sum(|of| of.limit_bytes);
        assert!(limit <= MEMORY && limit > MEMORY / 10 * 9, "{limit} bytes");
        hits(b"key-99999", 5000);
        let mut more: Vec<u64> =
            store.shard_reports().iter().zip(&before).map(|(after, before)| after.get_hits - before.get_hits).collect();
        more.sort_unstable();
        assert_eq!(more, [0, 5000]);
    }
}

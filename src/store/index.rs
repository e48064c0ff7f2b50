//! From a key's hash to its item: `hashbrown` tables of 32-bit handles, cut into segments.
//!
//! A full cache churns: removing and inserting at constant length leaves tombstones, and `hashbrown` answers with a
//! table of twice the size. So before an insert that finds no growth room, a segment that is not really full is
//! rebuilt at its own size. Segments keep that short (a few thousand entries) and let the index grow by little steps
//! that the shard can pay for, page by page, out of `-m`. Memory of segments that have become almost empty is given back
//! the same way, a few segments at a time.
//!
//! Bits of the 64-bit hash: 57 to 63 are hashbrown's tag, the low ones its position, 32 to 47 choose the segment,
//! 48 to 56 the shard.

use hashbrown::HashTable;

use crate::slab::items::Handle;

/// Entries a segment is meant to hold when the cache is full of small items.
const SEGMENT_ENTRIES: usize = 4096;

/// One part in so many is lost between segments: those that doubled leave holes that are not all filled again. Measured,
/// a twelfth while they double and a twentieth else.
const ALLOCATOR_SHARE: usize = 16;

/// Bytes of memory that a small item takes, for sizing.
const SMALL_ITEM_BYTES: usize = 64;

/// The index of one shard.
#[derive(Debug)]
pub(crate) struct Index {
    segments: Box<[HashTable<u32>]>,
    len: usize,
    bytes: usize,
    /// Next segment that [`Index::shrink`] looks at.
    shrink_at: usize,
}

impl Index {
    /// An index for a shard of `budget` bytes; it starts without memory of its own.
    pub(crate) fn new(budget: usize) -> Index {
        let segments = (budget / (SEGMENT_ENTRIES * SMALL_ITEM_BYTES)).next_power_of_two().clamp(1, 1 << 16);
        Index { segments: (0..segments).map(|_| HashTable::new()).collect(), len: 0, bytes: 0, shrink_at: 0 }
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.segments.len() - 1)
    }

    /// Live items.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many segments there are; that never changes.
    pub(crate) fn segments(&self) -> usize {
        self.segments.len()
    }

    /// The items of one segment. An item that is there stays in its segment.
    pub(crate) fn segment(&self, number: usize) -> impl ExactSizeIterator<Item = Handle> {
        self.segments[number].iter().map(|&entry| Handle(entry))
    }

    /// Memory of all segments, with what the allocator loses between them.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.bytes / ALLOCATOR_SHARE + self.segments.len() * size_of::<HashTable<u32>>()
    }

    /// Buckets of all segments.
    pub(crate) fn buckets(&self) -> usize {
        self.segments.iter().map(HashTable::num_buckets).sum()
    }

    /// The entry of `hash` that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(Handle) -> bool) -> Option<Handle> {
        self.segments[self.segment_of(hash)].find(hash, |&entry| is_it(Handle(entry))).map(|&entry| Handle(entry))
    }

    /// Puts `to` in the place of `from`.
    pub(crate) fn replace(&mut self, hash: u64, from: Handle, to: Handle) {
        let segment = self.segment_of(hash);
        let entry = self.segments[segment].find_mut(hash, |&entry| entry == from.0);
        debug_assert!(entry.is_some(), "replaced an entry that is not there");
        if let Some(entry) = entry {
            *entry = to.0;
        }
    }

    /// Takes out an entry that is there.
    pub(crate) fn remove(&mut self, hash: u64, item: Handle) {
        let segment = self.segment_of(hash);
        match self.segments[segment].find_entry(hash, |&entry| entry == item.0) {
            Ok(entry) => {
                entry.remove();
                self.len -= 1;
            }
            Err(_) => debug_assert!(false, "removed an entry that is not there"),
        }
    }

    /// Bytes by which the segment of `hash` must grow before one more entry goes in; 0 when there is room, possibly
    /// after a rebuild at the same size, which is done here.
    #[inline]
    pub(crate) fn growth_needed(&mut self, hash: u64, hash_of: impl Fn(Handle) -> u64) -> usize {
        let segment = self.segment_of(hash);
        let table = &mut self.segments[segment];
        if table.len() < table.capacity() {
            return 0;
        }
        let room = full_capacity(table.num_buckets());
        if table.len() + table.len() / 16 < room {
            let mut rebuilt = HashTable::with_capacity(room);
            for &entry in table.iter() {
                rebuilt.insert_unique(hash_of(Handle(entry)), entry, |&entry| hash_of(Handle(entry)));
            }
            self.bytes = self.bytes + rebuilt.allocation_size() - table.allocation_size();
            *table = rebuilt;
            return 0;
        }
        table.allocation_size().max(32)
    }

    /// Makes room in an empty index for entries of these hashes, so that adding them moves none: moving one means to look
    /// up its key, somewhere in memory.
    pub(crate) fn make_room(&mut self, hashes: impl Iterator<Item = u64>) {
        let mut counts = vec![0; self.segments.len()];
        for hash in hashes {
            counts[self.segment_of(hash)] += 1;
        }
        for (table, count) in self.segments.iter_mut().zip(counts) {
            debug_assert!(table.is_empty());
            self.bytes -= table.allocation_size();
            *table = HashTable::with_capacity(count);
            self.bytes += table.allocation_size();
        }
    }

    /// Adds an entry, growing the segment if need be.
    pub(crate) fn insert(&mut self, hash: u64, item: Handle, hash_of: impl Fn(Handle) -> u64) {
        let segment = self.segment_of(hash);
        let table = &mut self.segments[segment];
        let before = table.allocation_size();
        table.insert_unique(hash, item.0, |&entry| hash_of(Handle(entry)));
        self.bytes = self.bytes + table.allocation_size() - before;
        self.len += 1;
    }

    /// Halves, at least, the next segments that are less than a quarter full; looks at no more than `segments` and
    /// stops once it has moved `entries`. True when memory was given back.
    pub(crate) fn shrink(&mut self, segments: usize, entries: usize, hash_of: impl Fn(Handle) -> u64) -> bool {
        let (mut moved, mut freed) = (0, false);
        for _ in 0..segments.min(self.segments.len()) {
            if moved >= entries {
                break;
            }
            let count = self.segments.len();
            let table = &mut self.segments[self.shrink_at];
            self.shrink_at = (self.shrink_at + 1) % count;
            if table.len() * 4 >= full_capacity(table.num_buckets()) {
                continue;
            }
            moved += table.len();
            let before = table.allocation_size();
            table.shrink_to(table.len() * 2, |&entry| hash_of(Handle(entry)));
            self.bytes = self.bytes + table.allocation_size() - before;
            freed |= table.allocation_size() < before;
        }
        freed
    }

    /// Drops all entries and leaves the memory to [`Index::shrink`], which holds the lock for shorter.
    pub(crate) fn clear(&mut self) {
        for table in &mut self.segments {
            table.clear();
        }
        self.len = 0;
    }
}

/// Entries that a table of `buckets` holds at its maximum load (hashbrown: 7/8).
fn full_capacity(buckets: usize) -> usize {
    if buckets < 8 { buckets.saturating_sub(1) } else { buckets / 8 * 7 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(n: u64) -> u64 {
        let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^= z >> 27;
        z = z.wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn hash_of(item: Handle) -> u64 {
        spread(u64::from(item.0))
    }

    fn add(index: &mut Index, n: u32) {
        index.growth_needed(spread(u64::from(n)), hash_of);
        index.insert(spread(u64::from(n)), Handle(n), hash_of);
    }

    #[test]
    fn churn_at_constant_length_does_not_grow_the_index() {
        let mut index = Index::new(16 << 20);
        let live = 200_000;
        for n in 0..live {
            add(&mut index, n);
        }
        let (buckets, bytes) = (index.buckets(), index.bytes());
        for n in live..live * 8 {
            index.remove(spread(u64::from(n - live)), Handle(n - live));
            add(&mut index, n);
        }
        assert_eq!(index.len(), live as usize);
        assert!(index.buckets() <= buckets * 9 / 8, "{} buckets became {}", buckets, index.buckets());
        assert!(index.bytes() <= bytes * 9 / 8);
        for n in live * 7..live * 8 {
            assert_eq!(index.find(spread(u64::from(n)), |item| item.0 == n), Some(Handle(n)));
        }
    }

    #[test]
    fn bytes_follow_the_tables() {
        let mut index = Index::new(1 << 20);
        for n in 0..50_000 {
            add(&mut index, n);
        }
        let counted: usize = index.segments.iter().map(HashTable::allocation_size).sum();
        assert_eq!(index.bytes, counted);
        index.clear();
        assert_eq!(index.len(), 0);
        assert_eq!(index.find(spread(1), |_| true), None);
        while index.shrink(4, 1000, hash_of) {}
        assert_eq!(index.bytes, 0, "an empty index keeps nothing");
    }

    #[test]
    fn an_index_that_lost_most_entries_gives_memory_back_bit_by_bit() {
        let mut index = Index::new(4 << 20);
        let live = 100_000;
        for n in 0..live {
            add(&mut index, n);
        }
        while index.shrink(usize::MAX, usize::MAX, hash_of) {}
        let full = index.bytes;
        for n in 0..live * 15 / 16 {
            index.remove(spread(u64::from(n)), Handle(n));
        }
        assert_eq!(index.bytes, full);
        assert!(index.shrink(1, usize::MAX, hash_of), "the first segment is almost empty");
        assert!(index.bytes < full && index.bytes > full * 3 / 4, "one segment at a time");
        while index.shrink(usize::MAX, usize::MAX, hash_of) {}
        assert!(index.bytes <= full / 4, "{} of {full}", index.bytes);
        let counted: usize = index.segments.iter().map(HashTable::allocation_size).sum();
        assert_eq!(index.bytes, counted);
        for n in live * 15 / 16..live {
            assert_eq!(index.find(spread(u64::from(n)), |item| item.0 == n), Some(Handle(n)));
        }
    }

    /// Whoever knows the hash function and not the secret of this process cannot choose keys that meet.
    #[test]
    fn keys_that_collide_in_one_store_are_spread_in_another() {
        let [one, other] = [crate::store::Seeds::random().hasher(), crate::store::Seeds::random().hasher()];
        let low_bits = |hash: u64| hash & 0xfff;
        let keys = (0..400_000u32).map(|n| format!("key-{n}")).filter(|key| low_bits(one.hash(key.as_bytes())) == 0);
        let spread: Vec<u64> = keys.map(|key| low_bits(other.hash(key.as_bytes()))).collect();
        let distinct: std::collections::HashSet<&u64> = spread.iter().collect();
        assert!(spread.len() > 50 && distinct.len() > spread.len() * 9 / 10, "{} of {}", distinct.len(), spread.len());
    }
}

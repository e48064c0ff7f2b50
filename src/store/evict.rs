//! Room for new items: free chunks, expired items, and a clock hand over the pages of each class.
//!
//! Order of trials for a chunk of class c: a free chunk of c, or of a dead chain; a page of the pool; what the expiry sweep frees in a
//! small step; for a class that has no page at all a chunk lent by a class at most twice as large, and after two
//! pages' worth of these a page; after each page's worth of evictions a page of a class that earns less (`mover`);
//! and last the first item at the hand that was not used since the hand came by.

use super::chains::SLICE_PIECES;
use super::shard::Shard;
use crate::clock::{NEVER, Seconds};
use crate::slab::classes::{ClassId, PAGE};
use crate::slab::items::{Handle, state};

/// Chunks that one eviction may pass before it takes a used item after all.
const HAND_STEPS_MAX: usize = 256;

/// Pieces that the hand passes before it takes the item that a piece belongs to.
const PIECES_PASSED_MAX: usize = 64;

/// Pages whose expiry one allocation looks at before it evicts.
const SWEEP_PAGES: usize = 8;

/// Pages that a shard may always have, be its index still as large as a higher limit allowed.
const PAGES_MIN: usize = 8;

impl Shard {
    /// Pages that the budget leaves room for beside index and tables.
    pub(super) fn fit_pages(&mut self) {
        self.slabs.set_pages_max(self.pages_beside(0));
    }

    /// Pages that fit in the budget once the index has grown by `growth` bytes.
    fn pages_beside(&self, growth: usize) -> usize {
        let other = self.index.bytes() + growth + self.slabs.table_bytes();
        (self.budget.saturating_sub(other) / PAGE).max(PAGES_MIN)
    }

    /// A chunk for an item that will be put in the index under `hash`: first room there, then the chunk. `None` when
    /// there is no memory to be had.
    #[inline]
    pub(super) fn allocate_indexed(&mut self, hash: u64, key: &[u8], class: ClassId, now: Seconds) -> Option<Handle> {
        // Where the key has an entry, it keeps it.
        let has_entry = self.reserve_index(hash, now) || self.find(hash, key).is_some();
        if has_entry { self.allocate(class, now) } else { None }
    }

    /// Sees to it that an entry for `hash` can be added within the budget. False when items would have to go for it and
    /// evictions are off.
    #[inline]
    pub(super) fn reserve_index(&mut self, hash: u64, now: Seconds) -> bool {
        let (hasher, items) = (self.hasher, &self.slabs.items);
        let growth = self.index.growth_needed(hash, |entry| hasher.hash(items.key(entry)));
        growth == 0 || self.pay_for_index(growth, now)
    }

    /// Gives up the pages that the growth costs. Those above a lowered limit are not this request's to pay; see
    /// [`Shard::shrink`].
    #[cold]
    fn pay_for_index(&mut self, growth: usize, now: Seconds) -> bool {
        let pages_max = self.pages_beside(growth);
        let cost = self.slabs.pages_max().saturating_sub(pages_max);
        let goal = pages_max.max(self.slabs.resident().saturating_sub(cost));
        if !self.evictions && self.slabs.resident() - self.slabs.free_pages() > goal {
            return false;
        }
        self.slabs.set_pages_max(pages_max);
        while self.slabs.resident() > goal && self.give_up_a_page(now) {}
        true
    }

    /// Gives a page of the pool back, or empties another if items may go for it: unused ones, as long as there are any.
    pub(super) fn give_up_a_page(&mut self, now: Seconds) -> bool {
        let has_page = self.slabs.free_pages() > 0 || self.free_doomed_page();
        has_page && self.slabs.discard_free_page() || self.evictions && (self.take_a_page(now) || self.drop_a_page(now))
    }

    /// A chunk of `class`, or of a larger one; `None` when there is no memory to be had.
    #[inline]
    pub(super) fn allocate(&mut self, class: ClassId, now: Seconds) -> Option<Handle> {
        match self.slabs.take(class) {
            Some(chunk) => Some(chunk),
            None => self.allocate_slowly(class, now),
        }
    }

    fn take_or_grow(&mut self, class: ClassId) -> Option<Handle> {
        if let Some(chunk) = self.slabs.take(class) {
            return Some(chunk);
        }
        if self.slabs.grow(class, self.tick) { self.slabs.take(class) } else { None }
    }

    #[cold]
    fn allocate_slowly(&mut self, class: ClassId, now: Seconds) -> Option<Handle> {
        if self.free_doomed(SLICE_PIECES) > 0
            && let Some(chunk) = self.slabs.take(class)
        {
            return Some(chunk);
        }
        if let Some(chunk) = self.take_or_grow(class) {
            return Some(chunk);
        }
        if self.sweep(SWEEP_PAGES, now).freed > 0
            && let Some(chunk) = self.take_or_grow(class)
        {
            return Some(chunk);
        }
        if !self.evictions {
            return None;
        }
        // While there are more pages than a lowered limit allows, what is emptied here must not leave: it is wanted.
        let pages_max = self.slabs.pages_max();
        self.slabs.set_pages_max(pages_max.max(self.slabs.resident()));
        let chunk = self.allocate_evicting(class, now);
        self.slabs.set_pages_max(pages_max);
        chunk
    }

    fn allocate_evicting(&mut self, class: ClassId, now: Seconds) -> Option<Handle> {
        if self.slabs.by_class[class as usize].pages.is_empty() {
            return self.allocate_homeless(class, now);
        }
        let page_worth = self.slabs.classes.chunks_per_page(class);
        if self.classes[class as usize].evicted_since >= page_worth {
            if self.page_moves
                && self.move_a_page_to(class, now)
                && let Some(chunk) = self.take_or_grow(class)
            {
                return Some(chunk);
            }
            self.classes[class as usize].evicted_since = 0;
        }
        self.evict_and_take(class, now)
    }

    fn evict_and_take(&mut self, class: ClassId, now: Seconds) -> Option<Handle> {
        while self.evict(class, now) {
            if let Some(chunk) = self.take_or_grow(class) {
                return Some(chunk);
            }
        }
        // Everything in the class is being sent or written; another class may still have something.
        if self.drop_a_page(now) { self.take_or_grow(class) } else { None }
    }

    /// A chunk for a class that owns no page, while the pool is empty.
    fn allocate_homeless(&mut self, class: ClassId, now: Seconds) -> Option<Handle> {
        let size = self.slabs.classes.size(class);
        let page_worth = self.slabs.classes.chunks_per_page(class);
        if self.classes[class as usize].borrowed < 2 * page_worth {
            let last = self.slabs.classes.largest();
            for lender in class + 1..=last {
                if self.slabs.classes.size(lender) > 2 * size {
                    break;
                }
                if self.slabs.by_class[lender as usize].pages.is_empty() {
                    continue;
                }
                let chunk = match self.slabs.take(lender) {
                    Some(chunk) => Some(chunk),
                    None => self.evict_and_take(lender, now),
                };
                if chunk.is_some() {
                    self.classes[class as usize].borrowed += 1;
                    return chunk;
                }
            }
        }
        self.classes[class as usize].borrowed = 0;
        if self.take_a_page(now) || self.drop_a_page(now) { self.take_or_grow(class) } else { None }
    }

    /// Frees the next item at the hand of `class` that deserves it. False when nothing there can go.
    pub(super) fn evict(&mut self, class: ClassId, now: Seconds) -> bool {
        let pages = &self.slabs.by_class[class as usize].pages;
        // Four rounds wear down every frequency; a class where that does not free an item has none to free.
        let steps_max = 4 * pages.len() * (self.slabs.classes.chunks_per_page(class) + 1);
        let mut pieces = 0;
        for step in 0..steps_max {
            if class == self.slabs.classes.largest() {
                self.slabs.skip_pieces(class, self.tick);
            }
            let Some(chunk) = self.slabs.advance_hand(class, self.tick) else { continue };
            let Some(item) = self.item_of(chunk).filter(|&item| self.pins(item) == 0) else { continue };
            if item != chunk {
                pieces += 1;
                if pieces <= PIECES_PASSED_MAX {
                    continue;
                }
            }
            let bits = self.items().state(item);
            if self.items().is_expired(item, now) {
                self.counters(item).reclaimed += 1;
                self.note_expired(item);
                self.unlink(item);
                return true;
            }
            if bits & state::FREQUENCY == 0 || step >= HAND_STEPS_MAX {
                self.note_evicted(item, now);
                self.classes[class as usize].evicted_since += 1;
                self.unlink(item);
                return true;
            }
            self.items_mut().set_state(item, bits - 1);
            self.classes[class as usize].counters.moves_within_lru += 1;
        }
        false
    }

    pub(super) fn note_evicted(&mut self, item: Handle, now: Seconds) {
        let items = self.items();
        let (expires, fetched) = (items.expiry(item) != NEVER, items.state(item) & state::FETCHED != 0);
        let active = items.state(item) & state::FREQUENCY != 0;
        let idle = u64::from(now.saturating_sub(items.accessed(item)));
        let class = self.class_state(item);
        class.evicted_time = idle;
        class.counters.evicted += 1;
        class.counters.evicted_nonzero += u64::from(expires);
        class.counters.evicted_unfetched += u64::from(!fetched);
        class.counters.evicted_active += u64::from(active);
        self.tell_evicted(item, now);
    }
}

#[cfg(test)]
mod tests {
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Outcome, Put, Store, Sweep};

    fn put(store: &Store, mode: Mode, key: &str, value: &[u8]) -> Outcome {
        store.put(&Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode }, value, START)
    }

    fn is_stored(outcome: Outcome) -> bool {
        matches!(outcome, Outcome::Stored { .. })
    }

    #[test]
    fn an_index_that_outgrew_a_lowered_limit_gives_its_memory_back() {
        let store = Store::new(Config::new(128 << 20, 1)).expect("address space");
        for n in 0..1_500_000u32 {
            assert!(is_stored(put(&store, Mode::Set, &n.to_string(), b"")));
        }
        let index_bytes = store.totals().index_bytes;
        assert!(index_bytes > 8 << 20, "{index_bytes}");
        assert!(store.set_memory_limit(8 << 20));
        while store.shrink(START) {}
        for _ in 0..1000 {
            store.maintain(1, Sweep::On, START, || ());
            while store.shrink(START) {}
        }
        let totals = store.totals();
        assert!(totals.index_bytes < 2 << 20, "{totals:?}");
        for n in 0..100_000u32 {
            assert!(is_stored(put(&store, Mode::Set, &format!("new-{n}"), b"value")), "{n}");
        }
        assert!(store.totals().curr_items > 50_000, "{:?}", store.totals());
    }

    #[test]
    fn values_of_all_sizes_are_stored_while_a_lowered_limit_is_carried_out() {
        let store = Store::new(Config::new(64 << 20, 1)).expect("address space");
        let value = vec![b'v'; 500_000];
        for n in 0..200u32 {
            assert!(is_stored(put(&store, Mode::Set, &format!("large-{n}"), &value)));
        }
        assert!(store.set_memory_limit(16 << 20));
        for n in 0..2000u32 {
            let len = [10, 500_000, 1000, 70_000, 100, 9000, 33_000][n as usize % 7];
            assert!(is_stored(put(&store, Mode::Set, &format!("new-{n}"), &value[..len])), "{len} bytes at {n}");
            if n % 50 == 0 {
                store.shrink(START);
            }
        }
        while store.shrink(START) {}
        assert!(store.totals().resident_pages * (64 << 10) <= 16 << 20);
    }

    #[test]
    fn append_works_while_readers_hold_their_share() {
        let store = Store::new(Config::new(16 << 20, 1)).expect("address space");
        let value = vec![b'v'; 20_000];
        let mut pins = Vec::new();
        for n in 0.. {
            put(&store, Mode::Set, &format!("read-{n}"), &value);
            let pin = store.fetch(format!("read-{n}").as_bytes(), &Fetch::GET, START, |found| found.pin());
            match pin.expect("just stored") {
                Some(pin) => pins.push(pin),
                None => break,
            }
        }
        put(&store, Mode::Set, "k", &value);
        assert!(is_stored(put(&store, Mode::Append, "k", &value)), "with {} pins", pins.len());
        assert!(is_stored(put(&store, Mode::Prepend, "read-0", &value)), "an item that is pinned itself");
        drop(pins);
        assert!(is_stored(put(&store, Mode::Append, "read-0", &value)));
    }
}

//! Room for new items: free chunks, expired items, and a clock hand over the pages of each class.
//!
//! Order of trials for a chunk of class c: a free chunk of c; a page of the pool; what the expiry sweep frees in a
//! small step; for a class that has no page at all a chunk lent by a class at most twice as large, and after two
//! pages' worth of these a page; after each page's worth of evictions a page of a class that earns less (`mover`);
//! and last the first item at the hand that was not used since the hand came by.

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

impl Shard {
    /// Pages that the budget leaves room for beside index and tables.
    pub(super) fn fit_pages(&mut self) {
        let other = self.index.bytes() + self.slabs.table_bytes();
        self.slabs.set_pages_max(self.budget.saturating_sub(other) / PAGE);
    }

    /// A chunk for an item that will be put in the index under `hash`: first room there, then the chunk. `None` when
    /// there is no memory to be had.
    #[inline]
    pub(super) fn allocate_indexed(&mut self, hash: u64, class: ClassId, now: Seconds) -> Option<Handle> {
        self.reserve_index(hash, now);
        self.allocate(class, now)
    }

    /// Sees to it that an entry for `hash` can be added within the budget.
    #[inline]
    pub(super) fn reserve_index(&mut self, hash: u64, now: Seconds) {
        let (hasher, items) = (self.hasher, &self.slabs.items);
        let growth = self.index.growth_needed(hash, |entry| hasher.hash(items.key(entry)));
        if growth > 0 {
            self.pay_for_index(growth, now);
        }
    }

    /// Gives up the pages that the growth costs. Those above a lowered limit are not this request's to pay; see
    /// [`Shard::shrink`].
    #[cold]
    fn pay_for_index(&mut self, growth: usize, now: Seconds) {
        let other = self.index.bytes() + growth + self.slabs.table_bytes();
        let pages_max = self.budget.saturating_sub(other) / PAGE;
        let cost = self.slabs.pages_max().saturating_sub(pages_max);
        let goal = pages_max.max(self.slabs.resident().saturating_sub(cost));
        self.slabs.set_pages_max(pages_max);
        while self.slabs.resident() > goal && self.give_up_a_page(now) {}
    }

    /// Gives a page of the pool back, or empties another if items may go for it.
    fn give_up_a_page(&mut self, now: Seconds) -> bool {
        self.slabs.discard_free_page() || self.evictions && self.drop_a_page(now)
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
        if let Some(chunk) = self.take_or_grow(class) {
            return Some(chunk);
        }
        if self.sweep(SWEEP_PAGES, now) > 0
            && let Some(chunk) = self.take_or_grow(class)
        {
            return Some(chunk);
        }
        if !self.evictions {
            return None;
        }
        if self.slabs.by_class[class as usize].pages.is_empty() {
            return self.allocate_homeless(class, now);
        }
        let page_worth = self.slabs.classes.chunks_per_page(class);
        if self.classes[class as usize].evicted_since >= page_worth {
            self.classes[class as usize].evicted_since = 0;
            if self.page_moves
                && self.move_a_page_to(class, now)
                && let Some(chunk) = self.take_or_grow(class)
            {
                return Some(chunk);
            }
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
        if self.drop_a_page(now) { self.take_or_grow(class) } else { None }
    }

    /// Frees the next item at the hand of `class` that deserves it. False when nothing there can go.
    pub(super) fn evict(&mut self, class: ClassId, now: Seconds) -> bool {
        let pages = &self.slabs.by_class[class as usize].pages;
        // Four rounds wear down every frequency; a class where that does not free an item has none to free.
        let steps_max = 4 * pages.len() * (self.slabs.classes.chunks_per_page(class) + 1);
        let mut pieces = 0;
        for step in 0..steps_max {
            let Some(chunk) = self.slabs.advance_hand(class, self.tick) else { continue };
            let Some(item) = self.item_of(chunk).filter(|&item| self.items().pins(item) == 0) else { continue };
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

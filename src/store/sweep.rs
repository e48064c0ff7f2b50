//! What nobody touches any more: expired items, flushed ones, pages above a lowered limit.

use super::chains::SLICE_PIECES;
use super::mover::Rescue;
use super::shard::{NO_FLUSH, Shard};
use super::{Store, Sweep};
use crate::clock::{NEVER, Seconds};
use crate::command::ClassSet;
use crate::slab::items::{Handle, state};
use crate::slab::pages::{NO_CLASS, Page};

/// Chunks after which a step of a sweep ends, with the page that it is in: some tens of microseconds, and of the smallest
/// items a tenth of a millisecond.
const CHUNKS_MAX: usize = 600;

/// Pages that one step looks at in the page table.
const LOOKS_MAX: usize = 4096;

/// Items that are taken out of the index one after the other, before they are freed: so the processor waits for the
/// memory of several at once, which halves the time.
const BATCH: usize = 32;

/// A page that keeps no more than one chunk in so many in use is merged with others of its class.
const MERGED_SHARE: u16 = 4;

/// Segments of the index that one step looks at, whether they should shrink.
const SEGMENTS_MAX: usize = 64;

/// Entries of the index after which a step shrinks no further segment.
const ENTRIES_MOVED_MAX: usize = 512;

/// Steps that shrink the index in one slice.
const INDEX_STEPS_MAX: usize = 8;

/// Keys that a flush remembers, so that `get_flushed` counts them: memcached's is exact, ours up to this many a shard,
/// because whole pages are cleared instead of items one by one.
const FLUSHED_KEYS_MAX: usize = 256;

/// What one step of a sweep did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Step {
    /// Pages looked at in the page table.
    pub(super) pages: usize,
    /// Chunks looked at in the pages that were due.
    pub(super) chunks: usize,
    /// Items freed.
    pub(super) freed: usize,
}

impl Shard {
    /// Looks at up to `pages` pages from where the last step ended, and frees what has expired in the first that are due.
    pub(super) fn sweep(&mut self, pages: usize, now: Seconds) -> Step {
        if self.slabs.pages.is_empty() {
            return Step::default();
        }
        if self.sweep_at >= self.slabs.pages.len() {
            self.sweep_at = 0;
            self.totals.sweeps += 1;
        }
        let step = self.sweep_step(self.sweep_at, pages, ClassSet::ALL, now);
        self.sweep_at += step.pages;
        step
    }

    /// Looks at up to `pages` pages from `from` to the end, and frees what has expired in the first of `classes` that are
    /// due.
    fn sweep_step(&mut self, from: usize, pages: usize, classes: ClassSet, now: Seconds) -> Step {
        let mut step = Step::default();
        let end = self.slabs.pages.len().min(from + pages.min(LOOKS_MAX));
        for at in from..end {
            step.pages += 1;
            let page = &self.slabs.pages[at];
            if page.is_due(now) && classes.contains(usize::from(page.class) + 1) {
                step.chunks += usize::from(page.carved);
                step.freed += self.sweep_page(at as u32, now);
                if step.chunks >= CHUNKS_MAX {
                    break;
                }
            }
        }
        step
    }

    fn sweep_page(&mut self, page: u32, now: Seconds) -> usize {
        let Page { class, carved, .. } = self.slabs.pages[page as usize];
        let (mut live, mut freed, mut lowest) = (0, 0, NEVER);
        for start in (0..carved).step_by(BATCH) {
            let mut expired = [Handle::NONE; BATCH];
            let mut count = 0;
            for number in start..carved.min(start + BATCH as u16) {
                let item = self.slabs.chunk(page, number);
                if self.items().state(item) & state::LIVE == 0 {
                    continue;
                }
                live += 1;
                let expiry = self.items().expiry(item);
                if self.items().is_expired(item, now) {
                    expired[count] = item;
                    count += 1;
                } else if expiry != NEVER && (lowest == NEVER || expiry < lowest) {
                    lowest = expiry;
                }
            }
            for &item in &expired[..count] {
                self.index.remove(self.hash_of(item), item);
            }
            for &item in &expired[..count] {
                self.note_expired(item);
                self.kill(item);
            }
            freed += count;
            // Its last item gone, the page went to the pool.
            if self.slabs.pages[page as usize].class == NO_CLASS {
                break;
            }
        }
        let counters = &mut self.classes[class as usize].counters;
        counters.crawler_items_checked += live;
        counters.crawler_reclaimed += freed as u64;
        let entry = &mut self.slabs.pages[page as usize];
        if entry.class != NO_CLASS {
            entry.expiry_min = lowest;
            if freed > 0 {
                self.merge_page(page, now);
            }
        }
        freed
    }

    /// Moves the few items that are left in a page to other pages of its class, where that has room for a page's worth
    /// more: memory between items that stay is of no use to other classes.
    fn merge_page(&mut self, page: u32, now: Seconds) {
        let Page { class, used, .. } = self.slabs.pages[page as usize];
        let chunks = self.slabs.classes.chunks_per_page(class);
        let of_class = &self.slabs.by_class[class as usize];
        let free = of_class.pages.len() * chunks - of_class.used;
        // One page's worth may be this page's own.
        if usize::from(used * MERGED_SHARE) <= chunks && free >= 2 * chunks && !self.is_fast(page, true) {
            self.slabs.close(page);
            self.empty(page, now, Rescue::All);
            self.slabs.reopen(page);
        }
    }

    /// Gives memory of an index that became too large back. True when there may be more.
    fn shrink_index(&mut self) -> bool {
        let (hasher, items) = (self.hasher, &self.slabs.items);
        let freed = self.index.shrink(SEGMENTS_MAX, ENTRIES_MOVED_MAX, |entry| hasher.hash(items.key(entry)));
        if freed {
            self.fit_pages();
        }
        freed
    }

    /// Gives a page back after the limit fell; one of live items only where evictions are on. True when there are more that
    /// may go. No more than one at a time: used items are saved from it while requests wait.
    pub(super) fn shrink(&mut self, now: Seconds) -> bool {
        let is_above = |shard: &Shard| shard.slabs.resident() > shard.slabs.pages_max();
        is_above(self) && self.give_up_a_page(now) && is_above(self)
    }

    /// Changes the budget. Pages above it are given back by [`Shard::shrink`].
    pub(super) fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
        self.fit_pages();
    }

    /// Everything stored so far is gone. Costs as much as there are pages, not items.
    pub(super) fn flush(&mut self) {
        self.flush_at = NO_FLUSH;
        self.note_flushed();
        self.index.clear();
        let pieces = self.hold_pieces();
        // Chunks that are being sent or written keep their pages; what lies beside them goes one by one.
        for page in 0..self.slabs.pages.len() as u32 {
            let entry = &self.slabs.pages[page as usize];
            if entry.held > 0 && (entry.held < entry.used || entry.live > 0) {
                self.flush_held_page(page);
            }
        }
        self.forget_doomed();
        for page in 0..self.slabs.pages.len() as u32 {
            let entry = &self.slabs.pages[page as usize];
            if entry.class != NO_CLASS && entry.held == 0 {
                self.slabs.clear_page(page);
            }
        }
        for piece in pieces {
            self.slabs.release_hold(piece);
        }
        for class in 0..self.classes.len() {
            if self.slabs.by_class[class].live == 0 {
                self.classes[class].bytes = 0;
            }
        }
        if let Some(sizes) = &mut self.sizes {
            sizes.clear();
        }
    }

    /// Remembers some of the keys that go.
    fn note_flushed(&mut self) {
        self.flushed.clear();
        for page in 0..self.slabs.pages.len() as u32 {
            if self.slabs.pages[page as usize].live == 0 {
                continue;
            }
            for number in 0..self.slabs.pages[page as usize].carved {
                if self.flushed.len() == FLUSHED_KEYS_MAX {
                    return;
                }
                let item = self.slabs.chunk(page, number);
                if self.items().state(item) & state::LIVE != 0 {
                    self.flushed.insert(self.hash_of(item));
                }
            }
        }
    }

    fn flush_held_page(&mut self, page: u32) {
        for number in 0..self.slabs.pages[page as usize].carved {
            let chunk = self.slabs.chunk(page, number);
            let bits = self.items().state(chunk);
            if bits & state::PIECE != 0 {
                // The rest of the chain goes in the same way, or with its pages.
                if !self.held_chains.contains(&self.items().owner(chunk)) {
                    self.slabs.give(chunk);
                }
            } else if bits & state::LIVE != 0 {
                self.kill_head(chunk);
            }
        }
    }
}

impl Store {
    /// A slice of background work on every shard: `1 / slices` of the expiry sweep, a flush that has come due, the pieces of
    /// dead chains, and memory of an index that became too large. Locks are held for a tenth of a millisecond at a time; between two such steps
    /// it calls `rest`, which gives clients their turn.
    pub fn maintain(&self, slices: usize, sweep: Sweep, now: Seconds, mut rest: impl FnMut()) {
        self.decide_prefetch();
        for slot in &self.inner.slots {
            let mut pages = {
                let mut shard = slot.shard.lock();
                shard.begin(now);
                shard.page_count() / slices + 1
            };
            while sweep == Sweep::On && pages > 0 {
                let step = slot.shard.lock().sweep(pages, now);
                pages = pages.saturating_sub(step.pages.max(1));
                if step.chunks > 0 {
                    rest();
                }
            }
            while slot.shard.lock().free_doomed(SLICE_PIECES) > 0 {
                rest();
            }
            for _ in 0..INDEX_STEPS_MAX {
                if !slot.shard.lock().shrink_index() {
                    break;
                }
                rest();
            }
        }
    }

    /// Frees what has expired in all pages of these classes, in short steps, with a `rest` after each as in
    /// [`Store::maintain`].
    pub fn sweep_classes(&self, classes: ClassSet, now: Seconds, mut rest: impl FnMut()) {
        for slot in &self.inner.slots {
            let mut at = 0;
            loop {
                let mut shard = slot.shard.lock();
                shard.begin(now);
                let step = shard.sweep_step(at, LOOKS_MAX, classes, now);
                drop(shard);
                if step.pages == 0 {
                    break;
                }
                at += step.pages;
                if step.chunks > 0 {
                    rest();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::START;
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put};

    #[test]
    fn a_sweep_frees_what_expired_in_the_classes_it_was_asked_for() {
        let store = Store::new(Config::new(64 << 20, 1)).expect("memory");
        // More due pages of one class than one step walks.
        for (prefix, count, value_len) in [("small", 20_000, 20), ("large", 2000, 1000)] {
            for n in 0..count {
                let key = format!("{prefix}{n:05}");
                let expiry = if n % 2 == 0 { START + 5 } else { NEVER };
                let put = Put { key: key.as_bytes(), client_flags: 0, expiry, mode: Mode::Set };
                store.put(&put, &vec![b'v'; value_len], START);
            }
        }
        let small = store.classes(START).iter().find(|class| class.gauges.number > 0).expect("items").class;
        let mut only_small = ClassSet::default();
        assert!(only_small.insert(small as u32));
        let left = |classes, now| {
            store.sweep_classes(classes, now, || ());
            store.totals().curr_items
        };
        assert_eq!(left(ClassSet::ALL, START + 1), 22_000);
        assert_eq!(left(only_small, START + 10), 12_000);
        assert_eq!(left(ClassSet::ALL, START + 10), 11_000);
    }

    #[test]
    fn what_is_left_between_expired_items_takes_few_pages() {
        let store = Store::new(Config::new(32 << 20, 1)).expect("memory");
        let key = |n: usize| format!("key-{n:06}");
        for n in 0..200_000 {
            let expiry = if n % 50 == 0 { NEVER } else { START + 5 };
            let key = key(n);
            let put = Put { key: key.as_bytes(), client_flags: 0, expiry, mode: Mode::Set };
            store.put(&put, key.as_bytes(), START);
        }
        store.maintain(1, Sweep::On, START + 10, || ());
        let (totals, classes) = (store.totals(), store.classes(START + 10));
        assert_eq!(totals.curr_items, 4000);
        let pages: u64 = classes.iter().map(|class| class.gauges.total_pages).sum();
        assert!(pages < 12, "{pages} pages for items that fit in 4");
        assert_eq!(totals.free_pages + pages, totals.resident_pages);
        for n in (0..200_000).step_by(50) {
            let found = store.fetch(key(n).as_bytes(), &Fetch::GET, START + 10, |_| ());
            assert!(found.is_ok(), "{n}");
        }
        crate::store::tests::verify(&store);
    }
}

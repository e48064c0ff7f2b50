//! What nobody touches any more: expired items, flushed ones, pages above a lowered limit.

use super::shard::{NO_FLUSH, Shard};
use crate::clock::{NEVER, Seconds};
use crate::command::ClassSet;
use crate::slab::items::state;
use crate::slab::pages::NO_CLASS;

/// Pages whose items one sweep step walks at most; the others it only looks at in the page table.
const WALKS_MAX: usize = 8;

/// Pages that one step looks at in the page table when it sweeps single classes.
const LOOKS_MAX: usize = 4096;

/// Pages that one step drops at most to get below a lowered limit: a page of small items takes a tenth of a millisecond,
/// and requests wait meanwhile.
const DROPS_MAX: usize = 4;

/// Segments of the index that one step looks at, whether they should shrink.
const SEGMENTS_MAX: usize = 64;

/// Entries of the index after which a step shrinks no further segment.
const ENTRIES_MOVED_MAX: usize = 4096;

/// Keys that a flush remembers, so that `get_flushed` counts them: memcached's is exact, ours up to this many a shard,
/// because whole pages are cleared instead of items one by one.
const FLUSHED_KEYS_MAX: usize = 256;

impl Shard {
    /// Looks at the next `pages` pages, frees what has expired there, and returns how many items that were.
    pub(super) fn sweep(&mut self, pages: usize, now: Seconds) -> usize {
        let mut freed = 0;
        let mut walks = 0;
        for _ in 0..pages.min(self.slabs.pages.len()) {
            if walks == WALKS_MAX {
                break;
            }
            if self.sweep_at >= self.slabs.pages.len() {
                self.sweep_at = 0;
                self.totals.sweeps += 1;
            }
            if self.slabs.pages[self.sweep_at].is_due(now) {
                freed += self.sweep_page(self.sweep_at as u32, now);
                walks += 1;
            }
            self.sweep_at += 1;
        }
        freed
    }

    /// Frees what has expired in pages of `classes`, from page `from` on, as many as one step may walk. The page to go
    /// on with, `None` at the end.
    pub(super) fn sweep_classes(&mut self, from: usize, classes: ClassSet, now: Seconds) -> Option<usize> {
        self.begin(now);
        let mut walks = 0;
        for at in from..self.slabs.pages.len() {
            if walks == WALKS_MAX || at - from == LOOKS_MAX {
                return Some(at);
            }
            let page = &self.slabs.pages[at];
            if page.is_due(now) && classes.contains(usize::from(page.class) + 1) {
                self.sweep_page(at as u32, now);
                walks += 1;
            }
        }
        None
    }

    fn sweep_page(&mut self, page: u32, now: Seconds) -> usize {
        let mut freed = 0;
        let mut lowest = NEVER;
        for number in 0..self.slabs.pages[page as usize].carved {
            let item = self.slabs.chunk(page, number);
            if self.items().state(item) & state::LIVE == 0 {
                continue;
            }
            let expiry = self.items().expiry(item);
            self.counters(item).crawler_items_checked += 1;
            if self.items().is_expired(item, now) {
                self.counters(item).crawler_reclaimed += 1;
                self.note_expired(item);
                self.unlink(item);
                freed += 1;
                // Its last item gone, the page went to the pool.
                if self.slabs.pages[page as usize].class == NO_CLASS {
                    return freed;
                }
            } else if expiry != NEVER && (lowest == NEVER || expiry < lowest) {
                lowest = expiry;
            }
        }
        self.slabs.pages[page as usize].expiry_min = lowest;
        freed
    }

    /// One slice of background work: a flush that has come due, `pages` pages of the sweep, and memory of an index that
    /// became too large.
    pub(super) fn maintain(&mut self, pages: usize, now: Seconds) {
        self.begin(now);
        self.sweep(pages, now);
        let (hasher, items) = (self.hasher, &self.slabs.items);
        if self.index.shrink(SEGMENTS_MAX, ENTRIES_MOVED_MAX, |entry| hasher.hash(items.key(entry))) {
            self.fit_pages();
        }
    }

    /// Gives some pages back after the limit fell; those of live items only where evictions are on. True when there are
    /// more that may go.
    pub(super) fn shrink(&mut self, now: Seconds) -> bool {
        for _ in 0..DROPS_MAX {
            if self.slabs.resident() <= self.slabs.pages_max() {
                return false;
            }
            if !self.give_up_a_page(now) {
                return false;
            }
        }
        self.slabs.resident() > self.slabs.pages_max()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::START;
    use crate::command::Mode;
    use crate::store::{Config, Put, Store};

    #[test]
    fn a_sweep_frees_what_expired_in_the_classes_it_was_asked_for() {
        let store = Store::new(Config::new(64 << 20, 1)).expect("memory");
        // More due pages of one class than one step walks.
        for (prefix, count, value_len) in [("small", 20_000, 20), ("large", 2000, 1000)] {
            for n in 0..count {
                let key = format!("{prefix}{n}");
                let expiry = if n % 2 == 0 { START + 5 } else { NEVER };
                let put = Put { key: key.as_bytes(), client_flags: 0, expiry, mode: Mode::Set };
                store.put(&put, &vec![b'v'; value_len], START);
            }
        }
        let small = store.classes(START).iter().find(|class| class.gauges.number > 0).expect("items").class;
        let mut only_small = ClassSet::default();
        assert!(only_small.insert(small as u32));
        let left = |classes, now| {
            store.sweep_classes(classes, now);
            store.totals().curr_items
        };
        assert_eq!(left(ClassSet::ALL, START + 1), 22_000);
        assert_eq!(left(only_small, START + 10), 12_000);
        assert_eq!(left(ClassSet::ALL, START + 10), 11_000);
    }
}

//! Pages move to the classes where they earn the most hits.
//!
//! The score of a class is the hits that one of its pages earns per operation of the shard: over the next few chunks
//! in use at the hand, the mean frequency of their items (an expired one counts nothing, and a use of a large item is
//! shared by its chunks), times the chunks in use per page, and a quarter of a hit for the page itself; all that divided
//! by the operations since the hand last passed that page. So a page whose items nobody uses goes by its age, however
//! many items that are. A class that has evicted a page's worth of items asks for a page of the class with the lowest
//! score, gets it when its own score is several times that, and asks on after each page filled until it is refused.
//! Measured against moving by age, which is memcached's rule, in `docs/storage.md`.

use super::shard::Shard;
use crate::clock::Seconds;
use crate::slab::classes::ClassId;
use crate::slab::items::{Handle, state};

/// Chunks in use looked at for a score.
const SCORE_ITEMS: usize = 64;

/// Chunks looked at for them.
const SCORE_CHUNKS_MAX: usize = 256;

/// Classes whose score is refreshed at each question.
const SCORES_REFRESHED: usize = 4;

/// By how much the asking class must earn more than the giving one.
const GAIN_MIN: f64 = 4.0;

/// How much dearer the last page of a class is.
const LAST_PAGE_WEIGHT: f64 = 4.0;

/// What a page earns whose items were not used since the hand passed, in hits: nearly nothing, however many they are.
const PAGE_WORTH: f64 = 0.25;

/// Pages tried when the first ones cannot be emptied.
const PAGES_TRIED: usize = 4;

impl Shard {
    /// Moves a page to `class` if there is one that earns little enough elsewhere. True when the pool has it.
    pub(super) fn move_a_page_to(&mut self, class: ClassId, now: Seconds) -> bool {
        self.refresh_score(class, now);
        self.refresh_scores(now);
        let Some((donor, score)) = self.poorest(Some(class)) else { return false };
        if score * GAIN_MIN > self.classes[class as usize].score {
            return false;
        }
        let moved = self.empty_a_page(donor, now, Rescue::Used);
        if let (true, Some(observer)) = (moved, &self.observer) {
            observer.page_moved(usize::from(donor) + 1, usize::from(class) + 1);
        }
        moved
    }

    /// Empties a page of the class that earns least for one that has none; used items are saved. True when the pool
    /// grew.
    pub(super) fn take_a_page(&mut self, now: Seconds) -> bool {
        self.refresh_scores(now);
        let donor = self.poorest(None);
        donor.is_some_and(|(donor, _)| self.empty_a_page(donor, now, Rescue::Used))
    }

    /// Empties a page of the class that earns least, whatever the price. True when the pool grew (or its page was
    /// given back because the limit fell).
    pub(super) fn drop_a_page(&mut self, now: Seconds) -> bool {
        let mut tried = 0u128;
        if self.free_doomed_page() {
            return true;
        }
        while let Some((donor, _)) = self.poorest_of(|class| tried & 1 << class == 0) {
            if self.empty_a_page(donor, now, Rescue::Nothing) || self.free_doomed_page() {
                return true;
            }
            tried |= 1 << donor;
        }
        false
    }

    fn poorest(&self, except: Option<ClassId>) -> Option<(ClassId, f64)> {
        self.poorest_of(|class| Some(class) != except)
    }

    fn poorest_of(&self, may: impl Fn(ClassId) -> bool) -> Option<(ClassId, f64)> {
        let mut poorest: Option<(ClassId, f64)> = None;
        for class in 0..self.slabs.classes.len() as ClassId {
            let pages = self.slabs.by_class[class as usize].pages.len();
            if pages == 0 || !may(class) {
                continue;
            }
            let weight = if pages == 1 { LAST_PAGE_WEIGHT } else { 1.0 };
            let score = self.classes[class as usize].score * weight;
            if poorest.is_none_or(|(_, lowest)| score < lowest) {
                poorest = Some((class, score));
            }
        }
        poorest
    }

    /// Measures the next few classes anew.
    fn refresh_scores(&mut self, now: Seconds) {
        for _ in 0..SCORES_REFRESHED {
            self.score_at = (self.score_at + 1) % self.slabs.classes.len() as ClassId;
            self.refresh_score(self.score_at, now);
        }
    }

    /// Measures what a page of `class` earns; see the module.
    fn refresh_score(&mut self, class: ClassId, now: Seconds) {
        let of_class = &self.slabs.by_class[class as usize];
        let Some(&at_hand) = of_class.pages.get(of_class.hand_page) else {
            self.classes[class as usize].score = 0.0;
            return;
        };
        let (mut position, mut number) = (of_class.hand_page, of_class.hand_chunk);
        let (mut seen, mut worth) = (0usize, 0.0);
        for _ in 0..SCORE_CHUNKS_MAX {
            let page = of_class.pages[position];
            if number >= self.slabs.pages[page as usize].carved {
                position = (position + 1) % of_class.pages.len();
                number = 0;
                continue;
            }
            let chunk = self.slabs.chunk(page, number);
            number += 1;
            let Some(item) = self.item_of(chunk) else { continue };
            seen += 1;
            if !self.items().is_expired(item, now) {
                let uses = self.items().state(item) & state::FREQUENCY;
                worth += f64::from(uses) / self.items().chunk_count(item) as f64;
            }
            if seen == SCORE_ITEMS {
                break;
            }
        }
        let mean = worth / seen.max(1) as f64;
        let used_per_page = (of_class.used + 1) as f64 / of_class.pages.len() as f64;
        let ticks = self.tick.saturating_sub(self.slabs.pages[at_hand as usize].passed).max(1);
        self.classes[class as usize].score = (mean * used_per_page + PAGE_WORTH) / ticks as f64;
    }

    /// Empties the page at the hand of `donor` (or one of the next few), so that it goes to the pool.
    pub(super) fn empty_a_page(&mut self, donor: ClassId, now: Seconds, rescue: Rescue) -> bool {
        for _ in 0..PAGES_TRIED {
            let of_class = &self.slabs.by_class[donor as usize];
            let Some(&page) = of_class.pages.get(of_class.hand_page) else { return false };
            // The hand leaves first, so that what is rescued does not evict its neighbours.
            self.slabs.skip_page(donor);
            if self.is_fast(page, rescue != Rescue::Nothing) {
                self.totals.pages_busy += 1;
                continue;
            }
            let before = self.empty_pages();
            self.slabs.close(page);
            self.empty(page, now, rescue);
            // The end of a long chain stays for a while, but its beginning may have filled other pages.
            if self.slabs.reopen(page) || self.empty_pages() > before {
                self.totals.slabs_moved += 1;
                return true;
            }
            self.totals.pages_busy += 1;
        }
        false
    }

    /// Frees the chunks of a closed page one by one.
    pub(super) fn empty(&mut self, page: u32, now: Seconds, rescue: Rescue) {
        for number in 0..self.slabs.pages[page as usize].carved {
            let chunk = self.slabs.chunk(page, number);
            let Some(item) = self.item_of(chunk).filter(|&item| self.pins(item) == 0) else { continue };
            let bits = self.items().state(item);
            if self.items().is_expired(item, now) {
                self.counters(item).reclaimed += 1;
                self.note_expired(item);
                self.unlink(item);
                continue;
            }
            let kept = match rescue {
                Rescue::Nothing => false,
                _ if bits & state::FREQUENCY > 0 => true,
                Rescue::Used => false,
                Rescue::All => self.slabs.has_room(self.slabs.class_of(chunk)),
            };
            if kept {
                if self.rescue(chunk, item != chunk, now) {
                    // The class of the page: the item's own page may be gone by now.
                    let class = self.slabs.pages[page as usize].class;
                    self.classes[class as usize].counters.rescued += 1;
                    continue;
                }
                // Making room may have evicted the very item.
                if self.items().state(item) & state::LIVE == 0 {
                    continue;
                }
            }
            self.note_evicted(item, now);
            self.unlink(item);
        }
    }

    /// Copies a used item or piece to another chunk of its class. False when there is none, or when making room for
    /// it evicted the item itself.
    fn rescue(&mut self, chunk: Handle, is_piece: bool, now: Seconds) -> bool {
        let class = self.slabs.class_of(chunk);
        let Some(target) = self.slabs.take(class).or_else(|| {
            let evicted = self.evict(class, now);
            if evicted { self.slabs.take(class) } else { None }
        }) else {
            return false;
        };
        let alive = self.items().state(chunk) & (state::LIVE | state::PIECE) != 0;
        if !alive {
            self.slabs.release_hold(target);
            self.slabs.give(target);
            return true;
        }
        let size = self.slabs.classes.size(class);
        self.items_mut().arena.copy_within(chunk.offset(), target.offset(), size);
        if is_piece {
            self.relink_piece(chunk, target);
        } else {
            self.relink_item(chunk, target);
        }
        self.slabs.release_hold(target);
        self.items_mut().set_state(chunk, 0);
        self.slabs.give(chunk);
        true
    }

    fn relink_item(&mut self, from: Handle, to: Handle) {
        let hash = self.hash_of(to);
        self.index.replace(hash, from, to);
        self.slabs.count_dead(from);
        self.slabs.count_live(to);
        let expiry = self.items().expiry(to);
        self.slabs.page_of(to).note_expiry(expiry);
        if self.items().is_large(to) {
            let mut piece = self.items().first_piece(to);
            while piece != Handle::NONE {
                self.items_mut().set_owner(piece, to);
                piece = self.items().next_piece(piece);
            }
        }
    }
}

/// What is saved from a page that is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rescue {
    /// Used items, for which others may have to go.
    Used,
    /// Used items, and others where there is room anyway.
    All,
    /// Nothing.
    Nothing,
}

#[cfg(test)]
mod tests {
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put, Store};

    fn put(store: &Store, key: &str, value: &[u8]) {
        let put = Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Set };
        store.put(&put, value, START);
    }

    #[test]
    fn a_cache_full_of_unused_small_items_makes_room_for_large_ones() {
        const MEMORY: usize = 64 << 20;
        const LARGE: usize = 100_000;
        let store = Store::new(Config::new(MEMORY as u64, 1)).expect("address space");
        let value = vec![b'v'; LARGE];
        for n in 0..MEMORY / 100 {
            put(&store, &format!("small-{n}"), &value[..100]);
        }
        for n in 0..1300 {
            put(&store, &format!("large-{n}"), &value);
        }
        let is_there = |n: &usize| store.fetch(format!("large-{n}").as_bytes(), &Fetch::GET, START, |_| ()).is_ok();
        let held = (0..1300).filter(is_there).count() * LARGE;
        assert!(held > MEMORY / 5 * 4, "{held} bytes of large items");
    }
}

//! Pages that move because somebody said so.

use super::Store;
use super::mover::Rescue;
use super::shard::Shard;
use crate::clock::Seconds;
use crate::slab::classes::ClassId;

/// Stands for a source that has pages to spare, whichever that is.
const ANY_CLASS: i32 = -1;

/// What became of an order to move a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reassign {
    /// The page has moved.
    Moved,
    /// The pages that were tried hold a chunk that must stay; later it may work.
    Busy,
    /// There is no such class, or none that has pages to spare.
    BadClass,
    /// The source has less than two pages in any shard.
    NoSpare,
    /// Source and destination are the same.
    Same,
}

impl Store {
    /// Moves a page of class `from` to class `to` within one shard: that where `from` has most. Items of the
    /// page are copied elsewhere in their class if that has room; for used ones it makes room. Classes are counted from
    /// 1; 0 is the pool; `from` -1 is the class that has most pages in one shard.
    pub fn reassign(&self, from: i32, to: i32, now: Seconds) -> Reassign {
        if from == to {
            return Reassign::Same;
        }
        let from = if from == ANY_CLASS { self.richest_class_but(to) } else { Some(from) };
        let (Some(from), Some(to)) = (from.and_then(|from| self.class_or_pool(from)), self.class_or_pool(to)) else {
            return Reassign::BadClass;
        };
        let pages: Vec<usize> = self.shards().map(|shard| shard.pages_of(from)).collect();
        let richest = (0..pages.len()).max_by_key(|&shard| pages[shard]).unwrap_or(0);
        if pages[richest] < 2 {
            return Reassign::NoSpare;
        }
        let mut shard = self.inner.slots[richest].shard.lock();
        shard.begin(now);
        let freed = from.is_none_or(|donor| shard.empty_a_page(donor, now, Rescue::All));
        if freed && to.is_none_or(|class| shard.take_from_pool(class)) { Reassign::Moved } else { Reassign::Busy }
    }

    /// The class with most pages in one shard, if it has two.
    fn richest_class_but(&self, to: i32) -> Option<i32> {
        let mut richest = (1, None);
        for shard in self.shards() {
            for (number, class) in (1..).zip(&shard.slabs.by_class) {
                if number != to && class.pages.len() > richest.0 {
                    richest = (class.pages.len(), Some(number));
                }
            }
        }
        richest.1
    }

    /// `Some(None)` is the pool.
    fn class_or_pool(&self, number: i32) -> Option<Option<ClassId>> {
        let class = usize::try_from(number).ok()?.checked_sub(1);
        let classes = self.inner.slots[0].shard.lock().slabs.classes.len();
        match class {
            None => Some(None),
            Some(class) => (class < classes).then_some(Some(class as ClassId)),
        }
    }
}

impl Shard {
    /// Gives `to` a page of the pool, if there is one.
    fn take_from_pool(&mut self, to: ClassId) -> bool {
        self.slabs.free_pages() > 0 && self.slabs.grow(to, self.tick)
    }

    /// Pages of a class, or of the pool.
    fn pages_of(&self, class: Option<ClassId>) -> usize {
        class.map_or(self.slabs.free_pages(), |class| self.slabs.by_class[class as usize].pages.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put};

    fn store_of(count: usize, value_len: usize) -> Store {
        let store = Store::new(Config::new(8 << 20, 1)).expect("memory");
        for n in 0..count {
            let key = format!("k{n}");
            let put = Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Set };
            store.put(&put, &vec![b'v'; value_len], START);
        }
        store
    }

    fn pages(store: &Store, class: i32) -> u64 {
        store.classes(START).iter().find(|report| report.class as i32 == class).expect("a class").gauges.total_pages
    }

    fn class_in_use(store: &Store) -> i32 {
        store.classes(START).iter().find(|report| report.gauges.number > 0).expect("items").class as i32
    }

    #[test]
    fn a_page_moves_and_its_items_stay_while_there_is_room() {
        let store = store_of(300, 1000);
        let from = class_in_use(&store);
        for n in (0..300).step_by(2) {
            store.delete(format!("k{n}").as_bytes(), START).expect("there");
        }
        let before = pages(&store, from);
        assert_eq!(store.reassign(from, 1, START), Reassign::Moved);
        assert_eq!((pages(&store, from), pages(&store, 1)), (before - 1, 1));
        for n in (1..300).step_by(2) {
            assert!(store.fetch(format!("k{n}").as_bytes(), &Fetch::GET, START, |_| ()).is_ok(), "k{n}");
        }
    }

    #[test]
    fn pages_go_to_the_pool_until_one_is_left() {
        let store = store_of(300, 1000);
        let from = class_in_use(&store);
        let pool = store.totals().free_pages;
        let spare = pages(&store, from) - 1;
        assert!(spare > 2);
        for _ in 0..spare {
            assert_eq!(store.reassign(from, 0, START), Reassign::Moved);
        }
        assert_eq!(store.reassign(from, 0, START), Reassign::NoSpare);
        assert_eq!(store.totals().free_pages, pool + spare);
        assert_eq!(store.reassign(0, 5, START), Reassign::Moved);
        assert_eq!((pages(&store, 5), store.totals().free_pages), (1, pool + spare - 1));
    }

    #[test]
    fn any_class_gives_a_page_while_it_has_two() {
        let store = store_of(300, 1000);
        let from = class_in_use(&store);
        let spare = pages(&store, from) - 1;
        for _ in 0..spare {
            assert_eq!(store.reassign(-1, 0, START), Reassign::Moved);
        }
        assert_eq!(pages(&store, from), 1);
        assert_eq!(store.reassign(-1, 0, START), Reassign::BadClass);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let store = store_of(300, 1000);
        let from = class_in_use(&store);
        for (from, to, expected) in [
            (from, from, Reassign::Same),
            (99, 99, Reassign::Same),
            (-2, 1, Reassign::BadClass),
            (-1, from, Reassign::BadClass),
            (-1, 99, Reassign::BadClass),
            (from, 62, Reassign::BadClass),
            (i32::MIN, i32::MAX, Reassign::BadClass),
            (1, from, Reassign::NoSpare),
            (0, from, Reassign::NoSpare),
        ] {
            assert_eq!(store.reassign(from, to, START), expected, "{from} {to}");
        }
    }

    #[test]
    fn pages_with_values_that_are_being_sent_stay() {
        let store = store_of(70, 20_000);
        let from = class_in_use(&store);
        let pins: Vec<_> =
            (0..70).map(|n| store.fetch(format!("k{n}").as_bytes(), &Fetch::GET, START, |found| found.pin())).collect();
        let before = pages(&store, from);
        assert_eq!(store.reassign(from, 0, START), Reassign::Busy);
        assert_eq!(pages(&store, from), before);
        drop(pins);
        assert_eq!(store.reassign(from, 0, START), Reassign::Moved);
    }
}

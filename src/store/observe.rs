//! What others may see of the store beside the replies: its own deeds as they happen, and items without a trace.

use std::fmt;

use super::shard::Shard;
use super::{Miss, Store};
use crate::clock::{NEVER, Seconds};
use crate::slab::items::{Handle, state};

/// An item that makes room for others.
#[derive(Clone, Copy, Debug)]
pub struct Evicted<'a> {
    /// Its key.
    pub key: &'a [u8],
    /// Whether it was ever read.
    pub fetched: bool,
    /// Seconds it had to live; `None` for ever.
    pub secs_left: Option<u32>,
    /// Seconds since it was used.
    pub idle_secs: u32,
    /// Its size class, counted from 1.
    pub class: usize,
    /// Bytes of its value.
    pub value_len: usize,
}

/// Is told what the store does of its own accord. Called under a shard's lock: must be quick and must not ask the
/// store.
pub trait Observer: fmt::Debug + Send + Sync {
    /// An item goes.
    fn evicted(&self, item: &Evicted<'_>);

    /// A page went from one size class to another that asked for it; both counted from 1.
    fn page_moved(&self, from: usize, to: usize);
}

/// What an item is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// Its size class, counted from 1.
    pub class: usize,
    /// Bytes of its value.
    pub value_len: usize,
    /// When it dies.
    pub expiry: Seconds,
}

impl Store {
    /// Looks at the item of `key` and leaves everything as it is, what is counted included.
    ///
    /// # Errors
    /// The [`Miss`] when there is none.
    pub fn glance(&self, key: &[u8], now: Seconds) -> Result<Glance, Miss> {
        let hash = self.hash(key);
        let mut shard = self.lock(hash);
        shard.begin(now);
        let Some(item) = shard.find(hash, key) else {
            return Err(if shard.flushed.contains(&hash) { Miss::Flushed } else { Miss::Absent });
        };
        if shard.items().is_expired(item, now) {
            return Err(Miss::Expired);
        }
        let (value_len, expiry) = (shard.items().value_len(item), shard.items().expiry(item));
        Ok(Glance { class: shard.class_number(item), value_len, expiry })
    }

    /// The size class, counted from 1, that a value of this shape would go to.
    pub fn class_for(&self, key: &[u8], client_flags: u32, value_len: usize) -> usize {
        let shard = self.lock(self.hash(key));
        let bytes = shard.items().bytes_needed(key.len(), client_flags, value_len);
        usize::from(shard.slabs.classes.class_of(bytes).unwrap_or(shard.slabs.classes.largest())) + 1
    }
}

impl Shard {
    /// Its size class, counted from 1.
    pub(super) fn class_number(&self, item: Handle) -> usize {
        usize::from(self.slabs.class_of(item)) + 1
    }

    pub(super) fn tell_evicted(&self, item: Handle, now: Seconds) {
        let Some(observer) = &self.observer else { return };
        let items = self.items();
        let expiry = items.expiry(item);
        observer.evicted(&Evicted {
            key: items.key(item),
            fetched: items.state(item) & state::FETCHED != 0,
            secs_left: (expiry != NEVER).then(|| expiry.saturating_sub(now)),
            idle_secs: now.saturating_sub(items.accessed(item)),
            class: self.class_number(item),
            value_len: items.value_len(item),
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;
    use crate::clock::START;
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put};

    #[derive(Debug, PartialEq)]
    struct Gone {
        key: Vec<u8>,
        fetched: bool,
        secs_left: Option<u32>,
        idle_secs: u32,
        value_len: usize,
    }

    #[derive(Debug, Default)]
    struct Diary {
        evicted: Mutex<Vec<Gone>>,
        moved: Mutex<Vec<(usize, usize)>>,
    }

    impl Observer for Diary {
        fn evicted(&self, item: &Evicted<'_>) {
            let Evicted { key, fetched, secs_left, idle_secs, value_len, .. } = *item;
            self.evicted.lock().push(Gone { key: key.to_vec(), fetched, secs_left, idle_secs, value_len });
        }

        fn page_moved(&self, from: usize, to: usize) {
            self.moved.lock().push((from, to));
        }
    }

    fn put(key: &[u8], expiry: Seconds) -> Put<'_> {
        Put { key, client_flags: 0, expiry, mode: Mode::Set }
    }

    #[test]
    fn glance_tells_what_is_there_and_changes_nothing() {
        let store = Store::new(Config::new(8 << 20, 1)).expect("memory");
        assert_eq!(store.glance(b"k", START), Err(Miss::Absent));
        store.put(&put(b"k", START + 10), b"value", START);
        let seen = store.glance(b"k", START + 9).expect("there");
        assert_eq!((seen.value_len, seen.expiry), (5, START + 10));
        assert_eq!(seen.class, store.class_for(b"k", 0, 5));
        for _ in 0..2 {
            assert_eq!(store.glance(b"k", START + 10), Err(Miss::Expired));
        }
        store.put(&put(b"k", NEVER), b"value", START + 10);
        store.flush(START + 11, START + 11);
        for _ in 0..2 {
            assert_eq!(store.glance(b"k", START + 11), Err(Miss::Flushed));
        }
        assert!(store.fetch(b"k", &Fetch::GET, START + 11, |_| ()) == Err(Miss::Flushed));
    }

    fn observed() -> (Store, Arc<Diary>) {
        let diary = Arc::new(Diary::default());
        let observer: Arc<dyn Observer> = diary.clone();
        let config = Config { observer: Some(observer), ..Config::new(16 << 20, 1) };
        (Store::new(config).expect("memory"), diary)
    }

    #[test]
    fn observer_hears_of_pages_that_move() {
        let (store, diary) = observed();
        for number in 0..150_000 {
            store.put(&put(format!("small{number:06}").as_bytes(), NEVER), &[b's'; 100], START);
        }
        assert_eq!(*diary.moved.lock(), []);
        let large = vec![b'v'; 20_000];
        for number in 0..3000 {
            store.put(&put(format!("large{number}").as_bytes(), NEVER), &large, START);
        }
        let classes = (store.class_for(b"small000001", 0, 100), store.class_for(b"large1", 0, large.len()));
        assert!(diary.moved.lock().contains(&classes), "{:?}", diary.moved.lock());
    }

    #[test]
    fn observer_hears_of_every_eviction() {
        let (store, diary) = observed();
        let value = vec![b'v'; 10_000];
        store.put(&put(b"first", START + 100), &value, START);
        for number in 0..4000 {
            store.put(&put(format!("key{number}").as_bytes(), NEVER), &value, START + 7);
        }
        let diary = diary.evicted.lock();
        let evicted: u64 = store.classes(START + 7).iter().map(|class| class.counters.evicted).sum();
        assert!(evicted > 0);
        assert_eq!(diary.len() as u64, evicted);
        let gone = |key: &[u8], secs_left, idle_secs| Gone {
            key: key.to_vec(),
            fetched: false,
            secs_left,
            idle_secs,
            value_len: 10_000,
        };
        assert!(diary.contains(&gone(b"first", Some(93), 7)), "{:?}", diary[0]);
        assert!(diary.contains(&gone(b"key0", None, 0)), "{:?}", diary[0]);
    }
}

//! Walks over all items in slices, while everybody else goes on.
//!
//! A slice is one segment of one shard's index. The hash of a key picks both for good, so an item that is there during
//! the whole walk is met exactly once, however often it is overwritten or moved to other memory; one that comes or goes
//! meanwhile is met once or not at all. A walk remembers where it stands and nothing else.
//!
//! A segment is meant for about 4,096 items, and to dump that many takes about a millisecond. After
//! `cache_memlimit` raised the limit far above that of the start, segments hold as many times more.

use super::Store;
use super::shard::Shard;
use crate::clock::Seconds;
use crate::command::KeyForm;
use crate::slab::items::{Handle, state};

/// Items that one slice deletes at most: deleting costs several times as much as looking.
const DELETES_MAX: usize = 1024;

/// Where a walk stands; a new one stands at the beginning.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    shard: usize,
    segment: usize,
}

impl Cursor {
    /// To the next segment of a shard that has `segments`, or to the next shard.
    fn advance(&mut self, segments: usize) {
        self.segment += 1;
        if self.segment == segments {
            *self = Cursor { shard: self.shard + 1, segment: 0 };
        }
    }
}

/// What became of one slice.
#[derive(Clone, Copy, Debug)]
pub struct DeletedSlice {
    /// Items that it had.
    pub items: usize,
    /// Those of them that were deleted.
    pub deleted: usize,
}

/// One item as a walk meets it.
#[derive(Clone, Copy, Debug)]
pub struct Scanned<'a> {
    /// The key.
    pub key: &'a [u8],
    /// How it is shown.
    pub key_form: KeyForm,
    /// Opaque to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub expiry: Seconds,
    /// When it was last used.
    pub accessed: Seconds,
    /// CAS number; 0 with `-C`.
    pub cas: u64,
    /// Whether it was fetched since it was stored.
    pub fetched: bool,
    /// Its size class, counted from 1.
    pub class: usize,
    /// Bytes of the item with header, key and value.
    pub bytes: usize,
}

impl Shard {
    fn scanned(&self, item: Handle) -> Scanned<'_> {
        let items = self.items();
        Scanned {
            key: items.key(item),
            key_form: KeyForm::of_marks(items.state(item)),
            client_flags: items.client_flags(item),
            expiry: items.expiry(item),
            accessed: items.accessed(item),
            cas: items.cas(item),
            fetched: items.state(item) & state::FETCHED != 0,
            class: self.class_number(item),
            bytes: items.item_bytes(item),
        }
    }
}

impl Store {
    /// Shows `visit` all live items of the slice at `cursor`, under its shard's lock, and moves the cursor on. How many
    /// items the slice has; `None` when the walk is over.
    pub fn scan(&self, cursor: &mut Cursor, now: Seconds, mut visit: impl FnMut(&Scanned<'_>)) -> Option<usize> {
        let mut shard = self.inner.slots.get(cursor.shard)?.shard.lock();
        shard.begin(now);
        let mut items = 0;
        for item in shard.index.segment(cursor.segment) {
            items += 1;
            if !shard.items().is_expired(item, now) {
                visit(&shard.scanned(item));
            }
        }
        cursor.advance(shard.index.segments());
        Some(items)
    }

    /// Deletes the live items of the slice at `cursor` whose keys begin with `prefix`, at most [`DELETES_MAX`], and moves
    /// the cursor on when it found no more; `None` when the walk is over.
    pub fn delete_prefix(&self, cursor: &mut Cursor, prefix: &[u8], now: Seconds) -> Option<DeletedSlice> {
        let mut shard = self.inner.slots.get(cursor.shard)?.shard.lock();
        shard.begin(now);
        let items = shard.items();
        let is_meant = |&item: &Handle| items.key(item).starts_with(prefix) && !items.is_expired(item, now);
        let slice = shard.index.segment(cursor.segment);
        let item_count = slice.len();
        let meant: Vec<Handle> = slice.filter(is_meant).take(DELETES_MAX).collect();
        for &item in &meant {
            shard.unlink(item);
        }
        if meant.len() < DELETES_MAX {
            cursor.advance(shard.index.segments());
        }
        Some(DeletedSlice { items: item_count, deleted: meant.len() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::{Config, Fetch, Put};

    fn set(store: &Store, key: &str, value_len: usize, expiry: Seconds) {
        let put = Put { key: key.as_bytes(), client_flags: 0, expiry, mode: Mode::Set };
        store.put(&put, &vec![b'v'; value_len], START);
    }

    #[test]
    fn what_stays_is_met_once_whatever_happens_around_it() {
        let store = Store::new(Config { item_max_bytes: 1 << 20, ..Config::new(64 << 20, 1) }).expect("memory");
        for n in 0..40_000 {
            set(&store, &format!("stable{n}"), 4, NEVER);
        }
        let mut met: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut cursor = Cursor::default();
        let mut slice = 0;
        while store.scan(&mut cursor, START, |item| *met.entry(item.key.to_vec()).or_default() += 1).is_some() {
            for n in 0..300 {
                // Other lengths go to other memory; segments grow and are rebuilt.
                set(&store, &format!("stable{}", (slice * 300 + n) % 40_000), (slice + n) % 200, NEVER);
                set(&store, &format!("new{slice}-{n}"), 10, NEVER);
                let _ = store.delete(format!("new{}-{n}", slice / 2).as_bytes(), START);
            }
            slice += 1;
        }
        assert!(slice > 100, "the walk had {slice} slices");
        for n in 0..40_000 {
            assert_eq!(met.get(format!("stable{n}").as_bytes()), Some(&1), "{n}");
        }
    }

    #[test]
    fn expired_and_flushed_items_are_not_met() {
        let store = Store::new(Config::new(8 << 20, 1)).expect("memory");
        set(&store, "short", 4, START + 1);
        set(&store, "long", 4, START + 100);
        let keys_at = |now| {
            let mut keys = Vec::new();
            let mut cursor = Cursor::default();
            while store.scan(&mut cursor, now, |item| keys.push(item.key.to_vec())).is_some() {}
            keys
        };
        assert_eq!(keys_at(START).len(), 2);
        assert_eq!(keys_at(START + 10), [b"long"]);
        store.flush(START + 20, START + 10);
        assert_eq!(keys_at(START + 20).len(), 0);
    }

    #[test]
    fn delete_prefix_takes_all_of_its_own_in_slices() {
        let store = Store::new(Config::new(64 << 20, 1)).expect("memory");
        for n in 0..60_000 {
            set(&store, &format!("a{n}"), 4, NEVER);
            set(&store, &format!("b{n}"), 4, NEVER);
        }
        let mut cursor = Cursor::default();
        let mut deleted = 0;
        while let Some(more) = store.delete_prefix(&mut cursor, b"a", START) {
            assert!(more.deleted <= DELETES_MAX.min(more.items));
            deleted += more.deleted;
        }
        assert_eq!(deleted, 60_000);
        assert_eq!(store.totals().curr_items, 60_000);
        assert!(store.fetch(b"b7", &Fetch::GET, START, |_| ()).is_ok());
        assert!(store.fetch(b"a7", &Fetch::GET, START, |_| ()).is_err());
    }
}

//! Deleting items, wholly or in part: what is deleted can stay behind as a stale value or an empty item, so that its
//! readers agree on who renews it.

use super::shard::Shard;
use super::{Miss, Mode, Outcome, Put, Store};
use crate::clock::Seconds;
use crate::slab::items::{Handle, state};

/// What is left of an item that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// The item with an empty value, these client flags and this expiry; its CAS number stays.
    Empty {
        /// Opaque to the server.
        client_flags: u32,
        /// When it dies.
        expiry: Seconds,
    },
    /// The item, marked stale, unclaimed, with a new CAS number.
    Stale {
        /// When it dies, if not when it would have.
        expiry: Option<Seconds>,
    },
    /// The item with an empty value, marked stale, with a new CAS number.
    StaleEmpty {
        /// Opaque to the server.
        client_flags: u32,
        /// When it dies.
        expiry: Seconds,
    },
}

/// How to delete.
#[derive(Clone, Copy, Debug)]
pub struct Removal {
    /// Only an item with this CAS number.
    pub compare: Option<u64>,
    /// What to leave.
    pub remains: Remains,
    /// The CAS number for what is left.
    pub next_cas: Option<u64>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoveOutcome {
    /// Done.
    Done,
    /// There is no such item.
    NotFound(Miss),
    /// The item's CAS number is another.
    Exists,
    /// There is no memory for the empty item; the old one is still there.
    NoMemory,
}

impl Removal {
    /// Whatever the item's CAS number, and nothing is left.
    pub const PLAIN: Removal = Removal { compare: None, remains: Remains::Nothing, next_cas: None };
}

impl Store {
    /// Deletes an item.
    ///
    /// # Errors
    /// The [`Miss`] when there is none.
    pub fn delete(&self, key: &[u8], now: Seconds) -> Result<(), Miss> {
        match self.remove(key, &Removal::PLAIN, now) {
            RemoveOutcome::NotFound(miss) => Err(miss),
            _ => Ok(()),
        }
    }

    /// Deletes an item, or a part of it.
    pub fn remove(&self, key: &[u8], removal: &Removal, now: Seconds) -> RemoveOutcome {
        let hash = self.hash(key);
        let mut shard = self.lock(hash);
        let cas = match removal.remains {
            Remains::Nothing => None,
            Remains::Empty { .. } => removal.next_cas,
            Remains::Stale { .. } | Remains::StaleEmpty { .. } => Some(self.cas_for(removal.next_cas)),
        };
        shard.remove(hash, key, removal, now, cas)
    }
}

impl Shard {
    /// `cas` is the number that what is left gets, if it is to change.
    fn remove(&mut self, hash: u64, key: &[u8], removal: &Removal, now: Seconds, cas: Option<u64>) -> RemoveOutcome {
        self.begin_with(hash, key, now);
        let item = match self.lookup(hash, key, now) {
            Ok(item) => item,
            Err(miss) => return RemoveOutcome::NotFound(miss),
        };
        if removal.compare.is_some_and(|cas| cas != self.items().cas(item)) {
            return RemoveOutcome::Exists;
        }
        let cas = cas.unwrap_or(self.items().cas(item));
        match removal.remains {
            Remains::Nothing => {
                self.counters(item).delete_hits += 1;
                self.unlink_hashed(hash, item);
            }
            Remains::Empty { client_flags, expiry } => {
                let Some(item) = self.leave_empty(hash, item, client_flags, expiry, now, cas) else {
                    return RemoveOutcome::NoMemory;
                };
                self.counters(item).delete_hits += 1;
            }
            Remains::Stale { expiry } => self.make_stale(item, expiry, cas),
            Remains::StaleEmpty { client_flags, expiry } => {
                let Some(item) = self.leave_empty(hash, item, client_flags, expiry, now, cas) else {
                    return RemoveOutcome::NoMemory;
                };
                self.make_stale(item, None, cas);
            }
        }
        RemoveOutcome::Done
    }

    /// An empty item in the place of `item`.
    fn leave_empty(
        &mut self,
        hash: u64,
        item: Handle,
        client_flags: u32,
        expiry: Seconds,
        now: Seconds,
        cas: u64,
    ) -> Option<Handle> {
        let key = self.items().key(item).to_vec();
        let form = self.items().state(item) & state::BINARY_KEY;
        let put = Put { key: &key, client_flags, expiry, mode: Mode::Set };
        let outcome = self.write(hash, Some(item), &put, b"", now, cas);
        match self.mark_stored(hash, &key, form, outcome) {
            Outcome::Stored { .. } => self.find(hash, &key),
            _ => None,
        }
    }

    fn make_stale(&mut self, item: Handle, expiry: Option<Seconds>, cas: u64) {
        if let Some(expiry) = expiry {
            self.set_expiry(item, expiry);
        }
        let items = self.items_mut();
        let marked = items.state(item) & !state::CLAIMED | state::STALE;
        items.set_state(item, marked);
        items.set_cas(item, cas);
    }
}

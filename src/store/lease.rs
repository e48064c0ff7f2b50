//! Reads that may create, claim or only look: how a herd of readers agrees on the one that renews an item.

use super::fetch::Found;
use super::shard::Shard;
use super::{Miss, Mode, Outcome, Put, Store};
use crate::clock::Seconds;
use crate::command::KeyForm;
use crate::slab::items::{Handle, state};

/// An empty item for a missing key, so that later readers see that somebody is fetching the value.
#[derive(Clone, Copy, Debug)]
pub struct Create {
    /// When it dies.
    pub expiry: Seconds,
    /// Its CAS number, if not the next one.
    pub next_cas: Option<u64>,
    /// How the key is shown.
    pub key_form: KeyForm,
}

impl Store {
    /// Lets `read` look at the item of `key` without a trace: nothing is counted, nothing changes.
    ///
    /// # Errors
    /// The [`Miss`] when there is none.
    pub fn inspect<R>(&self, key: &[u8], now: Seconds, read: impl FnOnce(&Found<'_>) -> R) -> Result<R, Miss> {
        let hash = self.hash(key);
        let slot = self.slot_of(hash);
        let mut shard = self.inner.slots[slot].shard.lock();
        shard.begin(now);
        let (item, fixed) = shard.look_at(hash, key, now)?;
        Ok(read(&Found { shard: &mut shard, inner: &self.inner, slot, item, fixed, created: None }))
    }
}

impl Shard {
    /// An empty item for a key that has none. `None` when there is no memory for it.
    pub(super) fn create_empty(
        &mut self,
        hash: u64,
        key: &[u8],
        create: &Create,
        now: Seconds,
        cas: u64,
    ) -> Option<Handle> {
        let put = Put { key, client_flags: 0, expiry: create.expiry, mode: Mode::Add };
        let outcome = self.write(hash, None, &put, b"", now, cas);
        match self.mark_stored(hash, key, create.key_form.mark(), outcome) {
            Outcome::Stored { .. } => self.find(hash, key),
            _ => None,
        }
    }
}

impl Found<'_> {
    #[inline]
    fn has(&self, bit: u8) -> bool {
        self.shard.items().state(self.item) & bit != 0
    }

    /// Why there was no such item before, when this look-up made it.
    #[inline]
    pub fn created(&self) -> Option<Miss> {
        self.created
    }

    /// Whether it was fetched before.
    #[inline]
    pub fn is_fetched(&self) -> bool {
        self.has(state::FETCHED)
    }

    /// When it was last used.
    #[inline]
    pub fn accessed(&self) -> Seconds {
        self.shard.items().accessed(self.item)
    }

    /// Whether its value was declared out of date.
    #[inline]
    pub fn is_stale(&self) -> bool {
        self.has(state::STALE)
    }

    /// Whether a reader has claimed it.
    #[inline]
    pub fn is_claimed(&self) -> bool {
        self.has(state::CLAIMED)
    }

    /// This reader renews it.
    pub fn claim(&mut self) {
        self.shard.mark(self.item, state::CLAIMED);
    }

    /// How its key is shown.
    #[inline]
    pub fn key_form(&self) -> KeyForm {
        KeyForm::of_marks(self.shard.items().state(self.item))
    }

    /// Its size class, counted from 1.
    pub fn class(&self) -> usize {
        self.shard.class_number(self.item)
    }

    /// All bytes of the item, as the byte gauges count them.
    pub fn item_bytes(&self) -> usize {
        self.shard.items().item_bytes(self.item)
    }
}

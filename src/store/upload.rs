//! Values that arrive in parts and are written to where they will stay.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::join::Join;
use super::large::Chain;
use super::shard::Shard;
use super::{Inner, Mode, Outcome, Put, Store, Terms};
use crate::clock::Seconds;
use crate::slab::items::{Head, Items};

/// Ranges that one vectored read may fill, 256 KiB at most: what is announced is believed no further than that.
pub(super) const SPARE_RANGES: usize = 8;

/// A value under way. Dropped before [`Upload::finish`], it leaves no trace.
#[derive(Debug)]
pub struct Upload {
    inner: Arc<Inner>,
    pub(super) items: Items,
    slot: usize,
    pub(super) hash: u64,
    pub(super) key: Box<[u8]>,
    client_flags: u32,
    expiry: Seconds,
    mode: Mode,
    terms: Terms,
    value_len: usize,
    /// `None` once finished.
    chain: Option<Chain>,
    /// Value bytes still to come.
    left: usize,
    /// The complete value is being joined to another.
    pub(super) join: Option<Join>,
}

/// What became of a complete value.
#[derive(Debug)]
pub enum Finish {
    /// It is over.
    Done(Outcome),
    /// There is more to copy than others should wait for: [`Upload::finish`] goes on with it.
    Later(Box<Upload>),
}

/// Whether it was tried to store a value before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    First,
    Further,
}

/// The same, as a shard sees it.
#[derive(Debug)]
pub(super) enum Decision {
    /// The chain was stored or freed.
    Done(Outcome),
    /// The chain is to be joined.
    Join(Chain, Join),
}

impl Store {
    /// Begins a value of `value_len` bytes.
    ///
    /// # Errors
    /// [`Outcome::TooLarge`] or [`Outcome::NoMemory`].
    pub fn upload(&self, put: &Put<'_>, value_len: usize, now: Seconds) -> Result<Upload, Outcome> {
        self.upload_on(&Terms::PLAIN, put, value_len, now)
    }

    /// The same on further terms.
    ///
    /// # Errors
    /// [`Outcome::TooLarge`] or [`Outcome::NoMemory`].
    pub fn upload_on(&self, terms: &Terms, put: &Put<'_>, value_len: usize, now: Seconds) -> Result<Upload, Outcome> {
        if !self.fits(put.key.len(), put.client_flags, value_len) {
            return Err(Outcome::TooLarge);
        }
        let hash = self.hash(put.key);
        let slot = self.slot_of(hash);
        let head = Head { key: put.key, client_flags: put.client_flags, expiry: put.expiry, accessed: now, value_len };
        let chain = {
            let mut shard = self.inner.slots[slot].shard.lock();
            shard.begin_with(hash, put.key, now);
            match shard.start_chain(&head, now) {
                Some(chain) => chain,
                None => return Err(shard.no_memory_for(&head)),
            }
        };
        Ok(Upload {
            inner: Arc::clone(&self.inner),
            items: Items::new(self.inner.slots[slot].mapping.arena(), self.inner.config.cas),
            slot,
            hash,
            key: put.key.into(),
            client_flags: put.client_flags,
            expiry: put.expiry,
            mode: put.mode,
            terms: *terms,
            value_len,
            chain: Some(chain),
            left: value_len,
            join: None,
        })
    }
}

impl Upload {
    /// Value bytes still to come.
    pub fn left(&self) -> usize {
        self.left
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// What is to be stored and how.
    pub fn put(&self) -> Put<'_> {
        Put { key: &self.key, client_flags: self.client_flags, expiry: self.expiry, mode: self.mode }
    }

    /// Bytes of the whole value.
    pub fn value_len(&self) -> usize {
        self.value_len
    }

    /// What else was asked.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Takes the next bytes of the value, at most [`Upload::left`], from memory.
    ///
    /// # Errors
    /// [`Outcome::NoMemory`]; the upload is of no more use then.
    pub fn write(&mut self, bytes: &[u8], now: Seconds) -> Result<(), Outcome> {
        debug_assert!(bytes.len() <= self.left);
        let Some(chain) = &mut self.chain else { return Ok(()) };
        if !self.inner.slots[self.slot].shard.lock().fill_chain(chain, bytes, now) {
            return Err(Outcome::NoMemory);
        }
        self.left -= bytes.len();
        Ok(())
    }

    /// Room for the next bytes of the value, to read them into without a copy. Never more than [`Upload::left`] in
    /// all; unused entries are empty. [`Upload::filled`] takes note of what was read.
    ///
    /// # Errors
    /// [`Outcome::NoMemory`]; the upload is of no more use then.
    pub fn spare(&mut self, now: Seconds) -> Result<[&mut [u8]; SPARE_RANGES], Outcome> {
        let Some(chain) = &mut self.chain else { return Ok([(); SPARE_RANGES].map(|()| Default::default())) };
        if chain.open.len() < SPARE_RANGES {
            let mut shard = self.inner.slots[self.slot].shard.lock();
            while chain.open.len() < SPARE_RANGES && shard.extend_chain(chain, now) {}
        }
        if chain.open.is_empty() && self.left > 0 {
            return Err(Outcome::NoMemory);
        }
        let mut ranges = [(0, 0); SPARE_RANGES];
        for (range, &open) in ranges.iter_mut().zip(&chain.open) {
            *range = open;
        }
        Ok(self.items.arena.many_mut(ranges))
    }

    /// The first `len` bytes of the last [`Upload::spare`] were written.
    pub fn filled(&mut self, len: usize) {
        if let Some(chain) = &mut self.chain {
            chain.filled(len);
            self.left -= len;
        }
    }

    /// Stores the complete value as its mode asks, or does a step of that: about as much as it takes to copy a
    /// megabyte.
    pub fn finish(mut self, now: Seconds) -> Finish {
        debug_assert_eq!(self.left, 0, "finished before the value was complete");
        if let Some(join) = self.join.take() {
            return self.go_on(join, now);
        }
        self.decide(now, Attempt::First)
    }

    /// Stores the value or begins to join it, given what is there now.
    pub(super) fn decide(mut self, now: Seconds, attempt: Attempt) -> Finish {
        let Some(chain) = self.chain.take() else { return Finish::Done(Outcome::NotStored) };
        let decision = {
            let mut shard = self.lock();
            let cas = self.next_cas();
            shard.begin(now);
            if attempt == Attempt::First {
                shard.count_set(&self.put(), self.value_len);
            }
            shard.finish_upload(self.hash, &self.put(), &self.terms, chain, now, cas)
        };
        match decision {
            Decision::Done(outcome) => Finish::Done(outcome),
            Decision::Join(chain, join) => {
                self.chain = Some(chain);
                self.join = Some(join);
                Finish::Later(Box::new(self))
            }
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shard> {
        self.inner.slots[self.slot].shard.lock()
    }

    pub(super) fn next_cas(&self) -> u64 {
        Store { inner: Arc::clone(&self.inner) }.cas_for(self.terms.next_cas)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (chain, join) = (self.chain.take(), self.join.take());
        if chain.is_none() && join.is_none() {
            return;
        }
        let mut shard = self.lock();
        join.iter().for_each(|join| shard.abandon_join(join));
        chain.iter().for_each(|chain| shard.abandon_chain(chain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::store::Config;
    use crate::store::tests::{finish, verify, verify_nothing_held};

    #[test]
    fn unfinished_values_take_half_of_a_shard_unless_there_is_one() {
        let store = Store::new(Config { item_max_bytes: 16 << 20, ..Config::new(32 << 20, 1) }).expect("address space");
        let begin = |key| {
            let put = Put { key, client_flags: 0, expiry: NEVER, mode: Mode::Set };
            store.upload(&put, (16 << 20) - 100, START).expect("memory")
        };
        let part = [b'v'; 1 << 20];
        let (mut first, mut second) = (begin(b"first"), begin(b"second"));
        let mut taken = 0;
        while first.write(&part, START).is_ok() && second.write(&part, START).is_ok() {
            taken += 2;
        }
        assert!((12..16).contains(&taken), "{taken} MiB");
        drop((first, second));
        // Alone the largest value finds room, though with its chunks' headers it is more than half.
        let mut alone = begin(b"alone");
        while alone.left() > 0 {
            alone.write(&part[..part.len().min(alone.left())], START).expect("memory");
        }
        assert!(matches!(finish(alone, START), Outcome::Stored { .. }));
        verify(&store);
        verify_nothing_held(&store);
    }
}

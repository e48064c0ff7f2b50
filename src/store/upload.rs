//! Values that arrive in parts and are written to where they will stay.

use std::sync::Arc;

use super::large::Chain;
use super::{Inner, Mode, Outcome, Put, Store, Terms};
use crate::clock::Seconds;
use crate::slab::arena::Arena;
use crate::slab::items::Head;

/// Ranges that one vectored read may fill, 256 KiB at most: what is announced is believed no further than that.
pub(super) const SPARE_RANGES: usize = 8;

/// A value under way. Dropped before [`Upload::finish`], it leaves no trace.
#[derive(Debug)]
pub struct Upload {
    inner: Arc<Inner>,
    arena: Arena,
    slot: usize,
    hash: u64,
    key: Box<[u8]>,
    client_flags: u32,
    expiry: Seconds,
    mode: Mode,
    terms: Terms,
    value_len: usize,
    /// `None` once finished.
    chain: Option<Chain>,
    /// Value bytes still to come.
    left: usize,
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
            arena: self.inner.slots[slot].mapping.arena(),
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
        let mut left = self.left;
        for (range, &(at, room)) in ranges.iter_mut().zip(&chain.open) {
            // The CRLF is not the client's to write.
            *range = (at, room.min(left));
            left -= range.1;
        }
        Ok(self.arena.many_mut(ranges))
    }

    /// The first `len` bytes of the last [`Upload::spare`] were written.
    pub fn filled(&mut self, len: usize) {
        if let Some(chain) = &mut self.chain {
            chain.filled(len);
            self.left -= len;
        }
    }

    /// Stores the complete value as its mode asks.
    pub fn finish(mut self, now: Seconds) -> Outcome {
        debug_assert_eq!(self.left, 0, "finished before the value was complete");
        let Some(chain) = self.chain.take() else { return Outcome::NotStored };
        let put = self.put();
        let store = Store { inner: Arc::clone(&self.inner) };
        let cas = store.cas_for(self.terms.next_cas);
        let mut shard = self.inner.slots[self.slot].shard.lock();
        shard.finish_upload(self.hash, &put, &self.terms, chain, now, cas)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(chain) = self.chain.take() {
            self.inner.slots[self.slot].shard.lock().abandon_chain(&chain);
        }
    }
}

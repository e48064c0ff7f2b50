//! Commands on items.

use std::sync::atomic::Ordering;

use super::Context;
use super::watch::Deletion;
use crate::command::{Delta, Mode, WatchKinds};
use crate::stats::counters::WorkerCounters;
use crate::stats::prefixes::Event;
use crate::store::{
    DeltaOutcome, DeltaTerms, Fetch, Finish, Found, Miss, OnFailure, Outcome, Put, Removal, RemoveOutcome, Terms,
    Upload,
};

impl Context<'_> {
    /// get, or gat and touch when `how` has a new expiry; `read` sees the item under its shard's lock.
    #[inline(always)] // So that a plain get does not ask what it is.
    pub fn fetch<R>(&self, key: &[u8], how: &Fetch, read: impl FnOnce(&mut Found<'_>) -> R) -> Option<R> {
        let counters = self.counters;
        let (asked, missed) = match how.touch {
            None => (&counters.cmd_get, &counters.get_misses),
            Some(_) => (&counters.cmd_touch, &counters.touch_misses),
        };
        asked.add(1);
        self.note_lookup(key);
        let result = self.shared.store.fetch(key, how, self.now, read);
        self.note_prefix(key, Event::Get { hit: result.is_ok() });
        match result {
            Ok(read) => Some(read),
            Err(miss) => {
                missed.add(1);
                self.count_miss(miss);
                None
            }
        }
    }

    pub(super) fn count_miss(&self, miss: Miss) {
        match miss {
            Miss::Absent => {}
            Miss::Expired => self.counters.get_expired.add(1),
            Miss::Flushed => self.counters.get_flushed.add(1),
        }
    }

    /// set, add, replace, append, prepend, cas of a value in memory.
    #[inline]
    pub fn store(&self, terms: &Terms, put: &Put<'_>, value: &[u8]) -> Outcome {
        self.note_prefix(put.key, Event::Set);
        let before = self.before(WatchKinds::FETCHERS, put.key);
        let outcome = self.shared.store.put_on(terms, put, value, self.now);
        self.note_stored(put, value.len(), before, outcome);
        self.count_stored(terms, put, outcome);
        outcome
    }

    /// The same for a value that is still to come.
    ///
    /// # Errors
    /// [`Outcome::TooLarge`] or [`Outcome::NoMemory`], counted.
    pub fn begin_upload(&self, terms: &Terms, put: &Put<'_>, value_len: usize) -> Result<Upload, Outcome> {
        self.note_prefix(put.key, Event::Set);
        self.shared.store.upload_on(terms, put, value_len, self.now).inspect_err(|&outcome| {
            self.note_stored(put, value_len, None, outcome);
            self.count_stored(terms, put, outcome);
        })
    }

    /// A value that was to come is refused before it did.
    pub fn refuse_store(&self, terms: &Terms, put: &Put<'_>, outcome: Outcome) {
        self.note_prefix(put.key, Event::Set);
        self.note_stored(put, 0, None, outcome);
        self.count_stored(terms, put, outcome);
    }

    /// A value came whole, but what stood behind it was no line end. (Uploads were counted when they began.)
    pub fn refuse_chunk(&self, put: &Put<'_>) {
        self.note_prefix(put.key, Event::Set);
    }

    /// Stores what an upload collected, or does a step of it.
    pub fn finish_upload(&self, upload: Upload) -> Finish {
        let (key, value_len, terms) = (upload.key().to_vec(), upload.value_len(), *upload.terms());
        let put = Put { key: &key, ..upload.put() };
        let before = self.before(WatchKinds::FETCHERS, &key);
        let finish = upload.finish(self.now);
        if let Finish::Done(outcome) = finish {
            self.note_stored(&put, value_len, before, outcome);
            self.count_stored(&terms, &put, outcome);
        }
        finish
    }

    /// An upload found no memory half way.
    pub fn fail_upload(&self, upload: Upload) {
        let (key, terms) = (upload.key().to_vec(), *upload.terms());
        let put = Put { key: &key, ..upload.put() };
        drop(upload);
        self.note_stored(&put, 0, None, Outcome::NoMemory);
        self.count_stored(&terms, &put, Outcome::NoMemory);
    }

    #[inline]
    fn count_stored(&self, terms: &Terms, put: &Put<'_>, outcome: Outcome) {
        let WorkerCounters { store_too_large, store_no_memory, cas_misses, .. } = self.counters;
        match outcome {
            Outcome::TooLarge => store_too_large.add(1),
            Outcome::NoMemory => store_no_memory.add(1),
            Outcome::NotFound => {
                cas_misses.add(1);
                return;
            }
            _ => return,
        }
        // What could not be replaced must not live on as if it were current (memcached: for set and all of ms).
        if put.mode == Mode::Set || terms.on_failure == OnFailure::Discard {
            self.note_lookup(put.key);
            self.shared.store.discard(put.key);
        }
    }

    /// delete, md.
    pub fn delete(&self, key: &[u8], removal: &Removal, command: Deletion) -> RemoveOutcome {
        self.note_prefix(key, Event::Delete);
        let before = self.before(WatchKinds::FETCHERS.and(WatchKinds::DELETIONS), key);
        let outcome = self.shared.store.remove(key, removal, self.now);
        self.note_removed(key, removal, command, before, outcome);
        match outcome {
            RemoveOutcome::Done | RemoveOutcome::NoMemory => {}
            // memcached counts another CAS number as a miss of md, and not of the binary delete.
            RemoveOutcome::Exists if command == Deletion::Meta => self.counters.delete_misses.add(1),
            RemoveOutcome::Exists => {}
            RemoveOutcome::NotFound(miss) => {
                self.counters.delete_misses.add(1);
                self.count_miss(miss);
            }
        }
        outcome
    }

    /// incr, decr, ma.
    pub fn add_delta(&self, terms: &DeltaTerms, key: &[u8], delta: Delta) -> DeltaOutcome {
        self.note_lookup(key);
        let outcome = self.shared.store.add_delta_on(terms, key, delta, self.now);
        self.note_number(terms, key, outcome);
        if outcome == DeltaOutcome::NotFound {
            match delta {
                Delta::Incr(_) => self.counters.incr_misses.add(1),
                Delta::Decr(_) => self.counters.decr_misses.add(1),
            }
        }
        outcome
    }

    #[inline]
    pub(super) fn note_prefix(&self, key: &[u8], event: Event) {
        if self.shared.detail.load(Ordering::Relaxed) {
            self.shared.prefixes.note(key, event);
        }
    }
}

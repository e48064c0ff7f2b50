//! From one server to the next: what a store leaves behind, and how its successor takes it over.
//!
//! With a memory file the arenas outlive the process; index, page table and counters do not. At its end a store says
//! in a few bytes what is where, and with which checksum ([`Store::save`]). A successor with the same settings walks over
//! the memory, checks it and makes the rest anew ([`Store::restore`]). It takes all or nothing: a store that was changed
//! in one place is not known to be right in another. What the bytes mean is in `docs/storage.md`.

mod state;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;

pub use state::Refusal;

use self::state::{ShardState, State};
use self::walk::Place;
use super::{Config, Store, arena_bytes};
use crate::clock::Seconds;
use crate::slab::classes::PAGE;
use crate::sys::memory_file::HEADER_BYTES;

/// A store that was taken over.
#[derive(Debug)]
pub struct Restored {
    /// With all items whose time is not over.
    pub store: Store,
    /// What the clock showed when this was called: the predecessor's, and the time since.
    pub now: Duration,
}

/// A value is still being received; see [`Store::save`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillReceiving;

impl Config {
    /// Bytes of the memory file.
    pub(super) fn file_bytes(&self) -> u64 {
        let shards = self.shard_count();
        HEADER_BYTES + (shards * arena_bytes(self, shards)) as u64
    }

    /// The most bytes that [`Store::save`] returns.
    pub fn state_bytes_max(&self) -> usize {
        let shards = self.shard_count();
        State::bytes_max(shards * (arena_bytes(self, shards) / PAGE), shards)
    }
}

impl Store {
    /// Says what a successor needs to know beside the memory file. `now` is the server's clock with the part of the
    /// second, `unix` the Unix time. The store has ended with that: every later operation waits for ever, so that nothing
    /// changes any more.
    ///
    /// # Errors
    /// When a value is being received, as its bytes are written without a lock.
    pub fn save(&self, now: Duration, unix: Duration) -> Result<Vec<u8>, StillReceiving> {
        let shards: Vec<_> = self.shards().collect();
        if shards.iter().any(|shard| shard.upload_bytes > 0) {
            return Err(StillReceiving);
        }
        let shards_left = in_parallel(shards.iter().map(|shard| &**shard).collect(), |shard| shard.leave());
        shards.into_iter().for_each(std::mem::forget);
        let inner = &self.inner;
        let last_cas = inner.last_cas.load(Ordering::Relaxed);
        let state = State { clock: now, unix, last_cas, seeds: inner.seeds, shards: shards_left };
        Ok(state.encode(&inner.config))
    }

    /// Takes over what a store of the same `config` left in the memory file and said in `state`.
    ///
    /// # Errors
    /// When version or settings differ, or anything is not as it was left. The memory file is of no use then, and
    /// [`Store::new`] may have it.
    pub fn restore(config: Config, state: &[u8], unix: Duration) -> Result<Restored, Refusal> {
        let state = State::decode(state, &config)?;
        // A wall clock that was set back counts as no time at all.
        let now = state.clock.saturating_add(unix.saturating_sub(state.unix));
        let second = Seconds::try_from(now.as_secs()).map_err(|_| Refusal::Damaged("its clock is of another age"))?;
        if config
            .memory_file
            .as_ref()
            .is_none_or(|file| !file.metadata().is_ok_and(|facts| facts.len() == config.file_bytes()))
        {
            return Err(Refusal::Damaged("the memory has another length"));
        }
        let store = Store::over(config, state.seeds).map_err(|error| Refusal::Host(error.to_string()))?;
        store.inner.last_cas.store(state.last_cas, Ordering::Relaxed);
        store.adopt(&state.shards, second)?;
        Ok(Restored { store, now })
    }

    fn adopt(&self, left: &[ShardState], now: Seconds) -> Result<(), Refusal> {
        let slots = left.len();
        let jobs = (0..).zip(self.inner.slots.iter().zip(left)).collect();
        let adopted = in_parallel(jobs, |(slot, (own, left)): (usize, (_, &ShardState))| {
            let own: &super::Slot = own;
            own.shard.lock().adopt(Place { slot, slots }, left, now)
        });
        adopted.into_iter().collect()
    }
}

/// Does all jobs on as many threads as there are processors; results in the order of the jobs.
fn in_parallel<J: Send, R: Send>(jobs: Vec<J>, work: impl Fn(J) -> R + Sync) -> Vec<R> {
    let count = jobs.len();
    let queue = Mutex::new(jobs.into_iter().enumerate());
    let next = || queue.lock().next();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count);
    let mut results: Vec<(usize, R)> = thread::scope(|scope| {
        let work_off = || std::iter::from_fn(|| next().map(|(number, job)| (number, work(job)))).collect::<Vec<_>>();
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work_off)).collect();
        let own = work_off();
        helpers
            .into_iter()
            .flat_map(|helper| helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .chain(own)
            .collect()
    });
    results.sort_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

//! The cache itself: a plain library that knows keys, values, expiry and memory, and nothing of protocols, sockets
//! or clocks.
//!
//! A [`Store`] is a few shards, each a complete small cache behind one `parking_lot::Mutex`; the hash of a key picks
//! the shard. What a caller does with an item happens in a closure under that lock and must be short: encode a small
//! value, or pin a large one and send it later. How many shards there are follows from the memory and the threads;
//! see [`Config::shard_count`].
//!
//! `now` arguments are seconds of [`crate::clock`]; they may not go back.

mod chains;
mod counters;
mod evict;
mod fetch;
mod hot;
mod index;
mod join;
mod large;
mod lease;
mod mover;
mod number;
mod observe;
mod prefetch;
mod reassign;
mod remove;
mod report;
mod restart;
mod scan;
mod shard;
mod sweep;
mod terms;
mod upload;

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;
use parking_lot::{Mutex, MutexGuard};

pub use counters::{ClassCounters, ClassGauges, StoreTotals};
pub use fetch::{End, Fetch, Found, Parts, Pinned, Visit};
pub use hot::HotKey;
pub use lease::Create;
pub use observe::{Evicted, Glance, Observer};
pub use prefetch::PREFETCH_KEYS;
pub use reassign::Reassign;
pub use remove::{Remains, Removal, RemoveOutcome};
pub use report::{ClassReport, ListedItem, ShardReport};
pub use restart::{Refusal, Restored, StillReceiving};
pub use scan::{Cursor, DeletedSlice, Scanned};
pub use terms::{CreateNumber, DeltaTerms, Missing, Older, OnFailure, Terms};
pub use upload::{Finish, Upload};

use crate::clock::Seconds;
use crate::command::{KEY_MAX, Mode};
use crate::slab::arena::Mapping;
use crate::slab::backing::Backing;
use crate::slab::classes::PAGE;
use crate::slab::items::VALUE_MAX;
use crate::sys::memory_file::HEADER_BYTES;
use shard::Shard;

/// Memory that one shard should have at least, in bytes. At -m 64 and two threads, four shards of 16 MiB cost 0.7 % of
/// the hits of one shard, which in turn cost 12 % more processor time; two lie between.
const SHARD_BYTES: u64 = 32 << 20;

/// How many of the largest items a shard must hold.
const ITEMS_PER_SHARD_MIN: u64 = 8;

/// Address space reserved for each byte of memory limit, so that the limit can be raised while running.
const RESERVE_FACTOR: usize = 16;

/// The largest arena in bytes: what 32-bit handles reach.
const ARENA_MAX: usize = (u32::MAX as usize) * 8 / PAGE * PAGE;

/// How a store is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes for items and index together.
    pub memory_bytes: u64,
    /// The largest item in bytes, counted as memcached counts (`-I`).
    pub item_max_bytes: u32,
    /// Threads that will use the store.
    pub threads: usize,
    /// Whether items carry CAS numbers.
    pub cas: bool,
    /// Whether old items make room for new ones.
    pub evictions: bool,
    /// Whether pages move between classes.
    pub page_moves: bool,
    /// Whether to ask for huge pages.
    pub huge_pages: bool,
    /// Whether all memory will be locked: no address space is reserved beyond the limit then.
    pub locked: bool,
    /// Whether to keep a histogram of item sizes.
    pub track_sizes: bool,
    /// A file to keep the items in, instead of memory of the process; see [`crate::sys::memory_file`]. No more is
    /// reserved than the limit then.
    pub memory_file: Option<Arc<File>>,
    /// Who is told of evictions and page moves.
    pub observer: Option<Arc<dyn Observer>>,
}

impl Config {
    /// A store of `memory_bytes` for `threads` threads, all else as by default.
    pub fn new(memory_bytes: u64, threads: usize) -> Config {
        Config {
            memory_bytes,
            item_max_bytes: 1 << 20,
            threads,
            cas: true,
            evictions: true,
            page_moves: true,
            huge_pages: false,
            locked: false,
            track_sizes: false,
            memory_file: None,
            observer: None,
        }
    }

    /// The limit that `-I` sets.
    fn item_limit(&self) -> ItemLimit {
        ItemLimit { bytes: self.item_max_bytes as usize, header: if self.cas { 48 + 8 } else { 48 } }
    }

    /// Whether the limit is all there can ever be.
    fn is_fixed(&self) -> bool {
        self.locked || self.memory_file.is_some()
    }

    /// A power of two: one shard for each 32 MiB, at most 4 for each thread, and none so small that it could not hold
    /// eight of the largest items, or larger than an arena reaches. Few shards lose few hits to half-empty pages; more
    /// wait less for each other.
    pub fn shard_count(&self) -> usize {
        let by_memory = self.memory_bytes / SHARD_BYTES;
        let by_item = self.memory_bytes / (ITEMS_PER_SHARD_MIN * u64::from(self.item_max_bytes));
        let by_threads = 4 * self.threads as u64;
        let most = by_memory.min(by_item).min(by_threads).clamp(1, 512);
        let by_reach = self.memory_bytes.div_ceil(ARENA_MAX as u64).next_power_of_two() as usize;
        by_reach.max(1 << most.ilog2())
    }
}

/// How large an item may be.
#[derive(Clone, Copy, Debug)]
struct ItemLimit {
    bytes: usize,
    header: usize,
}

impl ItemLimit {
    /// memcached's formula, so that the same values fit: a header of 48 bytes, 8 for the CAS number, the key and a NUL,
    /// 4 for flags that are not 0, the value and its CRLF.
    fn allows(self, key_len: usize, client_flags: u32, value_len: usize) -> bool {
        let flags = if client_flags == 0 { 0 } else { 4 };
        let bytes = (self.header + key_len + 1 + flags + 2).saturating_add(value_len);
        bytes <= self.bytes && value_len <= VALUE_MAX
    }
}

/// A value to store, without the value.
#[derive(Clone, Copy, Debug)]
pub struct Put<'a> {
    /// 1 to [`KEY_MAX`] bytes.
    pub key: &'a [u8],
    /// Opaque to the server.
    pub client_flags: u32,
    /// When the item dies.
    pub expiry: Seconds,
    /// Under which condition to store.
    pub mode: Mode,
}

/// Whether expired items are looked for in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Yes.
    On,
    /// No: they go when somebody asks for them or their memory is wanted.
    Off,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Stored.
    Stored {
        /// The item's CAS number (0 with `-C`).
        cas: u64,
        /// Bytes of its value, which is longer than what was sent after append and prepend.
        value_len: usize,
    },
    /// The mode's condition was not met.
    NotStored,
    /// The item's CAS number is another.
    Exists,
    /// There is no item to compare with.
    NotFound,
    /// The value is larger than `-I` allows.
    TooLarge,
    /// There is no memory to be had.
    NoMemory,
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// There is no such item.
    Absent,
    /// There was one and its time was over; it is gone now.
    Expired,
    /// A flush took it. Only told for the first miss of a key, and for a limited number of keys.
    Flushed,
}

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeltaOutcome {
    /// It is this now.
    Value {
        /// The new number.
        number: u64,
        /// The item's new CAS number.
        cas: u64,
        /// When the item was to die before this command; [`NEVER`](crate::clock::NEVER) where there was none.
        expiry: Seconds,
        /// Whether the item is new.
        created: bool,
    },
    /// There is no such item.
    NotFound,
    /// The item's CAS number is another.
    Exists,
    /// The value is not a decimal number of 64 bits.
    NonNumeric,
    /// There is no memory for the longer number.
    NoMemory,
    /// There is no memory for a new item.
    NoMemoryForNew,
}

/// The secret of a store's hash, as two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seeds {
    key: u64,
    shared: u64,
}

impl Seeds {
    fn random() -> Seeds {
        // The standard library's hasher state is seeded by the operating system.
        let draw = |n: u64| RandomState::new().hash_one(n);
        Seeds { key: draw(1), shared: draw(2) }
    }

    fn hasher(self) -> KeyHasher {
        // Lives as long as the process, as stores do; a test that makes many leaks a few bytes for each.
        KeyHasher { seed: self.key, shared: Box::leak(Box::new(SharedSeed::from_u64(self.shared))) }
    }
}

/// The hash of keys, with a secret of this store.
#[derive(Clone, Copy, Debug)]
struct KeyHasher {
    seed: u64,
    shared: &'static SharedSeed,
}

impl KeyHasher {
    #[inline]
    fn hash(self, key: &[u8]) -> u64 {
        let mut hasher = FoldHasher::with_seed(self.seed, self.shared);
        hasher.write(key);
        hasher.finish()
    }
}

/// One shard and the memory it uses. The shard goes first when both are dropped.
#[derive(Debug)]
struct Slot {
    shard: Mutex<Shard>,
    mapping: Mapping,
}

#[derive(Debug)]
struct Inner {
    slots: Box<[CachePadded<Slot>]>,
    hasher: KeyHasher,
    seeds: Seeds,
    /// The last CAS number given out.
    last_cas: CachePadded<AtomicU64>,
    /// Whether look-ups in advance pay; see `prefetch`.
    wants_prefetch: AtomicBool,
    config: Config,
}

/// A handle on the store; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

impl Store {
    /// Makes an empty store.
    ///
    /// # Errors
    /// When the kernel refuses the address space, huge pages that were asked for, or the memory file.
    pub fn new(config: Config) -> io::Result<Store> {
        if let Some(file) = &config.memory_file {
            file.set_len(HEADER_BYTES)?;
            file.set_len(config.file_bytes())?;
        }
        Store::over(config, Seeds::random())
    }

    /// A store that knows no item, be there any in its memory file or not.
    fn over(config: Config, seeds: Seeds) -> io::Result<Store> {
        let count = config.shard_count();
        let budget = shard_budget(config.memory_bytes, count);
        let hasher = seeds.hasher();
        let slots = (0..count)
            .map(|slot| {
                let (mapping, backing) = memory(&config, slot, budget)?;
                let shard = Shard::new(mapping.arena(), backing, &config, budget, hasher);
                Ok(CachePadded::new(Slot { shard: Mutex::new(shard), mapping }))
            })
            .collect::<io::Result<_>>()?;
        Ok(Store {
            inner: Arc::new(Inner {
                slots,
                hasher,
                seeds,
                last_cas: CachePadded::default(),
                wants_prefetch: AtomicBool::new(false),
                config,
            }),
        })
    }

    /// How the store was made.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        self.inner.hasher.hash(key)
    }

    #[inline]
    fn slot_of(&self, hash: u64) -> usize {
        (hash >> 48) as usize & (self.inner.slots.len() - 1)
    }

    #[inline]
    fn lock(&self, hash: u64) -> MutexGuard<'_, Shard> {
        self.inner.slots[self.slot_of(hash)].shard.lock()
    }

    fn shards(&self) -> impl Iterator<Item = MutexGuard<'_, Shard>> {
        self.inner.slots.iter().map(|slot| slot.shard.lock())
    }

    #[inline]
    fn next_cas(&self) -> u64 {
        if self.inner.config.cas { self.inner.last_cas.fetch_add(1, Ordering::Relaxed) + 1 } else { 0 }
    }

    /// The CAS number for a change: the one asked for, or the next. To be taken under the shard's lock, so that the numbers
    /// of an item never go back.
    #[inline]
    fn cas_for(&self, asked: Option<u64>) -> u64 {
        match asked {
            None => self.next_cas(),
            Some(cas) => cas * u64::from(self.inner.config.cas),
        }
    }

    /// Whether an item of this shape is small enough; see [`ItemLimit::allows`].
    pub fn fits(&self, key_len: usize, client_flags: u32, value_len: usize) -> bool {
        self.inner.config.item_limit().allows(key_len, client_flags, value_len)
    }

    /// Stores a value that is in memory.
    #[inline]
    pub fn put(&self, put: &Put<'_>, value: &[u8], now: Seconds) -> Outcome {
        self.put_on(&Terms::PLAIN, put, value, now)
    }

    /// The same on further terms.
    #[inline]
    pub fn put_on(&self, terms: &Terms, put: &Put<'_>, value: &[u8], now: Seconds) -> Outcome {
        debug_assert!((1..=KEY_MAX).contains(&put.key.len()));
        if !self.fits(put.key.len(), put.client_flags, value.len()) {
            return Outcome::TooLarge;
        }
        let hash = self.hash(put.key);
        let mut shard = self.lock(hash);
        let cas = self.cas_for(terms.next_cas);
        shard.put(hash, put, terms, value, now, cas)
    }

    /// Deletes whatever is there, without counting it: what was to replace it could not be stored.
    pub fn discard(&self, key: &[u8]) {
        let hash = self.hash(key);
        self.lock(hash).delete_quietly(hash, key);
    }

    /// Everything stored before `at` dies then; everything stored before now dies at once when `at` is not later than
    /// `now`. Replaces a flush that is still to come; `Seconds::MAX` does only that.
    pub fn flush(&self, at: Seconds, now: Seconds) {
        for mut shard in self.shards() {
            // One that has come due is not replaced.
            shard.begin(now);
            shard.flush_at = at;
            if at <= now {
                shard.flush();
            }
        }
    }

    /// Whether pages move between classes from now on.
    pub fn set_page_moves(&self, page_moves: bool) {
        for mut shard in self.shards() {
            shard.page_moves = page_moves;
        }
    }

    /// Changes the memory limit. False when `bytes` is more than the address space reserved at start. Memory above a
    /// lower limit is given back by [`Store::shrink`].
    pub fn set_memory_limit(&self, bytes: u64) -> bool {
        let budget = shard_budget(bytes, self.inner.slots.len());
        if self.inner.slots.iter().any(|slot| budget > slot.mapping.arena().len()) || self.inner.config.is_fixed() {
            return false;
        }
        for mut shard in self.shards() {
            shard.set_budget(budget);
        }
        true
    }

    /// Gives back a page of every shard that is above a lowered limit. True when there is more to give back; then
    /// the caller pauses before the next call, so that requests get to the locks.
    pub fn shrink(&self, now: Seconds) -> bool {
        // Each shard takes its step, whatever the others say.
        self.shards().map(|mut shard| shard.shrink(now)).filter(|&more| more).count() > 0
    }
}

fn shard_budget(memory_bytes: u64, shards: usize) -> usize {
    ((memory_bytes / shards as u64) as usize).max(16 * PAGE)
}

/// Bytes of one of `shards` arenas in a memory file.
fn arena_bytes(config: &Config, shards: usize) -> usize {
    whole_pages(shard_budget(config.memory_bytes, shards))
}

fn whole_pages(bytes: usize) -> usize {
    bytes.min(ARENA_MAX).next_multiple_of(PAGE)
}

/// The memory of one shard.
fn memory(config: &Config, slot: usize, budget: usize) -> io::Result<(Mapping, Backing)> {
    let Some(file) = &config.memory_file else { return Ok((reserve(config, budget)?, Backing::Anonymous)) };
    let len = whole_pages(budget);
    let start = HEADER_BYTES + (slot * len) as u64;
    Ok((Mapping::of_file(file, start, len)?, Backing::File { file: Arc::clone(file), start }))
}

/// Reserves more than the budget, so that the limit can be raised; as much as the kernel lets us have.
fn reserve(config: &Config, budget: usize) -> io::Result<Mapping> {
    if !config.is_fixed()
        && let Ok(mapping) = Mapping::reserve(whole_pages(budget * RESERVE_FACTOR), config.huge_pages)
    {
        return Ok(mapping);
    }
    Mapping::reserve(whole_pages(budget), config.huge_pages)
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

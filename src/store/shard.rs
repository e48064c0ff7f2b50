//! One shard: a complete small cache behind one lock, single-threaded inside.
//!
//! Every operation starts with [`Shard::begin`], which carries out a flush that has come due, so that no operation
//! ever sees an item that should be dead. Time and CAS numbers come in as arguments.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::counters::{ClassCounters, StoreTotals};
use super::hot::HotKeys;
use super::index::Index;
use super::join::JOINED_AT_ONCE_MAX;
use super::terms::{Heritage, Missing, Older, Terms};
use super::{Config, ItemLimit, KeyHasher, Miss, Mode, Observer, Outcome, Put};
use crate::clock::Seconds;
use crate::slab::arena::Arena;
use crate::slab::backing::Backing;
use crate::slab::classes::{ClassId, PAGE};
use crate::slab::items::{Fixed, Handle, Head, Items, state};
use crate::slab::pages::Slabs;

/// No flush is pending.
pub(super) const NO_FLUSH: Seconds = Seconds::MAX;

/// Bytes that one column of the histogram of sizes covers.
pub(super) const SIZE_STEP: usize = 32;

/// What a class needs beyond its pages.
#[derive(Debug, Default)]
pub(super) struct ClassState {
    pub(super) counters: ClassCounters,
    /// Bytes of the live items.
    pub(super) bytes: usize,
    /// Evictions since the last page was asked for.
    pub(super) evicted_since: usize,
    /// Chunks that other classes lent while this one has no page.
    pub(super) borrowed: usize,
    /// Hits that one page earns per tick; see `mover`.
    pub(super) score: f64,
    /// Seconds the last victim had been idle.
    pub(super) evicted_time: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) slabs: Slabs,
    pub(super) index: Index,
    pub(super) classes: Vec<ClassState>,
    pub(super) hasher: KeyHasher,
    /// Bytes for pages, tables and index together.
    pub(super) budget: usize,
    /// Operations so far: the time that page scores are measured in.
    pub(super) tick: u64,
    /// Hashes of some keys that the last flush took, so that the next miss can say so (memcached's get_flushed).
    pub(super) flushed: HashSet<u64>,
    /// When everything stored before dies.
    pub(super) flush_at: Seconds,
    pub(super) item_limit: ItemLimit,
    pub(super) evictions: bool,
    pub(super) page_moves: bool,
    /// Bytes of chunks that uploads hold.
    pub(super) upload_bytes: usize,
    /// Heads of the large items whose pieces must stay where they are: being written or pinned.
    pub(super) held_chains: HashSet<Handle>,
    /// Heads of dead chains that still have pieces to be freed.
    pub(super) doomed: Vec<Handle>,
    /// Replies being sent from an item's chunks, by item; those of most are none.
    pub(super) pins: HashMap<Handle, u16, RandomState>,
    /// Bytes of items that are pinned.
    pub(super) pinned_bytes: usize,
    /// Next page the expiry sweep looks at.
    pub(super) sweep_at: usize,
    /// Next class whose score is refreshed.
    pub(super) score_at: ClassId,
    pub(super) totals: StoreTotals,
    pub(super) hot: HotKeys,
    /// Live items by size in steps of [`SIZE_STEP`], when kept (`-o track_sizes`).
    pub(super) sizes: Option<HashMap<u32, i64>>,
    pub(super) observer: Option<Arc<dyn Observer>>,
}

impl Shard {
    pub(super) fn new(arena: Arena, backing: Backing, config: &Config, budget: usize, hasher: KeyHasher) -> Shard {
        let slabs = Slabs::new(arena, backing, config.cas, budget / PAGE);
        let classes = (0..slabs.classes.len()).map(|_| ClassState::default()).collect();
        let mut shard = Shard {
            slabs,
            index: Index::new(budget),
            classes,
            hasher,
            budget,
            tick: 0,
            flushed: HashSet::new(),
            flush_at: NO_FLUSH,
            item_limit: config.item_limit(),
            evictions: config.evictions,
            page_moves: config.page_moves,
            upload_bytes: 0,
            held_chains: HashSet::new(),
            doomed: Vec::new(),
            pins: HashMap::default(),
            pinned_bytes: 0,
            sweep_at: 0,
            score_at: 0,
            totals: StoreTotals::default(),
            hot: HotKeys::new(),
            sizes: config.track_sizes.then(HashMap::new),
            observer: config.observer.clone(),
        };
        shard.fit_pages();
        shard
    }

    #[inline]
    pub(super) fn items(&self) -> &Items {
        &self.slabs.items
    }

    #[inline]
    pub(super) fn items_mut(&mut self) -> &mut Items {
        &mut self.slabs.items
    }

    /// What every operation does first.
    #[inline]
    pub(super) fn begin(&mut self, now: Seconds) {
        self.tick += 1;
        if now >= self.flush_at {
            self.flush();
        }
    }

    /// Replies being sent from the item's chunks.
    #[inline]
    pub(super) fn pins(&self, item: Handle) -> u16 {
        if self.pins.is_empty() { 0 } else { self.pins.get(&item).copied().unwrap_or(0) }
    }

    #[inline]
    pub(super) fn class_state(&mut self, item: Handle) -> &mut ClassState {
        let class = self.slabs.class_of(item);
        &mut self.classes[class as usize]
    }

    /// Keeps the byte gauge of the item's class, and the histogram of sizes if there is one.
    #[inline]
    pub(super) fn count_bytes(&mut self, item: Handle, removed: usize, added: usize) {
        let class = self.class_state(item);
        class.bytes = class.bytes + added - removed;
        if let Some(sizes) = &mut self.sizes {
            for (bytes, step) in [(removed, -1), (added, 1)] {
                if bytes > 0 {
                    *sizes.entry(bytes.div_ceil(SIZE_STEP) as u32).or_insert(0) += step;
                }
            }
        }
    }

    /// The counters of the class that `item` lies in.
    #[inline]
    pub(super) fn counters(&mut self, item: Handle) -> &mut ClassCounters {
        &mut self.class_state(item).counters
    }

    pub(super) fn hash_of(&self, item: Handle) -> u64 {
        self.hasher.hash(self.items().key(item))
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<Handle> {
        let items = self.items();
        self.index.find(hash, |item| items.key(item) == key)
    }

    /// The live item of `key`. An expired one is freed and reported as such.
    #[inline]
    pub(super) fn lookup(&mut self, hash: u64, key: &[u8], now: Seconds) -> Result<Handle, Miss> {
        self.look_at(hash, key, now).map(|(item, _)| item)
    }

    /// The same with the start of the item, which had to be read anyway.
    #[inline(always)] // It is most of what a get does.
    pub(super) fn look_at(&mut self, hash: u64, key: &[u8], now: Seconds) -> Result<(Handle, Fixed), Miss> {
        let mut start = None;
        let items = self.items();
        let found = self.index.find(hash, |item| {
            let fixed = items.fixed(item);
            start = Some(fixed);
            items.key_behind(item, fixed) == key
        });
        match (found, start) {
            (Some(item), Some(fixed)) if fixed.is_expired(now) => {
                self.note_expired(item);
                self.unlink_hashed(hash, item);
                Err(Miss::Expired)
            }
            (Some(item), Some(fixed)) => Ok((item, fixed)),
            _ if self.flushed.is_empty() || !self.flushed.remove(&hash) => Err(Miss::Absent),
            _ => Err(Miss::Flushed),
        }
    }

    pub(super) fn live(&mut self, hash: u64, key: &[u8], now: Seconds) -> Option<Handle> {
        self.lookup(hash, key, now).ok()
    }

    /// Marks a use: the clock hand will pass the item by, and `fetched` shows.
    #[inline]
    pub(super) fn bump(&mut self, item: Handle, now: Seconds, fetched: bool) {
        let items = self.items_mut();
        let fixed = items.fixed(item);
        let old = fixed.state();
        let mut new = if fetched { old | state::FETCHED } else { old };
        if new & state::FREQUENCY < state::FREQUENCY {
            new += 1;
        }
        if new != old {
            items.set_state(item, new);
        }
        if fixed.accessed() != now {
            items.set_accessed(item, now);
        }
    }

    /// The live item that `chunk` is, or is a piece of.
    pub(super) fn item_of(&self, chunk: Handle) -> Option<Handle> {
        let bits = self.items().state(chunk);
        let item = if bits & state::PIECE != 0 { self.items().owner(chunk) } else { chunk };
        (self.items().state(item) & state::LIVE != 0).then_some(item)
    }

    pub(super) fn note_expired(&mut self, item: Handle) {
        let fetched = self.items().state(item) & state::FETCHED != 0;
        self.counters(item).expired_unfetched += u64::from(!fetched);
    }

    /// Takes a live item out of the index and frees it, at the latest when its last pin goes.
    pub(super) fn unlink(&mut self, item: Handle) {
        self.unlink_hashed(self.hash_of(item), item);
    }

    pub(super) fn unlink_hashed(&mut self, hash: u64, item: Handle) {
        self.index.remove(hash, item);
        self.kill(item);
    }

    /// Frees an item that is no longer in the index, at the latest when its last pin goes.
    pub(super) fn kill(&mut self, item: Handle) {
        if self.mark_dead(item) {
            self.free_chain(item);
        }
    }

    /// The same for a flush, which frees pieces by themselves.
    pub(super) fn kill_head(&mut self, item: Handle) {
        if self.mark_dead(item) {
            self.slabs.give(item);
        }
    }

    /// True when nothing holds the item.
    #[inline]
    fn mark_dead(&mut self, item: Handle) -> bool {
        let bytes = self.items().item_bytes(item);
        self.count_bytes(item, bytes, 0);
        self.slabs.count_dead(item);
        let items = self.items_mut();
        let dead = items.state(item) & !state::LIVE;
        items.set_state(item, dead);
        self.pins(item) == 0
    }

    /// Puts a written item, whose chunks are still taken, where readers find it, in the place of any other of its key.
    pub(super) fn publish(&mut self, hash: u64, item: Handle, cas: u64, expiry: Seconds) {
        let bytes = self.items().item_bytes(item);
        self.items_mut().set_cas(item, cas);
        self.items_mut().set_state(item, state::LIVE);
        let items = self.items();
        let key = items.key(item);
        match self.index.find(hash, |other| items.key(other) == key) {
            Some(old) => {
                let frequency = used_again(items.state(old));
                self.items_mut().set_state(item, state::LIVE | frequency);
                self.index.replace(hash, old, item);
                self.kill(old);
            }
            None => {
                let (hasher, items) = (self.hasher, &self.slabs.items);
                self.index.insert(hash, item, |entry| hasher.hash(items.key(entry)));
            }
        }
        self.count_bytes(item, 0, bytes);
        self.slabs.count_live(item);
        self.slabs.page_of(item).note_expiry(expiry);
        self.release_chain(item);
        self.totals.total_items += 1;
    }

    /// set, add, replace, append, prepend and cas of a value that is in memory. `cas` is the number the item gets.
    pub(super) fn put(
        &mut self,
        hash: u64,
        put: &Put<'_>,
        terms: &Terms,
        value: &[u8],
        now: Seconds,
        cas: u64,
    ) -> Outcome {
        self.begin_with(hash, put.key, now);
        let found = self.lookup(hash, put.key, now);
        self.count_set(put, value.len());
        if matches!(found, Err(Miss::Flushed)) {
            // memcached finds flushed items when it looks for room; here their memory was free at once.
            let class = self.class_for(put, value.len());
            self.classes[class as usize].counters.reclaimed += 1;
        }
        let old = found.ok();
        match self.admit(old, put.mode, terms, now) {
            Err(refusal) => refusal,
            Ok(Store::Replace) => {
                let outcome = self.write(hash, old, put, value, now, cas);
                self.mark_stored(hash, put.key, terms.key_form.mark(), outcome)
            }
            Ok(Store::Succeed(heritage)) => {
                let put = Put { expiry: heritage.expiry, ..*put };
                let outcome = self.write(hash, old, &put, value, now, cas);
                self.mark_stored(hash, put.key, heritage.marks | terms.key_form.mark(), outcome)
            }
            Ok(Store::Join(old)) => self.join(hash, old, put.mode, value, now, cas),
        }
    }

    /// Whether the mode lets the value in, given what is there.
    pub(super) fn admit(
        &mut self,
        old: Option<Handle>,
        mode: Mode,
        terms: &Terms,
        now: Seconds,
    ) -> Result<Store, Outcome> {
        let Some(old) = old else {
            return match mode {
                Mode::Set | Mode::Add => Ok(Store::Replace),
                Mode::Cas(_) => Err(Outcome::NotFound),
                Mode::Append | Mode::Prepend if terms.missing == Missing::Create => Ok(Store::Replace),
                Mode::Replace | Mode::Append | Mode::Prepend => Err(Outcome::NotStored),
            };
        };
        match mode {
            Mode::Set | Mode::Replace => Ok(Store::Replace),
            Mode::Add => {
                self.bump(old, now, false);
                Err(Outcome::NotStored)
            }
            // An item never carries 0, but without CAS numbers (-C) all do, and 0 must not match them.
            Mode::Cas(expected) if expected != 0 && expected == self.items().cas(old) => {
                self.counters(old).cas_hits += 1;
                Ok(Store::Replace)
            }
            Mode::Cas(expected) if terms.older == Older::Stale && (1..self.items().cas(old)).contains(&expected) => {
                self.counters(old).cas_hits += 1;
                Ok(Store::Succeed(self.heritage(old)))
            }
            Mode::Cas(_) => {
                self.counters(old).cas_badval += 1;
                Err(Outcome::Exists)
            }
            Mode::Append | Mode::Prepend if terms.compare.is_some_and(|cas| cas != self.items().cas(old)) => {
                Err(Outcome::Exists)
            }
            Mode::Append | Mode::Prepend => Ok(Store::Join(old)),
        }
    }

    /// memcached counts a set when it has found the room, whatever becomes of it.
    pub(super) fn count_set(&mut self, put: &Put<'_>, value_len: usize) {
        let class = self.class_for(put, value_len);
        self.classes[class as usize].counters.cmd_set += 1;
    }

    /// The class that counts for a value of this length.
    fn class_for(&self, put: &Put<'_>, value_len: usize) -> ClassId {
        let bytes = self.items().bytes_needed(put.key.len(), put.client_flags, value_len);
        self.slabs.classes.class_of(bytes).unwrap_or(self.slabs.classes.largest())
    }

    /// Stores the value under its key, over `old` where that is possible.
    pub(super) fn write(
        &mut self,
        hash: u64,
        old: Option<Handle>,
        put: &Put<'_>,
        value: &[u8],
        now: Seconds,
        cas: u64,
    ) -> Outcome {
        let head = Head {
            key: put.key,
            client_flags: put.client_flags,
            expiry: put.expiry,
            accessed: now,
            value_len: value.len(),
        };
        let bytes = self.items().bytes_needed(put.key.len(), put.client_flags, value.len());
        let Some(class) = self.slabs.classes.class_of(bytes) else {
            return self.write_large(hash, &head, &[value], cas, now);
        };
        if let Some(old) = old
            && self.may_overwrite(old, class)
        {
            self.overwrite(old, &head, value, bytes, cas);
            return Outcome::Stored { cas, value_len: value.len() };
        }
        let Some(item) = self.allocate_indexed(hash, put.key, class, now) else {
            return self.no_memory(class);
        };
        self.items_mut().write_small(item, &head, [value], 0, 0);
        self.publish(hash, item, cas, put.expiry);
        Outcome::Stored { cas, value_len: value.len() }
    }

    pub(super) fn no_memory(&mut self, class: ClassId) -> Outcome {
        self.classes[class as usize].counters.outofmemory += 1;
        Outcome::NoMemory
    }

    /// Whether a new item of `class` may be written over the live item `old`: nobody is sending it, and its chunk is
    /// of the size the new one wants.
    #[inline]
    fn may_overwrite(&self, old: Handle, class: ClassId) -> bool {
        let items = self.items();
        self.slabs.class_of(old) == class && self.pins(old) == 0 && !items.is_large(old)
    }

    fn overwrite(&mut self, old: Handle, head: &Head<'_>, value: &[u8], bytes: usize, cas: u64) {
        let before = self.items().item_bytes(old);
        let frequency = used_again(self.items().state(old));
        self.count_bytes(old, before, bytes);
        let items = self.items_mut();
        items.write_small(old, head, [value], cas, state::LIVE | frequency);
        self.slabs.page_of(old).note_expiry(head.expiry);
        self.totals.total_items += 1;
    }

    /// Whether the item may have a value of this length.
    pub(super) fn may_join(&self, old: Handle, joined_len: usize) -> bool {
        let items = self.items();
        self.item_limit.allows(items.key_len(old), items.client_flags(old), joined_len)
    }

    /// append and prepend: the value joined to that of `old`, whose flags and expiry stay. What gets longer than a
    /// megabyte is refused: it wants an [`Upload`](super::Upload).
    pub(super) fn join(&mut self, hash: u64, old: Handle, mode: Mode, value: &[u8], now: Seconds, cas: u64) -> Outcome {
        let joined_len = self.items().value_len(old) + value.len();
        if joined_len > JOINED_AT_ONCE_MAX || !self.may_join(old, joined_len) {
            return Outcome::NotStored;
        }
        let items = self.items();
        let client_flags = items.client_flags(old);
        let bytes = items.bytes_needed(items.key_len(old), client_flags, joined_len);
        let class = self.slabs.classes.class_of(bytes);
        if class.is_some_and(|class| self.may_overwrite(old, class)) {
            self.join_in_place(old, mode, value, cas);
            self.bump(old, now, false);
            return Outcome::Stored { cas, value_len: joined_len };
        }
        // Making room may not take the old item away, so it is pinned meanwhile.
        let key = self.items().key(old).to_vec();
        let head =
            Head { key: &key, client_flags, expiry: self.items().expiry(old), accessed: now, value_len: joined_len };
        let form = self.items().state(old) & state::BINARY_KEY;
        let is_pinned = self.pins(old) > 0;
        if !is_pinned {
            self.pin_regardless(old);
        }
        let old_value = self.copy_value(old);
        let outcome = match mode {
            Mode::Prepend => self.write_parts(hash, &head, class, [value, &old_value], cas, now),
            _ => self.write_parts(hash, &head, class, [&old_value, value], cas, now),
        };
        if !is_pinned {
            self.unpin(old);
        }
        match outcome {
            // What memcached says when there is no memory for the joined item.
            Outcome::NoMemory => Outcome::NotStored,
            other => self.mark_stored(hash, &key, form, other),
        }
    }

    fn write_parts(
        &mut self,
        hash: u64,
        head: &Head<'_>,
        class: Option<ClassId>,
        parts: [&[u8]; 2],
        cas: u64,
        now: Seconds,
    ) -> Outcome {
        let Some(class) = class else {
            return self.write_large(hash, head, &parts, cas, now);
        };
        let Some(item) = self.allocate_indexed(hash, head.key, class, now) else {
            return self.no_memory(class);
        };
        self.items_mut().write_small(item, head, parts, 0, 0);
        self.publish(hash, item, cas, head.expiry);
        Outcome::Stored { cas, value_len: head.value_len }
    }

    fn join_in_place(&mut self, item: Handle, mode: Mode, value: &[u8], cas: u64) {
        let before = self.items().item_bytes(item);
        self.count_bytes(item, before, before + value.len());
        let items = self.items_mut();
        let old_len = items.value_len(item);
        let at = items.value_at(item);
        if mode == Mode::Prepend {
            items.arena.copy_within(at, at + value.len(), old_len);
            items.arena.bytes_mut(at, value.len()).copy_from_slice(value);
        } else {
            items.arena.bytes_mut(at + old_len, value.len()).copy_from_slice(value);
        }
        items.set_value_len(item, old_len + value.len());
        items.set_cas(item, cas);
        let fresh = items.state(item) & !(state::FETCHED | state::STALE | state::CLAIMED);
        items.set_state(item, fresh);
        self.totals.total_items += 1;
    }

    /// Puts `digits` in the place of the value of a small item: in the same chunk where nobody is sending it, padded
    /// with blanks when they are shorter (memcached keeps the length); else in a new item.
    pub(super) fn rewrite_number(&mut self, hash: u64, item: Handle, digits: &[u8], now: Seconds, cas: u64) -> Outcome {
        let items = self.items();
        let old_len = items.value_len(item);
        let free_to_write = self.pins(item) == 0 && !items.is_large(item);
        if digits.len() <= old_len && free_to_write {
            let at = items.value_at(item);
            let items = self.items_mut();
            let target = items.arena.bytes_mut(at, old_len);
            target[..digits.len()].copy_from_slice(digits);
            target[digits.len()..].fill(b' ');
            items.set_cas(item, cas);
            self.bump(item, now, false);
            return Outcome::Stored { cas, value_len: old_len };
        }
        let key = self.items().key(item).to_vec();
        let form = self.items().state(item) & state::BINARY_KEY;
        let client_flags = self.items().client_flags(item);
        let put = Put { key: &key, client_flags, expiry: self.items().expiry(item), mode: Mode::Set };
        let outcome = if self.items().is_large(item) {
            let mut padded = digits.to_vec();
            padded.resize(old_len.max(digits.len()), b' ');
            self.write(hash, Some(item), &put, &padded, now, cas)
        } else {
            self.write(hash, Some(item), &put, digits, now, cas)
        };
        self.mark_stored(hash, &key, form, outcome)
    }

    /// Frees the item of `key`, live or not; for values that could not be stored.
    pub(super) fn delete_quietly(&mut self, hash: u64, key: &[u8]) {
        if let Some(item) = self.find(hash, key) {
            self.unlink_hashed(hash, item);
        }
    }
}

/// The frequency of what takes an item's place: who stores a key again is using it.
#[inline]
fn used_again(bits: u8) -> u8 {
    ((bits & state::FREQUENCY) + 1).min(state::FREQUENCY)
}

/// What a mode asks for once it is admitted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Store {
    /// The value as it is.
    Replace,
    /// The value as it is, with what a stale item leaves to its successor.
    Succeed(Heritage),
    /// The value joined to this item's.
    Join(Handle),
}

//! Reading: what a caller sees of an item, and how a large value leaves without the lock.

use std::io::IoSlice;
use std::sync::Arc;

use super::large::Span;
use super::lease::Create;
use super::shard::Shard;
use super::{Inner, Miss, Store};
use crate::clock::Seconds;
pub use crate::slab::items::Parts;
use crate::slab::items::{Fixed, Handle, Items};

/// Whether a read counts as a use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visit {
    /// The item is worth more for it.
    Bump,
    /// Nothing changes.
    Peek,
}

/// How to read.
#[derive(Clone, Copy, Debug)]
pub struct Fetch {
    /// Whether it counts as a use.
    pub visit: Visit,
    /// A new expiry for the item if it was there (touch, gat).
    pub touch: Option<Seconds>,
    /// What to do where nothing is.
    pub create: Option<Create>,
}

impl Fetch {
    /// A plain get.
    pub const GET: Fetch = Fetch { visit: Visit::Bump, touch: None, create: None };

    /// Touch or gat with a new expiry.
    pub fn touch(expiry: Seconds) -> Fetch {
        Fetch { touch: Some(expiry), ..Fetch::GET }
    }
}

/// What stands behind a value on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A CRLF.
    Crlf,
    /// Nothing.
    None,
}

impl End {
    /// Its text.
    #[inline]
    pub fn text(self) -> &'static [u8] {
        match self {
            End::Crlf => b"\r\n",
            End::None => b"",
        }
    }

    /// How long that is.
    #[inline]
    pub fn bytes(self) -> usize {
        self.text().len()
    }
}

/// A live item, seen under its shard's lock, as it was before this visit.
#[derive(Debug)]
pub struct Found<'a> {
    pub(super) shard: &'a mut Shard,
    pub(super) inner: &'a Arc<Inner>,
    pub(super) slot: usize,
    pub(super) item: Handle,
    pub(super) fixed: Fixed,
    /// Why there was nothing before, when this look-up made the item.
    pub(super) created: Option<Miss>,
}

impl Found<'_> {
    /// The client's opaque flags.
    #[inline]
    pub fn client_flags(&self) -> u32 {
        self.shard.items().client_flags(self.item)
    }

    /// Bytes of the value.
    #[inline]
    pub fn value_len(&self) -> usize {
        self.shard.items().value_len(self.item)
    }

    /// The item's CAS number; 0 with `-C`.
    #[inline]
    pub fn cas(&self) -> u64 {
        self.shard.items().cas(self.item)
    }

    /// When it dies.
    pub fn expiry(&self) -> Seconds {
        self.shard.items().expiry(self.item)
    }

    /// Flags, length and value at one go.
    #[inline(always)] // As `Items::parts`.
    pub fn parts(&self) -> Parts<'_> {
        self.shard.items().parts(self.item, self.fixed)
    }

    /// Appends the value to `out`, wherever it lies.
    pub fn copy_to(&self, out: &mut Vec<u8>) {
        let items = self.shard.items();
        let mut span = items.first_span(self.item);
        while span.len > 0 {
            out.extend_from_slice(items.arena.bytes(span.at, span.len));
            span = items.next_span(span);
        }
    }

    /// Keeps the value readable after the lock is gone. `None` when the item has 65,535 pins already, or when so much
    /// is pinned that other items would want for room.
    pub fn pin(&mut self) -> Option<Pinned> {
        if !self.shard.pin(self.item) {
            return None;
        }
        let items = Items::new(self.inner.slots[self.slot].mapping.arena(), self.inner.config.cas);
        let left = items.value_len(self.item);
        let span = items.first_span(self.item);
        Some(Pinned { inner: Arc::clone(self.inner), items, slot: self.slot, item: self.item, span, left })
    }
}

/// The value of an item, readable without a lock; a cursor over what is still to be sent. The item's
/// memory is kept until this is dropped.
#[derive(Debug)]
pub struct Pinned {
    inner: Arc<Inner>,
    items: Items,
    slot: usize,
    item: Handle,
    span: Span,
    left: usize,
}

impl Pinned {
    /// Bytes still to be sent.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Appends slices of what is still to be sent, until `slices` holds `most`. True when all of it is in.
    pub fn gather<'a>(&'a self, slices: &mut Vec<IoSlice<'a>>, most: usize) -> bool {
        let (mut span, mut left) = (self.span, self.left);
        while left > 0 {
            if slices.len() >= most {
                return false;
            }
            let len = span.len.min(left);
            slices.push(IoSlice::new(self.items.arena.bytes(span.at, len)));
            left -= len;
            span = self.items.next_span(span);
        }
        true
    }

    /// The next `len` bytes were sent.
    ///
    /// # Panics
    /// When fewer are left.
    pub fn advance(&mut self, mut len: usize) {
        self.left -= len;
        while len > 0 {
            let part = len.min(self.span.len);
            self.span.at += part;
            self.span.len -= part;
            len -= part;
            if self.span.len == 0 {
                self.span = self.items.next_span(self.span);
            }
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.inner.slots[self.slot].shard.lock().unpin(self.item);
    }
}

impl Store {
    /// Finds the item of `key` and lets `read` look at it under the lock.
    ///
    /// # Errors
    /// The [`Miss`] when there is none, and none was to be created or no memory was left for it.
    #[inline(always)] // So that a plain get does not ask what it is.
    pub fn fetch<R>(
        &self,
        key: &[u8],
        how: &Fetch,
        now: Seconds,
        read: impl FnOnce(&mut Found<'_>) -> R,
    ) -> Result<R, Miss> {
        let hash = self.hash(key);
        let slot = self.slot_of(hash);
        let mut shard = self.inner.slots[slot].shard.lock();
        shard.begin_with(hash, key, now);
        let (item, fixed, created) = match (shard.look_at(hash, key, now), &how.create) {
            (Ok((item, fixed)), _) => (item, fixed, None),
            (Err(miss), None) => return Err(miss),
            (Err(miss), Some(create)) => {
                let cas = self.cas_for(create.next_cas);
                let item = shard.create_empty(hash, key, create, now, cas).ok_or(miss)?;
                (item, shard.items().fixed(item), Some(miss))
            }
        };
        let result = read(&mut Found { shard: &mut shard, inner: &self.inner, slot, item, fixed, created });
        match how.touch {
            Some(expiry) => {
                if created.is_none() {
                    shard.set_expiry(item, expiry);
                }
                shard.counters(item).touch_hits += 1;
            }
            None => shard.counters(item).get_hits += 1,
        }
        if how.visit == Visit::Bump && !fixed.is_read(now) {
            shard.bump(item, now, true);
        }
        Ok(result)
    }
}

impl Shard {
    pub(super) fn set_expiry(&mut self, item: Handle, expiry: Seconds) {
        self.items_mut().set_expiry(item, expiry);
        self.slabs.page_of(item).note_expiry(expiry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Outcome, Put, Store};
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;

    /// One more and the count would be 0: memory that is still being sent would be given away. In memcached it was,
    /// CVE-2018-1000127 and, by the binary protocol, up to 1.6.42.
    #[test]
    fn pins_are_refused_before_their_count_overflows() {
        let store = Store::new(Config::new(16 << 20, 1)).expect("address space");
        let set = |value: &[u8]| {
            let put = Put { key: b"k", client_flags: 0, expiry: NEVER, mode: Mode::Set };
            assert!(matches!(store.put(&put, value, START), Outcome::Stored { .. }));
        };
        let pin = || store.fetch(b"k", &Fetch::GET, START, |found| found.pin()).expect("it is there");
        set(b"first");
        let pins: Vec<Pinned> = std::iter::from_fn(pin).take(usize::from(u16::MAX)).collect();
        assert_eq!(pins.len(), usize::from(u16::MAX));
        assert!(pin().is_none());
        let mut copied = Vec::new();
        store.fetch(b"k", &Fetch::GET, START, |found| found.copy_to(&mut copied)).expect("still there");
        assert_eq!(copied, b"first");
        // What is pinned outlives the item, and the newcomer of that key has pins of its own.
        set(b"other");
        assert!(pin().is_some());
        let mut slices = Vec::new();
        assert!(pins[9].gather(&mut slices, 9));
        assert!(slices.iter().flat_map(|slice| slice.iter()).eq(b"first"));
        drop(pins);
        assert!(pin().is_some());
    }
}

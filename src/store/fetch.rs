//! Reading: what a caller sees of an item, and how a large value leaves without the lock.

use std::io::IoSlice;
use std::sync::Arc;

use super::large::Span;
use super::shard::{Lookup, Shard};
use super::{Delta, DeltaOutcome, Inner, Miss, Outcome, Store};
use crate::clock::Seconds;
use crate::slab::items::{CRLF, Handle, Items};

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
    /// A new expiry for the item (touch, gat).
    pub touch: Option<Seconds>,
}

impl Fetch {
    /// A plain get.
    pub const GET: Fetch = Fetch { visit: Visit::Bump, touch: None };

    /// Touch or gat with a new expiry.
    pub fn touch(expiry: Seconds) -> Fetch {
        Fetch { visit: Visit::Bump, touch: Some(expiry) }
    }
}

/// A live item, seen under its shard's lock, as it was before this visit.
#[derive(Debug)]
pub struct Found<'a> {
    shard: &'a mut Shard,
    inner: &'a Arc<Inner>,
    slot: usize,
    item: Handle,
}

impl Found<'_> {
    /// The client's opaque flags.
    #[inline]
    pub fn client_flags(&self) -> u32 {
        self.shard.items().client_flags(self.item)
    }

    /// Bytes of the value, without CRLF.
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

    /// The value with its CRLF, when it lies in one chunk.
    #[inline]
    pub fn value(&self) -> Option<&[u8]> {
        let items = self.shard.items();
        if items.is_large(self.item) { None } else { Some(items.small_value(self.item)) }
    }

    /// Appends the value and its CRLF to `out`, wherever they lie.
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
        let left = items.value_len(self.item) + CRLF.len();
        let span = items.first_span(self.item);
        Some(Pinned { inner: Arc::clone(self.inner), items, slot: self.slot, item: self.item, span, left })
    }
}

/// The value of an item and its CRLF, readable without a lock; a cursor over what is still to be sent. The item's
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
        let mut span = self.span;
        while span.len > 0 {
            if slices.len() >= most {
                return false;
            }
            slices.push(IoSlice::new(self.items.arena.bytes(span.at, span.len)));
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
    /// The [`Miss`] when there is none.
    #[inline]
    pub fn fetch<R>(
        &self,
        key: &[u8],
        how: Fetch,
        now: Seconds,
        read: impl FnOnce(&mut Found<'_>) -> R,
    ) -> Result<R, Miss> {
        let hash = self.hash(key);
        let slot = self.slot_of(hash);
        let mut shard = self.inner.slots[slot].shard.lock();
        shard.begin(now);
        let item = match shard.lookup(hash, key, now) {
            Lookup::Found(item) => item,
            Lookup::Absent => return Err(Miss::Absent),
            Lookup::Expired => return Err(Miss::Expired),
            Lookup::Flushed => return Err(Miss::Flushed),
        };
        let result = read(&mut Found { shard: &mut shard, inner: &self.inner, slot, item });
        match how.touch {
            Some(expiry) => {
                shard.items_mut().set_expiry(item, expiry);
                shard.slabs.page_of(item).note_expiry(expiry);
                shard.counters(item).touch_hits += 1;
            }
            None => shard.counters(item).get_hits += 1,
        }
        if how.visit == Visit::Bump {
            shard.bump(item, now, true);
        }
        Ok(result)
    }
}

/// The longest value in bytes that can be a number, blanks included.
const LARGE_NUMBER_MAX: usize = (512 << 10) - 512;

impl Shard {
    pub(super) fn delete(&mut self, hash: u64, key: &[u8], now: Seconds) -> Result<(), Miss> {
        self.begin(now);
        match self.lookup(hash, key, now) {
            Lookup::Found(item) => {
                self.counters(item).delete_hits += 1;
                self.unlink_hashed(hash, item);
                Ok(())
            }
            Lookup::Absent => Err(Miss::Absent),
            Lookup::Expired => Err(Miss::Expired),
            Lookup::Flushed => Err(Miss::Flushed),
        }
    }

    pub(super) fn add_delta(&mut self, hash: u64, key: &[u8], delta: Delta, now: Seconds, cas: u64) -> DeltaOutcome {
        self.begin(now);
        let Some(item) = self.live(hash, key, now) else { return DeltaOutcome::NotFound };
        let items = self.items();
        let value_len = items.value_len(item);
        // memcached chains values above half a MiB and takes none of them for a number.
        if items.is_large(item) && value_len > LARGE_NUMBER_MAX {
            return DeltaOutcome::NonNumeric;
        }
        let span = items.first_span(item);
        let Some(old) = parse_number(items.arena.bytes(span.at, span.len)) else { return DeltaOutcome::NonNumeric };
        let counters = self.counters(item);
        let number = match delta {
            Delta::Incr(n) => {
                counters.incr_hits += 1;
                old.wrapping_add(n)
            }
            Delta::Decr(n) => {
                counters.decr_hits += 1;
                old.saturating_sub(n)
            }
        };
        match self.rewrite_number(hash, item, itoa::Buffer::new().format(number).as_bytes(), now, cas) {
            Outcome::Stored { cas } => DeltaOutcome::Value { number, cas },
            _ => DeltaOutcome::NoMemory,
        }
    }
}

/// The number that a value holds, by C's `strtoull`, as memcached reads it: blanks before it, digits, and then a
/// blank, a NUL or the line end.
fn parse_number(value: &[u8]) -> Option<u64> {
    let is_blank = |byte: u8| byte == b' ' || (b'\t'..=b'\r').contains(&byte);
    // An empty value has no digits; its CRLF must not count as the blank before some.
    let end = value.len().saturating_sub(CRLF.len());
    let start = value[..end].iter().position(|&byte| !is_blank(byte))?;
    let digits = value[start..].strip_prefix(b"+").unwrap_or(&value[start..]);
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if count == 0 || !digits.get(count).is_some_and(|&byte| is_blank(byte) || byte == 0) {
        return None;
    }
    digits[..count].iter().try_fold(0u64, |number, &digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtoull_does() {
        let cases: [(&[u8], Option<u64>); 16] = [
            (b"0", Some(0)),
            (b"10", Some(10)),
            (b"10  ", Some(10)),
            (b"  10", Some(10)),
            (b"\t7", Some(7)),
            (b"+7", Some(7)),
            (b"12 abc", Some(12)),
            (b"12\0abc", Some(12)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"", None),
            (b"   ", None),
            (b"-1", None),
            (b"12a", None),
            (b"a", None),
            (b"+", None),
        ];
        for (value, expected) in cases {
            let with_end = [value, b"\r\n"].concat();
            assert_eq!(parse_number(&with_end), expected, "{}", String::from_utf8_lossy(value));
        }
    }
}

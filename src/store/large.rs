//! Values that span chunks, values that arrive in parts, and values that leave without the lock.
//!
//! A [`Chain`] is an item under construction: its chunks are taken as data arrives, so an announced value costs
//! nothing and one under way at most 256 KiB more than what was received. Nobody finds it before it is published.
//! A pin keeps the chunks of a live item in place while its value is being sent; the item may be unlinked meanwhile
//! and is then freed with the last pin.

use std::collections::VecDeque;

use super::join::JOINED_AT_ONCE_MAX;
use super::shard::{Shard, Store};
use super::terms::{Heritage, Terms};
use super::upload::Decision;
use super::{Mode, Outcome, Put};
use crate::clock::Seconds;
use crate::slab::classes::{CHUNK_MAX, ClassId};
use crate::slab::items::{Handle, Head, PIECE_HEADER, PIECE_VALUE_MAX, state};

/// What is being sent may take one part in so many of a shard, so that readers that do not read cannot shut the cache
/// out.
const PINNED_SHARE: usize = 4;

/// An item under construction.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) item: Handle,
    /// The last piece, or `NONE` while there is only the head.
    last: Handle,
    /// Value bytes that have no chunk yet.
    unplaced: usize,
    /// Ranges of the arena, in order, that wait for value bytes.
    pub(super) open: VecDeque<(usize, usize)>,
    /// Bytes of chunks held.
    held_bytes: usize,
}

impl Chain {
    /// Takes note that the first `len` open bytes were written.
    pub(super) fn filled(&mut self, mut len: usize) {
        while let Some((at, room)) = self.open.front_mut() {
            let part = len.min(*room);
            *at += part;
            *room -= part;
            len -= part;
            if *room > 0 {
                break;
            }
            self.open.pop_front();
        }
        debug_assert_eq!(len, 0, "more was filled than was open");
    }
}

impl Shard {
    /// Takes the first chunk of an item and writes its head. `None` when there is no memory for it.
    pub(super) fn start_chain(&mut self, head: &Head<'_>, now: Seconds) -> Option<Chain> {
        let items = self.items();
        let total = head.value_len;
        let bytes = items.bytes_needed(head.key.len(), head.client_flags, head.value_len);
        let fitting = self.slabs.classes.class_of(bytes);
        let class = fitting.unwrap_or(self.slabs.classes.largest());
        let placed = match fitting {
            Some(_) => total,
            None => items.head_capacity(head.key.len(), head.client_flags).min(total),
        };
        if !self.may_upload(class, 0) {
            return None;
        }
        let item = self.allocate(class, now)?;
        let held_bytes = self.count_upload(item);
        self.items_mut().write_head(item, head, fitting.is_none());
        self.hold_chain(item);
        let at = self.items().value_at(item);
        let open = if placed > 0 { VecDeque::from([(at, placed)]) } else { VecDeque::new() };
        Some(Chain { item, last: Handle::NONE, unplaced: total - placed, open, held_bytes })
    }

    /// Takes the next chunk of the chain. False when there is no memory for it or nothing left to place.
    pub(super) fn extend_chain(&mut self, chain: &mut Chain, now: Seconds) -> bool {
        if chain.unplaced == 0 {
            return false;
        }
        let len = chain.unplaced.min(PIECE_VALUE_MAX);
        let class = self.slabs.classes.class_of(PIECE_HEADER + len).unwrap_or(self.slabs.classes.largest());
        if !self.may_upload(class, chain.held_bytes) {
            return false;
        }
        let Some(piece) = self.allocate(class, now) else { return false };
        chain.held_bytes += self.count_upload(piece);
        // The head holds for all.
        self.slabs.release_hold(piece);
        let items = self.items_mut();
        items.write_piece_head(piece, chain.item, chain.last);
        items.set_piece_len(piece, len);
        if chain.last == Handle::NONE {
            items.set_first_piece(chain.item, piece);
        } else {
            items.set_next_piece(chain.last, piece);
        }
        chain.last = piece;
        chain.unplaced -= len;
        chain.open.push_back((piece.offset() + PIECE_HEADER, len));
        true
    }

    /// Unfinished values may take half of the shard, so that slow or hostile writers cannot shut the cache out. A single
    /// one, of which `own_bytes` are there, may take more: `-I` is up to half of `-m`, and chunks have headers.
    fn may_upload(&self, class: ClassId, own_bytes: usize) -> bool {
        self.upload_bytes == own_bytes || self.upload_bytes + self.slabs.classes.size(class) <= self.budget / 2
    }

    fn count_upload(&mut self, chunk: Handle) -> usize {
        let size = self.slabs.classes.size(self.slabs.class_of(chunk));
        self.upload_bytes += size;
        size
    }

    /// Frees what was built so far.
    pub(super) fn abandon_chain(&mut self, chain: &Chain) {
        self.upload_bytes -= chain.held_bytes;
        self.release_chain(chain.item);
        self.free_chain(chain.item);
    }

    /// Writes the next value bytes from memory. False when there is no memory for them.
    pub(super) fn fill_chain(&mut self, chain: &mut Chain, mut bytes: &[u8], now: Seconds) -> bool {
        while !bytes.is_empty() {
            let Some(&(at, room)) = chain.open.front() else {
                if !self.extend_chain(chain, now) {
                    return false;
                }
                continue;
            };
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.items_mut().arena.bytes_mut(at, part.len()).copy_from_slice(part);
            chain.filled(part.len());
            bytes = rest;
        }
        true
    }

    /// Stores a value too large for one chunk that is in memory, in parts.
    pub(super) fn write_large(
        &mut self,
        hash: u64,
        head: &Head<'_>,
        parts: &[&[u8]],
        cas: u64,
        now: Seconds,
    ) -> Outcome {
        let largest = self.slabs.classes.largest();
        let Some(mut chain) = self.start_chain(head, now) else { return self.no_memory(largest) };
        for part in parts {
            if !self.fill_chain(&mut chain, part, now) {
                self.abandon_chain(&chain);
                return self.no_memory(largest);
            }
        }
        self.publish_chain(hash, &chain, cas, head.expiry, now)
    }

    /// Puts a filled chain where readers find it, or frees it.
    pub(super) fn publish_chain(
        &mut self,
        hash: u64,
        chain: &Chain,
        cas: u64,
        expiry: Seconds,
        now: Seconds,
    ) -> Outcome {
        let has_room = self.reserve_index(hash, now);
        let items = self.items();
        let key = items.key(chain.item);
        if !has_room && self.index.find(hash, |other| items.key(other) == key).is_none() {
            self.abandon_chain(chain);
            return self.no_memory(self.slabs.classes.largest());
        }
        let value_len = items.value_len(chain.item);
        self.upload_bytes -= chain.held_bytes;
        self.publish(hash, chain.item, cas, expiry);
        Outcome::Stored { cas, value_len }
    }

    /// Stores a filled chain as `put` asks, or frees it.
    pub(super) fn finish_upload(
        &mut self,
        hash: u64,
        put: &Put<'_>,
        terms: &Terms,
        chain: Chain,
        now: Seconds,
        cas: u64,
    ) -> Decision {
        let old = self.live(hash, put.key, now);
        let own = Heritage { expiry: put.expiry, marks: 0 };
        Decision::Done(match self.admit(old, put.mode, terms, now) {
            Err(refusal) => {
                self.abandon_chain(&chain);
                refusal
            }
            Ok(Store::Replace) => self.publish_upload(hash, &chain, own, terms, cas, now),
            Ok(Store::Succeed(heritage)) => self.publish_upload(hash, &chain, heritage, terms, cas, now),
            Ok(Store::Join(old)) => return self.join_upload(hash, old, put.mode, chain, now, cas),
        })
    }

    fn join_upload(&mut self, hash: u64, old: Handle, mode: Mode, chain: Chain, now: Seconds, cas: u64) -> Decision {
        let joined_len = self.items().value_len(old) + self.items().value_len(chain.item);
        if joined_len > JOINED_AT_ONCE_MAX
            && self.may_join(old, joined_len)
            && let Some(join) = self.start_join(&chain, old, mode, now)
        {
            return Decision::Join(chain, join);
        }
        let value = (joined_len <= JOINED_AT_ONCE_MAX).then(|| self.copy_value(chain.item));
        self.abandon_chain(&chain);
        Decision::Done(value.map_or(Outcome::NotStored, |value| self.join(hash, old, mode, &value, now, cas)))
    }

    fn publish_upload(
        &mut self,
        hash: u64,
        chain: &Chain,
        heritage: Heritage,
        terms: &Terms,
        cas: u64,
        now: Seconds,
    ) -> Outcome {
        let Heritage { expiry, marks } = heritage;
        let items = self.items_mut();
        items.set_accessed(chain.item, now);
        items.set_expiry(chain.item, expiry);
        let outcome = self.publish_chain(hash, chain, cas, expiry, now);
        if matches!(outcome, Outcome::Stored { .. }) {
            self.mark(chain.item, marks | terms.key_form.mark());
        }
        outcome
    }

    /// Keeps the item's chunks in place and its value unchanged. False when it has as many pins as can be counted, or
    /// when too much is pinned for one more.
    pub(super) fn pin(&mut self, item: Handle) -> bool {
        let pins = self.pins(item);
        let bytes = self.pinned_bytes + self.items().item_bytes(item);
        // The first is always let through, or the largest values of a small cache could never be read.
        let is_share_used = pins == 0 && self.pinned_bytes > 0 && bytes > self.budget / PINNED_SHARE;
        if is_share_used || pins == u16::MAX {
            return false;
        }
        self.pin_regardless(item);
        true
    }

    /// Pins an item that has fewer than 65,535 pins, however much is pinned.
    pub(super) fn pin_regardless(&mut self, item: Handle) {
        let pins = self.pins(item);
        if pins == 0 {
            self.pinned_bytes += self.items().item_bytes(item);
            self.slabs.hold(item);
            self.hold_chain(item);
        }
        self.pins.insert(item, pins + 1);
    }

    /// Takes a pin back; the last one frees an item that was unlinked meanwhile.
    pub(super) fn unpin(&mut self, item: Handle) {
        let pins = self.pins(item).saturating_sub(1);
        debug_assert!(self.pins.contains_key(&item), "an item was unpinned that had no pin");
        if pins > 0 {
            self.pins.insert(item, pins);
        } else {
            self.pins.remove(&item);
            self.pinned_bytes -= self.items().item_bytes(item);
            self.release_chain(item);
            if self.items().state(item) & state::LIVE == 0 {
                self.free_chain(item);
            }
        }
    }

    /// The value in one piece.
    pub(super) fn copy_value(&self, item: Handle) -> Vec<u8> {
        let len = self.items().value_len(item);
        let mut value = Vec::with_capacity(len);
        let mut span = self.first_span(item);
        while span.len > 0 {
            value.extend_from_slice(self.items().arena.bytes(span.at, span.len));
            span = self.items().next_span(span);
        }
        value
    }

    pub(super) fn first_span(&self, item: Handle) -> Span {
        self.items().first_span(item)
    }
}

/// A stretch of an item's value within one chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(super) at: usize,
    pub(super) len: usize,
    /// The piece that follows.
    next: Handle,
}

impl crate::slab::items::Items {
    /// Where the value starts.
    pub(super) fn first_span(&self, item: Handle) -> Span {
        let at = self.value_at(item);
        let total = self.value_len(item);
        if self.is_large(item) {
            let in_head = (item.offset() + CHUNK_MAX - at).min(total);
            Span { at, len: in_head, next: self.first_piece(item) }
        } else {
            Span { at, len: total, next: Handle::NONE }
        }
    }

    /// The stretch after `span`; of length 0 behind the last.
    pub(super) fn next_span(&self, span: Span) -> Span {
        if span.next == Handle::NONE {
            return Span { at: span.at, len: 0, next: Handle::NONE };
        }
        let piece = span.next;
        Span { at: piece.offset() + PIECE_HEADER, len: self.piece_len(piece), next: self.next_piece(piece) }
    }
}

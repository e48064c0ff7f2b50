//! One shard at its end and at its new beginning.
//!
//! Of the memory that is found nothing is believed: not that it is what was written (checksums), nor that what was
//! written makes sense (every length, handle and chain is checked before it is followed). Free chunks, counters and the
//! index are made anew from the items that are found; chunks of values that never became complete, or that were only
//! waiting for their last reader, are free.

use std::collections::HashSet;

use super::super::shard::Shard;
use super::state::{PageState, Refusal, ShardState, checksum};
use crate::clock::Seconds;
use crate::command::KEY_MAX;
use crate::slab::classes::CHUNK_MAX;
use crate::slab::items::{Handle, PIECE_HEADER, PIECE_VALUE_MAX, state};
use crate::slab::pages::{Slabs, Unfit};

/// Which of the store's shards one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) slot: usize,
    pub(super) slots: usize,
}

/// What a first look at all chunks leaves to do, as chains run through all pages.
#[derive(Debug, Default)]
struct Left {
    larges: Vec<Handle>,
    pieces: Vec<Handle>,
}

impl Shard {
    /// What the successor must know.
    pub(super) fn leave(&self) -> ShardState {
        let pages = (0..).zip(&self.slabs.pages).map(|(id, page)| PageState {
            class: page.class,
            carved: page.carved,
            checksum: checksum(self.slabs.carved_bytes(page, id)),
        });
        ShardState { flush_at: self.flush_at, pages: pages.collect() }
    }

    /// Takes over what a shard in the same place left in this one's memory. After a refusal the shard is of no use.
    pub(super) fn adopt(&mut self, place: Place, left: &ShardState, now: Seconds) -> Result<(), Refusal> {
        self.flush_at = left.flush_at;
        let mut rest = Left::default();
        for (id, page) in (0..).zip(&left.pages) {
            self.slabs.adopt(page.class, page.carved).map_err(|unfit| match unfit {
                Unfit::Impossible => Refusal::Damaged("a page cannot be as it says"),
                Unfit::NoMemory => Refusal::Host("the file system is full".to_owned()),
            })?;
            if checksum(self.slabs.carved_bytes(&self.slabs.pages[id as usize], id)) != page.checksum {
                return Err(Refusal::Damaged("the checksum of a page differs"));
            }
            // A page whose last chunk was found to be free leaves its class, but no chunk comes behind that.
            for number in 0..self.slabs.pages[id as usize].carved {
                self.adopt_chunk(self.slabs.chunk(id, number), now, &mut rest)?;
            }
        }
        self.adopt_chains(rest, now)?;
        self.link_all(place)?;
        self.fit_pages();
        Ok(())
    }

    fn adopt_chunk(&mut self, chunk: Handle, now: Seconds, rest: &mut Left) -> Result<(), Refusal> {
        match self.items().state(chunk) & (state::LIVE | state::PIECE) {
            state::LIVE => {
                self.check_item(chunk)?;
                if self.items().is_large(chunk) {
                    rest.larges.push(chunk);
                } else if self.items().is_expired(chunk, now) {
                    self.slabs.give(chunk);
                }
            }
            state::PIECE => rest.pieces.push(chunk),
            0 => self.slabs.give(chunk),
            _ => return Err(Refusal::Damaged("an item is a piece of another")),
        }
        Ok(())
    }

    fn adopt_chains(&mut self, rest: Left, now: Seconds) -> Result<(), Refusal> {
        let mut reached = HashSet::with_capacity(rest.pieces.len());
        let (expired, live): (Vec<_>, Vec<_>) =
            rest.larges.into_iter().partition(|&item| self.items().is_expired(item, now));
        for item in live {
            self.follow_chain(item, &mut reached)?;
        }
        for chunk in rest.pieces.into_iter().filter(|piece| !reached.contains(piece)).chain(expired) {
            self.slabs.give(chunk);
        }
        Ok(())
    }

    /// Puts all live items where readers find them; the others were freed. The keys are read twice, in the order of
    /// memory, which takes a fraction of the time that a growing index would take to move its entries.
    fn link_all(&mut self, place: Place) -> Result<(), Refusal> {
        let (hasher, slabs) = (self.hasher, &self.slabs);
        let live = (0..slabs.pages.len() as u32).flat_map(|page| live_items(slabs, page));
        self.index.make_room(live.map(|item| hasher.hash(slabs.items.key(item))));
        for page in 0..self.slabs.pages.len() as u32 {
            for number in 0..self.slabs.pages[page as usize].carved {
                let chunk = self.slabs.chunk(page, number);
                if self.items().state(chunk) & state::LIVE != 0 {
                    self.link(chunk, place)?;
                }
            }
        }
        Ok(())
    }

    /// Puts an item that was checked where readers find it.
    fn link(&mut self, item: Handle, place: Place) -> Result<(), Refusal> {
        let hash = self.hash_of(item);
        let items = self.items();
        let key = items.key(item);
        if (hash >> 48) as usize & (place.slots - 1) != place.slot {
            return Err(Refusal::Damaged("an item lies in another shard than its key"));
        }
        if self.index.find(hash, |other| items.key(other) == key).is_some() {
            return Err(Refusal::Damaged("two items have the same key"));
        }
        let (bytes, expiry) = (items.item_bytes(item), items.expiry(item));
        let (hasher, items) = (self.hasher, &self.slabs.items);
        self.index.insert(hash, item, |entry| hasher.hash(items.key(entry)));
        self.count_bytes(item, 0, bytes);
        self.slabs.count_live(item);
        self.slabs.page_of(item).note_expiry(expiry);
        self.totals.total_items += 1;
        Ok(())
    }

    /// Whether the item lies within its chunk, as far as it lies there.
    fn check_item(&self, item: Handle) -> Result<(), Refusal> {
        let items = self.items();
        let size = self.slabs.classes.size(self.slabs.class_of(item));
        let key_len = items.key_len(item);
        let head = items.value_at(item) - item.offset();
        if !(1..=KEY_MAX).contains(&key_len) || head > size {
            return Err(Refusal::Damaged("a key is too long"));
        }
        let is_large = items.is_large(item);
        let end = head + items.value_len(item);
        let fits = if is_large { size == CHUNK_MAX && end > CHUNK_MAX } else { end <= size };
        // Flags that say they are there and are 0 are not written by anybody, and are not counted on.
        if !fits || items.has_flags(item) && items.client_flags(item) == 0 {
            return Err(Refusal::Damaged("an item does not fit its chunk"));
        }
        Ok(())
    }

    /// Adds the pieces of a large item that was checked to `reached`. The chain cannot be endless: each piece is as long
    /// as what is left of the value tells, and the last has none behind it.
    fn follow_chain(&self, item: Handle, reached: &mut HashSet<Handle>) -> Result<(), Refusal> {
        const BROKEN: Refusal = Refusal::Damaged("a large item has not all its pieces");
        let items = self.items();
        let at = items.value_at(item);
        let in_head = item.offset() + CHUNK_MAX - at;
        let mut left = items.value_len(item) - in_head;
        let (mut before, mut piece) = (Handle::NONE, items.first_piece(item));
        while left > 0 {
            let size = self.slabs.carved_size(piece).ok_or(BROKEN)?;
            let len = left.min(PIECE_VALUE_MAX);
            let is_piece = items.state(piece) & (state::PIECE | state::LIVE) == state::PIECE;
            let fits = items.piece_len(piece) == len && PIECE_HEADER + len <= size;
            let is_linked = items.owner(piece) == item && items.piece_before(piece) == before;
            if !is_piece || !fits || !is_linked || !reached.insert(piece) {
                return Err(BROKEN);
            }
            left -= len;
            (before, piece) = (piece, items.next_piece(piece));
        }
        if piece != Handle::NONE {
            return Err(BROKEN);
        }
        Ok(())
    }
}

fn live_items(slabs: &Slabs, page: u32) -> impl Iterator<Item = Handle> {
    let chunks = (0..slabs.pages[page as usize].carved).map(move |number| slabs.chunk(page, number));
    chunks.filter(|&chunk| slabs.items.state(chunk) & state::LIVE != 0)
}

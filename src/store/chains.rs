//! The chains of large items as a whole: what keeps them in place, and how they are freed.
//!
//! A chain of `-I 1g` has 32,800 pieces, and to touch them all takes milliseconds. So nothing here does that under one
//! lock. The head alone holds a chain: its page counts it, and who finds a piece asks its owner. A long chain that
//! dies is freed in slices: by whoever wants for room, and by the maintenance. Until its last piece is free its head is
//! not, so that no piece ever seems to belong to another item.

use super::shard::Shard;
use crate::slab::items::{Handle, state};

/// Pieces freed under one lock at most: some ten microseconds' worth.
pub(super) const SLICE_PIECES: usize = 64;

/// The longest chain whose head is moved to another chunk, in chunks: all its pieces must be told.
const CHUNKS_MOVED_MAX: usize = 1024;

impl Shard {
    /// The pieces of a large item stay where they are from now on. (For its own chunk, the page's `held` says so.)
    pub(super) fn hold_chain(&mut self, item: Handle) {
        if self.items().is_large(item) {
            self.held_chains.insert(item);
        }
    }

    /// The chunks of a published, abandoned or unpinned chain may move or go.
    #[inline]
    pub(super) fn release_chain(&mut self, item: Handle) {
        self.slabs.release_hold(item);
        if self.items().is_large(item) {
            self.held_chains.remove(&item);
        }
    }

    /// Frees the chunks of an item that is neither live nor held; of a long chain the first ones now and the others by
    /// and by.
    pub(super) fn free_chain(&mut self, item: Handle) {
        if self.items().is_large(item) {
            self.free_pieces(item, SLICE_PIECES);
            if self.items().first_piece(item) != Handle::NONE {
                self.doomed.push(item);
                return;
            }
        }
        self.slabs.give(item);
    }

    /// Frees up to `most` pieces of dead chains. How many that were; none when there is none left.
    pub(super) fn free_doomed(&mut self, most: usize) -> usize {
        let mut freed = 0;
        while freed < most
            && let Some(&item) = self.doomed.last()
        {
            freed += self.free_pieces(item, most - freed);
            if self.items().first_piece(item) == Handle::NONE {
                self.doomed.pop();
                self.slabs.give(item);
            }
        }
        freed
    }

    /// Frees pieces of dead chains until a page is empty. False when none became so.
    pub(super) fn free_doomed_page(&mut self) -> bool {
        let before = self.empty_pages();
        while self.free_doomed(SLICE_PIECES) > 0 {
            if self.empty_pages() > before {
                return true;
            }
        }
        false
    }

    /// Pages that hold nothing, whether their memory was given back or not.
    pub(super) fn empty_pages(&self) -> usize {
        self.slabs.pages.len() - self.slabs.resident() + self.slabs.free_pages()
    }

    fn free_pieces(&mut self, item: Handle, most: usize) -> usize {
        let mut piece = self.items().first_piece(item);
        let mut freed = 0;
        while piece != Handle::NONE && freed < most {
            let next = self.items().next_piece(piece);
            self.slabs.give(piece);
            piece = next;
            freed += 1;
        }
        self.items_mut().set_first_piece(item, piece);
        freed
    }

    /// For a flush: frees the heads of dead chains whose pages are held, as no others are left when it is done.
    pub(super) fn forget_doomed(&mut self) {
        for item in std::mem::take(&mut self.doomed) {
            if self.slabs.page_of(item).held > 0 {
                self.slabs.give(item);
            }
        }
    }

    /// For a flush: has the pages of all pieces of held chains hold them too. These pieces, for
    /// [`Slabs::release_hold`](crate::slab::pages::Slabs::release_hold).
    pub(super) fn hold_pieces(&mut self) -> Vec<Handle> {
        let mut held = Vec::new();
        for &item in &self.held_chains {
            let mut piece = self.slabs.items.first_piece(item);
            while piece != Handle::NONE {
                self.slabs.hold(piece);
                held.push(piece);
                piece = self.slabs.items.next_piece(piece);
            }
        }
        held
    }

    /// Whether a page cannot be emptied: a chunk of it is held, or waits to be freed with its chain. With `moves`, also
    /// when it has the head of a chain too long to be moved.
    pub(super) fn is_fast(&self, page: u32, moves: bool) -> bool {
        let entry = &self.slabs.pages[page as usize];
        entry.held > 0 || (0..entry.carved).any(|number| self.is_chunk_fast(self.slabs.chunk(page, number), moves))
    }

    fn is_chunk_fast(&self, chunk: Handle, moves: bool) -> bool {
        let items = self.items();
        match items.state(chunk) & (state::LIVE | state::PIECE) {
            state::PIECE => self.item_of(chunk).is_none_or(|item| self.pins(item) > 0),
            state::LIVE => moves && items.chunk_count(chunk) > CHUNKS_MOVED_MAX,
            _ => false,
        }
    }

    /// A piece was copied `from` one chunk `to` another.
    pub(super) fn relink_piece(&mut self, from: Handle, to: Handle) {
        let items = self.items_mut();
        let (before, next) = (items.piece_before(to), items.next_piece(to));
        if before == Handle::NONE {
            let owner = items.owner(to);
            debug_assert_eq!(items.first_piece(owner), from);
            items.set_first_piece(owner, to);
        } else {
            debug_assert_eq!(items.next_piece(before), from);
            items.set_next_piece(before, to);
        }
        if next != Handle::NONE {
            items.set_piece_before(next, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::command::Mode;
    use crate::store::tests::{finish, get_at, verify, verify_nothing_held};
    use crate::store::{Config, Fetch, Outcome, Put, Reassign, Store, Sweep};

    const LEN: usize = 8 << 20;

    fn store() -> Store {
        Store::new(Config { item_max_bytes: 64 << 20, ..Config::new(128 << 20, 1) }).expect("address space")
    }

    fn set(store: &Store, key: &str, len: usize) {
        let put = Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Set };
        let outcome = store.put(&put, &vec![key.as_bytes()[0]; len], START);
        assert!(matches!(outcome, Outcome::Stored { .. }), "{key}: {outcome:?}");
    }

    fn pin(store: &Store, key: &str) -> crate::store::Pinned {
        let pin = store.fetch(key.as_bytes(), &Fetch::GET, START, |found| found.pin());
        pin.expect("there").expect("the first")
    }

    fn used_chunks(store: &Store) -> u64 {
        store.classes(START).iter().map(|class| class.gauges.used_chunks).sum()
    }

    #[test]
    fn a_long_chain_is_freed_in_slices() {
        let store = store();
        set(&store, "long", LEN);
        let before = used_chunks(&store);
        store.delete(b"long", START).expect("there");
        assert_eq!(used_chunks(&store), before - SLICE_PIECES as u64);
        assert_eq!(store.totals().bytes, 0, "what is deleted no longer counts");
        verify(&store);
        store.maintain(1, Sweep::Off, START, || ());
        assert_eq!(used_chunks(&store), 0);
        verify(&store);
    }

    #[test]
    fn room_of_dead_chains_is_used_before_anything_is_evicted() {
        let store = store();
        set(&store, "small", 100);
        for _ in 0..10 {
            set(&store, "long", LEN * 5);
        }
        assert!(get_at(&store, b"small", START).is_some());
        assert_eq!(store.classes(START).iter().map(|class| class.counters.evicted).sum::<u64>(), 0);
        assert_eq!(get_at(&store, b"long", START).map(|value| value.len()), Some(LEN * 5));
        verify(&store);
    }

    #[test]
    fn a_flush_spares_what_is_being_sent_and_frees_all_else() {
        let store = store();
        for key in ["a", "b", "c", "d"] {
            set(&store, key, LEN);
        }
        set(&store, "small", 10);
        let pinned = [pin(&store, "b"), pin(&store, "d")];
        store.delete(b"a", START).expect("there");
        store.delete(b"d", START).expect("there");
        store.flush(START, START);
        verify(&store);
        set(&store, "e", LEN * 3);
        for (pin, byte) in pinned.iter().zip(*b"bd") {
            let mut slices = Vec::new();
            assert!(pin.gather(&mut slices, usize::MAX));
            assert_eq!(slices.iter().map(|slice| slice.len()).sum::<usize>(), LEN);
            assert!(slices.iter().all(|slice| slice.iter().all(|&b| b == byte)));
        }
        drop(pinned);
        store.maintain(1, Sweep::Off, START, || ());
        verify_nothing_held(&store);
        verify(&store);
        assert_eq!(store.totals().curr_items, 1);
        assert_eq!(used_chunks(&store), (LEN * 3 / (32 << 10) + 1) as u64);
    }

    #[test]
    fn pieces_move_within_their_chain() {
        let store = store();
        // Their pieces take turns, so that each page has one of either.
        let begin = |key| {
            let put = Put { key, client_flags: 0, expiry: NEVER, mode: Mode::Set };
            store.upload(&put, LEN, START).expect("memory")
        };
        let (mut stays, mut goes) = (begin(b"stays"), begin(b"goes"));
        let value: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
        for part in value.chunks(32 << 10) {
            stays.write(part, START).expect("memory");
            goes.write(part, START).expect("memory");
        }
        for upload in [stays, goes] {
            assert!(matches!(finish(upload, START), Outcome::Stored { .. }));
        }
        store.delete(b"goes", START).expect("there");
        store.maintain(1, Sweep::Off, START, || ());
        let class = store.classes(START).iter().map(|class| class.class).max().expect("classes") as i32;
        for _ in 0..100 {
            assert_eq!(store.reassign(class, 0, START), Reassign::Moved);
        }
        verify(&store);
        assert_eq!(get_at(&store, b"stays", START), Some(value));
    }
}

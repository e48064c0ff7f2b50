//! Which page belongs to which class and which of its chunks are free.
//!
//! A chunk is, in this order: *taken* (somebody writes it; it holds its page fast), *live* or *piece* (in use), and
//! free again. A page whose last chunk is given back goes to the pool, from which any class may take it. Fresh pages
//! are carved chunk by chunk, so that memory no item ever reached stays untouched.

use super::arena::Arena;
use super::backing::Backing;
use super::classes::{ClassId, Classes, PAGE};
use super::items::{Handle, Items};
use crate::clock::{NEVER, Seconds};

/// The class of a page that has none.
pub(crate) const NO_CLASS: ClassId = ClassId::MAX;

const NO_CHUNK: u16 = u16::MAX;

/// One page's entry in the table.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) class: ClassId,
    /// In its class's list of pages with room.
    listed: bool,
    /// Being emptied: gives out no chunk.
    closing: bool,
    /// Chunks given out at least once; those behind them are untouched.
    pub(crate) carved: u16,
    free_head: u16,
    /// Chunks in use: live, pieces, taken.
    pub(crate) used: u16,
    /// Live items that start here.
    pub(crate) live: u16,
    /// Chunks that must stay where they are: taken, pinned, or unlinked while pinned.
    pub(crate) held: u16,
    /// Where the page stands in its class's list.
    position: u32,
    /// Lower bound of the expiries in the page; `NEVER` when none expires.
    pub(crate) expiry_min: Seconds,
    /// The shard's tick when the clock hand last left the page.
    pub(crate) passed: u64,
}

impl Page {
    const EMPTY: Page = Page {
        class: NO_CLASS,
        listed: false,
        closing: false,
        carved: 0,
        free_head: NO_CHUNK,
        used: 0,
        live: 0,
        held: 0,
        position: 0,
        expiry_min: NEVER,
        passed: 0,
    };

    /// Whether the page may hold an item whose time is over.
    pub(crate) fn is_due(&self, now: Seconds) -> bool {
        self.class != NO_CLASS && self.expiry_min != NEVER && self.expiry_min <= now
    }

    /// Keeps `expiry_min` a lower bound.
    pub(crate) fn note_expiry(&mut self, expiry: Seconds) {
        if expiry != NEVER && (self.expiry_min == NEVER || expiry < self.expiry_min) {
            self.expiry_min = expiry;
        }
    }
}

/// The pages of one class and where its clock hand stands.
#[derive(Debug, Default)]
pub(crate) struct ClassPages {
    pub(crate) pages: Vec<u32>,
    /// Pages with a free or uncarved chunk.
    with_room: Vec<u32>,
    /// The hand: position in `pages` and chunk number.
    pub(crate) hand_page: usize,
    pub(crate) hand_chunk: u16,
    /// Chunks in use.
    pub(crate) used: usize,
    /// Live items.
    pub(crate) live: usize,
}

/// Why a page cannot be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// There is no such class, or not so many chunks in it, or not so many pages.
    Impossible,
    /// The file system has no room for it.
    NoMemory,
}

/// All pages of a shard.
#[derive(Debug)]
pub(crate) struct Slabs {
    pub(crate) items: Items,
    backing: Backing,
    pub(crate) classes: Classes,
    pub(crate) pages: Vec<Page>,
    pub(crate) by_class: Vec<ClassPages>,
    /// Pages of no class whose memory is resident.
    free: Vec<u32>,
    /// Pages of no class whose memory was given back to the kernel.
    discarded: Vec<u32>,
    /// Pages that may be resident at once.
    pages_max: usize,
    resident: usize,
    /// The last page that was wanted found no memory; none is asked for until one was given back.
    exhausted: bool,
}

impl Slabs {
    /// No page yet; the arena's length bounds how many there can ever be.
    pub(crate) fn new(arena: Arena, backing: Backing, with_cas: bool, pages_max: usize) -> Slabs {
        let classes = Classes::new();
        let by_class = (0..classes.len()).map(|_| ClassPages::default()).collect();
        Slabs {
            items: Items::new(arena, with_cas),
            backing,
            classes,
            pages: Vec::new(),
            by_class,
            free: Vec::new(),
            discarded: Vec::new(),
            pages_max,
            resident: 0,
            exhausted: false,
        }
    }

    /// The class of the chunk's page.
    #[inline]
    pub(crate) fn class_of(&self, chunk: Handle) -> ClassId {
        self.pages[chunk.page()].class
    }

    #[inline]
    pub(crate) fn page_of(&mut self, chunk: Handle) -> &mut Page {
        &mut self.pages[chunk.page()]
    }

    /// Handle of chunk `number` of `page`.
    #[inline]
    pub(crate) fn chunk(&self, page: u32, number: u16) -> Handle {
        let size = self.classes.size(self.pages[page as usize].class);
        Handle::at_offset(page as usize * PAGE + usize::from(number) * size)
    }

    /// Pages that hold memory: of classes and of the pool.
    pub(crate) fn resident(&self) -> usize {
        self.resident
    }

    /// Pages in the pool.
    pub(crate) fn free_pages(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn pages_max(&self) -> usize {
        self.pages_max
    }

    /// Changes how many pages may be resident. What is above that goes when the caller discards pool pages or empties
    /// others: it may be gigabytes, too much for one call under a lock.
    pub(crate) fn set_pages_max(&mut self, pages_max: usize) {
        self.pages_max = pages_max;
    }

    /// Gives one pool page's memory back to the kernel.
    pub(crate) fn discard_free_page(&mut self) -> bool {
        let Some(page) = self.free.pop() else { return false };
        self.backing.discard(&mut self.items.arena, page as usize * PAGE, PAGE);
        self.exhausted = false;
        self.discarded.push(page);
        self.resident -= 1;
        true
    }

    /// Takes a free chunk of `class`, if it has one. The chunk holds its page until [`Slabs::release_hold`] or
    /// [`Slabs::give`].
    #[inline]
    pub(crate) fn take(&mut self, class: ClassId) -> Option<Handle> {
        let of_class = &mut self.by_class[class as usize];
        let &page_id = of_class.with_room.last()?;
        let page = &mut self.pages[page_id as usize];
        let size = self.classes.size(class);
        let start = page_id as usize * PAGE;
        let chunk = if page.free_head != NO_CHUNK {
            let chunk = Handle::at_offset(start + usize::from(page.free_head) * size);
            page.free_head = self.items.free_link(chunk);
            chunk
        } else {
            page.carved += 1;
            let chunk = Handle::at_offset(start + usize::from(page.carved - 1) * size);
            // What the page held in an earlier life must not look alive while the chunk is being written.
            self.items.set_state(chunk, 0);
            chunk
        };
        page.used += 1;
        page.held += 1;
        of_class.used += 1;
        if page.free_head == NO_CHUNK && usize::from(page.carved) == PAGE / size {
            page.listed = false;
            of_class.with_room.pop();
        }
        Some(chunk)
    }

    /// Whether [`Slabs::take`] would find a chunk.
    pub(crate) fn has_room(&self, class: ClassId) -> bool {
        !self.by_class[class as usize].with_room.is_empty()
    }

    /// The taken chunk (or a pin on it) no longer keeps its page in place.
    #[inline]
    pub(crate) fn release_hold(&mut self, chunk: Handle) {
        self.page_of(chunk).held -= 1;
    }

    /// A pin on the chunk keeps its page in place.
    pub(crate) fn hold(&mut self, chunk: Handle) {
        self.page_of(chunk).held += 1;
    }

    /// Frees a chunk that is neither live nor held.
    pub(crate) fn give(&mut self, chunk: Handle) {
        let page_id = chunk.page();
        let page = &mut self.pages[page_id];
        let class = page.class;
        let number = ((chunk.offset() - page_id * PAGE) / self.classes.size(class)) as u16;
        self.items.set_free(chunk, page.free_head);
        page.free_head = number;
        page.used -= 1;
        self.by_class[class as usize].used -= 1;
        if page.used == 0 && !page.closing {
            self.return_page(page_id as u32);
        } else if !page.listed && !page.closing {
            page.listed = true;
            self.by_class[class as usize].with_room.push(page_id as u32);
        }
    }

    /// Gives `class` a page of the pool or a new one.
    pub(crate) fn grow(&mut self, class: ClassId, tick: u64) -> bool {
        let Some(page_id) = self.pool_page() else { return false };
        let of_class = &mut self.by_class[class as usize];
        let position = of_class.pages.len() as u32;
        self.pages[page_id as usize] = Page { class, listed: true, position, passed: tick, ..Page::EMPTY };
        of_class.pages.push(page_id);
        of_class.with_room.push(page_id);
        true
    }

    fn pool_page(&mut self) -> Option<u32> {
        if let Some(page) = self.free.pop() {
            return Some(page);
        }
        if self.resident >= self.pages_max || self.exhausted {
            return None;
        }
        let page = self.discarded.last().map_or(self.pages.len(), |&page| page as usize);
        if (page + 1) * PAGE > self.items.arena.len() {
            return None;
        }
        if !self.backing.commit(page * PAGE, PAGE) {
            self.exhausted = true;
            return None;
        }
        if self.discarded.pop().is_none() {
            self.pages.push(Page::EMPTY);
        }
        self.resident += 1;
        Some(page as u32)
    }

    /// The next page as an earlier server left it: of `class` with all its `carved` chunks in use until they are given,
    /// or of no class. Nothing is known of its bytes yet.
    pub(crate) fn adopt(&mut self, class: ClassId, carved: u16) -> Result<(), Unfit> {
        let page_id = self.pages.len() as u32;
        let at = self.pages.len() * PAGE;
        if at + PAGE > self.items.arena.len() {
            return Err(Unfit::Impossible);
        }
        if class == NO_CLASS {
            self.backing.discard(&mut self.items.arena, at, PAGE);
            self.pages.push(Page::EMPTY);
            self.discarded.push(page_id);
            return Ok(());
        }
        if usize::from(class) >= self.classes.len() || usize::from(carved) > self.classes.chunks_per_page(class) {
            return Err(Unfit::Impossible);
        }
        // A page that somebody took out of the file must not be missed in the middle of reading it.
        if !self.backing.commit(at, PAGE) {
            return Err(Unfit::NoMemory);
        }
        let listed = usize::from(carved) < self.classes.chunks_per_page(class);
        let of_class = &mut self.by_class[class as usize];
        let position = of_class.pages.len() as u32;
        self.pages.push(Page { class, carved, used: carved, listed, position, ..Page::EMPTY });
        of_class.pages.push(page_id);
        of_class.used += usize::from(carved);
        if listed {
            of_class.with_room.push(page_id);
        }
        self.resident += 1;
        Ok(())
    }

    /// The bytes of all chunks of the page that were ever given out.
    pub(crate) fn carved_bytes(&self, page: &Page, page_id: u32) -> &[u8] {
        let len = if page.class == NO_CLASS { 0 } else { usize::from(page.carved) * self.classes.size(page.class) };
        self.items.arena.bytes(page_id as usize * PAGE, len)
    }

    /// Size of the chunk that `handle` names; `None` when it names none that was ever given out.
    pub(crate) fn carved_size(&self, handle: Handle) -> Option<usize> {
        let page = self.pages.get(handle.page()).filter(|page| page.class != NO_CLASS)?;
        let size = self.classes.size(page.class);
        let at = handle.offset() % PAGE;
        (at.is_multiple_of(size) && at / size < usize::from(page.carved)).then_some(size)
    }

    /// No chunk of the page is given out any more.
    pub(crate) fn close(&mut self, page_id: u32) {
        let page = &mut self.pages[page_id as usize];
        page.closing = true;
        if page.listed {
            page.listed = false;
            let with_room = &mut self.by_class[page.class as usize].with_room;
            if let Some(at) = with_room.iter().position(|&p| p == page_id) {
                with_room.swap_remove(at);
            }
        }
    }

    /// Ends what [`Slabs::close`] began: an empty page goes to the pool, another one back to work.
    pub(crate) fn reopen(&mut self, page_id: u32) -> bool {
        let page = &mut self.pages[page_id as usize];
        page.closing = false;
        if page.used == 0 {
            self.return_page(page_id);
            return true;
        }
        let has_room =
            page.free_head != NO_CHUNK || usize::from(page.carved) < self.classes.chunks_per_page(page.class);
        if has_room && !page.listed {
            page.listed = true;
            self.by_class[page.class as usize].with_room.push(page_id);
        }
        false
    }

    /// Takes an empty page from its class into the pool.
    fn return_page(&mut self, page_id: u32) {
        let page = std::mem::replace(&mut self.pages[page_id as usize], Page::EMPTY);
        debug_assert!(page.used == 0 && page.held == 0 && page.live == 0, "returned in use: {page:?}");
        let of_class = &mut self.by_class[page.class as usize];
        if page.listed
            && let Some(at) = of_class.with_room.iter().position(|&p| p == page_id)
        {
            of_class.with_room.swap_remove(at);
        }
        let position = page.position as usize;
        of_class.pages.swap_remove(position);
        if let Some(&moved) = of_class.pages.get(position) {
            self.pages[moved as usize].position = position as u32;
        }
        if of_class.hand_page >= of_class.pages.len() || of_class.hand_page == position {
            of_class.hand_chunk = 0;
        }
        if of_class.hand_page >= of_class.pages.len() {
            of_class.hand_page = 0;
        }
        self.free.push(page_id);
        if self.resident > self.pages_max {
            self.discard_free_page();
        }
    }

    /// Forgets all chunks of a page that holds none fast; the caller has unlinked its items.
    pub(crate) fn clear_page(&mut self, page_id: u32) {
        let page = &mut self.pages[page_id as usize];
        debug_assert_eq!(page.held, 0);
        let of_class = &mut self.by_class[page.class as usize];
        of_class.used -= usize::from(page.used);
        of_class.live -= usize::from(page.live);
        page.used = 0;
        page.live = 0;
        self.return_page(page_id);
    }

    /// A chunk is now a live item.
    #[inline]
    pub(crate) fn count_live(&mut self, item: Handle) {
        let page = &mut self.pages[item.page()];
        page.live += 1;
        self.by_class[page.class as usize].live += 1;
    }

    /// A live item no longer is.
    #[inline]
    pub(crate) fn count_dead(&mut self, item: Handle) {
        let page = &mut self.pages[item.page()];
        page.live -= 1;
        self.by_class[page.class as usize].live -= 1;
    }

    /// Moves the hand of `class` to the next chunk and returns the one it stood at; `None` when the class has no
    /// carved chunk there (the end of a page was reached).
    pub(crate) fn advance_hand(&mut self, class: ClassId, tick: u64) -> Option<Handle> {
        let of_class = &mut self.by_class[class as usize];
        let &page_id = of_class.pages.get(of_class.hand_page)?;
        let number = of_class.hand_chunk;
        let page = &mut self.pages[page_id as usize];
        if number < page.carved {
            of_class.hand_chunk += 1;
            return Some(self.chunk(page_id, number));
        }
        page.passed = tick;
        of_class.hand_chunk = 0;
        of_class.hand_page = (of_class.hand_page + 1) % of_class.pages.len();
        None
    }

    /// Moves the hand of `class`, where it stands at the start of a page, to the next page in which an item starts.
    pub(crate) fn skip_pieces(&mut self, class: ClassId, tick: u64) {
        let of_class = &mut self.by_class[class as usize];
        for _ in 0..of_class.pages.len() {
            let page = &mut self.pages[of_class.pages[of_class.hand_page] as usize];
            if of_class.hand_chunk > 0 || page.live > 0 {
                return;
            }
            page.passed = tick;
            of_class.hand_page = (of_class.hand_page + 1) % of_class.pages.len();
        }
    }

    /// Moves the hand of `class` to the start of its next page.
    pub(crate) fn skip_page(&mut self, class: ClassId) {
        let of_class = &mut self.by_class[class as usize];
        of_class.hand_chunk = 0;
        of_class.hand_page = (of_class.hand_page + 1) % of_class.pages.len().max(1);
    }

    /// Bytes of the tables themselves.
    pub(crate) fn table_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<Page>()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use super::*;
    use crate::slab::arena::Mapping;

    fn slabs(pages_max: usize) -> (Mapping, Slabs) {
        let mapping = Mapping::reserve(8 * PAGE, false).expect("address space");
        let slabs = Slabs::new(mapping.arena(), Backing::Anonymous, true, pages_max);
        (mapping, slabs)
    }

    fn take_all(slabs: &mut Slabs, class: ClassId) -> Vec<Handle> {
        std::iter::from_fn(|| {
            let chunk = slabs.take(class)?;
            slabs.release_hold(chunk);
            Some(chunk)
        })
        .collect()
    }

    #[test]
    fn a_page_gives_each_chunk_once_and_returns_to_the_pool_when_empty() {
        let (_mapping, mut slabs) = slabs(1);
        let class = slabs.classes.class_of(1000).expect("class");
        assert!(slabs.take(class).is_none());
        assert!(slabs.grow(class, 1));
        assert!(!slabs.grow(class, 1), "only one page is allowed");
        let mut chunks = take_all(&mut slabs, class);
        assert_eq!(chunks.len(), slabs.classes.chunks_per_page(class));
        for &chunk in &chunks {
            slabs.give(chunk);
        }
        assert!(slabs.by_class[class as usize].pages.is_empty());
        assert_eq!(slabs.free_pages(), 1);
        let other = slabs.classes.class_of(40_000 / 2).expect("class");
        assert!(slabs.grow(other, 2), "the pool's page serves any class");
        chunks.sort_by_key(|chunk| chunk.0);
        chunks.dedup();
        assert_eq!(chunks.len(), slabs.classes.chunks_per_page(class), "a chunk was given out twice");
    }

    #[test]
    fn freed_chunks_are_reused_before_new_ones_are_carved() {
        let (_mapping, mut slabs) = slabs(1);
        let class = slabs.classes.class_of(100).expect("class");
        assert!(slabs.grow(class, 1));
        let first = slabs.take(class).expect("room");
        let second = slabs.take(class).expect("room");
        slabs.release_hold(first);
        slabs.release_hold(second);
        slabs.give(first);
        assert_eq!(slabs.take(class), Some(first));
        assert_eq!(slabs.pages[0].carved, 2);
    }

    #[test]
    fn a_closing_page_gives_nothing_out() {
        let (_mapping, mut slabs) = slabs(2);
        let class = slabs.classes.class_of(30_000).expect("class");
        assert!(slabs.grow(class, 1));
        let chunk = slabs.take(class).expect("room");
        slabs.release_hold(chunk);
        slabs.close(0);
        assert!(slabs.take(class).is_none());
        assert!(!slabs.reopen(0));
        assert!(slabs.take(class).is_some());
    }

    #[test]
    fn lowering_the_limit_gives_pool_pages_back() {
        let (_mapping, mut slabs) = slabs(3);
        let class = slabs.classes.class_of(30_000).expect("class");
        for _ in 0..3 {
            assert!(slabs.grow(class, 1));
        }
        let chunks = take_all(&mut slabs, class);
        assert_eq!(slabs.resident(), 3);
        slabs.set_pages_max(1);
        assert_eq!(slabs.resident(), 3, "pages in use stay");
        for chunk in chunks {
            slabs.give(chunk);
        }
        assert_eq!(slabs.resident(), 1);
        assert!(!slabs.grow(class, 1) || slabs.resident() == 1);
    }

    #[test]
    fn a_page_that_the_file_system_has_no_room_for_is_not_given_out() {
        let mapping = Mapping::reserve(8 * PAGE, false).expect("address space");
        // A file that cannot be written stands for a file system that is full.
        let file = Arc::new(File::open("/dev/null").expect("there"));
        let mut slabs = Slabs::new(mapping.arena(), Backing::File { file, start: 0 }, true, 8);
        assert!(!slabs.grow(0, 1) && !slabs.grow(0, 1));
        assert_eq!((slabs.resident(), slabs.pages.len()), (0, 0));
        assert_eq!(slabs.adopt(0, 1), Err(Unfit::NoMemory));
    }

    #[test]
    fn the_hand_visits_every_carved_chunk_in_turn() {
        let (_mapping, mut slabs) = slabs(2);
        let class = slabs.classes.class_of(30_000).expect("class");
        assert!(slabs.grow(class, 1) && slabs.grow(class, 1));
        let mut taken = take_all(&mut slabs, class);
        let mut seen: Vec<Handle> = (0..6).filter_map(|_| slabs.advance_hand(class, 5)).collect();
        taken.sort_by_key(|chunk| chunk.0);
        seen.sort_by_key(|chunk| chunk.0);
        assert_eq!(seen, taken);
        assert_eq!(slabs.pages[0].passed, 5);
    }
}

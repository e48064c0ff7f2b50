//! How one item lies in its chunk.
//!
//! ```text
//! item   0 expiry u32 │ 4 last access u32 │ 8 value length (30 bits), client-flags bit, large bit
//!       12 key length u8 │ 13 state u8 │ 14 CAS u64 (absent with -C)
//!       then, in this order: next piece u32 + 4 unused (large only) │ key │ client flags u32 (if not 0) │ value
//! piece  0 next piece u32 │ 4 owner u32 │ 8 bytes used u32 │ 12 unused │ 13 state u8 │ 14 unused
//!       16 piece before u32 │ 20 unused │ 24 value ...
//! free   0 next free chunk of the page u16 │ 13 state u8 = 0
//! ```
//! Item and piece share the place of the state byte, so that a walk over a page can tell what each chunk is.

use super::arena::Arena;
use super::classes::{CHUNK_MAX, GRANULE, PAGE};
use crate::clock::{NEVER, Seconds};

/// Where a chunk starts, in granules from the start of its arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle(pub(crate) u32);

impl Handle {
    /// No chunk.
    pub(crate) const NONE: Handle = Handle(u32::MAX);

    pub(crate) fn at_offset(offset: usize) -> Handle {
        Handle((offset / GRANULE) as u32)
    }

    #[inline]
    pub(crate) fn offset(self) -> usize {
        self.0 as usize * GRANULE
    }

    /// The page the chunk lies in.
    #[inline]
    pub(crate) fn page(self) -> usize {
        self.0 as usize / (PAGE / GRANULE)
    }
}

/// Bits of the state byte.
pub(crate) mod state {
    /// How often it was used lately, 0 to 3.
    pub(crate) const FREQUENCY: u8 = 0b11;
    /// Linked in the index.
    pub(crate) const LIVE: u8 = 1 << 2;
    /// Fetched since it was stored.
    pub(crate) const FETCHED: u8 = 1 << 3;
    /// A piece of a large item.
    pub(crate) const PIECE: u8 = 1 << 4;
    /// Its value was declared out of date.
    pub(crate) const STALE: u8 = 1 << 5;
    /// A reader was told to renew it.
    pub(crate) const CLAIMED: u8 = 1 << 6;
    /// Its key is no text, and is shown encoded.
    pub(crate) const BINARY_KEY: u8 = 1 << 7;
}

const EXPIRY: usize = 0;
const ACCESS: usize = 4;
const LENGTH: usize = 8;
const KEY_LENGTH: usize = 12;
const STATE: usize = 13;
const CAS: usize = 14;

const NEXT_OF_PIECE: usize = 0;
const OWNER: usize = 4;
const PIECE_BEFORE: usize = 16;

const LENGTH_MASK: u32 = (1 << 30) - 1;
const HAS_FLAGS: u32 = 1 << 30;
const IS_LARGE: u32 = 1 << 31;

const LINK_BYTES: usize = 8;
const FLAGS_BYTES: usize = 4;

/// Bytes at the start of a piece that are not value.
pub(crate) const PIECE_HEADER: usize = 24;

/// Value bytes that the largest piece holds.
pub(crate) const PIECE_VALUE_MAX: usize = CHUNK_MAX - PIECE_HEADER;

/// The longest value in bytes that the layout can hold.
pub(crate) const VALUE_MAX: usize = LENGTH_MASK as usize;

/// What is written at the start of a new item.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) client_flags: u32,
    pub(crate) expiry: Seconds,
    pub(crate) accessed: Seconds,
    pub(crate) value_len: usize,
}

/// The first 16 bytes of an item, read at one go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed([u32; 4]);

impl Fixed {
    #[inline]
    pub(crate) fn accessed(self) -> Seconds {
        self.0[ACCESS / 4]
    }

    #[inline]
    pub(crate) fn state(self) -> u8 {
        self.0[3].to_ne_bytes()[STATE % 4]
    }

    /// Whether a read in the second `now` would change nothing here.
    #[inline]
    pub(crate) fn is_read(self, now: Seconds) -> bool {
        const MARKS: u8 = state::FREQUENCY | state::FETCHED;
        self.state() & MARKS == MARKS && self.accessed() == now
    }

    /// Whether the item's time is over.
    #[inline]
    pub(crate) fn is_expired(self, now: Seconds) -> bool {
        let expiry = self.0[EXPIRY / 4];
        expiry != NEVER && expiry <= now
    }

    #[inline]
    fn length_word(self) -> u32 {
        self.0[LENGTH / 4]
    }

    #[inline]
    fn is_large(self) -> bool {
        self.length_word() & IS_LARGE != 0
    }

    #[inline]
    fn key_len(self) -> usize {
        usize::from(self.0[3].to_ne_bytes()[KEY_LENGTH % 4])
    }

    #[inline]
    fn value_len(self) -> usize {
        (self.length_word() & LENGTH_MASK) as usize
    }
}

/// What a reader wants of an item.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The client's opaque flags.
    pub client_flags: u32,
    /// Bytes of the value.
    pub value_len: usize,
    /// The value, when it lies in one chunk.
    pub value: Option<&'a [u8]>,
}

/// The arena read as items. The caller passes handles of chunks that hold what the method's name says.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) arena: Arena,
    /// 22, or 14 without CAS.
    header: usize,
}

impl Items {
    pub(crate) fn new(arena: Arena, with_cas: bool) -> Items {
        Items { arena, header: if with_cas { CAS + 8 } else { CAS } }
    }

    /// Bytes of an item with all its parts, were it in one chunk.
    #[inline]
    pub(crate) fn bytes_needed(&self, key_len: usize, client_flags: u32, value_len: usize) -> usize {
        let flags = if client_flags == 0 { 0 } else { FLAGS_BYTES };
        self.header + key_len + flags + value_len
    }

    /// Value bytes that fit in the first chunk of a large item.
    pub(crate) fn head_capacity(&self, key_len: usize, client_flags: u32) -> usize {
        CHUNK_MAX - LINK_BYTES - self.bytes_needed(key_len, client_flags, 0)
    }

    /// Writes header, key and client flags of an item that is not live yet, with CAS 0.
    pub(crate) fn write_head(&mut self, item: Handle, head: &Head<'_>, large: bool) {
        let at = item.offset();
        let mut length = head.value_len as u32 & LENGTH_MASK;
        if head.client_flags != 0 {
            length |= HAS_FLAGS;
        }
        if large {
            length |= IS_LARGE;
        }
        self.arena.put_u32(at + EXPIRY, head.expiry);
        self.arena.put_u32(at + ACCESS, head.accessed);
        self.arena.put_u32(at + LENGTH, length);
        self.arena.put_u8(at + KEY_LENGTH, head.key.len() as u8);
        self.arena.put_u8(at + STATE, 0);
        self.set_cas(item, 0);
        if large {
            self.arena.put_u32(at + self.header, Handle::NONE.0);
        }
        let key_at = self.key_at(item, length);
        self.arena.bytes_mut(key_at, head.key.len()).copy_from_slice(head.key);
        if head.client_flags != 0 {
            let flags = self.arena.bytes_mut(key_at + head.key.len(), FLAGS_BYTES);
            flags.copy_from_slice(&head.client_flags.to_ne_bytes());
        }
    }

    /// Writes an item of one chunk, the parts of whose value are `parts`, `head.value_len` bytes together.
    #[inline]
    pub(crate) fn write_small<const N: usize>(
        &mut self,
        item: Handle,
        head: &Head<'_>,
        parts: [&[u8]; N],
        cas: u64,
        state: u8,
    ) {
        let flags_bit = if head.client_flags == 0 { 0 } else { HAS_FLAGS };
        let length = head.value_len as u32 & LENGTH_MASK | flags_bit;
        let words = [head.expiry, head.accessed, length].map(u32::to_ne_bytes);
        let (header, bytes) = (self.header, self.bytes_needed(head.key.len(), head.client_flags, head.value_len));
        let (start, mut rest) = self.arena.bytes_mut(item.offset(), bytes).split_at_mut(header);
        let (fixed, cas_at) = start.split_at_mut(CAS);
        fixed[..KEY_LENGTH].copy_from_slice(words.as_flattened());
        fixed[KEY_LENGTH] = head.key.len() as u8;
        fixed[STATE] = state;
        if let Some(target) = cas_at.first_chunk_mut() {
            *target = cas.to_ne_bytes();
        }
        let flags = head.client_flags.to_ne_bytes();
        let flags = if head.client_flags == 0 { &[][..] } else { &flags[..] };
        for part in [head.key, flags].into_iter().chain(parts) {
            let (target, behind) = rest.split_at_mut(part.len());
            target.copy_from_slice(part);
            rest = behind;
        }
    }

    #[inline]
    fn length_word(&self, item: Handle) -> u32 {
        self.arena.u32_at(item.offset() + LENGTH)
    }

    #[inline]
    fn key_at(&self, item: Handle, length_word: u32) -> usize {
        let link = if length_word & IS_LARGE != 0 { LINK_BYTES } else { 0 };
        item.offset() + self.header + link
    }

    /// Where the value starts in the item's first chunk.
    #[inline]
    pub(crate) fn value_at(&self, item: Handle) -> usize {
        let word = self.length_word(item);
        let flags = if word & HAS_FLAGS != 0 { FLAGS_BYTES } else { 0 };
        self.key_at(item, word) + self.key_len(item) + flags
    }

    #[inline]
    pub(crate) fn key_len(&self, item: Handle) -> usize {
        usize::from(self.arena.u8_at(item.offset() + KEY_LENGTH))
    }

    #[inline]
    pub(crate) fn key(&self, item: Handle) -> &[u8] {
        self.key_behind(item, self.fixed(item))
    }

    /// The key of the item that starts with `fixed`.
    #[inline]
    pub(crate) fn key_behind(&self, item: Handle, fixed: Fixed) -> &[u8] {
        self.arena.bytes(self.key_at(item, fixed.length_word()), fixed.key_len())
    }

    /// The start of an item.
    #[inline]
    pub(crate) fn fixed(&self, item: Handle) -> Fixed {
        Fixed(self.arena.four_words_at(item.offset()))
    }

    /// Flags, length and value of the item that starts with `fixed`.
    #[inline(always)] // Else its result takes the way through memory, at a tenth of what a get costs.
    pub(crate) fn parts(&self, item: Handle, fixed: Fixed) -> Parts<'_> {
        let value_len = fixed.value_len();
        if fixed.length_word() & (IS_LARGE | HAS_FLAGS) == 0 {
            let value_at = item.offset() + self.header + fixed.key_len();
            let value = self.arena.bytes(value_at, value_len);
            return Parts { client_flags: 0, value_len, value: Some(value) };
        }
        let value = if fixed.is_large() { None } else { Some(self.small_value(item)) };
        Parts { client_flags: self.client_flags(item), value_len, value }
    }

    #[inline]
    pub(crate) fn value_len(&self, item: Handle) -> usize {
        (self.length_word(item) & LENGTH_MASK) as usize
    }

    /// Changes the value's length; only for small, unpinned items, and where the chunk has room.
    pub(crate) fn set_value_len(&mut self, item: Handle, value_len: usize) {
        let word = self.length_word(item) & !LENGTH_MASK | value_len as u32;
        self.arena.put_u32(item.offset() + LENGTH, word);
    }

    /// Whether the value goes on in pieces.
    #[inline]
    pub(crate) fn is_large(&self, item: Handle) -> bool {
        self.length_word(item) & IS_LARGE != 0
    }

    /// Whether client flags are there; they are not where they are 0.
    pub(crate) fn has_flags(&self, item: Handle) -> bool {
        self.length_word(item) & HAS_FLAGS != 0
    }

    /// Chunks that the item lies in.
    pub(crate) fn chunk_count(&self, item: Handle) -> usize {
        if self.is_large(item) { self.value_len(item) / PIECE_VALUE_MAX + 1 } else { 1 }
    }

    #[inline]
    pub(crate) fn client_flags(&self, item: Handle) -> u32 {
        let word = self.length_word(item);
        if word & HAS_FLAGS == 0 {
            return 0;
        }
        // They may be the last bytes of the arena, too close to its end for its way to read words.
        let bytes = self.arena.bytes(self.key_at(item, word) + self.key_len(item), FLAGS_BYTES);
        bytes.first_chunk().map_or(0, |&flags| u32::from_ne_bytes(flags))
    }

    /// The value of a small item.
    #[inline]
    pub(crate) fn small_value(&self, item: Handle) -> &[u8] {
        self.arena.bytes(self.value_at(item), self.value_len(item))
    }

    /// All bytes of the item, as `stats` counts them.
    #[inline]
    pub(crate) fn item_bytes(&self, item: Handle) -> usize {
        let fixed = self.fixed(item);
        self.bytes_needed(fixed.key_len(), fixed.length_word() & HAS_FLAGS, fixed.value_len())
    }

    #[inline]
    pub(crate) fn expiry(&self, item: Handle) -> Seconds {
        self.arena.u32_at(item.offset() + EXPIRY)
    }

    pub(crate) fn set_expiry(&mut self, item: Handle, expiry: Seconds) {
        self.arena.put_u32(item.offset() + EXPIRY, expiry);
    }

    /// Whether the item's time is over.
    #[inline]
    pub(crate) fn is_expired(&self, item: Handle, now: Seconds) -> bool {
        self.fixed(item).is_expired(now)
    }

    #[inline]
    pub(crate) fn accessed(&self, item: Handle) -> Seconds {
        self.fixed(item).accessed()
    }

    pub(crate) fn set_accessed(&mut self, item: Handle, accessed: Seconds) {
        self.arena.put_u32(item.offset() + ACCESS, accessed);
    }

    /// State of any chunk that was ever carved.
    #[inline]
    pub(crate) fn state(&self, chunk: Handle) -> u8 {
        self.arena.u8_at(chunk.offset() + STATE)
    }

    #[inline]
    pub(crate) fn set_state(&mut self, chunk: Handle, state: u8) {
        self.arena.put_u8(chunk.offset() + STATE, state);
    }

    /// 0 when items carry none (`-C`).
    #[inline]
    pub(crate) fn cas(&self, item: Handle) -> u64 {
        if self.header > CAS { self.arena.u64_at(item.offset() + CAS) } else { 0 }
    }

    #[inline]
    pub(crate) fn set_cas(&mut self, item: Handle, cas: u64) {
        if self.header > CAS {
            self.arena.put_u64(item.offset() + CAS, cas);
        }
    }

    /// The first piece of a large item.
    pub(crate) fn first_piece(&self, item: Handle) -> Handle {
        Handle(self.arena.u32_at(item.offset() + self.header))
    }

    pub(crate) fn set_first_piece(&mut self, item: Handle, piece: Handle) {
        self.arena.put_u32(item.offset() + self.header, piece.0);
    }

    /// `before` is the piece in front, `NONE` for the first.
    pub(crate) fn write_piece_head(&mut self, piece: Handle, owner: Handle, before: Handle) {
        let at = piece.offset();
        self.arena.put_u32(at + NEXT_OF_PIECE, Handle::NONE.0);
        self.arena.put_u32(at + OWNER, owner.0);
        self.arena.put_u32(at + LENGTH, 0);
        self.arena.put_u32(at + KEY_LENGTH, 0);
        self.arena.put_u8(at + STATE, state::PIECE);
        self.arena.put_u32(at + PIECE_BEFORE, before.0);
    }

    /// The piece in front of this one; `NONE` for the first.
    pub(crate) fn piece_before(&self, piece: Handle) -> Handle {
        Handle(self.arena.u32_at(piece.offset() + PIECE_BEFORE))
    }

    pub(crate) fn set_piece_before(&mut self, piece: Handle, before: Handle) {
        self.arena.put_u32(piece.offset() + PIECE_BEFORE, before.0);
    }

    pub(crate) fn next_piece(&self, piece: Handle) -> Handle {
        Handle(self.arena.u32_at(piece.offset() + NEXT_OF_PIECE))
    }

    pub(crate) fn set_next_piece(&mut self, piece: Handle, next: Handle) {
        self.arena.put_u32(piece.offset() + NEXT_OF_PIECE, next.0);
    }

    pub(crate) fn owner(&self, piece: Handle) -> Handle {
        Handle(self.arena.u32_at(piece.offset() + OWNER))
    }

    pub(crate) fn set_owner(&mut self, piece: Handle, owner: Handle) {
        self.arena.put_u32(piece.offset() + OWNER, owner.0);
    }

    /// Value bytes in the piece.
    pub(crate) fn piece_len(&self, piece: Handle) -> usize {
        self.arena.u32_at(piece.offset() + LENGTH) as usize
    }

    pub(crate) fn set_piece_len(&mut self, piece: Handle, len: usize) {
        self.arena.put_u32(piece.offset() + LENGTH, len as u32);
    }

    /// The next free chunk of the page, by number.
    pub(crate) fn free_link(&self, chunk: Handle) -> u16 {
        self.arena.u16_at(chunk.offset())
    }

    /// Makes the chunk a free one.
    pub(crate) fn set_free(&mut self, chunk: Handle, next: u16) {
        self.arena.put_u16(chunk.offset(), next);
        self.set_state(chunk, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::arena::Mapping;

    fn round_trip(with_cas: bool, client_flags: u32, large: bool) {
        let mapping = Mapping::reserve(PAGE, false).expect("address space");
        let mut items = Items::new(mapping.arena(), with_cas);
        let item = Handle::at_offset(1024);
        let head = Head { key: b"key", client_flags, expiry: 77, accessed: 5, value_len: 5 };
        if large {
            items.write_head(item, &head, large);
            items.set_cas(item, 9);
            let at = items.value_at(item);
            items.arena.bytes_mut(at, 5).copy_from_slice(b"value");
        } else {
            items.write_small(item, &head, [b"val", b"ue"], 9, 0);
        }
        assert_eq!(items.key(item), b"key");
        assert_eq!(items.client_flags(item), client_flags);
        assert_eq!(items.expiry(item), 77);
        assert_eq!(items.accessed(item), 5);
        assert_eq!(items.value_len(item), 5);
        assert_eq!(items.small_value(item), b"value");
        assert_eq!(items.is_large(item), large);
        assert_eq!(items.cas(item), if with_cas { 9 } else { 0 });
        assert_eq!(items.state(item), 0);
    }

    #[test]
    fn heads_read_back_in_every_shape() {
        for with_cas in [true, false] {
            for client_flags in [0, 1, u32::MAX] {
                for large in [true, false] {
                    round_trip(with_cas, client_flags, large);
                }
            }
        }
    }

    #[test]
    fn overhead_is_22_bytes_and_14_without_cas() {
        let mapping = Mapping::reserve(PAGE, false).expect("address space");
        assert_eq!(Items::new(mapping.arena(), true).bytes_needed(0, 0, 0), 22);
        assert_eq!(Items::new(mapping.arena(), false).bytes_needed(0, 0, 0), 14);
        assert_eq!(Items::new(mapping.arena(), true).bytes_needed(16, 7, 10), 22 + 16 + 4 + 10);
    }

    #[test]
    fn an_item_may_end_where_the_arena_does() {
        let mapping = Mapping::reserve(PAGE, false).expect("address space");
        let mut items = Items::new(mapping.arena(), true);
        let item = Handle::at_offset(PAGE - 48);
        let key = [b'k'; 48 - 22 - 4];
        let head = Head { key: &key, client_flags: 7, expiry: NEVER, accessed: 5, value_len: 0 };
        items.write_small(item, &head, [b""], 9, state::LIVE);
        assert_eq!((items.key(item), items.client_flags(item), items.small_value(item)), (&key[..], 7, &b""[..]));
        assert_eq!(items.parts(item, items.fixed(item)).client_flags, 7);
        items.write_head(item, &head, false);
        assert_eq!(items.client_flags(item), 7);
    }

    #[test]
    fn a_large_head_fills_its_chunk_exactly() {
        let mapping = Mapping::reserve(PAGE, false).expect("address space");
        let mut items = Items::new(mapping.arena(), true);
        let item = Handle::at_offset(0);
        let head = Head { key: b"k", client_flags: 1, expiry: 0, accessed: 2, value_len: 100_000 };
        items.write_head(item, &head, true);
        assert_eq!(items.value_at(item) + items.head_capacity(1, 1), CHUNK_MAX);
    }
}

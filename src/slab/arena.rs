//! One region of memory, anonymous or of a file, bounds-checked: the only `unsafe` of the store.
//!
//! The region is reserved as a whole and becomes resident as it is touched. [`Mapping`] owns it; an [`Arena`] is the
//! view through which a shard, behind its lock, reads and writes, and through which pinned items are read and
//! uploads are written without the lock.
//!
//! Why views of the same bytes in several threads are sound: every access is inside of the mapping (checked), the
//! mapping outlives its views (both sit in the same `Arc`), all bytes are initialised (the kernel hands out zeroes),
//! and no byte is written while another thread may read or write it, because
//! * whatever a shard owns is touched under its lock only;
//! * a pinned item's lengths, chain and value are not written before the last pin is gone;
//! * the chunks of an upload are known to that upload alone until it is published.
//!
//! Memory of a file is shared with whoever else maps or writes the file. That it is nobody is seen to outside:
//! `sys::memory_file` takes only files that no other user may write, and locks them against a second server.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::slice;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, mmap_anonymous, munmap};

/// Owns one region of memory; unmaps it when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is plain memory without thread affinity; `Mapping` itself never touches its bytes.
unsafe impl Send for Mapping {}
// SAFETY: as above, shared references to it give out only the address.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Reserves `len` bytes of zeroes, which take up memory only when touched.
    ///
    /// # Errors
    /// When the kernel refuses the address space.
    pub(crate) fn reserve(len: usize, huge_pages: bool) -> io::Result<Mapping> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a null hint asks for a new mapping, so no existing memory is affected.
        let base = unsafe { mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, flags) }?;
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        let mapping = Mapping { base, len };
        if huge_pages {
            // SAFETY: the range is exactly the mapping made above; the advice does not change its contents.
            unsafe { madvise(base.as_ptr().cast(), len, Advice::LinuxHugepage) }?;
        }
        Ok(mapping)
    }

    /// Maps `len` bytes of `file` from byte `at` on, a multiple of the kernel's page size. The file is long enough and
    /// stays so; bytes of it that were never written are zeroes.
    ///
    /// # Errors
    /// When the kernel refuses the address space or the file.
    pub(crate) fn of_file(file: &File, at: u64, len: usize) -> io::Result<Mapping> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a null hint asks for a new mapping, so no existing memory is affected; what else may change the
        // file's bytes is ruled out as the module says.
        let base = unsafe { mmap(std::ptr::null_mut(), len, access, MapFlags::SHARED, file, at) }?;
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mmap returned null"))?;
        Ok(Mapping { base, len })
    }

    /// A view of the region. The caller keeps the mapping alive for as long as the view is used.
    pub(crate) fn arena(&self) -> Arena {
        let last_short = self.len.checked_sub(SHORT).expect("a mapping is a page at least");
        Arena { base: self.base, len: self.len, last_short }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly the mapping that was made, and by the contract of `arena` no view is left.
        let unmapped = unsafe { munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert!(unmapped.is_ok(), "munmap of an own mapping: {unmapped:?}");
    }
}

/// A bounds-checked view of a mapping; see the module for the rules its users keep.
#[derive(Debug)]
pub(crate) struct Arena {
    base: NonNull<u8>,
    len: usize,
    /// Where the last [`SHORT`] bytes begin.
    last_short: usize,
}

/// The longest range that is checked by one comparison: four words.
const SHORT: usize = size_of::<[u32; 4]>();

// SAFETY: see the module: the accesses that different threads make through views do not overlap.
unsafe impl Send for Arena {}
// SAFETY: as above.
unsafe impl Sync for Arena {}

macro_rules! word_access {
    ($read:ident, $write:ident, $word:ty) => {
        /// The little word at byte `at`, behind which the region goes on for [`SHORT`] bytes at least: every chunk is
        /// longer than its header.
        #[inline]
        pub(crate) fn $read(&self, at: usize) -> $word {
            let word = self.short_span(at).cast::<$word>();
            // SAFETY: `short_span` checked the range; any bytes are a valid integer; no alignment is assumed.
            unsafe { word.read_unaligned() }
        }

        /// Writes the word at byte `at`.
        #[inline]
        pub(crate) fn $write(&mut self, at: usize, value: $word) {
            let word = self.short_span(at).cast::<$word>();
            // SAFETY: as for reading; that nobody else reads it meanwhile is the module's rule.
            unsafe { word.write_unaligned(value) }
        }
    };
}

impl Arena {
    /// Bytes of the region.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    word_access!(u8_at, put_u8, u8);
    word_access!(u16_at, put_u16, u16);
    word_access!(u32_at, put_u32, u32);
    word_access!(u64_at, put_u64, u64);

    /// The four little words from byte `at` on; they are [`SHORT`] bytes.
    #[inline]
    pub(crate) fn four_words_at(&self, at: usize) -> [u32; 4] {
        let words = self.short_span(at).cast::<[u32; 4]>();
        // SAFETY: `short_span` checked the range; any bytes are valid integers; no alignment is assumed.
        unsafe { words.read_unaligned() }
    }

    /// The `len` bytes from `at`.
    #[inline]
    pub(crate) fn bytes(&self, at: usize, len: usize) -> &[u8] {
        let start = self.span(at, len);
        // SAFETY: `span` checked the range, all bytes are initialised, and the module's rules keep writers away for
        // as long as the caller's borrow of the view lasts.
        unsafe { slice::from_raw_parts(start, len) }
    }

    /// The `len` bytes from `at`, to be written.
    #[inline]
    pub(crate) fn bytes_mut(&mut self, at: usize, len: usize) -> &mut [u8] {
        let start = self.span(at, len);
        // SAFETY: as for `bytes`; the exclusive borrow of the view and the module's rules make it the only access.
        unsafe { slice::from_raw_parts_mut(start, len) }
    }

    /// Several disjoint ranges at once, to be written by one vectored read. Ranges that overlap are refused.
    pub(crate) fn many_mut<const N: usize>(&mut self, ranges: [(usize, usize); N]) -> [&mut [u8]; N] {
        for (i, (at, len)) in ranges.iter().enumerate() {
            let apart = |(other, other_len): &(usize, usize)| at + len <= *other || other + other_len <= *at;
            assert!(*len == 0 || ranges[i + 1..].iter().all(|r| r.1 == 0 || apart(r)), "ranges overlap");
        }
        ranges.map(|(at, len)| {
            let start = self.span(at, len);
            // SAFETY: as for `bytes_mut`; the ranges do not overlap (checked above).
            unsafe { slice::from_raw_parts_mut(start, len) }
        })
    }

    /// Copies `len` bytes from `from` to `to`; the ranges may overlap.
    pub(crate) fn copy_within(&mut self, from: usize, to: usize, len: usize) {
        let source = self.span(from, len);
        let target = self.span(to, len);
        // SAFETY: both ranges were checked and `copy` permits overlap.
        unsafe { std::ptr::copy(source, target, len) }
    }

    /// Asks the processor for the first bytes of an item, three cache lines of them.
    #[inline]
    pub(crate) fn prefetch(&self, at: usize) {
        #[cfg(target_arch = "x86_64")]
        for line in [0, 64, 128] {
            let address = self.base.as_ptr().wrapping_add(at + line).cast::<i8>();
            // SAFETY: a prefetch of any address is a hint that neither faults nor reads in the language's sense.
            unsafe { std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = at;
    }

    /// Gives anonymous memory of the range back to the kernel, locked or not; it reads as zeroes afterwards. Kernels before 5.18
    /// keep locked memory (`-k`).
    pub(crate) fn discard(&mut self, at: usize, len: usize) {
        let start = self.span(at, len);
        // SAFETY: the range was checked; private anonymous memory reads as zeroes afterwards, so all bytes stay
        // initialised, and no reference into it exists (exclusive borrow, module's rules).
        let discarded = unsafe { madvise(start.cast(), len, Advice::LinuxDontNeed) };
        if discarded.is_err() {
            // SAFETY: as above. Where it fails the memory stays as it is, and its bytes are written anew before they are
            // read, as any free chunk's.
            let _ = unsafe { madvise(start.cast(), len, Advice::LinuxDontneedLocked) };
        }
    }

    /// The address of a range of [`SHORT`] bytes that lies inside of the region, checked by one comparison.
    ///
    /// # Panics
    /// As [`Arena::span`].
    #[inline]
    fn short_span(&self, at: usize) -> *mut u8 {
        assert!(at <= self.last_short, "range {at}+{SHORT} outside of arena of {}", self.len);
        // SAFETY: `at` is at most the region's length (checked), so the address stays inside.
        unsafe { self.base.as_ptr().add(at) }
    }

    /// The address of a range that lies inside of the region.
    ///
    /// # Panics
    /// When it does not: a handle was made up, which the store's own invariants rule out.
    #[inline]
    fn span(&self, at: usize, len: usize) -> *mut u8 {
        assert!(len <= self.len && at <= self.len - len, "range {at}+{len} outside of arena of {}", self.len);
        // SAFETY: `at` is at most the region's length (checked), so the address stays inside or one past its end.
        unsafe { self.base.as_ptr().add(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena_of(len: usize) -> (Mapping, Arena) {
        let mapping = Mapping::reserve(len, false).expect("address space");
        let arena = mapping.arena();
        (mapping, arena)
    }

    #[test]
    fn words_and_bytes_read_back() {
        let (_mapping, mut arena) = arena_of(4096);
        arena.put_u64(8, 0x0102_0304_0506_0708);
        arena.put_u16(4096 - SHORT, 7);
        arena.bytes_mut(100, 5).copy_from_slice(b"hello");
        assert_eq!(arena.u64_at(8), 0x0102_0304_0506_0708);
        assert_eq!(arena.u16_at(4096 - SHORT), 7);
        assert_eq!(arena.bytes(100, 5), b"hello");
        arena.copy_within(100, 102, 5);
        assert_eq!(arena.bytes(100, 7), b"hehello");
        arena.discard(0, 4096);
        assert_eq!(arena.u64_at(8), 0);
    }

    #[test]
    fn accesses_outside_panic_instead_of_reaching_other_memory() {
        for (at, len) in [(4096, 1), (4095, 2), (usize::MAX, 2), (0, 4097), (1, usize::MAX)] {
            let refused = std::panic::catch_unwind(|| {
                let (_mapping, arena) = arena_of(4096);
                arena.bytes(at, len).len()
            });
            assert!(refused.is_err(), "{at}+{len} was let through");
        }
    }

    #[test]
    fn overlapping_ranges_are_refused() {
        let refused = std::panic::catch_unwind(|| {
            let (_mapping, mut arena) = arena_of(4096);
            arena.many_mut([(0, 10), (9, 10)]).len()
        });
        assert!(refused.is_err());
        let (_mapping, mut arena) = arena_of(4096);
        let [a, b] = arena.many_mut([(0, 10), (10, 10)]);
        a.fill(1);
        b.fill(2);
        assert_eq!(arena.bytes(9, 2), [1, 2]);
    }
}

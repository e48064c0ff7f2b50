//! Searches in short text, 16 bytes at a time: keys and words are too short for a search that must first choose how to
//! go about it.

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Where the first `byte` stands.
#[inline]
pub fn find(text: &[u8], byte: u8) -> Option<usize> {
    search(text, |block| block::equal(block, byte), |found| found == byte)
}

/// Where the first blank or control character stands.
#[inline]
pub fn find_separator(text: &[u8]) -> Option<usize> {
    search(text, |block| block::at_most(block, b' '), |found| found <= b' ')
}

/// `of_block` gives a bit for each byte that is looked for, the lowest for the first byte.
#[inline]
fn search(text: &[u8], of_block: impl Fn(&[u8; BLOCK]) -> u32, is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let mut at = 0;
    while let Some(block) = text[at..].first_chunk() {
        let found = of_block(block);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += BLOCK;
    }
    // The last bytes once more, with those before them, which are known not to be it.
    if let Some(block) = text.last_chunk() {
        let found = of_block(block);
        return (found != 0).then(|| text.len() - BLOCK + found.trailing_zeros() as usize);
    }
    text.iter().position(|&byte| is_it(byte))
}

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod block {
    use std::arch::x86_64::{__m128i, _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};

    use super::BLOCK;

    #[inline]
    pub(super) fn equal(block: &[u8; BLOCK], byte: u8) -> u32 {
        // SAFETY: every processor of this architecture has SSE2.
        unsafe { equal_sse2(block, byte) }
    }

    #[inline]
    pub(super) fn at_most(block: &[u8; BLOCK], byte: u8) -> u32 {
        // SAFETY: every processor of this architecture has SSE2.
        unsafe { at_most_sse2(block, byte) }
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn equal_sse2(block: &[u8; BLOCK], byte: u8) -> u32 {
        _mm_movemask_epi8(_mm_cmpeq_epi8(vector(block), _mm_set1_epi8(byte as i8))) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn at_most_sse2(block: &[u8; BLOCK], byte: u8) -> u32 {
        let block = vector(block);
        _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(byte as i8)), block)) as u32
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn vector(block: &[u8; BLOCK]) -> __m128i {
        let whole = u128::from_le_bytes(*block);
        _mm_set_epi64x((whole >> 64) as i64, whole as i64)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod block {
    use super::BLOCK;

    #[inline]
    fn mask(block: &[u8; BLOCK], is_it: impl Fn(u8) -> bool) -> u32 {
        block.iter().enumerate().fold(0, |mask, (at, &byte)| mask | u32::from(is_it(byte)) << at)
    }

    #[inline]
    pub(super) fn equal(block: &[u8; BLOCK], byte: u8) -> u32 {
        mask(block, |found| found == byte)
    }

    #[inline]
    pub(super) fn at_most(block: &[u8; BLOCK], byte: u8) -> u32 {
        mask(block, |found| found <= byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_found_wherever_it_stands() {
        for len in 0..70 {
            for at in 0..len {
                for byte in [0, b'\n', b' ', b'!', 0x7f, 0x80, 0xff] {
                    let mut text = vec![b'x'; len];
                    text[at] = byte;
                    text[len - 1] = byte;
                    assert_eq!(find(&text, byte), Some(at), "byte {byte} at {at} of {len}");
                    assert_eq!(find_separator(&text), (byte <= b' ').then_some(at), "byte {byte} at {at} of {len}");
                }
            }
            assert_eq!(find(&vec![b'x'; len], b' '), None);
            assert_eq!(find_separator(&vec![0x80; len]), None);
        }
    }
}

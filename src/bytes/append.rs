//! Several parts appended to a buffer with one look at its room.
#![allow(unsafe_code)]

/// Appends `parts`, one behind the other.
#[inline]
pub fn append<const N: usize>(out: &mut Vec<u8>, parts: [&[u8]; N]) {
    let len = write_behind(out, parts);
    // SAFETY: as many bytes are written.
    unsafe { out.set_len(len) }
}

/// Appends `parts`, one behind the other, without the last `cut` bytes of them together.
#[inline]
pub fn append_cut<const N: usize>(out: &mut Vec<u8>, parts: [&[u8]; N], cut: usize) {
    let len = write_behind(out, parts).saturating_sub(cut).max(out.len());
    // SAFETY: as many bytes are written, or were there before.
    unsafe { out.set_len(len) }
}

/// Writes `parts` behind the bytes that are there; how many bytes that makes.
#[inline]
fn write_behind<const N: usize>(out: &mut Vec<u8>, parts: [&[u8]; N]) -> usize {
    // A sum that is too large to be true is more than `reserve` lets through.
    let total = parts.iter().fold(0usize, |total, part| total.saturating_add(part.len()));
    out.reserve(total);
    let mut len = out.len();
    for part in parts {
        let target = out.as_mut_ptr().wrapping_add(len);
        // SAFETY: behind the buffer's bytes there is room for all parts together, of which those before this one
        // have taken theirs; the buffer is borrowed exclusively, so no part lies in it.
        unsafe { target.copy_from_nonoverlapping(part.as_ptr(), part.len()) }
        len += part.len();
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_each_other_whatever_room_there_was() {
        for room in [0, 1, 5, 100] {
            let mut out = Vec::with_capacity(room);
            append(&mut out, [b"", b"one"]);
            append(&mut out, [b" ", b"two", b"", &[b'x'; 300]]);
            append(&mut out, []);
            assert_eq!(out, [b"one two", &[b'x'; 300][..]].concat());
            append_cut(&mut out, [b"three", b"four"], 2);
            assert!(out.ends_with(b"xthreefo"));
            append_cut(&mut out, [b"five"], 5);
            assert!(out.ends_with(b"threefo"), "what was there before stays");
        }
    }
}

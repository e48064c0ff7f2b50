//! Several parts appended to a buffer with one look at its room.
#![allow(unsafe_code)]

/// Appends `parts`, one behind the other.
#[inline]
pub fn append<const N: usize>(out: &mut Vec<u8>, parts: [&[u8]; N]) {
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
    // SAFETY: that many bytes are written, and the room was made for them.
    unsafe { out.set_len(len) }
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
        }
    }
}

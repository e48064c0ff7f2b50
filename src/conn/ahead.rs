//! A look at the requests behind the next one, for their keys' memory to be fetched together.
//!
//! Only what real pipelines are made of is understood: get, gets and mg of one key, set and ms, and binary requests
//! with a key. Anything else ends the look,
//! and a wrong guess costs nothing but time: the requests are parsed properly when their turn comes.

use crate::bytes::scan;
use crate::protocol::binary::request::Header;
use crate::protocol::binary::{HEADER_BYTES, REQUEST_MAGIC};
use crate::protocol::text::number::unsigned_32;
use crate::protocol::text::words::Words;
use crate::store::{PREFETCH_KEYS, Store};

/// Prefetches for the requests at the start of `input`; how many these are, 0 when there is no second one.
pub(super) fn prefetch(input: &[u8], store: &Store) -> u32 {
    let mut keys: [&[u8]; PREFETCH_KEYS] = [&[]; PREFETCH_KEYS];
    let mut count = 0;
    let mut rest = input;
    while count < PREFETCH_KEYS {
        let Some((key, behind)) = first_key(rest) else { break };
        keys[count] = key;
        count += 1;
        rest = behind;
    }
    if count < 2 {
        return 0;
    }
    store.prefetch(&keys[..count]);
    count as u32
}

/// The key of the first request and what is behind that request.
#[inline]
fn first_key(input: &[u8]) -> Option<(&[u8], &[u8])> {
    if input.first() == Some(&REQUEST_MAGIC) {
        let header = Header::read(input.first_chunk()?).ok()?;
        let key = input.get(HEADER_BYTES + header.extras_len..header.head_len())?;
        return Some((key, input.get(header.head_len() + header.value_len..)?)).filter(|(key, _)| !key.is_empty());
    }
    let (line, behind) = input.split_at(scan::find(input, b'\n')? + 1);
    match line {
        [b'g', b'e', b't', b' ', key @ ..]
        | [b'g', b'e', b't', b's', b' ', key @ ..]
        | [b'm', b'g', b' ', key @ ..] => {
            let end = scan::find_separator(key)?;
            Some((&key[..end], behind))
        }
        [b's', b'e', b't', b' ', arguments @ ..] => {
            let mut words = Words::of(arguments);
            let key = words.next()?;
            Some((key, behind_value(words.nth(2)?, behind)?))
        }
        [b'm', b's', b' ', arguments @ ..] => {
            let mut words = Words::of(arguments);
            let key = words.next()?;
            Some((key, behind_value(words.next()?, behind)?))
        }
        _ => None,
    }
}

/// What is behind a value whose length is this word.
#[inline]
fn behind_value<'a>(len: &[u8], behind: &'a [u8]) -> Option<&'a [u8]> {
    let len = unsigned_32(len.strip_suffix(b"\r\n").unwrap_or(len))? as usize;
    behind.get(len + 2..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_gets_and_sets_are_seen_up_to_anything_else() {
        let mut rest: &[u8] =
            b"get a\r\nset b 0 0 3\r\nxyz\r\ngets c d\nset e 0 0 1 noreply\r\n1\r\nmg m v\r\nms n 2 q\r\nab\r\nget f\r\n\
              \x80\x00\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0i\
              \x80\x01\0\x01\x08\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\0\0\0\0\0........jxy\
              get l\r\ndelete g\r\nget h\r\n";
        let mut seen = Vec::new();
        while let Some((key, behind)) = first_key(rest) {
            seen.push(key);
            rest = behind;
        }
        assert_eq!(seen, [b"a", b"b", b"c", b"e", b"m", b"n", b"f", b"i", b"j", b"l"]);
        for nothing in [&b""[..], b"get a", b"set a 0 0 5\r\nab", b"set a 0 0\r\n", b"set a 0 0 4294967295\r\nx\r\n"] {
            assert_eq!(first_key(nothing), None, "{}", String::from_utf8_lossy(nothing));
        }
    }
}

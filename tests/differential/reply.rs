//! Makes two transcripts comparable: parses replies, and replaces what each server numbers on its own.

use std::collections::HashMap;

use crate::binary::VERSION;

/// The CAS uniques one server has shown: which key has which, and each one's place in order of appearance.
#[derive(Default)]
pub(crate) struct Uniques {
    by_key: HashMap<Vec<u8>, Vec<u8>>,
    places: HashMap<Vec<u8>, usize>,
}

impl Uniques {
    /// The unique last shown for a key; a number nothing has when there was none.
    pub(crate) fn of(&self, key: &[u8]) -> Vec<u8> {
        self.by_key.get(key).cloned().unwrap_or_else(|| b"18446744073709551615".to_vec())
    }

    fn learn(&mut self, key: &[u8], unique: &[u8]) -> usize {
        self.by_key.insert(key.to_vec(), unique.to_vec());
        let next = self.places.len() + 1;
        *self.places.entry(unique.to_vec()).or_insert(next)
    }
}

/// Splits a stream of replies into lines and values, with the version hidden and each unique replaced by its
/// place: `VALUE k 0 1 #2`. Equal numbers stay equal and different ones different, which is all a client may rely on.
pub(crate) fn comparable(stream: &[u8], uniques: &mut Uniques, double_line_end: DoubleLineEnd) -> Vec<Vec<u8>> {
    const KEY_REFUSED: &[u8] = b"CLIENT_ERROR bad command line format\r\n";
    let mut replies: Vec<Vec<u8>> = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        if line.starts_with(b"VERSION ") {
            replies.push(b"VERSION *\r\n".to_vec());
        } else if line == b"\r\n"
            && double_line_end == DoubleLineEnd::Drop
            && replies.last().is_some_and(|last| last == KEY_REFUSED)
        {
            // A quirk of memcached that Larder does not copy.
        } else if let Some((line, value_len)) = parse_meta(line, uniques) {
            let (data, after) = rest.split_at(value_len.map_or(0, |len| len.saturating_add(2).min(rest.len())));
            rest = after;
            replies.push([&line, data].concat());
        } else if let Some(value) = parse_value(line) {
            let data_end = value.length.saturating_add(2).min(rest.len());
            let (data, after) = rest.split_at(data_end);
            rest = after;
            let mut reply = value.head.to_vec();
            match value.unique {
                Some(b"0") => reply.extend_from_slice(b" 0"),
                Some(unique) => reply.extend_from_slice(format!(" #{}", uniques.learn(value.key, unique)).as_bytes()),
                None => {}
            }
            reply.extend_from_slice(b"\r\n");
            reply.extend_from_slice(data);
            replies.push(reply);
        } else {
            replies.push(line.to_vec());
        }
    }
    replies
}

/// Splits a stream of binary replies, with the version hidden and each unique replaced by its place. The last byte of
/// the opaque is the key's.
pub(crate) fn comparable_binary(stream: &[u8], uniques: &mut Uniques) -> Vec<Vec<u8>> {
    let mut replies: Vec<Vec<u8>> = Vec::new();
    let mut rest = stream;
    while let Some((&header, behind)) = rest.split_first_chunk::<24>() {
        let [.., b3, b2, b1, b0, _, _, _, key, _, _, _, _, _, _, _, _] = header;
        let body_len = u32::from_be_bytes([b3, b2, b1, b0]) as usize;
        let (body, behind) = behind.split_at(body_len.min(behind.len()));
        rest = behind;
        let mut reply = header[..16].to_vec();
        match u64::from_be_bytes(header[16..].try_into().expect("eight bytes")) {
            0 => reply.extend_from_slice(b" 0 "),
            unique => {
                let place = uniques.learn(&[key], unique.to_string().as_bytes());
                reply.extend_from_slice(format!(" #{place} ").as_bytes());
            }
        }
        reply.extend_from_slice(if header[1] == VERSION { b"*" } else { body });
        replies.push(reply);
    }
    if !rest.is_empty() {
        replies.push(rest.to_vec());
    }
    replies
}

/// What to do with an empty line behind the refusal of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoubleLineEnd {
    /// The server is known to send it.
    Drop,
    /// It is a difference.
    Keep,
}

/// A line of a meta answer with its unique replaced by its place, and how long the value behind it is.
fn parse_meta(line: &[u8], uniques: &mut Uniques) -> Option<(Vec<u8>, Option<usize>)> {
    let words: Vec<&[u8]> = line.strip_suffix(b"\r\n")?.split(|&byte| byte == b' ').collect();
    let (value_len, flags) = match words.as_slice() {
        [b"HD" | b"EX" | b"NS" | b"NF", flags @ ..] => (None, flags),
        [b"VA", len, flags @ ..] => (Some(std::str::from_utf8(len).ok()?.parse().ok()?), flags),
        [b"ME", key, ..] => return Some(([b"ME ", *key, b" *\r\n"].concat(), None)),
        _ => return None,
    };
    let key = flags.iter().find_map(|flag| flag.strip_prefix(b"k")).unwrap_or_default();
    let mut same = words[..words.len() - flags.len()].join(&b' ');
    for flag in flags {
        same.push(b' ');
        match flag.strip_prefix(b"c") {
            Some(unique) if unique != b"0" => {
                same.extend_from_slice(format!("c#{}", uniques.learn(key, unique)).as_bytes());
            }
            _ => same.extend_from_slice(flag),
        }
    }
    same.extend_from_slice(b"\r\n");
    Some((same, value_len))
}

struct ValueLine<'a> {
    /// `VALUE key flags length`
    head: &'a [u8],
    key: &'a [u8],
    length: usize,
    unique: Option<&'a [u8]>,
}

fn parse_value(line: &[u8]) -> Option<ValueLine<'_>> {
    let line = line.strip_suffix(b"\r\n")?;
    let words: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
    let (key, length, unique) = match words.as_slice() {
        [b"VALUE", key, _flags, length] => (key, length, None),
        [b"VALUE", key, _flags, length, unique] => (key, length, Some(*unique)),
        _ => return None,
    };
    let head = match unique {
        Some(unique) => &line[..line.len() - unique.len() - 1],
        None => line,
    };
    Some(ValueLine { head, key, length: std::str::from_utf8(length).ok()?.parse().ok()?, unique })
}

//! The lines that answer meta commands. Flags come back in the order in which they were asked for.

use super::key;
use super::parse::FlagWords;
use crate::bytes::append::{append, append_cut};
use crate::bytes::digits::{Tail, short_line};
use crate::command::KeyForm;

/// Done.
pub const DONE: &[u8] = b"HD";
/// Done, and a value follows.
pub const VALUE: &[u8] = b"VA ";
/// Nothing there to read.
pub const MISS: &[u8] = b"EN";
/// Nothing there to change.
pub const NOT_FOUND: &[u8] = b"NF";
/// The mode's condition was not met.
pub const NOT_STORED: &[u8] = b"NS";
/// The CAS number is another.
pub const EXISTS: &[u8] = b"EX";

/// Appends the answer to mg that returns nothing but a value: `VA <bytes>` and the value, unless that is sent
/// apart.
#[inline]
pub fn value(out: &mut Vec<u8>, value_len: usize, value: Option<&[u8]>) {
    match short_line(value_len) {
        Some((line, cut)) => append_cut(out, [VALUE, &line], cut),
        None => append(out, [VALUE, long_line(value_len).text()]),
    }
    if let Some(value) = value {
        append(out, [value, b"\r\n"]);
    }
}

/// As [`value`], with a key that is text.
#[inline]
pub fn value_of_key(out: &mut Vec<u8>, value_len: usize, key: &[u8], value: Option<&[u8]>) {
    match short_line(value_len) {
        Some((line, cut)) => append_cut(out, [VALUE, &line], cut + b"\r\n".len()),
        None => append_cut(out, [VALUE, long_line(value_len).text()], b"\r\n".len()),
    }
    match value {
        Some(value) => append(out, [b" k", key, b"\r\n", value, b"\r\n"]),
        None => append(out, [b" k", key, b"\r\n"]),
    }
}

fn long_line(number: usize) -> Tail {
    let mut tail = Tail::line();
    tail.number(number as u64);
    tail
}

/// Appends a number.
#[inline]
pub fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a flag and its number.
#[inline]
pub fn flag(out: &mut Vec<u8>, letter: u8, value: u64) {
    out.extend_from_slice(&[b' ', letter]);
    number(out, value);
}

/// Appends a flag alone.
#[inline]
pub fn mark(out: &mut Vec<u8>, letter: u8) {
    out.extend_from_slice(&[b' ', letter]);
}

/// Appends `t`: seconds left, -1 for ever.
#[inline]
pub fn time_left(out: &mut Vec<u8>, secs: Option<u32>) {
    match secs {
        Some(secs) => flag(out, b't', u64::from(secs)),
        None => out.extend_from_slice(b" t-1"),
    }
}

/// Appends `k` with the key, encoded and followed by `b` when it is no text.
pub fn key(out: &mut Vec<u8>, key: &[u8], form: KeyForm) {
    out.extend_from_slice(b" k");
    match form {
        KeyForm::Text => out.extend_from_slice(key),
        KeyForm::Binary => {
            key::encode(key, out);
            out.extend_from_slice(b" b");
        }
    }
}

/// Appends an opaque as it came, its `O` included.
#[inline]
pub fn opaque(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

/// Appends what every answer returns: key and opaque, in the order asked for. `other` answers the other flags.
#[inline]
pub fn flags(
    out: &mut Vec<u8>,
    asked: FlagWords<'_>,
    key_bytes: &[u8],
    form: KeyForm,
    mut other: impl FnMut(&mut Vec<u8>, u8),
) {
    for word in asked {
        match word[0] {
            b'k' => key(out, key_bytes, form),
            b'O' => opaque(out, word),
            letter => other(out, letter),
        }
    }
}

/// What me tells of an item.
#[derive(Clone, Copy, Debug)]
pub struct ItemReport {
    /// Seconds left, `None` for ever.
    pub time_left: Option<u32>,
    /// Seconds since it was last used.
    pub idle: u32,
    /// Its CAS number.
    pub cas: u64,
    /// Whether it was fetched since it was stored.
    pub fetched: bool,
    /// Its slab class, from 1.
    pub class: usize,
    /// All its bytes.
    pub bytes: usize,
}

/// Appends the answer to me.
pub fn item_line(out: &mut Vec<u8>, key_bytes: &[u8], form: KeyForm, item: &ItemReport) {
    out.extend_from_slice(b"ME ");
    match form {
        KeyForm::Text => out.extend_from_slice(key_bytes),
        KeyForm::Binary => key::encode(key_bytes, out),
    }
    let ItemReport { time_left, idle, cas, fetched, class, bytes } = *item;
    let time_left = time_left.map_or_else(|| "-1".to_owned(), |secs| secs.to_string());
    let fetched = if fetched { "yes" } else { "no" };
    let tail = format!(" exp={time_left} la={idle} cas={cas} fetch={fetched} cls={class} size={bytes}\r\n");
    out.extend_from_slice(tail.as_bytes());
}

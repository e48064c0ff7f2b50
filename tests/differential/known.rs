//! What is known to differ, and why: commands of these shapes are left out of the random stream.
//!
//! The first rows are quirks of every memcached that Larder does not copy; `tests/text_protocol` holds both sides
//! of each. The others are what a reference older than 1.6.45 does otherwise; with 1.6.45 they are not left out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

/// A memcached version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(u32, u32, u32);

impl Version {
    /// Reads `1.6.45`; text behind the third number is ignored.
    pub(crate) fn parse(text: &str) -> Option<Version> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some(Version(numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// One known difference.
struct Row {
    /// Only for references older than this; `None` = for all.
    before: Option<Version>,
    /// Whether a command, its first line split at blanks and as it is, is of this shape.
    covers: fn(&[&[u8]], &[u8]) -> bool,
    why: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        before: None,
        covers: |words, _| is_storage(words) && words.get(2).is_some_and(|flags| past_32_bits(flags)),
        why: "flags past 32 bits: memcached keeps the low 32 bits, we refuse",
    },
    Row {
        before: None,
        covers: |words, _| is_storage(words) && words.get(3).is_some_and(|exptime| past_31_bits(exptime)),
        why: "exptime of a storage command past 32 bits: memcached keeps the low 32 bits, we refuse",
    },
    Row {
        before: None,
        covers: |words, _| {
            verb_is(words, &[b"get", b"gets", b"gat", b"gats"])
                && words.iter().any(|word| word.len() > 250)
                && words.last() == Some(&b"noreply".as_slice())
        },
        why: "a too long key and noreply as a key of one get: memcached answers an empty line, we the error",
    },
    Row {
        before: None,
        covers: |words, _| {
            verb_is(words, &[b"get", b"gets"]) && words.len() > 2 && words.iter().any(|word| word.len() > 250)
        },
        why: "a too long key behind others in a get: memcached counts those as fetched although it does not answer them",
    },
    Row {
        before: None,
        covers: |words, _| {
            verb_is(words, &[b"flush_all"])
                && words.get(1).and_then(|delay| number(delay)).is_some_and(|delay| (1..10).contains(&delay))
        },
        why: "flush_all in a few seconds: memcached acts a second early, at `flush_all 1` also on what is stored after it",
    },
    Row {
        before: None,
        covers: |words, bytes| verb_is(words, &[b"get", b"gets"]) && bytes.len() > 2048 && bytes.starts_with(b" "),
        why: "a blank before a get in a line beyond 2 KiB: memcached waits for the line's end to say ERROR, we close",
    },
    Row {
        before: None,
        covers: |words, bytes| {
            let announced = words.get(2).and_then(|length| number(length));
            let has_number = words.iter().any(|word| word.starts_with(b"E"));
            verb_is(words, &[b"ms"]) && has_number && announced != Some(data_len(bytes))
        },
        why: "ms with E whose value is not as long as announced: memcached keeps the number for the next value",
    },
    Row {
        before: None,
        covers: |words, bytes| {
            verb_is(words, &[b"ms"]) && bytes.len() > 2048 && words.iter().any(|word| !begins_flag(word))
        },
        why: "a line of ms that falls apart before a long value: memcached closes on the value, and its reply may be lost",
    },
    Row {
        before: None,
        covers: |words, bytes| {
            let value = bytes.splitn(2, |&byte| byte == b'\n').nth(1).unwrap_or_default().trim_ascii_end();
            (is_storage(words) || verb_is(words, &[b"ms"])) && value.is_empty() && data_len(bytes) > 0
        },
        why: "a value of blanks alone: incr of memcached reads on into the memory behind it",
    },
    Row {
        before: None,
        covers: |words, _| {
            verb_is(words, &[b"ma"]) && words.iter().skip(2).any(|word| word.starts_with(b"T")) && may_grow(words)
        },
        why: "ma with T of a number that gets longer: memcached gives the time to the item that it replaces",
    },
    Row {
        before: Some(NEW_PARSER),
        covers: |_, bytes| !is_sound(bytes),
        why: "spoiled commands: the parser that was written anew in 1.6.40 answers most of them otherwise",
    },
    Row {
        before: Some(NEW_PARSER),
        covers: |words, _| verb_is(words, &[b"flush_all"]) && words.len() > 1,
        why: "flush_all with a delay: a later one brings dead items back to life in 1.6.18",
    },
];

/// memcached's parser was written anew here.
const NEW_PARSER: Version = Version(1, 6, 40);

/// The rows that apply to one reference, and how often each was met.
pub(crate) struct Known {
    rows: Vec<&'static Row>,
    met: RefCell<BTreeMap<&'static str, usize>>,
}

impl Known {
    /// The rows for this version; none with `LARDER_KNOWN=off`.
    pub(crate) fn for_reference(version: Version) -> Known {
        let off = std::env::var("LARDER_KNOWN").is_ok_and(|value| value == "off");
        let applies = |row: &&Row| !off && row.before.is_none_or(|before| version < before);
        Known { rows: ROWS.iter().filter(applies).collect(), met: RefCell::default() }
    }

    /// Whether the first line of these bytes is known to be answered differently.
    pub(crate) fn covers(&self, bytes: &[u8]) -> bool {
        let words = first_line_words(bytes);
        let row = self.rows.iter().find(|row| (row.covers)(&words, bytes));
        if let Some(row) = row {
            *self.met.borrow_mut().entry(row.why).or_default() += 1;
        }
        row.is_some()
    }

    /// Says what was left out.
    pub(crate) fn print(&self) {
        for (why, count) in self.met.borrow().iter() {
            println!("left out {count} times: {why}");
        }
    }
}

/// Whether a command must be the first of its connection, because memcached throws away the replies of the commands
/// before it that arrived in the same read, so that what is answered hangs on the cuts. It does so when a get meets
/// a key that is too long, and when it closes on HTTP or on a line that is too long. Larder answers what came before.
pub(crate) fn must_come_first(bytes: &[u8]) -> bool {
    let words = first_line_words(bytes);
    let long_key = is_retrieval(bytes) && words.iter().any(|word| word.len() > 250);
    // A value, or a line of keys, that spoiled commands before it turn into another line, far too long.
    long_key || bytes.len() > 1500 || is_http(&words)
}

/// Whether this is an incr, decr or ma. Behind a read in one connection it starts a new one: memcached pads a number that
/// got shorter only when no unsent reply holds the item, which hangs on the cuts. Larder always pads.
pub(crate) fn is_arithmetic(bytes: &[u8]) -> bool {
    verb_is(&first_line_words(bytes), &[b"incr", b"decr", b"ma"])
}

/// Whether this is a command that reads values.
pub(crate) fn is_retrieval(bytes: &[u8]) -> bool {
    verb_is(&first_line_words(bytes), &[b"get", b"gets", b"gat", b"gats", b"mg"])
}

/// Whether a command must be the last of its connection: it closes it, and a server that closes with input unread
/// makes the kernel send a reset, which may overtake the replies. It stands behind sound commands only: a value that is
/// announced longer than it is would take it for data, and then end within the value.
pub(crate) fn must_come_last(bytes: &[u8]) -> bool {
    let words = first_line_words(bytes);
    words.first() == Some(&b"quit".as_slice()) || is_http(&words)
}

/// Bytes behind the first line, without the line end.
fn data_len(bytes: &[u8]) -> i128 {
    let head = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| at + 1);
    (bytes.len() - head) as i128 - 2
}

/// Whether memcached goes on to look at a line with this word.
fn begins_flag(word: &[u8]) -> bool {
    word.first().is_some_and(|byte| (b'A'..=b'z').contains(byte) || byte.is_ascii_digit() || *byte == b'-')
}

/// Whether a number may have more digits after this ma.
fn may_grow(words: &[&[u8]]) -> bool {
    !words.iter().any(|word| [b"D0".as_slice(), b"MD", b"M-"].contains(word))
}

fn is_http(words: &[&[u8]]) -> bool {
    words.last().is_some_and(|word| word.starts_with(b"HTTP/"))
}

fn first_line_words(bytes: &[u8]) -> Vec<&[u8]> {
    let line = bytes.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect()
}

fn is_storage(words: &[&[u8]]) -> bool {
    verb_is(words, &[b"set", b"add", b"replace", b"append", b"prepend", b"cas"])
}

fn verb_is(words: &[&[u8]], verbs: &[&[u8]]) -> bool {
    words.first().is_some_and(|word| verbs.contains(word))
}

/// Whether a command is one that a careful client sends: every word there and in its bounds, the data as announced.
pub(crate) fn is_sound(bytes: &[u8]) -> bool {
    let words = first_line_words(bytes);
    let Some((verb, arguments)) = words.split_first() else { return false };
    let arguments = arguments.strip_suffix(&[b"noreply".as_slice()]).unwrap_or(arguments);
    let words_sound = match (*verb, arguments) {
        (b"get" | b"gets", keys) | (b"gat" | b"gats", [_, keys @ ..]) if keys.is_empty() => false,
        (b"get" | b"gets", keys) => keys.iter().all(|key| is_plain_key(key)),
        (b"gat" | b"gats", [exptime, keys @ ..]) => is_exptime(exptime) && keys.iter().all(|key| is_plain_key(key)),
        (b"delete", [key]) => is_plain_key(key),
        (b"touch", [key, exptime]) => is_plain_key(key) && is_exptime(exptime),
        (b"incr" | b"decr", [key, delta]) => is_plain_key(key) && is_unsigned(delta),
        (b"flush_all", _) | (b"version", []) | (b"quit", []) => true,
        (b"verbosity", [level]) => is_unsigned(level),
        (b"set" | b"add" | b"replace" | b"append" | b"prepend", [key, flags, exptime, length])
        | (b"cas", [key, flags, exptime, length, _]) => {
            is_plain_key(key)
                && is_unsigned(flags)
                && is_exptime(exptime)
                && number(length) == Some(data_len(bytes))
                && arguments.last().is_some_and(|last| is_unsigned(last))
        }
        _ => false,
    };
    words_sound && bytes.ends_with(b"\r\n") && !bytes.starts_with(b" ")
}

/// A key whose bytes no parser takes for something else.
fn is_plain_key(word: &[u8]) -> bool {
    word.len() <= 250 && word.iter().all(u8::is_ascii_graphic)
}

fn is_unsigned(word: &[u8]) -> bool {
    word.iter().all(u8::is_ascii_digit) && number(word).is_some_and(|number| u64::try_from(number).is_ok())
}

fn is_exptime(word: &[u8]) -> bool {
    !word.starts_with(b"+") && number(word).is_some_and(|exptime| i32::try_from(exptime).is_ok())
}

fn number(word: &[u8]) -> Option<i128> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn past_32_bits(word: &[u8]) -> bool {
    number(word).is_some_and(|flags| flags > i128::from(u32::MAX))
}

fn past_31_bits(word: &[u8]) -> bool {
    number(word).is_some_and(|exptime| i32::try_from(exptime).is_err())
}

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
    /// Whether a command line, split at blanks, is of this shape.
    covers: fn(&[&[u8]]) -> bool,
    why: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        before: None,
        covers: |words| is_storage(words) && words.get(2).is_some_and(|flags| past_32_bits(flags)),
        why: "flags past 32 bits: memcached keeps the low 32 bits, we refuse",
    },
    Row {
        before: None,
        covers: |words| is_storage(words) && words.get(3).is_some_and(|exptime| past_31_bits(exptime)),
        why: "exptime of a storage command past 32 bits: memcached keeps the low 32 bits, we refuse",
    },
];

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
        let row = self.rows.iter().find(|row| (row.covers)(&words));
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
/// a key that is too long, and when it closes on HTTP. Larder answers what came before.
pub(crate) fn must_come_first(bytes: &[u8]) -> bool {
    let words = first_line_words(bytes);
    let reads = words.first().is_some_and(|word| [b"get".as_slice(), b"gets", b"gat", b"gats"].contains(word));
    (reads && words.iter().any(|word| word.len() > 250)) || is_http(&words)
}

/// Whether a command must be the last of its connection: it closes it, and a server that closes with input unread
/// makes the kernel send a reset, which may overtake the replies.
pub(crate) fn must_come_last(bytes: &[u8]) -> bool {
    let words = first_line_words(bytes);
    words.first() == Some(&b"quit".as_slice()) || is_http(&words)
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
    words
        .first()
        .is_some_and(|word| [b"set".as_slice(), b"add", b"replace", b"append", b"prepend", b"cas"].contains(word))
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

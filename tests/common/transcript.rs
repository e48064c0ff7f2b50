//! Transcripts: what is sent and what must come back, as one would read it in a terminal.
//!
//! ```text
//! # why this matters
//! > set k 5 0 1          send the line and CRLF; lines sent in a row leave in one write
//! > a
//! < STORED               expect the line and CRLF
//! >| get k\n             send exactly this, without CRLF
//! < VALUE k 5 $(unique)  digits here are remembered as `unique`; when remembered already, they must be the same
//! > cas k 0 0 1 $(unique)
//! < HD l$(<60)           digits here are a number below 60: seconds that may pass meanwhile
//! <| a\r\nb\r\n           expect exactly this, without CRLF
//! <* VERSION *           expect a line that matches; `*` stands for anything
//! <.                     expect that the server closes the connection
//! differ old new         the numbers remembered under these names must not be the same
//! # differs: the reason why we do not do what memcached does
//! <larder ERROR          expected of Larder only
//! <memcached STORED      expected of memcached only
//! ```
//! Escapes: `\r \n \t \0 \\ \xNN \$ \{`; `{a*250}` is `a` 250 times. Blank lines are ignored; one blank separates
//! the mark from the text, further ones belong to the text.
//!
//! Every transcript is played twice, on a fresh server each time: with whole writes, and cut into single bytes.

use std::collections::HashMap;

use super::client::show;
use super::{Client, Flavour, Server};

/// How a transcript's bytes are given to the kernel.
#[derive(Clone, Copy, Debug)]
enum Writes {
    /// Everything up to the next expectation at once.
    Whole,
    /// One byte a write, for the first `SINGLE_BYTES_MAX` bytes between two expectations.
    SingleBytes,
}

/// Past this, a long value is not worth a system call per byte.
const SINGLE_BYTES_MAX: usize = 3000;

/// Plays a transcript against a server with default settings.
#[track_caller]
pub(crate) fn check(transcript: &str) {
    check_with(&[], transcript);
}

/// Plays a transcript against a server started with these arguments.
#[track_caller]
pub(crate) fn check_with(arguments: &[&str], transcript: &str) {
    for writes in [Writes::Whole, Writes::SingleBytes] {
        let server = Server::start(arguments);
        Play::new(&server, writes).run(transcript);
    }
}

struct Play {
    client: Client,
    flavour: Flavour,
    writes: Writes,
    pending: Vec<u8>,
    remembered: HashMap<String, String>,
    /// Whether the comment right above gives the reason for a difference.
    reason_given: bool,
}

impl Play {
    fn new(server: &Server, writes: Writes) -> Play {
        Play {
            client: server.connect(),
            flavour: server.flavour(),
            writes,
            pending: Vec::new(),
            remembered: HashMap::new(),
            reason_given: false,
        }
    }

    #[track_caller]
    fn run(mut self, transcript: &str) {
        for (index, line) in transcript.lines().enumerate() {
            let line = line.trim_start();
            if line.is_empty() {
                continue;
            }
            let place = format!("line {} of the transcript ({:?}): {line}", index + 1, self.writes);
            self.step(line, &place);
        }
        self.flush();
        // Nothing may follow the last expected byte.
        self.client.finish_sending();
        self.client.expect_closed();
    }

    fn step(&mut self, line: &str, place: &str) {
        let (mark, text) = line.split_once(' ').unwrap_or((line, ""));
        if mark != "<larder" && mark != "<memcached" {
            self.reason_given = mark == "#" && text.starts_with("differs: ");
        }
        match mark {
            "#" => {}
            ">" => {
                let bytes = self.substitute(text, place);
                self.pending.extend_from_slice(&bytes);
                self.pending.extend_from_slice(b"\r\n");
            }
            ">|" => {
                let bytes = self.substitute(text, place);
                self.pending.extend_from_slice(&bytes);
            }
            "<" => self.expect(text, place),
            "<*" => self.expect_like(text, place),
            "<|" => {
                self.flush();
                self.client.expect(flatten(&unescape(text, place)));
            }
            "<." => {
                self.flush();
                self.client.expect_closed();
            }
            "<larder" | "<memcached" => {
                assert!(self.reason_given, "a `# differs: <reason>` line must stand above {place}");
                if (mark == "<larder") == (self.flavour == Flavour::Larder) {
                    self.expect(text, place);
                }
            }
            "differ" => self.assert_differ(text, place),
            _ => panic!("unknown mark in {place}"),
        }
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        match self.writes {
            Writes::Whole => self.client.send(&pending),
            Writes::SingleBytes => {
                let (single, rest) = pending.split_at(pending.len().min(SINGLE_BYTES_MAX));
                single.iter().for_each(|byte| self.client.send([*byte]));
                self.client.send(rest);
            }
        }
    }

    fn expect(&mut self, text: &str, place: &str) {
        self.flush();
        let expected = unescape(text, place);
        let line = self.client.line();
        let Some(matched) = self.matches(&expected, &line, place) else {
            panic!("{place}\n  expected {:?}\n  got      {:?}", show(&flatten(&expected)), show(&line));
        };
        self.remembered.extend(matched);
    }

    fn expect_like(&mut self, pattern: &str, place: &str) {
        self.flush();
        let line = self.client.line();
        let text = String::from_utf8_lossy(&line);
        assert!(matches_glob(pattern, &text), "{place}\n  got {:?}", show(&line));
    }

    fn assert_differ(&self, names: &str, place: &str) {
        let (left, right) = names.split_once(' ').unwrap_or_else(|| panic!("two names needed in {place}"));
        let number = |name| self.remembered.get(name).unwrap_or_else(|| panic!("`{name}` unknown in {place}"));
        assert_ne!(number(left), number(right), "{place}");
    }

    fn substitute(&self, text: &str, place: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in unescape(text, place) {
            match part {
                Part::Bytes(more) => bytes.extend_from_slice(&more),
                Part::Name(name) => {
                    let number = self.remembered.get(&name).unwrap_or_else(|| panic!("`{name}` unknown in {place}"));
                    bytes.extend_from_slice(number.as_bytes());
                }
                Part::Below(_) => panic!("a limit is expected, not sent, in {place}"),
            }
        }
        bytes
    }

    /// Matches a line against its expected parts; the numbers it brings under new names when it fits.
    fn matches(&self, expected: &[Part], line: &[u8], place: &str) -> Option<Vec<(String, String)>> {
        let mut rest = line;
        let mut found = Vec::new();
        for part in expected {
            match part {
                Part::Bytes(bytes) => rest = rest.strip_prefix(bytes.as_slice())?,
                Part::Name(name) => {
                    let (number, after) = split_number(rest);
                    assert!(!number.is_empty(), "no number where `{name}` stands in {place}");
                    match self.remembered.get(name) {
                        Some(known) if *known != number => return None,
                        _ => found.push((name.clone(), number)),
                    }
                    rest = after;
                }
                Part::Below(limit) => {
                    let (number, after) = split_number(rest);
                    if number.parse::<u64>().ok()? >= *limit {
                        return None;
                    }
                    rest = after;
                }
            }
        }
        rest.is_empty().then_some(found)
    }
}

/// A piece of a transcript line.
enum Part {
    Bytes(Vec<u8>),
    Name(String),
    /// A number less than this.
    Below(u64),
}

/// The digits that `bytes` begins with, and what is behind them.
fn split_number(bytes: &[u8]) -> (String, &[u8]) {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    let (digits, after) = bytes.split_at(end);
    (String::from_utf8(digits.to_vec()).expect("digits are ASCII"), after)
}

fn flatten(parts: &[Part]) -> Vec<u8> {
    let bytes = |part: &Part| match part {
        Part::Bytes(bytes) => bytes.clone(),
        Part::Name(name) => format!("$({name})").into_bytes(),
        Part::Below(limit) => format!("$(<{limit})").into_bytes(),
    };
    parts.iter().flat_map(bytes).collect()
}

/// Resolves escapes, repetitions and names.
fn unescape(text: &str, place: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => rest = unescape_one(rest, &mut bytes, place),
            '$' if rest.starts_with('(') => {
                let (name, after) = rest[1..].split_once(')').unwrap_or_else(|| panic!("no `)` in {place}"));
                parts.push(Part::Bytes(std::mem::take(&mut bytes)));
                parts.push(match name.strip_prefix('<') {
                    Some(limit) => Part::Below(limit.parse().unwrap_or_else(|_| panic!("bad limit in {place}"))),
                    None => Part::Name(name.to_owned()),
                });
                rest = after;
            }
            '{' => {
                let (inside, after) = rest.split_once('}').unwrap_or_else(|| panic!("no `}}` in {place}"));
                let (what, count) = inside.rsplit_once('*').unwrap_or_else(|| panic!("no `*` in {place}"));
                let count = count.parse().unwrap_or_else(|_| panic!("bad count in {place}"));
                bytes.extend_from_slice(what.repeat(count).as_bytes());
                rest = after;
            }
            other => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    parts.push(Part::Bytes(bytes));
    parts
}

/// Resolves what follows a backslash; returns the text behind it.
fn unescape_one<'a>(rest: &'a str, bytes: &mut Vec<u8>, place: &str) -> &'a str {
    let (byte, length) = match rest.as_bytes() {
        [b'r', ..] => (b'\r', 1),
        [b'n', ..] => (b'\n', 1),
        [b't', ..] => (b'\t', 1),
        [b'0', ..] => (0, 1),
        [byte @ (b'\\' | b'$' | b'{'), ..] => (*byte, 1),
        [b'x', _, _, ..] => match u8::from_str_radix(&rest[1..3], 16) {
            Ok(byte) => (byte, 3),
            Err(_) => panic!("bad \\x in {place}"),
        },
        _ => panic!("unknown escape in {place}"),
    };
    bytes.push(byte);
    &rest[length..]
}

/// `*` stands for any run of characters.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or("")) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, middle)) = pieces.split_last() else { return rest.is_empty() };
    for piece in middle {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

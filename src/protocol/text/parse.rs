//! From a line to a [`Request`], after protocol.txt and what memcached 1.6.45 does where that is silent.
//!
//! A line that is refused says whether the refusal is to be kept quiet (`noreply` was understood) and how many bytes
//! of value follow that must be thrown away.

use memchr::memchr;

use super::number::{signed_32, unsigned_32, unsigned_64};
use super::words::Words;
use crate::command::{Delta, KEY_MAX, Mode};
use crate::protocol::meta::parse::Command;

/// The shortest line, line end included (1.6.45 refuses `mn\n`).
const LINE_BYTES_MIN: usize = 4;

/// The longest value a length can name: 2^31 - 3.
pub(crate) const VALUE_LEN_MAX: i32 = i32::MAX - 2;

/// Whether success and failure are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Yes.
    Send,
    /// `noreply` was the last word.
    Omit,
}

/// A storage command; its value follows the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreLine<'a> {
    /// Condition.
    pub mode: Mode,
    /// Key.
    pub key: &'a [u8],
    /// Client flags.
    pub client_flags: u32,
    /// As sent; see [`crate::clock::Clock::expiry`].
    pub exptime: i32,
    /// Bytes of the value, without its CRLF.
    pub value_len: usize,
    /// Whether to answer.
    pub reply: Reply,
}

/// get, gets, gat, gats: everything but the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeysLine {
    /// Whether values come with their CAS number.
    pub with_cas: bool,
    /// gat and gats: the new exptime.
    pub touch: Option<i32>,
}

/// What `slabs automove` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomoveChange {
    /// 0 off, 1 on, 2 eager.
    Level(u8),
    /// A ratio or window, which tunes memcached's mover and not ours.
    Tuning,
}

/// `shutdown` and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownWord {
    /// At once.
    Plain,
    /// `graceful`.
    Graceful,
    /// Something else.
    Unknown,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// get and its kin; the keys begin `keys_at` bytes into the line.
    Keys {
        /// What to do with each.
        line: KeysLine,
        /// Where the first key or a blank before it stands.
        keys_at: usize,
    },
    /// set, add, replace, append, prepend, cas.
    Store(StoreLine<'a>),
    /// delete.
    Delete {
        /// Key.
        key: &'a [u8],
        /// Whether to answer.
        reply: Reply,
    },
    /// incr, decr.
    Delta {
        /// Key.
        key: &'a [u8],
        /// By how much.
        delta: Delta,
        /// Whether to answer.
        reply: Reply,
    },
    /// touch.
    Touch {
        /// Key.
        key: &'a [u8],
        /// As sent.
        exptime: i32,
        /// Whether to answer.
        reply: Reply,
    },
    /// flush_all; an exptime that is not a number is refused only where flushing is allowed at all.
    FlushAll {
        /// When; `None` when it is not a number.
        exptime: Option<i32>,
        /// Whether to answer.
        reply: Reply,
    },
    /// verbosity; the level is cut to what there is.
    Verbosity {
        /// Level.
        level: u32,
        /// Whether to answer.
        reply: Reply,
    },
    /// cache_memlimit.
    MemoryLimit {
        /// Megabytes.
        mebibytes: u32,
        /// Whether to answer.
        reply: Reply,
    },
    /// slabs automove: how eagerly pages move by themselves.
    Automove {
        /// What is to change.
        change: AutomoveChange,
        /// Whether to answer.
        reply: Reply,
    },
    /// stats, with the words behind it still to be read.
    Stats {
        /// Everything behind `stats`.
        arguments: &'a [u8],
    },
    /// shutdown.
    Shutdown {
        /// How.
        how: ShutdownWord,
        /// Whether to answer a refusal.
        reply: Reply,
    },
    /// version.
    Version,
    /// mg, ms, md, ma, me, with the words behind it still to be read.
    Meta {
        /// Which.
        command: Command,
        /// Everything behind it.
        arguments: &'a [u8],
    },
    /// mn: an answer as a barrier.
    Noop,
    /// quit.
    Quit,
    /// debugtime (builds with `debug-commands`).
    #[cfg(feature = "debug-commands")]
    DebugTime {
        /// Seconds to move the clock by.
        secs: i64,
    },
}

/// Why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not a command.
    UnknownCommand,
    /// HTTP on our port: closed without a word, so that a browser cannot be made to send commands.
    Http,
    /// Too short, too few words, a number that is none, a key too long.
    BadFormat,
    /// An exptime that is not a number.
    InvalidExptime,
    /// A delta that is not a number.
    InvalidDelta,
    /// slabs automove window outside of 3 to 1800.
    InvalidWindow,
    /// A meta line with more words than there can be.
    TooManyFlags,
    /// A meta flag that came before.
    DuplicateFlag,
    /// A meta flag that no command knows.
    InvalidFlag,
    /// A meta flag whose argument is not a number.
    BadToken,
    /// `D` with something else.
    InvalidNumericDelta,
    /// `J` with something else.
    InvalidInitial,
    /// `b`, and the key is no base64.
    BadEncodedKey,
    /// `O` with too much behind it.
    OpaqueTooLong,
    /// What ma says of most of these.
    InvalidOrDuplicateFlag,
    /// `M` with a letter that the command does not know.
    InvalidMode(Command),
}

/// A refused line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// Whether to say so.
    pub reply: Reply,
    /// Bytes behind the line that belong to it.
    pub swallow: usize,
}

impl Refusal {
    /// A refusal that is told, of a line with nothing behind it.
    pub(crate) fn said(reason: Reason) -> Refusal {
        Refusal::new(reason, Reply::Send)
    }

    fn new(reason: Reason, reply: Reply) -> Refusal {
        Refusal { reason, reply, swallow: 0 }
    }
}

/// The words of a line that carry meaning: the line without its LF or CRLF.
#[inline]
pub fn without_end(line: &[u8]) -> &[u8] {
    match line {
        [body @ .., b'\r', b'\n'] | [body @ .., b'\n'] => body,
        body => body,
    }
}

/// Reads one line, its LF included.
///
/// # Errors
/// The [`Refusal`].
pub fn parse(line: &[u8]) -> Result<Request<'_>, Refusal> {
    if line.len() < LINE_BYTES_MIN {
        return Err(Refusal::new(Reason::BadFormat, Reply::Send));
    }
    let body = without_end(line);
    let command_len = memchr(b' ', body).unwrap_or(body.len());
    let (command, arguments) = body.split_at(command_len);
    match command {
        b"get" => keys(arguments, command_len, false),
        b"mg" => Ok(Request::Meta { command: Command::Get, arguments }),
        b"ms" => Ok(Request::Meta { command: Command::Set, arguments }),
        b"md" => Ok(Request::Meta { command: Command::Delete, arguments }),
        b"ma" => Ok(Request::Meta { command: Command::Arithmetic, arguments }),
        b"me" => Ok(Request::Meta { command: Command::Debug, arguments }),
        b"gets" => keys(arguments, command_len, true),
        b"gat" => touch_keys(arguments, body, false),
        b"gats" => touch_keys(arguments, body, true),
        b"set" => store(arguments, Mode::Set),
        b"add" => store(arguments, Mode::Add),
        b"replace" => store(arguments, Mode::Replace),
        b"append" => store(arguments, Mode::Append),
        b"prepend" => store(arguments, Mode::Prepend),
        b"cas" => store(arguments, Mode::Cas(0)),
        b"delete" => {
            let (key, _, reply) = keyed(arguments, 0)?;
            Ok(Request::Delete { key, reply })
        }
        b"incr" => delta(arguments, Delta::Incr),
        b"decr" => delta(arguments, Delta::Decr),
        b"touch" => {
            let (key, exptime, reply) = keyed(arguments, 1)?;
            match signed_32(exptime) {
                Some(exptime) => Ok(Request::Touch { key, exptime, reply }),
                None => Err(Refusal::new(Reason::InvalidExptime, reply)),
            }
        }
        b"version" => Ok(Request::Version),
        b"stats" => Ok(Request::Stats { arguments }),
        b"quit" => Ok(Request::Quit),
        b"mn" => Ok(Request::Noop),
        _ => administration(body),
    }
}

fn reply_by(last_word: Option<&[u8]>) -> Reply {
    if last_word == Some(b"noreply") { Reply::Omit } else { Reply::Send }
}

fn keys(arguments: &[u8], keys_at: usize, with_cas: bool) -> Result<Request<'_>, Refusal> {
    if Words::of(arguments).next().is_none() {
        return Err(Refusal::new(Reason::BadFormat, Reply::Send));
    }
    Ok(Request::Keys { line: KeysLine { with_cas, touch: None }, keys_at })
}

fn touch_keys<'a>(arguments: &'a [u8], body: &[u8], with_cas: bool) -> Result<Request<'a>, Refusal> {
    let mut words = Words::of(arguments);
    let exptime = words.next();
    let rest = words.rest();
    let (Some(exptime), Some(_)) = (exptime, words.next()) else {
        return Err(Refusal::new(Reason::BadFormat, Reply::Send));
    };
    match signed_32(exptime) {
        Some(exptime) => {
            let line = KeysLine { with_cas, touch: Some(exptime) };
            Ok(Request::Keys { line, keys_at: body.len() - rest.len() })
        }
        None => Err(Refusal::new(Reason::InvalidExptime, Reply::Send)),
    }
}

/// The key, the first `wanted` (0 or 1) argument behind it, and whether to answer.
fn keyed(arguments: &[u8], wanted: usize) -> Result<(&[u8], &[u8], Reply), Refusal> {
    let mut words = Words::of(arguments);
    let Some(key) = words.next() else { return Err(Refusal::new(Reason::BadFormat, Reply::Send)) };
    let behind_key = words;
    let argument = match words.next() {
        Some(argument) => argument,
        None if wanted == 0 => &[],
        None => return Err(Refusal::new(Reason::BadFormat, Reply::Send)),
    };
    // The key itself can be the last word: `delete noreply` answers nothing.
    let reply = reply_by(behind_key.last_word().or(Some(key)));
    if key.len() > KEY_MAX {
        return Err(Refusal::new(Reason::BadFormat, reply));
    }
    Ok((key, argument, reply))
}

fn delta(arguments: &[u8], make: impl Fn(u64) -> Delta) -> Result<Request<'_>, Refusal> {
    let (key, amount, reply) = keyed(arguments, 1)?;
    match unsigned_64(amount) {
        Some(amount) => Ok(Request::Delta { key, delta: make(amount), reply }),
        None => Err(Refusal::new(Reason::InvalidDelta, reply)),
    }
}

#[inline]
fn store(arguments: &[u8], mode: Mode) -> Result<Request<'_>, Refusal> {
    let mut words = Words::of(arguments);
    let (Some(key), Some(flags), Some(exptime), Some(len)) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::new(Reason::BadFormat, Reply::Send));
    };
    let value_len = match signed_32(len) {
        Some(len) if (0..=VALUE_LEN_MAX).contains(&len) => len as usize,
        // Without a length nobody knows where the value ends: it will be taken for a command.
        _ => return Err(Refusal::new(Reason::BadFormat, Reply::Send)),
    };
    let behind_len = words;
    let reply = reply_by(behind_len.last_word());
    let refused = Refusal { reason: Reason::BadFormat, reply, swallow: value_len + 2 };
    if key.len() > KEY_MAX {
        return Err(refused);
    }
    let client_flags = like_c(flags).and_then(|flags| u32::try_from(flags).ok()).ok_or(refused)?;
    let exptime = like_c(exptime).and_then(|exptime| i32::try_from(exptime).ok()).ok_or(refused)?;
    let mode = match mode {
        Mode::Cas(_) => Mode::Cas(words.next().and_then(unsigned_64).ok_or(refused)?),
        mode => mode,
    };
    Ok(Request::Store(StoreLine { mode, key, client_flags, exptime, value_len, reply }))
}

/// memcached reads flags and exptime of storage commands with C's `strtoul` and `strtol`: a sign may stand in front, and
/// white space other than a blank, or a NUL, may end the digits.
#[inline]
fn like_c(word: &[u8]) -> Option<i64> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if count == 0 || digits.get(count).is_some_and(|byte| !matches!(byte, 0 | b'\t'..=b'\r')) {
        return None;
    }
    let number = digits[..count]
        .iter()
        .try_fold(0i64, |number, &digit| number.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    Some(if negative { -number } else { number })
}

/// Commands that 1.6.45 finds in a second look: leading blanks are forgiven, `noreply` silences even the unknown.
fn administration(body: &[u8]) -> Result<Request<'_>, Refusal> {
    let mut words = Words::of(body);
    let command = words.next();
    let reply = reply_by(words.last_word().or(command));
    let number = |word: Option<&[u8]>| word.and_then(unsigned_32);
    match command.unwrap_or_default() {
        b"flush_all" => {
            let has_exptime = words.count() > usize::from(reply == Reply::Omit);
            let exptime = if has_exptime { words.next().and_then(signed_32) } else { Some(0) };
            Ok(Request::FlushAll { exptime, reply })
        }
        b"verbosity" => match number(words.next()) {
            Some(level) => Ok(Request::Verbosity { level, reply }),
            None => Err(Refusal::new(Reason::BadFormat, reply)),
        },
        b"cache_memlimit" => match number(words.next()) {
            Some(mebibytes) => Ok(Request::MemoryLimit { mebibytes, reply }),
            None => Err(Refusal::new(Reason::UnknownCommand, reply)),
        },
        b"slabs" => slabs(words, reply),
        b"shutdown" => {
            let how = match (words.next(), words.next()) {
                (None, _) => ShutdownWord::Plain,
                (Some(b"graceful"), None) => ShutdownWord::Graceful,
                _ => ShutdownWord::Unknown,
            };
            Ok(Request::Shutdown { how, reply })
        }
        #[cfg(feature = "debug-commands")]
        b"debugtime" => {
            let secs = words.next().and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
            secs.map(|secs| Request::DebugTime { secs }).ok_or(Refusal::new(Reason::UnknownCommand, reply))
        }
        _ if words.last_word().is_some_and(|word| word.starts_with(b"HTTP/")) => Err(Refusal::new(Reason::Http, reply)),
        _ => Err(Refusal::new(Reason::UnknownCommand, reply)),
    }
}

/// `slabs automove <level>|ratio <f>|freeratio <f>|window <secs>`; sub-commands may be shortened, as 1.6.45 compares.
fn slabs(mut words: Words<'_>, reply: Reply) -> Result<Request<'_>, Refusal> {
    let refused = |reason| Err(Refusal::new(reason, reply));
    let (Some(command), Some(what)) = (words.next(), words.next()) else { return refused(Reason::UnknownCommand) };
    if !b"automove".starts_with(command) {
        return refused(Reason::UnknownCommand);
    }
    let argument = words.next();
    let change = if b"ratio".starts_with(what) || b"freeratio".starts_with(what) {
        let ratio = argument.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse::<f64>().ok());
        if ratio.is_none() {
            return refused(Reason::UnknownCommand);
        }
        AutomoveChange::Tuning
    } else if b"window".starts_with(what) {
        match argument.and_then(unsigned_32) {
            None => return refused(Reason::BadFormat),
            Some(3..=1800) => AutomoveChange::Tuning,
            Some(_) => return refused(Reason::InvalidWindow),
        }
    } else {
        match unsigned_32(what) {
            None => return refused(Reason::BadFormat),
            Some(level @ 0..=2) => AutomoveChange::Level(level as u8),
            Some(_) => return refused(Reason::UnknownCommand),
        }
    };
    Ok(Request::Automove { change, reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> Refusal {
        Refusal::new(reason, Reply::Send)
    }

    #[test]
    fn storage_lines() {
        let line =
            StoreLine { mode: Mode::Set, key: b"k", client_flags: 1, exptime: -2, value_len: 3, reply: Reply::Send };
        let quiet = StoreLine { reply: Reply::Omit, ..line };
        let cases: [(&[u8], StoreLine<'_>); 10] = [
            (b"set k 1 -2 3\r\n", line),
            (b"set k 1 -2 3\n", line),
            (b"set  k  1  -2  3  \r\n", line),
            (b"set k +1 -2 3 extra words\r\n", line),
            (b"set k 1\tx -2\x00 3\r\n", line),
            (b"set k -0 -2 3\r\n", StoreLine { client_flags: 0, ..line }),
            (b"set k 1 -2 3 noreply\r\n", quiet),
            (b"set k 1 -2 3 norep\r\n", line),
            (b"cas k 1 -2 3 18446744073709551615\r\n", StoreLine { mode: Mode::Cas(u64::MAX), ..line }),
            (b"cas k 1 -2 3 7 noreply\r\n", StoreLine { mode: Mode::Cas(7), ..quiet }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(Request::Store(expected)), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_refused_value_is_swallowed_once_its_length_is_known() {
        let cases: [(&[u8], usize, Reply); 14] = [
            (b"set k 0 0\r\n", 0, Reply::Send),
            (b"set k 0 0 x\r\n", 0, Reply::Send),
            (b"set k 0 0 -1\r\n", 0, Reply::Send),
            (b"set k 0 0 -1 noreply\r\n", 0, Reply::Send),
            (b"set k 0 0 2147483646\r\n", 0, Reply::Send),
            (b"set k 0 0 99999999999999999999\r\n", 0, Reply::Send),
            (b"set k 4294967296 0 5\r\n", 7, Reply::Send),
            (b"set k -1 0 5\r\n", 7, Reply::Send),
            (b"set k x 0 5\r\n", 7, Reply::Send),
            (b"set k 0 x 5 noreply\r\n", 7, Reply::Omit),
            (b"set k 0 2147483648 5\r\n", 7, Reply::Send),
            (b"cas k 0 0 5\r\n", 7, Reply::Send),
            (b"cas k 0 0 5 -1\r\n", 7, Reply::Send),
            (b"cas k 0 0 5 noreply\r\n", 7, Reply::Omit),
        ];
        for (bytes, swallow, reply) in cases {
            let expected = Refusal { reason: Reason::BadFormat, reply, swallow };
            assert_eq!(parse(bytes), Err(expected), "{}", String::from_utf8_lossy(bytes));
        }
        let long = [b"set ", &[b'k'; 251][..], b" 0 0 5\r\n"].concat();
        assert_eq!(parse(&long).map_err(|refusal| refusal.swallow), Err(7));
        let fits = [b"set ", &[b'k'; 250][..], b" 0 0 5\r\n"].concat();
        assert!(parse(&fits).is_ok());
    }

    #[test]
    fn key_lines_tell_where_the_keys_begin() {
        let cases: [(&[u8], usize, bool, Option<i32>); 5] = [
            (b"get a\r\n", 3, false, None),
            (b"gets a b\n", 4, true, None),
            (b"get   a\r\n", 3, false, None),
            (b"gat 10 a b\r\n", 6, false, Some(10)),
            (b"gats -1  a\r\n", 7, true, Some(-1)),
        ];
        for (bytes, keys_at, with_cas, touch) in cases {
            let expected = Request::Keys { line: KeysLine { with_cas, touch }, keys_at };
            assert_eq!(parse(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
        for (bytes, reason) in [
            (&b"get\r\n"[..], Reason::BadFormat),
            (b"get  \r\n", Reason::BadFormat),
            (b"gat 10\r\n", Reason::BadFormat),
            (b"gat x a\r\n", Reason::InvalidExptime),
        ] {
            assert_eq!(parse(bytes), Err(refused(reason)), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn the_rest() {
        let key: &[u8] = b"k";
        let cases: [(&[u8], Request<'_>); 22] = [
            (b"delete k\r\n", Request::Delete { key, reply: Reply::Send }),
            (b"delete k 0\r\n", Request::Delete { key, reply: Reply::Send }),
            (b"delete k 10 noreply\r\n", Request::Delete { key, reply: Reply::Omit }),
            (b"delete noreply\r\n", Request::Delete { key: b"noreply", reply: Reply::Omit }),
            (b"incr k 5\r\n", Request::Delta { key, delta: Delta::Incr(5), reply: Reply::Send }),
            (b"decr k 5 noreply\r\n", Request::Delta { key, delta: Delta::Decr(5), reply: Reply::Omit }),
            (b"touch k 5\r\n", Request::Touch { key, exptime: 5, reply: Reply::Send }),
            (b"flush_all\r\n", Request::FlushAll { exptime: Some(0), reply: Reply::Send }),
            (b"  flush_all\r\n", Request::FlushAll { exptime: Some(0), reply: Reply::Send }),
            (b"flush_all noreply\r\n", Request::FlushAll { exptime: Some(0), reply: Reply::Omit }),
            (b"flush_all 5 noreply\r\n", Request::FlushAll { exptime: Some(5), reply: Reply::Omit }),
            (b"flush_all x\r\n", Request::FlushAll { exptime: None, reply: Reply::Send }),
            (b"verbosity 1\r\n", Request::Verbosity { level: 1, reply: Reply::Send }),
            (b"version foo\r\n", Request::Version),
            (b"quit foo\r\n", Request::Quit),
            (b"mn\r\n", Request::Noop),
            (b"stats items\r\n", Request::Stats { arguments: b" items" }),
            (b"cache_memlimit 100\r\n", Request::MemoryLimit { mebibytes: 100, reply: Reply::Send }),
            (b"slabs automove 2\r\n", Request::Automove { change: AutomoveChange::Level(2), reply: Reply::Send }),
            (b"slabs automove ratio 0.5\r\n", Request::Automove { change: AutomoveChange::Tuning, reply: Reply::Send }),
            (b"shutdown\r\n", Request::Shutdown { how: ShutdownWord::Plain, reply: Reply::Send }),
            (b"shutdown graceful\r\n", Request::Shutdown { how: ShutdownWord::Graceful, reply: Reply::Send }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn refusals_give_their_reason() {
        let cases: [(&[u8], Reason); 29] = [
            (b"\r\n", Reason::BadFormat),
            (b"\n", Reason::BadFormat),
            (b"a\r\n", Reason::BadFormat),
            (b"mn\n", Reason::BadFormat),
            (b"   \r\n", Reason::UnknownCommand),
            (b"foo\r\n", Reason::UnknownCommand),
            (b"GET a\r\n", Reason::UnknownCommand),
            (b" get a\r\n", Reason::UnknownCommand),
            (b"get\ta\r\n", Reason::UnknownCommand),
            (b"incr k\r\n", Reason::BadFormat),
            (b"incr k x\r\n", Reason::InvalidDelta),
            (b"incr k -1\r\n", Reason::InvalidDelta),
            (b"incr k 18446744073709551616\r\n", Reason::InvalidDelta),
            (b"touch k\r\n", Reason::BadFormat),
            (b"touch k x\r\n", Reason::InvalidExptime),
            (b"delete\r\n", Reason::BadFormat),
            (b"verbosity\r\n", Reason::BadFormat),
            (b"verbosity x\r\n", Reason::BadFormat),
            (b"cache_memlimit x\r\n", Reason::UnknownCommand),
            (b"GET / HTTP/1.1\r\n", Reason::Http),
            (b"POST /set HTTP/1.0\r\n", Reason::Http),
            (b"HTTP/1.1\r\n", Reason::UnknownCommand),
            (b"slabs\r\n", Reason::UnknownCommand),
            (b"slabs automove\r\n", Reason::UnknownCommand),
            (b"slabs automove 3\r\n", Reason::UnknownCommand),
            (b"slabs automove invalid\r\n", Reason::BadFormat),
            (b"slabs automove ratio x\r\n", Reason::UnknownCommand),
            (b"slabs automove window x\r\n", Reason::BadFormat),
            (b"slabs automove window 2\r\n", Reason::InvalidWindow),
        ];
        for (bytes, reason) in cases {
            assert_eq!(parse(bytes), Err(refused(reason)), "{}", String::from_utf8_lossy(bytes));
        }
        let quiet = Refusal::new(Reason::UnknownCommand, Reply::Omit);
        assert_eq!(parse(b"foo noreply\r\n"), Err(quiet));
    }
}

//! From a line to a [`Request`], after protocol.txt and what memcached 1.6.45 does where that is silent.
//!
//! A line that is refused says whether the refusal is to be kept quiet (`noreply` was understood) and how many bytes
//! of value follow that must be thrown away.

use super::admin::{self, AutomoveChange, LruOrder, ShutdownWord};
use super::crawler::CrawlerOrder;
use super::login::{self, SaslLine};
use super::number::{signed_32, unsigned_64};
use super::watch;
use super::words::Words;
use crate::bytes::scan;
use crate::command::{Delta, KEY_MAX, Mode, WatchKinds};
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

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// refresh_certs, which is always answered.
    RefreshCertificates,
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
    /// slabs reassign: a page is to move.
    Reassign {
        /// From and to; `None` when they are no numbers.
        classes: Option<(i32, i32)>,
        /// Whether to answer.
        reply: Reply,
    },
    /// lru.
    Lru {
        /// What is to change.
        order: LruOrder,
        /// Whether to answer.
        reply: Reply,
    },
    /// lru_crawler.
    Crawler {
        /// What it is to do.
        order: CrawlerOrder<'a>,
        /// Whether to answer.
        reply: Reply,
    },
    /// larder delete_prefix.
    DeletePrefix {
        /// What the keys begin with.
        prefix: &'a [u8],
        /// Whether to answer.
        reply: Reply,
    },
    /// stats, with the words behind it still to be read.
    Stats {
        /// Everything behind `stats`.
        arguments: &'a [u8],
    },
    /// watch: the connection gets lines about events from now on.
    Watch {
        /// Which events; `None` when a word names none.
        kinds: Option<WatchKinds>,
    },
    /// config get, with its key.
    ConfigGet(&'a [u8]),
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
    /// sasl.
    Sasl(SaslLine<'a>),
    /// mn: an answer as a barrier.
    Noop,
    /// quit.
    Quit,
    /// misbehave (builds with `debug-commands`): a call that `-o drop_privileges` punishes.
    #[cfg(feature = "debug-commands")]
    Misbehave,
    /// debugtime (builds with `debug-commands`).
    #[cfg(feature = "debug-commands")]
    DebugTime {
        /// Seconds to move the clock by.
        secs: i64,
    },
}

impl Request<'_> {
    /// Whether its client wants to hear of errors.
    pub fn reply(&self) -> Reply {
        match self {
            Request::Store(StoreLine { reply, .. })
            | Request::Delete { reply, .. }
            | Request::Delta { reply, .. }
            | Request::Touch { reply, .. }
            | Request::FlushAll { reply, .. }
            | Request::Verbosity { reply, .. }
            | Request::MemoryLimit { reply, .. }
            | Request::Automove { reply, .. }
            | Request::Reassign { reply, .. }
            | Request::Lru { reply, .. }
            | Request::Crawler { reply, .. }
            | Request::DeletePrefix { reply, .. }
            | Request::Shutdown { reply, .. } => *reply,
            _ => Reply::Send,
        }
    }
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
    /// lru_crawler sleep above a second.
    SleepTooLong,
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

    pub(super) fn new(reason: Reason, reply: Reply) -> Refusal {
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

/// The key of a get of one key at the start of `input`, and where the line ends: the request that most are. `None` of all
/// else, be it a get or not, which [`parse`] reads.
#[inline]
pub fn plain_get(input: &[u8]) -> Option<(&[u8], usize)> {
    let rest = input.strip_prefix(b"get ")?;
    let key_len = scan::find_separator(rest)?;
    let (key, rest) = rest.split_at(key_len);
    let is_plain = (1..=KEY_MAX).contains(&key_len) && rest.starts_with(b"\r\n");
    is_plain.then_some((key, b"get \r\n".len() + key_len))
}

/// The line of a set whose numbers have few digits and no sign, at the start of `input`, and where it ends. `None` of all
/// else, which [`parse`] reads.
#[inline]
pub fn plain_set(input: &[u8]) -> Option<(StoreLine<'_>, usize)> {
    let rest = input.strip_prefix(b"set ")?;
    let (key, rest) = rest.split_at(scan::find_separator(rest)?);
    let (client_flags, rest) = few_digits(rest.strip_prefix(b" ")?)?;
    let (exptime, rest) = few_digits(rest.strip_prefix(b" ")?)?;
    let (value_len, rest) = few_digits(rest.strip_prefix(b" ")?)?;
    let (reply, rest) = match rest {
        [b'\r', b'\n', rest @ ..] => (Reply::Send, rest),
        rest => (Reply::Omit, rest.strip_prefix(b" noreply\r\n")?),
    };
    let line =
        StoreLine { mode: Mode::Set, key, client_flags, exptime: exptime as i32, value_len: value_len as usize, reply };
    (1..=KEY_MAX).contains(&key.len()).then_some((line, input.len() - rest.len()))
}

/// A number of one to nine digits, and what stands behind it.
#[inline]
fn few_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (at, byte) in text.iter().enumerate().take(10) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return if at == 0 { None } else { Some((number, &text[at..])) };
        }
        if at == 9 {
            return None;
        }
        number = number * 10 + u32::from(digit);
    }
    None
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
    let command_len = scan::find(body, b' ').unwrap_or(body.len());
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
        b"watch" => Ok(Request::Watch { kinds: watch::kinds(Words::of(arguments)) }),
        b"quit" => Ok(Request::Quit),
        b"mn" => Ok(Request::Noop),
        b"sasl" => Ok(Request::Sasl(login::parse_sasl(Words::of(arguments)))),
        _ => admin::parse(body),
    }
}

fn keys(arguments: &[u8], keys_at: usize, with_cas: bool) -> Result<Request<'_>, Refusal> {
    if arguments.iter().all(|&byte| byte == b' ') {
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
    let reply = admin::reply_by(behind_key.last_word().or(Some(key)));
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
    let reply = admin::reply_by(behind_len.last_word());
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Reason) -> Refusal {
        Refusal::new(reason, Reply::Send)
    }

    #[test]
    fn plain_gets_are_those_that_parse_reads_as_one_key() {
        assert_eq!(plain_get(b"get key\r\nget other\r\n"), Some((&b"key"[..], 9)));
        let long = [b"get ", &[b'k'; KEY_MAX][..], b"\r\n"].concat();
        assert_eq!(plain_get(&long), Some((&long[4..4 + KEY_MAX], long.len())));
        let too_long = [b"get ", &[b'k'; KEY_MAX + 1][..], b"\r\n"].concat();
        for other in [
            &b"get key\n"[..],
            b"get key \r\n",
            b"get  key\r\n",
            b"get a b\r\n",
            b"get a\tb\r\n",
            b"get a\rb\r\n",
            b"get key\r",
            b"get key",
            b"get ",
            b"get \r\n",
            b"gets key\r\n",
            &too_long,
        ] {
            assert_eq!(plain_get(other), None, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn plain_sets_are_read_as_parse_reads_them() {
        let lines: [&[u8]; 5] = [
            b"set key 0 0 5\r\n",
            b"set k 999999999 999999999 999999999\r\n",
            b"set k 007 0 0 noreply\r\n",
            b"set \xff\x7f 1 2 3\r\n",
            &[b"set ", &[b'k'; KEY_MAX][..], b" 0 0 1\r\n"].concat(),
        ];
        for line in lines {
            let (plain, len) =
                plain_set(&[line, b"12345"].concat()).map(|(line, len)| (format!("{line:?}"), len)).unwrap();
            let Ok(Request::Store(expected)) = parse(line) else { panic!("{}", String::from_utf8_lossy(line)) };
            assert_eq!((plain, len), (format!("{expected:?}"), line.len()));
        }
        for other in [
            &b"set key 0 0 5\n"[..],
            b"set key 0 0 5",
            b"set key 0 0 ",
            b"set key 0 0\r\n",
            b"set key 0 0 1234567890\r\n",
            b"set key -1 0 5\r\n",
            b"set key +1 0 5\r\n",
            b"set key  0 0 5\r\n",
            b"set key 0 0 5 \r\n",
            b"set key 0 0 5 norepl\r\n",
            b"set key 0\t0 0 5\r\n",
            b"set k\tey 0 0 5\r\n",
            b"set  0 0 5\r\n",
            b"cas key 0 0 5\r\n",
            &[b"set ", &[b'k'; KEY_MAX + 1][..], b" 0 0 1\r\n"].concat(),
        ] {
            assert_eq!(plain_set(other), None, "{}", String::from_utf8_lossy(other));
        }
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
        let cases: [(&[u8], Request<'_>); 11] = [
            (b"delete k\r\n", Request::Delete { key, reply: Reply::Send }),
            (b"delete k 0\r\n", Request::Delete { key, reply: Reply::Send }),
            (b"delete k 10 noreply\r\n", Request::Delete { key, reply: Reply::Omit }),
            (b"delete noreply\r\n", Request::Delete { key: b"noreply", reply: Reply::Omit }),
            (b"incr k 5\r\n", Request::Delta { key, delta: Delta::Incr(5), reply: Reply::Send }),
            (b"decr k 5 noreply\r\n", Request::Delta { key, delta: Delta::Decr(5), reply: Reply::Omit }),
            (b"touch k 5\r\n", Request::Touch { key, exptime: 5, reply: Reply::Send }),
            (b"version foo\r\n", Request::Version),
            (b"quit foo\r\n", Request::Quit),
            (b"mn\r\n", Request::Noop),
            (b"stats items\r\n", Request::Stats { arguments: b" items" }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn refusals_give_their_reason() {
        let cases: [(&[u8], Reason); 19] = [
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
            (b"GET / HTTP/1.1\r\n", Reason::Http),
            (b"POST /set HTTP/1.0\r\n", Reason::Http),
            (b"HTTP/1.1\r\n", Reason::UnknownCommand),
        ];
        for (bytes, reason) in cases {
            assert_eq!(parse(bytes), Err(refused(reason)), "{}", String::from_utf8_lossy(bytes));
        }
    }
}

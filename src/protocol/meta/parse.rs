//! From a line to its key and flags, with what memcached 1.6.45 refuses and in which order it looks.

use super::key::DecodedKey;
use crate::bytes::scan;
use crate::command::KEY_MAX;
use crate::protocol::text::number::{signed_32, unsigned_32, unsigned_64};
use crate::protocol::text::parse::{Reason, Refusal, VALUE_LEN_MAX};
use crate::protocol::text::words::Words;

/// Words of a line at most, command and key included.
const WORDS_MAX: usize = 20;

/// Words of which the first letter is looked at before anything else.
const WORDS_LOOKED_AT: usize = 23;

/// Bytes of an opaque at most, without its `O`. (The documentation says 32; 1.6.45 counts the `O` as one of them.)
const OPAQUE_MAX: usize = 32;

/// Flags that have no argument, as [`Flags::present`] has them; not those that may have one and be refused for it.
const LONE: u64 = {
    let letters = b"vkqtcfshluxI";
    let (mut bits, mut at) = (0, 0);
    while at < letters.len() {
        bits |= bit(letters[at]);
        at += 1;
    }
    bits
};

/// Letters of flags that mean something in some command.
const KNOWN: &[u8] = b"bcfhklqstuvxCDEFIJLMNOPRT";

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// mg.
    Get,
    /// ms.
    Set,
    /// md.
    Delete,
    /// ma.
    Arithmetic,
    /// me.
    Debug,
}

/// A line without its command.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// As sent.
    pub key: &'a [u8],
    /// ms: bytes of the value, without its CRLF.
    pub value_len: usize,
    /// The flags.
    pub flags: Flags<'a>,
}

/// The flags of a line. Numbers are 0 where their flag is absent.
#[derive(Clone, Copy, Debug)]
pub struct Flags<'a> {
    /// As sent, to be answered in this order.
    text: &'a [u8],
    /// One bit for each letter that is there, `A` the lowest.
    present: u64,
    /// `T`: the new exptime.
    pub exptime: i32,
    /// `N`: exptime of what is created.
    pub create: i32,
    /// `R`: renew what has less than this left.
    pub renew: i32,
    /// `F`.
    pub client_flags: u32,
    /// `C`: the CAS number to compare with.
    pub compare: u64,
    /// `E`: the CAS number to give.
    pub next_cas: u64,
    /// `D`; 1 when absent.
    pub delta: u64,
    /// `J`.
    pub initial: u64,
    /// The letter behind `M`; a blank when there is none.
    pub mode: u8,
}

#[inline]
const fn bit(letter: u8) -> u64 {
    1 << (letter - b'A')
}

/// Whether a flag may begin so at all; other bytes make the line one of no known form.
fn may_begin_a_flag(byte: u8) -> bool {
    (b'A'..=b'z').contains(&byte) || byte.is_ascii_digit()
}

impl<'a> Flags<'a> {
    /// No flags.
    const NONE: Flags<'static> = Flags {
        text: &[],
        present: 0,
        exptime: 0,
        create: 0,
        renew: 0,
        client_flags: 0,
        compare: 0,
        next_cas: 0,
        delta: 1,
        initial: 0,
        mode: b' ',
    };

    /// `v` alone.
    pub const VALUE: Flags<'static> = Flags { text: b" v", present: bit(b'v'), ..Flags::NONE };

    /// Whether the flag is there.
    #[inline]
    pub fn has(&self, letter: u8) -> bool {
        self.present & bit(letter) != 0
    }

    /// Whether none of these flags is there.
    #[inline]
    pub fn has_none_of(&self, letters: &[u8]) -> bool {
        self.present & letters.iter().fold(0, |bits, &letter| bits | bit(letter)) == 0
    }

    /// `C`, if it is there.
    pub fn compare(&self) -> Option<u64> {
        self.has(b'C').then_some(self.compare)
    }

    /// `E`, if it is there.
    pub fn next_cas(&self) -> Option<u64> {
        self.has(b'E').then_some(self.next_cas)
    }

    /// As sent.
    pub fn text(&self) -> &'a [u8] {
        self.text
    }

    /// The flags in their order, each with its letter.
    #[inline]
    pub fn words(&self) -> FlagWords<'a> {
        FlagWords::of(self.text)
    }

    /// Whether the flag `first` stands before the flag `second`; both must be there.
    pub fn is_before(&self, first: u8, second: u8) -> bool {
        self.words().map(|word| word[0]).find(|&letter| letter == first || letter == second) == Some(first)
    }

    /// Reads flags; `words_before` are the words of the line that are none, `key` is what `b` says to be encoded.
    ///
    /// # Errors
    /// Of several, the one that 1.6.45 reports.
    #[inline(always)] // Else the flags are copied twice on their way.
    pub fn parse(text: &'a [u8], words_before: usize, key: &[u8]) -> Result<Flags<'a>, Reason> {
        let mut flags = Flags { text, ..Flags::NONE };
        // Most flags are a letter and nothing else. Those are too few for a line that has too many words.
        let (mut count, rest) = flags.take_lone(text, |behind| matches!(behind, [] | [b' ', ..]));
        count += words_before;
        for word in FlagWords::of(rest) {
            count += 1;
            let letter = word[0];
            if count > WORDS_MAX || !letter.is_ascii_alphabetic() || flags.has(letter) {
                return Err(why_refused(text, words_before, key));
            }
            flags.present |= bit(letter);
            if flags.read(letter, &word[1..], key).is_err() {
                return Err(why_refused(text, words_before, key));
            }
        }
        Ok(flags)
    }

    /// Takes flags that are a letter and nothing else, each there once, from the start of `text`, as long as `may_follow`
    /// says so of what is behind them; returns how many, and the rest.
    #[inline(always)]
    fn take_lone<'b>(&mut self, text: &'b [u8], may_follow: impl Fn(&[u8]) -> bool) -> (usize, &'b [u8]) {
        let (mut count, mut rest) = (0, text);
        while let [b' ', letter, behind @ ..] = rest
            && letter.is_ascii_alphabetic()
            && LONE & !self.present & bit(*letter) != 0
            && may_follow(behind)
        {
            self.present |= bit(*letter);
            count += 1;
            rest = behind;
        }
        (count, rest)
    }

    #[inline(always)]
    fn read(&mut self, letter: u8, argument: &[u8], key: &[u8]) -> Result<(), Reason> {
        match letter {
            b'v' | b'k' | b'q' | b't' | b'c' | b'f' | b's' | b'h' | b'l' | b'u' | b'x' | b'I' | b'P' | b'L' => {}
            b'O' if argument.len() > OPAQUE_MAX => return Err(Reason::OpaqueTooLong),
            b'O' => {}
            b'T' => self.exptime = signed(argument)?,
            b'N' => self.create = signed(argument)?,
            b'R' => self.renew = signed(argument)?,
            b'F' => self.client_flags = unsigned_32(argument).ok_or(Reason::BadFormat)?,
            b'C' => self.compare = unsigned_64(argument).ok_or(Reason::BadToken)?,
            b'E' => self.next_cas = unsigned_64(argument).ok_or(Reason::BadToken)?,
            b'D' => self.delta = unsigned_64(argument).ok_or(Reason::InvalidNumericDelta)?,
            b'J' => self.initial = unsigned_64(argument).ok_or(Reason::InvalidInitial)?,
            b'M' => self.mode = argument.first().copied().unwrap_or(b' '),
            b'b' if DecodedKey::of(key).is_none() => return Err(Reason::BadEncodedKey),
            b'b' => {}
            _ => return Err(Reason::InvalidFlag),
        }
        Ok(())
    }
}

#[inline]
fn signed(argument: &[u8]) -> Result<i32, Reason> {
    signed_32(argument).ok_or(Reason::BadToken)
}

/// Why a line is refused whose flags are not all sound. A letter that nothing knows or that comes twice ends the look;
/// of the arguments that are wrong before it the last one counts, and an opaque that is too long only by itself.
#[cold]
fn why_refused(text: &[u8], words_before: usize, key: &[u8]) -> Reason {
    let words = || FlagWords::of(text);
    if words_before + words().count() > WORDS_MAX {
        return Reason::TooManyFlags;
    }
    let mut scratch = Flags::NONE;
    let mut wrong = None;
    let mut opaque_too_long = false;
    for (at, word) in words().enumerate() {
        let letter = word[0];
        if words().take(at).any(|earlier| earlier[0] == letter) {
            return Reason::DuplicateFlag;
        }
        if !KNOWN.contains(&letter) {
            return Reason::InvalidFlag;
        }
        match scratch.read(letter, &word[1..], key) {
            Ok(()) => {}
            Err(Reason::OpaqueTooLong) => opaque_too_long = true,
            // Flags that are no number leave the reason as it was.
            Err(Reason::BadFormat) => wrong = wrong.or(Some(Reason::BadFormat)),
            Err(reason) => wrong = Some(reason),
        }
    }
    wrong.unwrap_or(if opaque_too_long { Reason::OpaqueTooLong } else { Reason::InvalidFlag })
}

/// See [`Flags::words`].
#[derive(Clone, Copy, Debug)]
pub struct FlagWords<'a> {
    rest: &'a [u8],
}

impl<'a> FlagWords<'a> {
    /// The flags in `text`.
    #[inline]
    pub fn of(text: &'a [u8]) -> FlagWords<'a> {
        FlagWords { rest: text }
    }
}

impl<'a> Iterator for FlagWords<'a> {
    type Item = &'a [u8];

    /// Most flags are one letter, so bytes are looked at one by one.
    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if let [b' ', letters @ ..] = self.rest
            && let [letter, b' ', ..] | [letter] = letters
            && *letter != b' '
        {
            let (word, rest) = letters.split_at(1);
            self.rest = rest;
            return Some(word);
        }
        let start = self.rest.iter().position(|&byte| byte != b' ')?;
        let rest = &self.rest[start..];
        let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        Some(word)
    }
}

/// The key of an mg with `v` and no other flag, at the start of `input`, and where the line ends. `None` of all else,
/// which [`parse`] reads.
#[inline]
pub fn value_get(input: &[u8]) -> Option<(&[u8], usize)> {
    let rest = input.strip_prefix(b"mg ")?;
    let (key, rest) = rest.split_at(scan::find_separator(rest)?);
    let is_plain = (1..=KEY_MAX).contains(&key.len()) && rest.starts_with(b" v\r\n");
    is_plain.then_some((key, b"mg  v\r\n".len() + key.len()))
}

/// An mg whose flags are letters alone, at the start of `input`: key, flags, and where the line ends. `None` of all else,
/// which [`parse`] reads.
#[inline]
pub fn lone_get(input: &[u8]) -> Option<(&[u8], Flags<'_>, usize)> {
    let rest = input.strip_prefix(b"mg ")?;
    let (key, text) = rest.split_at(scan::find_separator(rest)?);
    let mut flags = Flags::NONE;
    let (_, behind) = flags.take_lone(text, |behind| matches!(behind, [b' ' | b'\r', ..]));
    flags.text = &text[..text.len() - behind.len()];
    let is_plain = (1..=KEY_MAX).contains(&key.len()) && behind.starts_with(b"\r\n");
    is_plain.then_some((key, flags, input.len() - behind.len() + 2))
}

/// Reads what stands behind the command.
///
/// # Errors
/// The [`Refusal`]; of ms it says how many bytes of value follow.
#[inline(always)] // As above.
pub fn parse(command: Command, arguments: &[u8]) -> Result<Line<'_>, Refusal> {
    let Some(start) = arguments.iter().position(|&byte| byte != b' ') else {
        return Err(Refusal::said(Reason::BadFormat));
    };
    let rest = &arguments[start..];
    let (key, mut text) = rest.split_at(scan::find(rest, b' ').unwrap_or(rest.len()));
    let mut value_len = 0;
    let mut words_before = 2;
    if command == Command::Set {
        let mut words = Words::of(text);
        match words.next().and_then(signed_32) {
            Some(len) if (0..=VALUE_LEN_MAX).contains(&len) => value_len = len as usize,
            _ => return Err(Refusal::said(Reason::BadFormat)),
        }
        words_before = 3;
        text = words.rest();
    }
    let read = if command == Command::Debug { debug_flags(text, key) } else { Flags::parse(text, words_before, key) };
    let reason = match read {
        Ok(flags) if key.len() > KEY_MAX && !flags.has(b'b') => Reason::BadFormat,
        Ok(flags) if flags.has(b'M') && !is_mode(command, flags.mode) => Reason::InvalidMode(command),
        Ok(flags) => return Ok(Line { key, value_len, flags }),
        Err(reason) => reason,
    };
    Err(refuse(command, reason, text, words_before, value_len))
}

/// Whether the letter may stand behind `M`; where that means nothing, all may.
fn is_mode(command: Command, letter: u8) -> bool {
    match command {
        Command::Set => b"EAPRS".contains(&letter),
        Command::Arithmetic => b"I+D-".contains(&letter),
        Command::Get | Command::Delete | Command::Debug => true,
    }
}

/// me knows one flag, and forgives all others.
fn debug_flags<'a>(text: &'a [u8], key: &[u8]) -> Result<Flags<'a>, Reason> {
    let is_binary = FlagWords::of(text).next() == Some(b"b");
    match is_binary.then(|| DecodedKey::of(key)) {
        Some(None) => Err(Reason::BadFormat),
        Some(Some(_)) => Ok(Flags { present: bit(b'b'), ..Flags::NONE }),
        None if FlagWords::of(text).take(WORDS_LOOKED_AT - 2).all(|word| may_begin_a_flag(word[0])) => Ok(Flags::NONE),
        None => Err(Reason::BadFormat),
    }
}

#[cold]
fn refuse(command: Command, reason: Reason, text: &[u8], words_before: usize, value_len: usize) -> Refusal {
    let words = FlagWords::of(text).take(WORDS_LOOKED_AT - words_before);
    // A line that falls apart before its flags are looked at is none of ms, so no value is known to follow.
    let falls_apart = words.clone().any(|word| !may_begin_a_flag(word[0]));
    let reason = match (command, reason) {
        _ if falls_apart => Reason::BadFormat,
        (Command::Arithmetic, Reason::OpaqueTooLong | Reason::InvalidMode(_)) => reason,
        (Command::Arithmetic, _) => Reason::InvalidOrDuplicateFlag,
        _ => reason,
    };
    let swallow = if command == Command::Set && !falls_apart { value_len + 2 } else { 0 };
    Refusal { swallow, ..Refusal::said(reason) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Result<Flags<'_>, Reason> {
        Flags::parse(text.as_bytes(), 2, b"key")
    }

    #[test]
    fn every_flag_is_read() {
        let all = flags(" b c f h k l q s t u v x T-1 N2 R3 F4").expect_err("`key` is no base64");
        assert_eq!(all, Reason::BadEncodedKey);
        let read = flags("  T-1  N2 R3 F4294967295 C5 E18446744073709551615 D7 J8 MA Oabc v ").expect("sound");
        assert_eq!((read.exptime, read.create, read.renew), (-1, 2, 3));
        assert_eq!((read.client_flags, read.compare(), read.next_cas()), (u32::MAX, Some(5), Some(u64::MAX)));
        assert_eq!((read.delta, read.initial, read.mode), (7, 8, b'A'));
        assert!(read.has(b'v') && read.has(b'O') && !read.has(b'q') && !read.has(b'b'));
        assert_eq!(read.words().next(), Some(&b"T-1"[..]));
        assert_eq!(read.words().last(), Some(&b"v"[..]));
        let none = flags("").expect("sound");
        assert_eq!((none.delta, none.compare(), none.next_cas(), none.mode), (1, None, None, b' '));
    }

    #[test]
    fn order_is_told() {
        let read = flags("v T1 k N2").expect("sound");
        assert!(read.is_before(b'T', b'N') && !read.is_before(b'N', b'T'));
    }

    #[test]
    fn the_reason_is_the_one_that_is_looked_for_first() {
        let cases = [
            ("v v", Reason::DuplicateFlag),
            ("a", Reason::InvalidFlag),
            ("1", Reason::InvalidFlag),
            ("_", Reason::InvalidFlag),
            ("Tx a", Reason::InvalidFlag),
            ("Tx T1", Reason::DuplicateFlag),
            ("Tx", Reason::BadToken),
            ("Fx", Reason::BadFormat),
            ("Tx Fx", Reason::BadToken),
            ("Fx Tx", Reason::BadToken),
            ("Tx Jx", Reason::InvalidInitial),
            ("Jx Dx", Reason::InvalidNumericDelta),
            ("O012345678901234567890123456789012", Reason::OpaqueTooLong),
            ("O012345678901234567890123456789012 Tx", Reason::BadToken),
            ("b c f h k l q s t u v x I L P C1 D1 E1 F1", Reason::TooManyFlags),
        ];
        for (text, reason) in cases {
            assert_eq!(flags(text).expect_err(text), reason, "{text}");
        }
    }

    #[test]
    fn lines_say_what_follows_them() {
        let line = parse(Command::Set, b" k 5 T1 v").expect("sound");
        assert_eq!((line.key, line.value_len, line.flags.exptime), (&b"k"[..], 5, 1));
        let swallow = |arguments: &'static str| parse(Command::Set, arguments.as_bytes()).expect_err(arguments).swallow;
        assert_eq!(swallow(" k 5 v v"), 7);
        assert_eq!(swallow(" k 5 MX"), 7);
        assert_eq!(swallow(" k 5 !"), 0);
        assert_eq!(swallow(" k x"), 0);
        assert_eq!(swallow(" k"), 0);
        assert_eq!(parse(Command::Get, b" k v v").expect_err("twice").swallow, 0);
    }

    #[test]
    fn plain_gets_are_read_as_parse_reads_them() {
        let longest = [b"mg ", &[b'k'; KEY_MAX][..], b" v\r\n"].concat();
        for line in [
            &b"mg key\r\n"[..],
            b"mg k v\r\n",
            b"mg key v q k\r\n",
            b"mg \xff k t s c f h l u x I v q\r\n",
            &longest[..],
        ] {
            let input = [line, &b"mg next v\r\n"[..]].concat();
            let (key, flags, len) = lone_get(&input).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(line)));
            let expected = parse(Command::Get, &line[2..line.len() - 2]).expect("sound");
            assert_eq!((key, format!("{flags:?}"), len), (expected.key, format!("{:?}", expected.flags), line.len()));
            let is_value = expected.flags.text() == b" v";
            assert_eq!(value_get(&input), is_value.then_some((key, len)));
        }
        let too_long = [b"mg ", &[b'k'; KEY_MAX + 1][..], b" v\r\n"].concat();
        for other in [
            &b"mg key v"[..],
            b"mg key v\n",
            b"mg key v\r",
            b"mg key v\r k\r\n",
            b"mg key v v\r\n",
            b"mg key vq\r\n",
            b"mg key  v\r\n",
            b"mg key v \r\n",
            b"mg key v T1\r\n",
            b"mg key Oopaque\r\n",
            b"mg key b\r\n",
            b"mg  v\r\n",
            b"mg  key v\r\n",
            b"mg k\tv v\r\n",
            b"ms key 1 v\r\n",
            &too_long,
        ] {
            assert!(lone_get(other).is_none(), "{}", String::from_utf8_lossy(other));
            assert!(value_get(other).is_none(), "{}", String::from_utf8_lossy(other));
        }
    }
}

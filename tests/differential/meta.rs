//! Meta commands at random: mostly sound, some with one thing wrong.
//!
//! Kept out on purpose: a TTL told of an item that is dying at once (memcached lets it wrap), the key of an item whose
//! key is no text (memcached forgets that), opaques of 32 bytes, and what me says of sizes and classes.

use crate::case::{Command, Piece};
use crate::classic::{data, finish_line, short_key};
use crate::random::Random;

/// Any of mg, ms, md, ma, me, mn.
pub(crate) fn any_command(random: &mut Random) -> Command {
    match random.below(100) {
        0..40 => line(random, b"mg", &GET),
        40..65 => set(random),
        65..80 => line(random, b"md", &DELETE),
        80..94 => line(random, b"ma", &ARITHMETIC),
        94..96 => line(random, b"me", &[]),
        _ => finish_line(random, b"mn".to_vec(), false),
    }
}

type Flag = (u8, &'static [&'static [u8]]);

const NOTHING: &[&[u8]] = &[b""];
const TIMES: &[&[u8]] = &[b"0", b"1000", b"2000", b"2592000", b"-1"];
const NUMBERS: &[&[u8]] = &[b"1000000000001", b"1000000000002", b"18446744073709551615"];
const OPAQUES: &[&[u8]] = &[b"", b"1", b"abc", b"0123456789012345678901234567890", b"\xff\x01"];

const GET: [Flag; 15] = [
    (b'v', NOTHING),
    (b'v', NOTHING),
    (b'k', NOTHING),
    (b'q', NOTHING),
    (b's', NOTHING),
    (b't', NOTHING),
    (b'c', NOTHING),
    (b'f', NOTHING),
    (b'h', NOTHING),
    (b'u', NOTHING),
    (b'O', OPAQUES),
    (b'T', TIMES),
    (b'N', &[b"0", b"1000", b"2000"]),
    (b'R', &[b"0", b"30", b"1500", b"2592000"]),
    (b'E', NUMBERS),
];

const SET: [Flag; 13] = [
    (b'k', NOTHING),
    (b'q', NOTHING),
    (b'c', NOTHING),
    (b's', NOTHING),
    (b'O', OPAQUES),
    (b'F', &[b"0", b"5", b"4294967295"]),
    (b'T', TIMES),
    (b'M', &[b"S", b"E", b"A", b"P", b"R", b"Set", b"Append"]),
    (b'M', &[b"A", b"P"]),
    (b'N', &[b"0", b"1000", b"2000"]),
    (b'I', NOTHING),
    (b'E', NUMBERS),
    (b'b', NOTHING),
];

const DELETE: [Flag; 9] = [
    (b'k', NOTHING),
    (b'q', NOTHING),
    (b'O', OPAQUES),
    (b'I', NOTHING),
    (b'I', NOTHING),
    (b'x', NOTHING),
    (b'T', TIMES),
    (b'F', &[b"0", b"7"]),
    (b'E', NUMBERS),
];

const ARITHMETIC: [Flag; 12] = [
    (b'k', NOTHING),
    (b'q', NOTHING),
    (b'v', NOTHING),
    (b'v', NOTHING),
    (b't', NOTHING),
    (b'c', NOTHING),
    (b'O', OPAQUES),
    (b'M', &[b"I", b"+", b"D", b"-", b"incr"]),
    (b'D', &[b"0", b"1", b"5", b"1000", b"18446744073709551615"]),
    (b'N', &[b"0", b"1000"]),
    (b'J', &[b"0", b"13", b"18446744073709551615"]),
    (b'T', &[b"0", b"1000", b"2000"]),
];

/// Arguments that no flag takes, and flags that no command takes.
const WRONG: [&[u8]; 18] = [
    b"Tx",
    b"T",
    b"N",
    b"Rx",
    b"Fx",
    b"Cx",
    b"C",
    b"Ex",
    b"Jx",
    b"Dx",
    b"MX",
    b"M",
    b"a",
    b"7",
    b"!",
    b"\xff",
    b"T99999999999",
    b"vv",
];

fn line(random: &mut Random, verb: &[u8], flags: &[Flag]) -> Command {
    let mut pieces = words(random, verb, None, flags);
    let end = finish_line(random, Vec::new(), false);
    pieces.extend(end.pieces);
    Command { pieces, ..Command::default() }
}

fn set(random: &mut Random) -> Command {
    let value = data(random, 30, b"1");
    let length = match random.below(40) {
        0 if value.len() < 500 => random.pick(&["", "x", "-1", "2147483647", "S5"]).into(),
        1 if !value.is_empty() => (value.len() - 1).to_string(),
        2 => (value.len() + 1).to_string(),
        _ => value.len().to_string(),
    };
    let mut pieces = words(random, b"ms", Some(length.as_bytes()), &SET);
    pieces.push(Piece::Bytes([b"\r\n", &value[..], b"\r\n"].concat()));
    Command { pieces, ..Command::default() }
}

/// The words of a line.
fn words(random: &mut Random, verb: &[u8], length: Option<&[u8]>, flags: &[Flag]) -> Vec<Piece> {
    let mut picked: Vec<&Flag> = Vec::new();
    for _ in 0..random.below(5) {
        if !flags.is_empty() {
            picked.push(&flags[random.below(flags.len())]);
        }
    }
    let encoded = !flags.is_empty() && random.percent(8);
    // A letter twice is refused; that is to be rare.
    if random.percent(98) {
        let mut seen = Vec::new();
        picked.retain(|(letter, _)| {
            !seen.contains(letter) && {
                seen.push(*letter);
                true
            }
        });
    }
    picked.retain(|(letter, _)| if encoded { !b"kb".contains(letter) } else { *letter != b'b' });
    let key = if encoded { random.pick(&[b"/wE=".as_slice(), b"AAEC", b"abc"]).to_vec() } else { short_key(random) };
    let mut text = [verb, b" ", &key].concat();
    if let Some(length) = length {
        text.push(b' ');
        text.extend_from_slice(length);
    }
    if encoded {
        text.extend_from_slice(b" b");
    }
    let dies = picked.iter().any(|(letter, _)| *letter == b'T') && picked.iter().any(|(letter, _)| *letter == b't');
    for (letter, arguments) in &picked {
        let argument = random.pick(arguments);
        let argument = if dies && argument == b"-1" { b"1000" } else { argument };
        text.extend_from_slice(&[b' ', *letter]);
        text.extend_from_slice(argument);
    }
    if random.percent(3) {
        text.push(b' ');
        text.extend_from_slice(random.pick(&WRONG));
    }
    let mut pieces = vec![Piece::Bytes(text)];
    if !flags.is_empty() && random.percent(20) {
        pieces.push(Piece::Bytes(b" C".to_vec()));
        pieces.push(match random.below(4) {
            0 => Piece::Bytes(random.pick(&[b"0".as_slice(), b"1000000000001", b"99999999999"]).to_vec()),
            _ => Piece::Unique(key),
        });
    }
    pieces
}

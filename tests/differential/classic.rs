//! Text commands at random, classic and meta: mostly sound, some with one thing wrong.
//!
//! Three things are kept out on purpose. Times between 1 and some seconds: they pass between two commands. Lines over
//! 2048 bytes other than get's: whether the connection closes depends on how the kernel cut the input. And a first
//! byte of 0x80, which is the binary protocol's.

use crate::case::{Command, Piece};
use crate::known::Known;
use crate::meta;
use crate::random::Random;

/// A command that is not known to be answered differently; of meta in so many of a hundred cases.
pub(crate) fn command(random: &mut Random, meta_percent: usize, known: &Known) -> Command {
    loop {
        let command = if random.percent(meta_percent) { meta::any_command(random) } else { classic_command(random) };
        if !known.covers(&command.render(|_| b"1".to_vec())) {
            return command;
        }
    }
}

fn classic_command(random: &mut Random) -> Command {
    match random.below(80) {
        0..20 => storage(random),
        20..24 => cas(random),
        24..38 => retrieval(random),
        38..44 => gat(random),
        44..54 => arithmetic(random),
        54..60 => delete(random),
        60..66 => touch(random),
        66..69 => flush_all(random),
        69..71 => verbosity(random),
        71..74 => line(random, &[b"version"], false),
        74..75 => Command::plain(*b"quit\r\n"),
        _ => nonsense(random),
    }
}

// --- commands -----------------------------------------------------------------------------------------------------

fn storage(random: &mut Random) -> Command {
    let verbs: [&[u8]; 8] = [b"set", b"set", b"set", b"set", b"add", b"replace", b"append", b"prepend"];
    let verb = random.pick(&verbs).to_vec();
    let key = key(random);
    let flags = flags(random);
    let data = data(random, key.len(), flags);
    let exptime = exptime(random);
    with_data(random, vec![verb, key, flags.to_vec(), exptime.to_vec()], data, Vec::new())
}

fn cas(random: &mut Random) -> Command {
    let key = key(random);
    let literal: [&[u8]; 7] =
        [b"0", b"18446744073709551615", b"18446744073709551616", b"-1", b"x", b"", b"99999999999999999"];
    let (flags, exptime) = (flags(random), exptime(random));
    // With a word missing the unique would be the length, and the two servers' numbers differ.
    let no_word_missing = !key.is_empty() && !flags.is_empty() && !exptime.is_empty();
    let unique = if no_word_missing && random.percent(70) {
        Piece::Unique(key.clone())
    } else {
        Piece::Bytes(random.pick(&literal).to_vec())
    };
    let data = data(random, key.len(), flags);
    let head = vec![b"cas".to_vec(), key, flags.to_vec(), exptime.to_vec()];
    with_data(random, head, data, vec![Piece::Bytes(b" ".to_vec()), unique])
}

fn retrieval(random: &mut Random) -> Command {
    let mut bytes = random.pick(&[b"get".as_slice(), b"gets"]).to_vec();
    let count = match random.below(20) {
        0 => 0,
        1 => 30 + random.below(300),
        _ => 1 + random.below(6),
    };
    for index in 0..count {
        bytes.push(b' ');
        // A long list asks for keys that hold little, lest one reply be hundreds of megabytes.
        bytes.extend(if count > 10 { format!("absent{index}").into_bytes() } else { key(random) });
    }
    finish_line(random, bytes, false)
}

fn gat(random: &mut Random) -> Command {
    let mut words = vec![random.pick(&[b"gat".as_slice(), b"gats"]).to_vec(), exptime(random).to_vec()];
    for _ in 0..random.below(4) {
        words.push(short_key(random));
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    line(random, &words, false)
}

fn arithmetic(random: &mut Random) -> Command {
    let deltas: [&[u8]; 14] = [
        b"0",
        b"1",
        b"1",
        b"5",
        b"99",
        b"1000",
        b"18446744073709551615",
        b"9223372036854775808",
        b"18446744073709551616",
        b"-1",
        b"x",
        b"1x",
        b"+1",
        b"007",
    ];
    let verb = random.pick(&[b"incr".as_slice(), b"decr"]);
    let key = key(random);
    let delta = random.pick(&deltas);
    line(random, &[verb, &key, delta], true)
}

fn flush_all(random: &mut Random) -> Command {
    let delays: [&[u8]; 9] = [b"", b"", b"0", b"1000", b"-1", b"2592001", b"x", b"1x", b"99999999999999999999"];
    let delay = random.pick(&delays);
    line(random, &[b"flush_all", delay], true)
}

fn delete(random: &mut Random) -> Command {
    let key = key(random);
    line(random, &[b"delete", &key], true)
}

fn touch(random: &mut Random) -> Command {
    let key = key(random);
    let exptime = exptime(random);
    line(random, &[b"touch", &key, exptime], true)
}

fn verbosity(random: &mut Random) -> Command {
    let level = random.pick(&[b"0".as_slice(), b"1", b"0", b"x", b"-1", b"", b"99999999999999999999", b"1x"]);
    line(random, &[b"verbosity", level], true)
}

fn nonsense(random: &mut Random) -> Command {
    let lines: [&[u8]; 24] = [
        b"\r\n",
        b"\n",
        b" \r\n",
        b"   \r\n",
        b"      \r\n",
        b"a\r\n",
        b"ab\r\n",
        b"\r\r\n",
        b"bogus\r\n",
        b"bogus 1 2 3\r\n",
        b"bogus noreply\r\n",
        b"GET abc\r\n",
        b"getx abc\r\n",
        b"ge abc\r\n",
        b"Set abc 0 0 1\r\n",
        b" get abc\r\n",
        b"get\tabc\r\n",
        b"get\0abc\r\n",
        b"\0\0\0\r\n",
        b"\x01\x02\xff\xfe\r\n",
        b"sets abc 0 0 1\r\n",
        b"incr\n",
        b"touch\n",
        b"GET / HTTP/1.1\r\n",
    ];
    Command::plain(random.pick(&lines))
}

// --- words --------------------------------------------------------------------------------------------------------

/// A key: few of them, so that commands meet; a few refused or strange.
fn key(random: &mut Random) -> Vec<u8> {
    match random.below(40) {
        0 => vec![b'k'; 250],
        1 => vec![b'k'; 251],
        2 => vec![b'k'; 252 + random.below(300)],
        3 => b"\xff\xfe\x01\x7fk".to_vec(),
        4 => b"with\ttab".to_vec(),
        5 => b"with\0nul".to_vec(),
        6 => b"noreply".to_vec(),
        7 => b"car\rriage".to_vec(),
        8 => Vec::new(),
        _ => short_key(random),
    }
}

pub(crate) fn short_key(random: &mut Random) -> Vec<u8> {
    random.pick(&[b"abc".as_slice(), b"k", b"key", b"n1", b"counter", b"abcdefghijklmnopqrstuvwxyz"]).to_vec()
}

fn exptime(random: &mut Random) -> &'static [u8] {
    let sound: [&[u8]; 8] = [b"0", b"0", b"0", b"100", b"2592000", b"2147483647", b"-1", b"2592001"];
    let wrong: [&[u8]; 10] = [
        b"x",
        b"1x",
        b"",
        b"99999999999999999999",
        b"2147483648",
        b"-2147483649",
        b"4294967296",
        b"1.5",
        b"0x10",
        b"+0",
    ];
    if random.percent(92) { random.pick(&sound) } else { random.pick(&wrong) }
}

fn flags(random: &mut Random) -> &'static [u8] {
    let sound: [&[u8]; 6] = [b"0", b"0", b"1", b"65535", b"2147483648", b"4294967295"];
    let wrong: [&[u8]; 9] = [b"-1", b"x", b"1x", b"", b"4294967296", b"99999999999999999999", b"+5", b"0x10", b"-0"];
    if random.percent(93) { random.pick(&sound) } else { random.pick(&wrong) }
}

/// A value: often a number, mostly short, sometimes at one of the edges of what is stored.
pub(crate) fn data(random: &mut Random, key_length: usize, flags: &[u8]) -> Vec<u8> {
    let numbers: [&[u8]; 16] = [
        b"0",
        b"1",
        b"9",
        b"10",
        b"99",
        b"100",
        b"18446744073709551615",
        b"18446744073709551614",
        b"9223372036854775807",
        b"18446744073709551616",
        b"12 ",
        b" 12",
        b"-5",
        b"1 2",
        b"007",
        b"+3",
    ];
    match random.below(100) {
        0..35 => random.pick(&numbers).to_vec(),
        35..38 => Vec::new(),
        38..96 => (0..random.below(40)).map(|_| b"xyz0 \0"[random.below(6)]).collect(),
        96..98 => vec![b'v'; 32_766 + random.below(6)],
        _ => {
            // 48 header + 8 CAS + key + 1 + value + 2 (+ 4 with flags) must stay within 1 MiB.
            let overhead = 48 + 8 + key_length + 1 + 2 + if flags == b"0" { 0 } else { 4 };
            vec![b'V'; (1 << 20) - overhead - 2 + random.below(5)]
        }
    }
}

// --- lines, sound and spoiled -------------------------------------------------------------------------------------

fn line(random: &mut Random, words: &[&[u8]], noreply: bool) -> Command {
    finish_line(random, words.join(&b' '), noreply)
}

/// Ends a command line: noreply, extra words, blanks, the line end.
pub(crate) fn finish_line(random: &mut Random, mut bytes: Vec<u8>, noreply: bool) -> Command {
    if noreply && random.percent(12) {
        bytes.extend_from_slice(b" noreply");
    }
    spoil_line(random, &mut bytes);
    bytes.extend_from_slice(if random.percent(4) { b"\n" } else { b"\r\n" });
    Command::plain(bytes)
}

/// Now and then changes a line in one way a careless or hostile client would.
fn spoil_line(random: &mut Random, bytes: &mut Vec<u8>) {
    match random.below(60) {
        0 => bytes.extend_from_slice(b" extra"),
        1 => bytes.extend_from_slice(b" 0 0 0 0"),
        2 => bytes.extend_from_slice(b"   "),
        3 => bytes.extend_from_slice(b" noreply extra"),
        4 => bytes.extend_from_slice(b" norepl"),
        5 => bytes.insert(0, b' '),
        6 => {
            if let Some(at) = bytes.iter().position(|&byte| byte == b' ') {
                bytes.insert(at, b' ');
            }
        }
        7 => {
            // The last word goes.
            let end = bytes.iter().rposition(|&byte| byte == b' ').unwrap_or(0);
            bytes.truncate(end);
        }
        8 => {
            bytes.truncate(random.below(bytes.len() + 1));
        }
        _ => {}
    }
}

/// A storage command: head, length, what follows it, and the data; one of them wrong now and then.
fn with_data(random: &mut Random, head: Vec<Vec<u8>>, mut data: Vec<u8>, tail: Vec<Piece>) -> Command {
    // A missing word makes the length another word and the data a command line, which must stay under 2048 bytes.
    if head.iter().any(Vec::is_empty) {
        data.truncate(400);
    }
    let mut length = data.len().to_string();
    let mut data_end: &[u8] = b"\r\n";
    let short = data.len() < 500;
    match random.below(60) {
        0 if short => {
            length = random.pick(&["", "x", "-1", "2147483646", "2147483647", "4294967296", "1x", "+1"]).into()
        }
        1 if !data.is_empty() => length = (data.len() - 1).to_string(),
        2 => length = (data.len() + 1).to_string(),
        3 => length = (data.len() + 2 + random.below(20)).to_string(),
        4 => data_end = b"\n",
        5 => data_end = b"",
        6 => data_end = b"\rx",
        7 if short => data.extend_from_slice(b"\r\nversion"),
        8 if short => return Command::plain([head.join(&b' '), b"\r\n".to_vec()].concat()),
        _ => {}
    }
    let mut line = head.join(&b' ');
    line.push(b' ');
    line.extend_from_slice(length.as_bytes());
    let mut pieces = vec![Piece::Bytes(line)];
    pieces.extend(tail);
    let mut rest = Vec::new();
    if random.percent(10) {
        rest.extend_from_slice(b" noreply");
    }
    if random.percent(3) {
        rest.extend_from_slice(random.pick(&[b" extra".as_slice(), b"  ", b" norepl", b" noreply x"]));
    }
    rest.extend_from_slice(if random.percent(4) { b"\n" } else { b"\r\n" });
    rest.extend(data);
    rest.extend_from_slice(data_end);
    pieces.push(Piece::Bytes(rest));
    Command { pieces, ..Command::default() }
}

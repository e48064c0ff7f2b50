//! Binary requests at random: mostly sound, some with one thing wrong, some hostile.
//!
//! Kept out on purpose, because it differs by intention (docs/compatibility.md): values where a request has none but
//! memcached does not look (touch, stat), bodies of unknown opcodes, and headers that cannot be without the extras and the
//! key they announce. Also kept out: logins, groups of `stat` whose numbers are each server's own, and times of a few seconds.

use crate::case::{Command, Piece};
use crate::random::Random;

/// The opcode whose reply is each server's own.
pub(crate) const VERSION: u8 = 0x0b;

const NOOP: u8 = 0x0a;

/// Where in a connection a request may stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    #[default]
    Anywhere,
    /// It announces more than it has: it comes last, and what completes a value comes behind it.
    Short,
    /// It ends the connection.
    Last,
    /// The same, and when it ends within a value memcached may throw away the replies before it.
    Alone,
}

/// A request before it is put into bytes.
#[derive(Debug, Default)]
struct Request {
    opcode: u8,
    extras: Vec<u8>,
    key: Vec<u8>,
    value: Vec<u8>,
    /// Of the key that has this number.
    opaque_key: u8,
}

/// Any request.
pub(crate) fn command(random: &mut Random) -> Command {
    match random.below(1000) {
        0..970 => {
            let request = sound(random);
            let place = if matches!(request.opcode, 0x07 | 0x17) { Place::Last } else { Place::Anywhere };
            render(random, &request, place, |_| {})
        }
        970..992 => spoiled(random),
        _ => hostile(random),
    }
}

/// Completes a value that was announced longer than it is.
pub(crate) fn tail() -> Vec<u8> {
    let mut noop = [0; 24];
    (noop[0], noop[1]) = (0x80, NOOP);
    noop.repeat(4)
}

/// A unique as a header has it.
pub(crate) fn unique(digits: &[u8]) -> [u8; 8] {
    let number: Option<u64> = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    number.unwrap_or(u64::MAX).to_be_bytes()
}

/// Whether this is an incr or decr; see `known::is_arithmetic`.
pub(crate) fn is_arithmetic(bytes: &[u8]) -> bool {
    matches!(bytes.get(1), Some(0x05 | 0x06 | 0x15 | 0x16))
}

/// Whether this reads an item.
pub(crate) fn is_retrieval(bytes: &[u8]) -> bool {
    matches!(bytes.get(1), Some(0x00 | 0x09 | 0x0c | 0x0d | 0x1c..=0x1e | 0x23 | 0x24))
}

// --- sound --------------------------------------------------------------------------------------------------------

fn sound(random: &mut Random) -> Request {
    let (number, key) = key(random);
    let with_key = |opcode| Request { opcode, key: key.clone(), opaque_key: number, ..Request::default() };
    let of = |random: &mut Random, opcodes: &[u8]| opcodes[random.below(opcodes.len())];
    match random.below(100) {
        0..26 => {
            let opcode = of(random, &[0x01, 0x01, 0x11, 0x02, 0x12, 0x03, 0x13]);
            let extras = [number_32(random, &FLAGS), number_32(random, &EXPTIMES)].concat();
            Request { extras, value: value(random), ..with_key(opcode) }
        }
        26..36 => Request { value: value(random), ..with_key(of(random, &[0x0e, 0x19, 0x0f, 0x1a])) },
        36..56 => with_key(of(random, &[0x00, 0x09, 0x0c, 0x0d])),
        56..66 => {
            let extras = number_32(random, &EXPTIMES).to_vec();
            Request { extras, ..with_key(of(random, &[0x1c, 0x1d, 0x1e, 0x23, 0x24])) }
        }
        66..80 => {
            let (delta, initial) = (number_64(random), number_64(random));
            let extras = [&delta[..], &initial, &number_32(random, &CREATE_EXPTIMES)].concat();
            Request { extras, ..with_key(of(random, &[0x05, 0x15, 0x06, 0x16])) }
        }
        80..88 => with_key(of(random, &[0x04, 0x14])),
        88..90 => {
            let extras = if random.percent(50) { Vec::new() } else { number_32(random, &[0, 1000]).to_vec() };
            Request { opcode: of(random, &[0x08, 0x18]), extras, ..Request::default() }
        }
        90..94 => Request { opcode: of(random, &[NOOP, VERSION]), ..Request::default() },
        94..97 => {
            let groups: [&[u8]; 8] =
                [b"reset", b"reset?", b"detail on", b"detail off", b"detail dump", b"detail", b"detail x", b"nonsense"];
            Request { opcode: 0x10, key: random.pick(&groups).to_vec(), ..Request::default() }
        }
        97..98 => Request { opcode: of(random, &[0x07, 0x17]), ..Request::default() },
        _ => Request { opcode: of(random, &[0x1b, 0x1f, 0x25, 0x30, 0x3c, 0x40, 0x7f, 0xff]), ..Request::default() },
    }
}

const FLAGS: [u32; 4] = [0, 5, 0x8000_0000, u32::MAX];
const EXPTIMES: [u32; 8] = [0, 0, 0, 1000, 2_592_000, 2_592_001, 0x7fff_ffff, u32::MAX];
const CREATE_EXPTIMES: [u32; 5] = [0, 1000, 2_592_001, u32::MAX - 1, u32::MAX];

fn number_32(random: &mut Random, from: &[u32]) -> [u8; 4] {
    from[random.below(from.len())].to_be_bytes()
}

fn number_64(random: &mut Random) -> [u8; 8] {
    [0, 1, 5, 99, 1000, u64::MAX, 1 << 63][random.below(7)].to_be_bytes()
}

/// A key, and the number that the opaque of its requests carries.
fn key(random: &mut Random) -> (u8, Vec<u8>) {
    let keys: [&[u8]; 8] = [b"a", b"b", b"p:1", b"p:2", b"a b", b"\x80\r\n", b"\0", &[b'k'; 250]];
    let at = random.below(keys.len());
    (at as u8 + 1, keys[at].to_vec())
}

fn value(random: &mut Random) -> Vec<u8> {
    match random.below(20) {
        0..10 => random.pick(&[b"0".as_slice(), b"1", b"7", b"99", b"18446744073709551615", b" 12", b"5 x"]).to_vec(),
        10..12 => Vec::new(),
        12..17 => {
            let length = random.below(120);
            (0..length).map(|_| random.bits() as u8).collect()
        }
        17..19 => vec![b'v'; [1000, 4000, 8190, 8192, 20_000][random.below(5)]],
        _ => vec![b'w'; [100_000, 600_000, 1_048_000, 1_048_576, 1_100_000][random.below(5)]],
    }
}

// --- spoiled ------------------------------------------------------------------------------------------------------

/// A request with one thing wrong.
fn spoiled(random: &mut Random) -> Command {
    let mut request = sound(random);
    let body_len = request.extras.len() + request.key.len() + request.value.len();
    match random.below(8) {
        // What nothing looks at.
        0 => render(random, &request, quits(&request), |header| header[5..8].copy_from_slice(b"\xff\x01\x02")),
        1 => {
            request.key = vec![b'k'; 251];
            render(random, &request, Place::Last, |_| {})
        }
        // Less than extras and key need, and nothing behind.
        2 if request.extras.len() + request.key.len() > 0 => {
            request.value.clear();
            let less = random.below(request.extras.len() + request.key.len()) as u32;
            render(random, &request, Place::Last, move |header| header[8..12].copy_from_slice(&less.to_be_bytes()))
        }
        3 => {
            let much = [(1 << 30) + 1, i32::MAX as u32, u32::MAX][random.below(3)];
            render(random, &request, Place::Last, move |header| header[8..12].copy_from_slice(&much.to_be_bytes()))
        }
        // Extras of another length than the verb's.
        4 if has_shape(request.opcode) => {
            request.extras.push(0);
            request.value.clear();
            render(random, &request, Place::Last, |_| {})
        }
        5 if request.extras.len() == 8 || request.extras.len() == 20 => {
            request.extras.truncate(random.below(request.extras.len()));
            render(random, &request, Place::Last, |_| {})
        }
        6 if !request.key.is_empty() && request.opcode != 0x10 => {
            request.key.clear();
            request.value.clear();
            render(random, &request, Place::Last, |_| {})
        }
        // A value that is announced longer than it is swallows requests, whole ones: at a part memcached closes and
        // throws away the replies that it owes.
        7 if takes_value(request.opcode) => {
            let more = (body_len + [24, 48, 72][random.below(3)]) as u32;
            render(random, &request, Place::Short, move |header| header[8..12].copy_from_slice(&more.to_be_bytes()))
        }
        _ => {
            // A value where there is none.
            request.opcode = [0x00, 0x09, 0x0c, 0x04, 0x14, NOOP, VERSION, 0x07, 0x08][random.below(9)];
            request.extras.clear();
            request.value = b"x".to_vec();
            render(random, &request, Place::Last, |_| {})
        }
    }
}

fn quits(request: &Request) -> Place {
    if matches!(request.opcode, 0x07 | 0x17) { Place::Last } else { Place::Anywhere }
}

/// Whether the opcode is known.
fn has_shape(opcode: u8) -> bool {
    matches!(opcode, 0..=0x1a | 0x1c..=0x1e | 0x23 | 0x24)
}

fn takes_value(opcode: u8) -> bool {
    matches!(opcode, 0x01..=0x03 | 0x11..=0x13 | 0x0e | 0x0f | 0x19 | 0x1a)
}

/// What no client sends.
fn hostile(random: &mut Random) -> Command {
    if random.percent(40) {
        // Of a request, a part. (A value that is too large is refused before it is here, or behind it.)
        let mut request = sound(random);
        request.value.truncate(20_000);
        let mut bytes = render(random, &request, Place::Alone, |_| {}).render(|_| b"1".to_vec());
        bytes.truncate(1 + random.below(bytes.len()));
        return Command { pieces: vec![Piece::Bytes(bytes)], place: Place::Alone };
    }
    let mut header: Vec<u8> = (0..24).map(|_| random.bits() as u8).collect();
    if random.percent(50) {
        // Lengths that could be.
        (header[2], header[3], header[4]) = (0, random.below(30) as u8, [0, 4, 8, 20, 255][random.below(5)]);
        header[8..11].fill(0);
        header[11] = random.below(80) as u8;
    }
    // With a longer key memcached's buffer is full before it looks.
    header[2] &= 0x0f;
    // Of others memcached skips more of the body, or less, than there is.
    if !has_shape(header[1]) || matches!(header[1], 0x10 | 0x1c..=0x1e | 0x23 | 0x24) {
        header[1] = 0x00;
    }
    header[0] = if random.percent(90) { 0x80 } else { random.below(256) as u8 };
    // It looks at a header when extras and key are there, too.
    let body_len = usize::from(header[2]) * 256 + usize::from(header[3]) + usize::from(header[4]) + random.below(60);
    let body = (0..body_len).map(|_| random.bits() as u8).collect();
    Command { pieces: vec![Piece::Bytes(header), Piece::Bytes(body)], place: Place::Alone }
}

// --- bytes --------------------------------------------------------------------------------------------------------

/// The request's bytes, with `spoil` applied to the header.
fn render(random: &mut Random, request: &Request, place: Place, spoil: impl FnOnce(&mut [u8])) -> Command {
    let Request { opcode, extras, key, value, opaque_key } = request;
    let [k1, k0] = (key.len() as u16).to_be_bytes();
    let mut header = vec![0x80, *opcode, k1, k0, extras.len() as u8, 0, 0, 0];
    header.extend(((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    header.extend([random.below(256) as u8, random.below(256) as u8, 0, *opaque_key]);
    spoil(&mut header);
    let cas = match random.below(10) {
        0..7 => Piece::Bytes(vec![0; 8]),
        7..9 if *opaque_key > 0 => Piece::BinaryUnique(vec![*opaque_key]),
        _ => Piece::Bytes(0xff00_0000_0000_0001u64.to_be_bytes().to_vec()),
    };
    let body = [extras.as_slice(), key, value].concat();
    Command { pieces: vec![Piece::Bytes(header), cas, Piece::Bytes(body)], place }
}

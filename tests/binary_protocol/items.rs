//! Commands on items.

use crate::common::packet::{Play, Reply, ask, count, store, touch};

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const ADD: u8 = 0x02;
const REPLACE: u8 = 0x03;
const DELETE: u8 = 0x04;
const INCR: u8 = 0x05;
const DECR: u8 = 0x06;
const APPEND: u8 = 0x0e;
const PREPEND: u8 = 0x0f;
const TOUCH: u8 = 0x1c;
const GAT: u8 = 0x1d;
const GATK: u8 = 0x23;
const GETK: u8 = 0x0c;
const QUIET: u8 = 0x10;

#[test]
fn values_come_back_with_flags_and_number() {
    let mut play = Play::start();
    let stored = play.play(&store(SET, "k", 0xdead_beef, 0, b"value\r\n\0"));
    assert_eq!((stored.status, stored.value.len()), (0, 0));
    assert!(stored.cas > 0);
    let found = play.play(&ask(GET, "k"));
    let expected = Reply {
        extras: 0xdead_beefu32.to_be_bytes().into(),
        value: b"value\r\n\0".into(),
        cas: stored.cas,
        ..Reply::default()
    };
    assert_eq!(found, expected);
    let found = play.play(&ask(GETK, "k"));
    assert_eq!(found, Reply { opcode: GETK, key: b"k".into(), ..expected });
}

#[test]
fn empty_and_large_values() {
    let mut play = Play::start();
    for len in [0, 1, 4000, 8192, 40_000, 300_000] {
        let value = vec![b'v'; len];
        assert_eq!(play.play(&store(SET, "k", 0, 0, &value)).status, 0);
        assert!(play.play(&ask(GET, "k")).value == value, "{len} bytes");
    }
    play.play(&store(SET, "k", 0, 0, vec![b'v'; 2 << 20])).says(3, "Too large.");
    play.play(&ask(GET, "k")).says(1, "Not found");
}

#[test]
fn misses() {
    let mut play = Play::start();
    play.play(&ask(GET, "none")).says(1, "Not found");
    let miss = play.play(&ask(GETK, "none"));
    assert_eq!((miss.status, miss.key.as_slice(), miss.value.as_slice()), (1, &b"none"[..], &b""[..]));
    play.play(&touch(TOUCH, "none", 5)).says(1, "Not found");
    play.play(&touch(GAT, "none", 5)).says(1, "Not found");
    let miss = play.play(&touch(GATK, "none", 5));
    assert_eq!((miss.status, miss.key.as_slice()), (1, &b"none"[..]));
    play.play(&ask(DELETE, "none")).says(1, "Not found");
    play.play(&ask(APPEND, "none").value("x")).says(5, "Not stored.");
    play.play(&ask(PREPEND, "none").value("x")).says(5, "Not stored.");
    play.play(&store(REPLACE, "none", 0, 0, "x")).says(1, "Not found");
    play.play(&count(INCR, "none", 1, 1, u32::MAX)).says(1, "Not found");
}

#[test]
fn conditions() {
    let mut play = Play::start();
    let first = play.play(&store(ADD, "k", 0, 0, "a")).cas;
    play.play(&store(ADD, "k", 0, 0, "b")).says(2, "Data exists for key.");
    let second = play.play(&store(REPLACE, "k", 0, 0, "c")).cas;
    assert_ne!(first, second);
    for opcode in [SET, ADD, REPLACE] {
        play.play(&store(opcode, "k", 0, 0, "d").cas(first)).says(2, "Data exists for key.");
        play.play(&store(opcode, "none", 0, 0, "d").cas(first)).says(1, "Not found");
    }
    let third = play.play(&store(SET, "k", 0, 0, "e").cas(second)).cas;
    play.play(&ask(APPEND, "k").value("f").cas(second)).says(2, "Data exists for key.");
    let fourth = play.play(&ask(APPEND, "k").value("f").cas(third)).cas;
    play.play(&ask(PREPEND, "k").value("d")).says(0, "");
    assert_eq!(play.play(&ask(GET, "k")).value, b"def");
    play.play(&ask(DELETE, "k").cas(fourth)).says(2, "Data exists for key.");
    let now = play.play(&ask(GET, "k")).cas;
    play.play(&ask(DELETE, "k").cas(now)).says(0, "");
    play.play(&ask(GET, "k")).says(1, "Not found");
}

#[test]
fn counters() {
    let mut play = Play::start();
    let number = |reply: Reply| u64::from_be_bytes(reply.value.try_into().expect("eight bytes"));
    assert_eq!(number(play.play(&count(INCR, "n", 5, 100, 0))), 100);
    assert_eq!(number(play.play(&count(INCR, "n", 5, 100, 0))), 105);
    assert_eq!(number(play.play(&count(DECR, "n", 200, 0, 0))), 0);
    assert_eq!(number(play.play(&count(INCR, "n", u64::MAX, 0, 0))), u64::MAX);
    let now = play.play(&count(INCR, "n", 8, 0, 0));
    assert_eq!(play.play(&ask(GET, "n")).cas, now.cas);
    assert_eq!(number(now), 7);
    play.play(&count(INCR, "n", 1, 0, 0).cas(1_000_000)).says(2, "Data exists for key.");
    play.play(&store(SET, "s", 0, 0, "text"));
    play.play(&count(INCR, "s", 1, 0, 0)).says(6, "Non-numeric server-side value for incr or decr");
    play.play(&count(INCR, "gone", 1, 0, u32::MAX)).says(1, "Not found");
}

#[test]
fn times() {
    let mut play = Play::start();
    play.play(&store(SET, "k", 7, 1000, "a"));
    let touched = play.play(&touch(TOUCH, "k", 0));
    assert_eq!((touched.status, touched.extras.as_slice(), touched.value.len()), (0, &7u32.to_be_bytes()[..], 0));
    let got = play.play(&touch(GAT, "k", 1000));
    assert_eq!((got.value.as_slice(), got.key.len()), (&b"a"[..], 0));
    assert_eq!(play.play(&touch(GATK, "k", 1000)).key, b"k");
    // Past 30 days it is a Unix time, and one from before the start has passed.
    assert_eq!(play.play(&touch(GAT, "k", 2_592_001)).value, b"a");
    play.play(&ask(GET, "k")).says(1, "Not found");
    // There is no sign: this is the year 2106.
    play.play(&store(SET, "k", 0, u32::MAX, "far"));
    assert_eq!(play.play(&ask(GET, "k")).value, b"far");
}

#[test]
fn quiet_forms_tell_what_is_not_expected() {
    let mut play = Play::start();
    for request in [
        store(0x11, "k", 0, 0, "1"),
        store(0x13, "k", 0, 0, "2"),
        store(0x12, "a", 0, 0, "3"),
        ask(0x19, "a").value("4"),
        ask(0x1a, "a").value("2"),
        count(0x15, "k", 8, 0, 0),
        count(0x16, "k", 3, 0, 0),
        ask(0x09, "none"),
        ask(0x0d, "none"),
        touch(0x1e, "none", 1),
        touch(0x24, "none", 1),
        ask(0x14, "a"),
    ] {
        play.send(&request);
    }
    play.expect_silence();
    let opaque = play.send(&ask(0x09, "k"));
    assert_eq!(play.reply_to(opaque).value.trim_ascii_end(), b"7");
    for (request, status) in [
        (store(0x12, "k", 0, 0, "x"), 2),
        (store(0x13, "none", 0, 0, "x"), 1),
        (store(0x11, "k", 0, 0, "x").cas(1_000_000), 2),
        (ask(0x19, "none").value("x"), 5),
        (count(0x15, "none", 1, 1, u32::MAX), 1),
        (ask(0x14, "none"), 1),
    ] {
        assert_eq!(play.play(&request).status, status, "{request:?}");
    }
    assert_eq!(QUIET | SET, 0x11);
    play.expect_silence();
}

#[test]
fn values_cut_anywhere_arrive_whole() {
    let mut play = Play::start();
    let value: Vec<u8> = (0..20_000u32).map(|n| n as u8).collect();
    let bytes = store(SET, "cut", 3, 0, &value).bytes(7);
    for cut in [1, 23, 24, 30, 32, 34, 35, 36, 4000, 19_000] {
        play.client.send(&bytes[..cut]);
        play.client.send(&bytes[cut..]);
        assert_eq!(play.reply_to(7).status, 0, "cut at {cut}");
        assert!(play.play(&ask(GET, "cut")).value == value, "cut at {cut}");
    }
    let small = store(SET, "small", 3, 0, b"abc").bytes(8);
    for byte in &small {
        play.client.send([*byte]);
    }
    assert_eq!(play.reply_to(8).status, 0);
}

#[test]
fn without_cas_numbers_nothing_is_deleted_or_counted_on_one() {
    let mut play = Play::start_with(&["-C"]);
    play.play(&store(SET, "k", 0, 0, "5"));
    for request in [ask(DELETE, "k"), count(INCR, "k", 1, 0, 0), count(DECR, "k", 1, 0, 0)] {
        play.play(&request.cas(7)).says(2, "Data exists for key.");
    }
    play.play(&ask(GET, "k")).says(0, "5");
    for (opcode, value) in [(APPEND, "56"), (REPLACE, "6"), (SET, "6")] {
        let request = if opcode == APPEND { ask(APPEND, "k").value("6") } else { store(opcode, "k", 0, 0, "6") };
        assert_eq!(play.play(&request.cas(7)).status, 0, "{opcode}");
        play.play(&ask(GET, "k")).says(0, value);
    }
}

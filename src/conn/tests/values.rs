//! Values of all sizes, on all the ways a value can take into the store and out of it.

use super::*;

/// Around each size at which a value takes another way: it waits in a buffer, is written as it comes, is read into
/// the store directly, fills a chunk, fills several.
const SIZES: [usize; 15] =
    [2000, 4093, 4094, 4095, 4097, 8191, 8192, 8193, 12_290, 32_000, 32_768, 40_000, 65_536, 70_001, 200_000];

fn value(len: usize) -> Vec<u8> {
    (0..len).map(|n| b"abcdefghijklmnopqrstuvw\r\n"[n % 25]).collect()
}

fn storing(command: &str, value: &[u8], behind: &[u8]) -> Vec<u8> {
    [format!("{command} {}\r\n", value.len()).as_bytes(), value, behind].concat()
}

fn value_reply(key: &str, value: &[u8]) -> Vec<u8> {
    [format!("VALUE {key} 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

#[test]
fn values_come_back_as_they_were_sent() {
    for len in SIZES {
        let value = value(len);
        let input = [&storing("set k 0 0", &value, b"\r\n")[..], b"get k k\r\nmn\r\n"].concat();
        let found = value_reply("k", &value);
        check(&input, [b"STORED\r\n", &found[..], &found, b"END\r\nMN\r\n"].concat());
    }
}

#[test]
fn bad_data_chunks_leave_the_old_value_and_the_stream_in_step() {
    for len in SIZES {
        let value = value(len);
        for end in [&b"\rx"[..], b"x\n"] {
            let input = [b"set k 0 0 1\r\no\r\n", &storing("set k 0 0", &value, end)[..], b"get k\r\n"].concat();
            check(&input, "STORED\r\nCLIENT_ERROR bad data chunk\r\nVALUE k 0 1\r\no\r\nEND\r\n");
            let quiet = storing("set k 0 0", &value, end);
            let quiet = [format!("set k 0 0 {len} noreply\r\n").as_bytes(), &quiet[quiet.len() - len - 2..]].concat();
            check([&quiet[..], b"get k\r\n"].concat(), "END\r\n");
        }
    }
}

#[test]
fn a_value_one_byte_too_long_leaves_a_lone_line_end() {
    for len in [3, 5000, 10_000] {
        let mut value = value(len);
        value[len - 1] = b'.';
        let input = [&storing("set k 0 0", &value, b"!\r\n")[..], b"mn\r\n"].concat();
        check(input, "CLIENT_ERROR bad data chunk\r\nCLIENT_ERROR bad command line format\r\nMN\r\n");
    }
}

#[test]
fn noreply_is_silent_on_every_way_in() {
    for len in SIZES {
        let value = value(len);
        let input = [format!("set k 0 0 {len} noreply\r\n").as_bytes(), &value, b"\r\nget k\r\n"].concat();
        check(input, [&value_reply("k", &value)[..], b"END\r\n"].concat());
    }
}

#[test]
fn every_mode_takes_large_values() {
    let (first, second) = (value(40_000), vec![b'2'; 9000]);
    let input = [
        &storing("add k 0 0", &first, b"\r\n")[..],
        &storing("add k 0 0", &second, b"\r\n"),
        &storing("replace n 0 0", &second, b"\r\n"),
        &storing("append k 0 0", &second, b"\r\n"),
        &storing("prepend k 0 0", &second, b"\r\n"),
        b"get k\r\n",
        &[format!("cas k 0 0 {} 77\r\n", second.len()).as_bytes(), &second, b"\r\n"].concat(),
    ]
    .concat();
    let joined = [&second[..], &first, &second].concat();
    let answers = [b"STORED\r\nNOT_STORED\r\nNOT_STORED\r\nSTORED\r\nSTORED\r\n", &value_reply("k", &joined)[..]];
    check(input, [&answers.concat()[..], b"END\r\nEXISTS\r\n"].concat());
}

#[test]
fn values_too_large_are_swallowed_whole() {
    let settings = Settings { item_size_max_bytes: 16 << 10, ..settings() };
    for len in [17_000, 70_000, 200_000] {
        let value = value(len);
        for command in ["set", "add", "append"] {
            let refused = storing(&format!("{command} k 0 0"), &value, b"\r\n");
            let input = [b"set k 0 0 1\r\no\r\n", &refused[..], b"get k\r\n"].concat();
            // What a set could not replace must not live on as if it were current.
            let left = if command == "set" { "" } else { "VALUE k 0 1\r\no\r\n" };
            let answer = format!("STORED\r\nSERVER_ERROR object too large for cache\r\n{left}END\r\n");
            check_with(&settings, input, answer);
        }
        let quiet = [format!("set k 0 0 {len} noreply\r\n").as_bytes(), &value, b"\r\nmn\r\n"].concat();
        check_with(&settings, quiet, "MN\r\n");
    }
}

#[test]
fn values_without_memory_are_swallowed_whole() {
    // Nothing may be evicted.
    let settings = Settings { memory_limit_bytes: 1 << 20, evictions: false, ..settings() };
    let (first, large) = (value(300_000), value(900_000));
    let input =
        [&storing("set a 0 0", &first, b"\r\n")[..], &storing("set k 0 0", &large, b"\r\n"), b"mn\r\n"].concat();
    check_with(&settings, input, "STORED\r\nSERVER_ERROR out of memory storing object\r\nMN\r\n");
}

#[test]
fn an_upload_that_is_given_up_leaves_no_trace() {
    let shared = Shared::new(settings()).expect("memory");
    for arrived in [0, 1, 4096, 8192, 50_000, 900_000] {
        let input = storing("set k 0 0", &value(arrived), b"");
        let line = "set k 0 0 1000000\r\n";
        let behind_line = input.len() - arrived;
        let mut player = Player::new(&shared, u32::MAX);
        player.arrive(line.as_bytes());
        player.arrive(&input[behind_line..]);
        assert!(player.played.replies.is_empty(), "after {arrived} bytes");
        assert!(player.kept.len() <= line.len() + WAITING_VALUE_BYTES);
    }
    // Memory for the largest item is still there, many times in turn.
    let whole = value(1_000_000);
    let mut player = Player::new(&shared, u32::MAX);
    for _ in 0..20 {
        player.arrive(&storing("set k 0 0", &whole, b"\r\n"));
    }
    assert_eq!(player.played.replies, b"STORED\r\n".repeat(20));
}

#[test]
fn a_full_outbox_stops_a_multiget_and_sending_resumes_it() {
    for (len, keys) in [(100, 4000), (8000, 100), (9000, 200), (100_000, 40)] {
        let value = value(len);
        let line = format!("gets{}\r\nmn\r\n", " k n".repeat(keys));
        let input = [&storing("set k 0 0", &value, b"\r\n")[..], line.as_bytes()].concat();
        let found = [format!("VALUE k 0 {len} 1\r\n").as_bytes(), &value, b"\r\n"].concat();
        check(&input, [b"STORED\r\n", &found.repeat(keys)[..], b"END\r\nMN\r\n"].concat());
    }
}

#[test]
fn a_full_outbox_bounds_what_one_turn_answers() {
    let shared = Shared::new(settings()).expect("memory");
    for len in [1000, 200_000] {
        let mut player = Player::new(&shared, u32::MAX);
        player.arrive(&storing("set k 0 0", &value(len), b"\r\n"));
        let line = format!("get{}\r\n", " k".repeat(5000));
        let mut out = Outbox::default();
        let progress = player.session.feed(line.as_bytes(), &mut out, &player.cx, u32::MAX);
        assert_eq!(progress.next, Next::Room);
        assert!(progress.consumed < line.len() && out.held_bytes() <= 1 << 20, "{} bytes held", out.held_bytes());
    }
}

#[test]
fn more_references_than_can_be_counted_are_answered_all_the_same() {
    let shared = Shared::new(settings()).expect("memory");
    let value = value(9000);
    let mut player = Player::new(&shared, u32::MAX);
    player.arrive(&storing("set k 0 0", &value, b"\r\n"));
    let found = value_reply("k", &value);
    // Connections that do not read: each holds as many references as it may.
    let mut outboxes = Vec::new();
    let mut references = 0;
    while references <= usize::from(u16::MAX) + 100 {
        let mut out = Outbox::default();
        let mut session = Session::default();
        let line = format!("get{}\r\n", " k".repeat(200));
        let progress = session.feed(line.as_bytes(), &mut out, &player.cx, u32::MAX);
        assert_eq!(progress.next, Next::Room);
        references += (progress.consumed - 3) / 2;
        outboxes.push(out);
    }
    for seed in [b'x', b'y'] {
        player.arrive(&storing("set k 0 0", &[seed; 9000], b"\r\n"));
    }
    for mut out in outboxes {
        let mut sent = Vec::new();
        while !out.is_empty() {
            out.send(&mut sent).expect("a vector takes everything");
        }
        assert_eq!(sent.len() % found.len(), 0);
        assert!(sent.chunks(found.len()).all(|reply| reply == found));
    }
    player.played.replies.clear();
    player.arrive(b"get k\r\n");
    assert_eq!(player.played.replies, [value_reply("k", &[b'y'; 9000]), b"END\r\n".to_vec()].concat());
}

#[test]
fn values_beyond_what_may_be_pinned_are_copied_or_refused() {
    let settings = Settings { item_size_max_bytes: 4 << 20, ..settings() };
    let shared = Shared::new(settings).expect("memory");
    let mut player = Player::new(&shared, u32::MAX);
    let (small, large) = (value(500_000), value(3_000_000));
    player.arrive(&storing("set pinned 0 0", &large, b"\r\n"));
    player.arrive(&storing("set more 0 0", &large, b"\r\n"));
    player.arrive(&storing("set small 0 0", &small, b"\r\n"));
    let mut held = Outbox::default();
    Session::default().feed(b"get pinned\r\n", &mut held, &player.cx, u32::MAX);
    player.played.replies.clear();
    player.arrive(b"get small\r\nget more small\r\nget pinned\r\n");
    let answers =
        [value_reply("small", &small), b"END\r\nSERVER_ERROR out of memory writing get response\r\n".to_vec()];
    let pinned = [value_reply("pinned", &large), b"END\r\n".to_vec()].concat();
    assert!(player.played.replies == [answers.concat(), pinned].concat(), "{}", show(&player.played.replies));
    // With the reader its pin goes.
    drop(held);
    player.played.replies.clear();
    player.arrive(b"get more\r\n");
    assert_eq!(player.played.replies.len(), value_reply("more", &large).len() + 5);
}

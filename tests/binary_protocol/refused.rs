//! What is not understood, and that the stream stays in step or ends.

use crate::common::packet::{Play, Request, ask, header, store};

#[test]
fn unknown_opcodes_are_answered() {
    let mut play = Play::start();
    for opcode in [0x1b, 0x20, 0x30, 0x3d, 0x99, 0xff] {
        play.play(&ask(opcode, "")).says(0x81, "Unknown command");
    }
    // Without a login, the steps of one are unknown as well; clients take it for `no login needed`.
    for opcode in [0x21, 0x22] {
        play.play(&ask(opcode, "PLAIN").value("\0user\0password")).says(0x81, "Unknown command");
    }
    play.expect_silence();
}

#[test]
fn unknown_opcodes_with_a_body_keep_the_stream_in_step() {
    let mut play = Play::start();
    if !play.is_larder() {
        // memcached skips the body's length once more than there are bytes.
        return;
    }
    let value = vec![b'x'; 100_000];
    let request = Request { extras: vec![1; 9], value, ..ask(0x99, "key") };
    play.play(&request).says(0x81, "Unknown command");
    play.expect_silence();
}

#[test]
fn shapes_that_a_command_cannot_have_close_the_connection() {
    let cases = [
        header(0x00, 0, 0, 0, 1, 0),
        header(0x00, 1, 4, 5, 1, 0),
        header(0x00, 1, 0, 9, 1, 0),
        header(0x00, 251, 0, 251, 1, 0),
        header(0x01, 0, 8, 8, 1, 0),
        header(0x01, 1, 7, 9, 1, 0),
        header(0x04, 0, 0, 0, 1, 0),
        header(0x05, 1, 8, 9, 1, 0),
        header(0x07, 0, 0, 5, 1, 0),
        header(0x08, 0, 3, 3, 1, 0),
        header(0x0a, 1, 0, 1, 1, 0),
        header(0x0e, 1, 8, 9, 1, 0),
        header(0x1c, 1, 0, 1, 1, 0),
        header(0x01, 1, 8, 0x4000_0001, 1, 0),
    ];
    for bytes in cases {
        let mut play = Play::start();
        play.client.send(&bytes);
        // memcached looks at a header when extras and key are here as well.
        play.client.send(vec![b'k'; usize::from(bytes[4]) + usize::from(bytes[3])]);
        play.reply_to(1).says(4, "Invalid arguments");
        play.client.expect_closed();
    }
}

#[test]
fn lengths_that_contradict_each_other_close_the_connection() {
    for bytes in [header(0x00, 2, 0, 1, 1, 0), header(0x01, 1, 8, 8, 1, 0), header(0xff, 1, 255, 255, 1, 0)] {
        let mut play = Play::start();
        play.client.send(&bytes);
        play.client.send(vec![b'k'; usize::from(bytes[4]) + usize::from(bytes[3])]);
        play.reply_to(1).says(0x81, "Unknown command");
        play.client.expect_closed();
    }
}

#[test]
fn a_value_that_is_refused_is_thrown_away() {
    let mut play = Play::start();
    play.play(&store(0x01, "k", 0, 0, "old"));
    let large = vec![b'v'; 3 << 20];
    play.play(&store(0x02, "k", 0, 0, &large)).says(3, "Too large.");
    assert_eq!(play.play(&ask(0x00, "k")).value, b"old");
    play.play(&ask(0x0e, "k").value(&large)).says(3, "Too large.");
    assert_eq!(play.play(&ask(0x00, "k")).value, b"old");
}

#[test]
fn text_is_spoken_by_whoever_begins_with_it() {
    let mut play = Play::start();
    if !play.is_larder() {
        // memcached decides once for each connection.
        return;
    }
    play.play(&store(0x01, "k", 5, 0, "abc"));
    play.client.send_line("get k");
    play.client.expect("VALUE k 5 3\r\nabc\r\nEND\r\n");
    play.client.send_line("mg k v");
    play.client.expect("VA 3\r\nabc\r\n");
    assert_eq!(play.play(&ask(0x00, "k")).value, b"abc");
}

#[test]
fn listeners_speak_what_they_are_told() {
    let mut play = Play::start_with(&["-B", "binary"]);
    play.play(&ask(0x0a, "")).says(0, "");
    play.client.send("version\r\nversion\r\nversion\r\n");
    play.client.expect_closed();
    let mut play = Play::start_with(&["-B", "ascii"]);
    if play.is_larder() {
        play.send(&ask(0x0a, ""));
        play.client.expect_closed();
    }
}

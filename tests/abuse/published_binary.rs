//! The packets of memcached's published vulnerabilities, binary protocol (`docs/security.md`), and the like of them.

use std::io::{Read, Write};

use crate::common::Server;
use crate::common::packet::{Play, Request, ask, header, store};
use crate::stand::{Stand, dial};

/// Storing, appending, prepending, their quiet forms, and the steps of a login.
const WITH_VALUE: [u8; 12] = [0x01, 0x02, 0x03, 0x11, 0x12, 0x13, 0x0e, 0x0f, 0x19, 0x1a, 0x21, 0x22];

const INVALID_ARGUMENTS: u16 = 4;
const UNKNOWN_COMMAND: u16 = 0x81;

/// The header alone is refused and ends the connection; with much behind it, it harms nobody either.
#[track_caller]
fn expect_refusal(server: &Server, header: &[u8], statuses: &[u16]) {
    let mut play = Play::on(server);
    play.client.send(header);
    let reply = play.reply_to(1);
    assert!(statuses.contains(&reply.status), "{header:02x?}: {reply:?}");
    play.client.expect_closed();
    // Were the header believed, or its body taken for requests, the last of these would overwrite a canary.
    let harm = store(0x01, "canary-1", 0, 0, "harm").bytes(9);
    let mut stream = dial(server.address());
    // It may hang up before all is sent, and what it said last may be lost with that.
    let _ = stream.write_all(&[header, &[b'A'; 1024], &harm].concat());
    let _ = stream.read_to_end(&mut Vec::new());
}

/// CVE-2011-4971, CVE-2016-8704, CVE-2016-8705, CVE-2016-8706, CVE-2017-9951: lengths that go below zero when one is
/// taken from the other, or that are negative as signed numbers.
#[test]
fn lengths_that_wrap_are_refused_by_every_command_with_a_value() {
    let mut stand = Stand::start(64, &[]);
    stand.under("lengths that wrap", |server| {
        for opcode in WITH_VALUE {
            let extras = if matches!(opcode & 0x0f, 1..=3) && opcode < 0x20 { 8 } else { 0 };
            // As published: a key of 250 bytes in a body of none, or of less than none.
            for (key, body) in [(250, 0), (32, 1), (250, 249), (1, 0xffff_ffe8), (250, 0xffff_ffd0)] {
                let head = header(opcode, key, extras, body, 1, 0);
                expect_refusal(server, &head, &[INVALID_ARGUMENTS, UNKNOWN_COMMAND]);
            }
            for body in [0x4000_0001, 0x7fff_ffff, 0x8000_0000, 0xffff_fffd, 0xffff_fffe, 0xffff_ffff] {
                let head = header(opcode, 5, extras, body, 1, 0);
                expect_refusal(server, &head, &[INVALID_ARGUMENTS]);
            }
        }
    });
}

/// CVE-2020-10931: extras longer than any command has were copied into a buffer of the longest.
#[test]
fn extras_longer_than_any_command_has_are_refused_or_skipped() {
    let mut stand = Stand::start(64, &[]);
    stand.under("255 bytes of extras", |server| {
        for opcode in 0..=0xff {
            let mut play = Play::on(server);
            let request = Request { extras: vec![b'A'; 255], value: vec![b'A'; 64], ..ask(opcode, "canary-1") };
            let opaque = play.send(&request);
            let reply = play.reply_to(opaque);
            assert!([INVALID_ARGUMENTS, UNKNOWN_COMMAND].contains(&reply.status), "{opcode:#04x}: {reply:?}");
        }
    });
}

/// CVE-2013-0179, CVE-2013-7290, CVE-2013-7291: keys have no end of their own, and a log that printed them went on.
#[test]
fn verbose_logs_end_where_the_key_ends() {
    let mut stand = Stand::start(64, &["-vv"]);
    stand.under("keys in the log", |server| {
        let key = "k".repeat(250);
        let mut play = Play::on(server);
        // What follows a key in the read buffer.
        let secret = store(0x01, "private", 0, 0, "secret-behind-the-key");
        for opcode in [0x00, 0x04, 0x05, 0x0e, 0x1c, 0x1d] {
            let extras = vec![0; [(0x05, 20), (0x1c, 4), (0x1d, 4)].iter().find(|e| e.0 == opcode).map_or(0, |e| e.1)];
            let request = Request { extras, ..ask(opcode, &key) };
            play.client.send([request.bytes(7), secret.bytes(8)].concat());
            play.reply_to(7);
            play.reply_to(8).says(0, "");
        }
        let mut client = server.connect();
        client.send(format!("delete {key}\r\nset private 0 0 21\r\nsecret-behind-the-key\r\nget {key}\r\n"));
        client.expect("DELETED\r\nSTORED\r\nEND\r\n");
        client.send(format!("get {key}\x1b[31m\r\n"));
        client.expect("CLIENT_ERROR bad command line format\r\n");
        server.await_stderr("opcode=0x1d");
        server.await_stderr(&format!("get {key}"));
    });
    let log = stand.server.stderr();
    assert!(!log.contains("secret-behind"), "{log}");
    assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
}

/// Without a number; mended in memcached 1.6.42: whoever watched changes saw the server crash at a binary set that
/// failed.
#[test]
fn a_failed_binary_set_is_told_to_watchers() {
    let mut stand = Stand::start(64, &[]);
    stand.under("a watched failure", |server| {
        let mut watcher = server.connect();
        watcher.send_line("watch mutations");
        watcher.expect_line("OK");
        let mut play = Play::on(server);
        play.play(&store(0x01, "large", 0, 0, vec![b'v'; 2 << 20])).says(3, "Too large.");
        let line = loop {
            let line = String::from_utf8(watcher.lf_line()).expect("text");
            if line.contains("key=large") {
                break line;
            }
        };
        assert!(line.contains("status=too_large"), "{line}");
    });
}

/// Without a number; mended in memcached 1.6.44: a flag that forbids lists of keys held for text alone.
#[test]
fn lists_of_keys_are_forbidden_on_both_protocols() {
    let mut stand = Stand::start(64, &["-X"]);
    stand.under("forbidden lists", |server| {
        for words in ["detail on", "detail dump", "cachedump 1 0"] {
            let reply = Play::on(server).play(&ask(0x10, words));
            assert!(reply.status != 0, "{words}: {reply:?}");
        }
        let mut client = server.connect();
        for line in ["stats detail on", "stats detail dump", "stats cachedump 1 0", "lru_crawler metadump all"] {
            client.send_line(line);
            let reply = String::from_utf8(client.line()).expect("text");
            assert!(reply.contains("ERROR"), "{line}: {reply}");
        }
    });
}

//! Commands on the server.

use std::collections::BTreeMap;

use crate::common::packet::{Play, Request, ask, store};

const NOOP: u8 = 0x0a;
const STAT: u8 = 0x10;

/// The statistics of a group, and the status if there is no such group.
fn stats(play: &mut Play, group: &str) -> Result<BTreeMap<String, String>, u16> {
    let opaque = play.send(&ask(STAT, group));
    let mut found = BTreeMap::new();
    loop {
        let reply = play.reply_to(opaque);
        if reply.status != 0 {
            return Err(reply.status);
        }
        if reply.key.is_empty() {
            return Ok(found);
        }
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        found.insert(text(reply.key), text(reply.value));
    }
}

#[test]
fn version_and_noop() {
    let mut play = Play::start();
    play.play(&ask(0x0b, "")).says(0, "1.6.45");
    play.play(&ask(NOOP, "")).says(0, "");
}

#[test]
fn quit_answers_and_closes() {
    let mut play = Play::start();
    play.play(&ask(0x07, "")).says(0, "");
    play.client.expect_closed();
    let mut play = Play::start();
    play.send(&ask(0x17, ""));
    play.client.expect_closed();
}

#[test]
fn flush() {
    let mut play = Play::start();
    play.play(&store(0x01, "k", 0, 0, "a"));
    play.play(&Request { extras: 1000u32.to_be_bytes().into(), ..ask(0x08, "") }).says(0, "");
    assert_eq!(play.play(&ask(0x00, "k")).status, 0);
    play.play(&ask(0x08, "")).says(0, "");
    play.send(&ask(0x18, ""));
    play.expect_silence();
    let mut play = Play::start_with(&["-F"]);
    play.play(&ask(0x08, "")).says(0x20, "Auth failure.");
}

#[test]
fn delete_with_another_number_is_no_miss() {
    let mut play = Play::start();
    play.play(&store(0x01, "k", 0, 0, "a"));
    play.play(&ask(0x04, "k").cas(u64::MAX)).says(2, "Data exists for key.");
    let general = stats(&mut play, "").expect("statistics");
    assert_eq!((general["delete_hits"].as_str(), general["delete_misses"].as_str()), ("0", "0"));
}

#[test]
fn statistics_by_group() {
    let mut play = Play::start();
    play.play(&store(0x01, "a:1", 0, 0, "a"));
    let general = stats(&mut play, "").expect("statistics");
    assert_eq!(general["cmd_set"], "1");
    assert!(general.len() > 80, "{} statistics", general.len());
    assert!(stats(&mut play, "settings").expect("settings").contains_key("maxbytes"));
    assert!(stats(&mut play, "items").expect("items").keys().all(|name| name.starts_with("items:")));
    assert!(stats(&mut play, "slabs").expect("slabs").contains_key("total_malloced"));
    assert_eq!(stats(&mut play, "sizes").expect("sizes")["sizes_status"], "disabled");
    assert!(stats(&mut play, "detail on").expect("switched").is_empty());
    play.play(&ask(0x00, "a:1"));
    let dump = stats(&mut play, "detail dump").expect("dump");
    assert_eq!(dump["detailed"], "PREFIX a get 1 hit 1 set 0 del 0\r\nEND\r\n");
    assert!(stats(&mut play, "detail off").expect("switched").is_empty());
    assert!(stats(&mut play, "reset").expect("reset").is_empty());
    assert_eq!(stats(&mut play, "").expect("statistics")["cmd_get"], "0");
    for unknown in ["nonsense", "detail", "detail x"] {
        assert_eq!(stats(&mut play, unknown), Err(1), "{unknown}");
    }
    play.expect_silence();
}

//! `watch` as a client sees it, against the real binary. Where the lines are memcached's the tests hold for it, too:
//! `LARDER_BIN=/path/to/memcached cargo test --test watch`.

#[path = "../common/mod.rs"]
mod common;
mod connections;
mod delivery;
mod items;
mod refusals;

use common::{Client, Server};

/// A client that watches.
pub(crate) struct Watcher {
    client: Client,
}

impl Watcher {
    /// Connects and watches `kinds` (may be empty).
    pub(crate) fn of(server: &Server, kinds: &str) -> Watcher {
        Watcher::try_of(server, kinds).expect("the server does not hang up")
    }

    /// The same; `None` where the server hangs up.
    pub(crate) fn try_of(server: &Server, kinds: &str) -> Option<Watcher> {
        let mut client = server.connect();
        client.send_line(format!("watch {kinds}"));
        assert_eq!(client.next_line()?, b"OK\r");
        Some(Watcher { client })
    }

    /// The next line as it came, without its LF.
    pub(crate) fn raw_line(&mut self) -> String {
        String::from_utf8(self.client.lf_line()).expect("lines are ASCII, whatever the keys are")
    }

    /// The next line, taken apart.
    pub(crate) fn line(&mut self) -> Line {
        Line::parse(&self.raw_line())
    }

    /// The next line of a kind that is named after `type=`, what stands between is thrown away.
    pub(crate) fn line_of(&mut self, kind: &str) -> Line {
        loop {
            let line = self.line();
            if line.text.starts_with(&format!("type={kind} ")) {
                return line;
            }
        }
    }
}

/// A line about an event.
#[derive(Debug)]
pub(crate) struct Line {
    /// Its number.
    pub(crate) gid: u64,
    /// Everything behind `gid=..`.
    pub(crate) text: String,
}

impl Line {
    fn parse(line: &str) -> Line {
        let fail = || panic!("not a line of a log: {line:?}");
        let mut parts = line.splitn(3, ' ');
        let (Some(time), Some(gid), Some(text)) = (parts.next(), parts.next(), parts.next()) else { fail() };
        let Some((secs, micros)) = time.strip_prefix("ts=").and_then(|time| time.split_once('.')) else { fail() };
        let is_time = secs.parse::<u64>().is_ok_and(|secs| secs > 1_700_000_000)
            && micros.parse::<u32>().is_ok_and(|micros| micros < 1_000_000);
        let Some(gid) = gid.strip_prefix("gid=").and_then(|gid| gid.parse().ok()) else { fail() };
        if !is_time {
            fail();
        }
        Line { gid, text: text.to_owned() }
    }

    /// The value of one word.
    pub(crate) fn word(&self, name: &str) -> &str {
        let words = self.text.split(' ').filter_map(|word| word.split_once('='));
        words.into_iter().find(|(word, _)| *word == name).unwrap_or_else(|| panic!("no {name}= in {:?}", self.text)).1
    }
}

/// The descriptor of a client's connection, by the words that stand for it in `stats conns`.
pub(crate) fn descriptor_of(client: &mut Client) -> String {
    client.send_line("stats conns");
    let mut own = None;
    loop {
        let line = String::from_utf8(client.line()).expect("statistics are text");
        if line == "END" {
            return own.expect("one connection is being answered");
        }
        // The one that asks is the one that is executing a command.
        if let Some(fd) = line.strip_prefix("STAT ").and_then(|line| line.strip_suffix(":state conn_parse_cmd")) {
            own = Some(fd.to_owned());
        }
    }
}

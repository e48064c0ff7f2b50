//! The list in a file: lines `host port [ip]`, maybe one `version N`.

use std::path::PathBuf;

use super::Node;
use super::node::{in_order, is_host};
use super::version::{Stated, VERSION_MAX};
use crate::source_file::{Fault, FileStamp, Kind, LoadError, read_file, stamp};

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) nodes: Vec<Node>,
    pub(super) stated: Stated,
}

/// Reads a file: lines `HOST PORT [IP]` and at most one `version N`, with `#` before what is for people. Without a version
/// the time `written` stands for it, in seconds of the Unix epoch.
///
/// # Errors
/// The first line that is none of these; no node, too many, or one that is there twice; a time that is no version.
fn parse(text: &str, written: i64) -> Result<List, Fault> {
    let mut nodes = Vec::new();
    let mut version = None;
    for (index, line) in text.lines().enumerate() {
        let fault = |text: &str| Fault::on(index + 1, text);
        let words: Vec<&str> = line.split('#').next().unwrap_or("").split_whitespace().collect();
        match words[..] {
            [] => {}
            ["version", number] => {
                let number = number.parse().ok().filter(|number| (1..=VERSION_MAX).contains(number));
                let number = number.ok_or_else(|| fault("the version is no number from 1 to 2147483647"))?;
                if version.replace(number).is_some() {
                    return Err(fault("there is a version already; take one away"));
                }
            }
            [host, port] | [host, port, _] => {
                if !is_host(host) {
                    return Err(fault("the host is neither a name nor an address"));
                }
                let port = port.parse().ok().filter(|port| *port > 0);
                let port = port.ok_or_else(|| fault("the port is no number from 1 to 65535"))?;
                let ip = words.get(2).map(|ip| ip.parse().map_err(|_| fault("the third word is no address")));
                nodes.push(Node::new(host, port, ip.transpose()?));
            }
            _ => return Err(fault("this is no node; give HOST PORT, or HOST PORT IP")),
        }
    }
    let nodes = in_order(nodes).map_err(|why| Fault::whole(format!("{why}; give each server once, a line each")))?;
    let stated = match version {
        Some(number) => Stated::Number(number),
        None => Stated::Written(u64::try_from(written).unwrap_or(0)),
    };
    if stated.number() > VERSION_MAX {
        let text =
            format!("its time would be version {written}, which clients cannot hold; `touch` it or write a version");
        return Err(Fault::whole(text));
    }
    Ok(List { nodes, stated })
}

/// A file that is looked at again and again.
#[derive(Debug)]
pub(super) struct Watched {
    path: PathBuf,
    /// What it was when it was read.
    read: Option<FileStamp>,
    /// What it was when it was last looked at.
    looked: Option<FileStamp>,
}

impl Watched {
    pub(super) fn new(path: PathBuf) -> Watched {
        Watched { path, read: None, looked: None }
    }

    /// Whether it has changed since it was read and not since the last look. Half a list would be announced if it were
    /// read while it is written; and of two changes within a second, which have one time, only the second is seen.
    pub(super) fn has_settled(&mut self) -> bool {
        let now = stamp(&self.path);
        let before = std::mem::replace(&mut self.looked, now);
        now != self.read && now == before
    }

    /// Reads it.
    pub(super) fn read(&mut self) -> Result<List, LoadError> {
        // Taken before: what changes while it is read is read again.
        self.read = stamp(&self.path);
        self.looked = self.read;
        let written = self.read.map_or(0, |(_, _, _, [seconds, ..])| seconds);
        read_file(Kind::ClusterFile, &self.path)
            .and_then(|bytes| match std::str::from_utf8(&bytes) {
                Ok(text) => parse(text, written),
                Err(_) => Err(Fault::whole("this is not UTF-8; save the file as UTF-8")),
            })
            .map_err(|fault| fault.of(Kind::ClusterFile, &self.path))
    }

    /// Something about the whole file.
    pub(super) fn fault(&self, text: String) -> LoadError {
        Fault::whole(text).of(Kind::ClusterFile, &self.path)
    }
}

/// For the fuzzer: a file is a list that can be told, or its fault is on a line that is there.
#[cfg(fuzzing)]
pub fn fuzz(text: &str) {
    match parse(text, 1) {
        Ok(list) => super::node::assert_told_well(&list.nodes),
        Err(fault) => assert!(fault.line.is_none_or(|line| (1..=text.lines().count()).contains(&line)), "{fault:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_nodes() {
        let node = |host: &str, port, ip: Option<&str>| Node::new(host, port, ip.map(|ip| ip.parse().unwrap()));
        let text = "# ours\n\nb.example 11212 10.0.0.2 # second\r\n\ta.example\t11211\n::1 1 \n";
        let nodes =
            vec![node("::1", 1, None), node("a.example", 11211, None), node("b.example", 11212, Some("10.0.0.2"))];
        assert_eq!(parse(text, 9), Ok(List { nodes: nodes.clone(), stated: Stated::Written(9) }));
        let text = format!("{text}version 12\n");
        assert_eq!(parse(&text, 9), Ok(List { nodes, stated: Stated::Number(12) }));
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line) in [
            ("", None),
            ("# nothing\n", None),
            ("version 3\n", None),
            ("a 1\na 1\n", None),
            ("a 1\nb\n", Some(2)),
            ("a:1\n", Some(1)),
            ("a|b 1\n", Some(1)),
            ("a 0\n", Some(1)),
            ("a 65536\n", Some(1)),
            ("a -1\n", Some(1)),
            ("a x\n", Some(1)),
            ("a 1 b\n", Some(1)),
            ("a 1 ::1 x\n", Some(1)),
            ("a 1\nversion 0\n", Some(2)),
            ("a 1\nversion 2147483648\n", Some(2)),
            ("a 1\nversion\n", Some(2)),
            ("version 1\na 1\nversion 1\n", Some(3)),
        ] {
            assert_eq!(parse(text, 1).expect_err(text).line, line, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_a_version_as_long_as_clients_can_hold_it() {
        let last = i64::from(i32::MAX);
        assert_eq!(parse("a 1\n", last).unwrap().stated, Stated::Written(VERSION_MAX));
        assert_eq!(parse("a 1\n", last + 1).unwrap_err().line, None);
        assert_eq!(parse("version 1\na 1\n", last + 1).unwrap().stated, Stated::Number(1));
        assert_eq!(parse("a 1\n", -1).unwrap().stated, Stated::Written(0));
    }

    #[test]
    fn a_file_is_left_to_its_writer_until_it_has_settled() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("nodes");
        std::fs::write(&path, "a 1\n").unwrap();
        let mut watched = Watched::new(path.clone());
        watched.read().unwrap();
        assert!(!watched.has_settled());
        std::fs::write(&path, "a 1\nb 1\n").unwrap();
        assert!(!watched.has_settled());
        std::fs::write(&path, "a 1\nb 1\nc 1\n").unwrap();
        assert!(!watched.has_settled());
        assert!(watched.has_settled());
        assert_eq!(watched.read().unwrap().nodes.len(), 3);
        assert!(!watched.has_settled());
        std::fs::remove_file(&path).unwrap();
        assert!(!watched.has_settled());
        assert!(watched.has_settled());
        watched.read().unwrap_err();
        assert!(!watched.has_settled(), "it is said once");
    }
}

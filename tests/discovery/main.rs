//! Auto discovery: who is told which list of nodes, and where it comes from.
//!
//! `run` in this directory is the same with clients that follow the list while nodes come and go.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../authentication/stand.rs"]
mod stand;

mod commands;
mod files;
mod name_server;
mod names;

use std::path::{Path, PathBuf};

use common::{Client, DEADLINE, POLL_INTERVAL};
use tempfile::TempDir;

/// A file of nodes in a directory of its own.
struct NodesFile {
    directory: TempDir,
}

impl NodesFile {
    fn holding(text: &str) -> NodesFile {
        let file = NodesFile { directory: tempfile::tempdir().expect("a new directory") };
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("nodes")
    }

    fn text(&self) -> String {
        self.path().to_str().expect("UTF-8").to_owned()
    }

    /// As an operator should: in one step.
    fn write(&self, text: &str) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, text).expect("our own file");
        self.replace_by(&new);
    }

    /// The same, as it was written at this second of the Unix epoch.
    fn write_at(&self, text: &str, unix_secs: u64) {
        let new = self.directory.path().join("new");
        std::fs::write(&new, text).expect("our own file");
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(unix_secs);
        std::fs::File::open(&new).and_then(|file| file.set_modified(time)).expect("our own file");
        self.replace_by(&new);
    }

    fn replace_by(&self, new: &Path) {
        std::fs::rename(new, self.path()).expect("our own directory");
    }
}

/// The list as `config get cluster` tells it: the version and the line of nodes.
fn list(client: &mut Client) -> (u64, String) {
    client.send_line("config get cluster");
    let head = String::from_utf8(client.line()).expect("text");
    let len = head.strip_prefix("CONFIG cluster 0 ").unwrap_or_else(|| panic!("no list: {head}"));
    let payload = String::from_utf8(client.take(len.parse().expect("a length"))).expect("text");
    client.expect("\r\nEND\r\n");
    let (version, nodes) = payload.strip_suffix('\n').and_then(|text| text.split_once('\n')).expect("two lines");
    (version.parse().expect("a number"), nodes.to_owned())
}

/// Asks until the nodes are these; the version that they have then.
fn await_nodes(client: &mut Client, nodes: &str) -> u64 {
    let since = std::time::Instant::now();
    loop {
        let (version, told) = list(client);
        if told == nodes {
            return version;
        }
        assert!(since.elapsed() < DEADLINE, "expected {nodes}, told {told}");
        std::thread::sleep(POLL_INTERVAL * 10);
    }
}

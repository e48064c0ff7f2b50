//! The list in a file, and its version.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::common::{Server, server_path};
use crate::{NodesFile, await_nodes, list};

#[test]
fn a_changed_file_is_a_new_list() {
    let file = NodesFile::holding("version 1\na 1\n");
    let server = Server::start(&["--cluster", &file.text(), "-v"]);
    let mut client = server.connect();
    assert_eq!(list(&mut client), (1, "a||1".to_owned()));
    file.write("version 2\na 1\nb 2\n");
    assert_eq!(await_nodes(&mut client, "a||1 b||2"), 2);
    server.await_stderr("cluster list announced version=2 nodes=2");
    // In place, as an editor does.
    std::fs::write(file.path(), "version 3\nb 2\n").expect("our own file");
    assert_eq!(await_nodes(&mut client, "b||2"), 3);
}

#[test]
fn a_wrong_file_changes_nothing() {
    let file = NodesFile::holding("version 5\na 1\n");
    let server = Server::start(&["--cluster", &file.text(), "-v"]);
    let mut client = server.connect();
    for (text, complaint) in [
        ("version 6\na 1\nb\n", "line=3: this is no node"),
        ("", "names no node"),
        ("version 5\na 1\nb 1\n", "version 5 is not above 5"),
        ("version 4\na 1\n", "version 4 is not above 5"),
    ] {
        file.write(text);
        server.signal(Signal::HUP);
        server.await_stderr(complaint);
        assert_eq!(list(&mut client), (5, "a||1".to_owned()), "{text:?}");
    }
    std::fs::remove_file(file.path()).expect("our own file");
    server.await_stderr("cannot be read");
    assert_eq!(list(&mut client), (5, "a||1".to_owned()));
    let failures: u64 = client.statistic("", "cluster_failures").expect("there is a list").parse().expect("a number");
    assert!(failures >= 5, "{failures}");
    file.write("version 6\nb 1\n");
    assert_eq!(await_nodes(&mut client, "b||1"), 6);
}

#[test]
fn the_time_of_the_file_stands_for_its_version() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let file = NodesFile::holding("");
    file.write_at("a 1\n", now - 1000);
    let servers = [(); 2].map(|()| Server::start(&["--cluster", &file.text()]));
    let [mut one, mut other] = servers.each_ref().map(Server::connect);
    assert_eq!(list(&mut one), (now - 1000, "a||1".to_owned()));
    assert_eq!(list(&mut one), list(&mut other));
    file.write_at("a 1\nb 1\n", now - 500);
    assert_eq!(await_nodes(&mut one, "a||1 b||1"), now - 500);
    assert_eq!(await_nodes(&mut other, "a||1 b||1"), now - 500);
    // A node that is started later has the same.
    let late = Server::start(&["--cluster", &file.text()]);
    assert_eq!(list(&mut late.connect()).0, now - 500);
    // An older file came back: clients have to see a greater number all the same.
    file.write_at("a 1\n", now - 1000);
    assert_eq!(await_nodes(&mut one, "a||1"), now - 499);
}

#[test]
fn a_wrong_file_is_refused_at_start() {
    let file = NodesFile::holding("a 1\na b\n");
    let refusal = |words: &[&str]| {
        let output = Command::new(server_path()).args(["-p", "-1"]).args(words).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let path = file.text();
    let (status, line) = refusal(&["--cluster", &path]);
    assert_eq!(status, Some(1), "{line}");
    assert!(
        line.ends_with(&format!("larder: cluster={path} line=2: the port is no number from 1 to 65535\n")),
        "{line}"
    );
    let (status, line) = refusal(&["--cluster", "/nowhere/at/all"]);
    assert_eq!(status, Some(1), "{line}");
    assert!(line.contains("larder: cluster=/nowhere/at/all: cannot be read: "), "{line}");
    file.write("a 1\n");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o666)).expect("our own file");
    let (status, line) = refusal(&["--cluster", &path]);
    assert_eq!(status, Some(1), "{line}");
    assert!(line.contains("others may write it; chmod o= "), "{line}");
    let (status, line) = refusal(&["--cluster", "dns:a..b:1"]);
    assert_eq!(status, Some(64), "{line}");
}

#[test]
fn a_long_list_is_told_whole() {
    let nodes: Vec<String> = (1000..2000).map(|number| format!("node-{number}.cache.example.com")).collect();
    let text: String = nodes.iter().map(|node| format!("{node} 11211 10.0.0.1\n")).collect();
    let file = NodesFile::holding(&format!("version 1\n{text}"));
    let server = Server::start(&["--cluster", &file.text()]);
    let mut client = server.connect();
    let expected: Vec<String> = nodes.iter().map(|node| format!("{node}|10.0.0.1|11211")).collect();
    let expected = expected.join(" ");
    // Many questions at once wait for their reader.
    client.send("config get cluster\r\n".repeat(99));
    let payload = format!("1\n{expected}\n");
    for _ in 0..99 {
        client.expect(format!("CONFIG cluster 0 {}\r\n{payload}\r\nEND\r\n", payload.len()));
    }
    assert_eq!(list(&mut client), (1, expected));
}

//! `-o drop_privileges`: what a server does long after its start, it must still be allowed to do.

#[path = "common/mod.rs"]
mod common;

use std::time::Instant;
use std::{fs, thread};

use common::{DEADLINE, POLL_INTERVAL, Server};
use rustix::process::Signal;

/// The value of a line of /proc/PID/status.
fn status(server: &Server, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server lives");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("such a line");
    line.trim().to_owned()
}

/// Waits until a line of /proc/PID/status has the value `wanted`.
fn await_status(server: &Server, name: &str, wanted: &str) {
    let since = Instant::now();
    while status(server, name) != wanted {
        assert!(since.elapsed() < DEADLINE, "{name} stays {}", status(server, name));
        thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn a_confined_server_serves_reloads_and_stops() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fs::write(path("networks"), "allow 127.0.0.0/8").expect("room");
    let words = ["-A", "-v", "-P", &path("pid"), "--access-file", &path("networks"), "-o", "drop_privileges"];
    let mut server = Server::start(&words);
    // The last thing of a start: it comes after the files that say that the server serves.
    await_status(&server, "Seccomp", "2");
    let mut client = server.connect();
    assert_eq!(client.statistic("settings", "drop_privileges").as_deref(), Some("yes"));
    let value = vec![b'v'; 500_000];
    for key in 0..300 {
        let line = format!("set k{key} 0 0 {} noreply\r\n", value.len());
        client.send([line.as_bytes(), &value, b"\r\n"].concat());
    }
    client.send_line("cache_memlimit 16");
    client.expect_line("OK");
    assert!(!client.statistics("").is_empty() && !client.statistics("conns").is_empty());
    client.send_line("lru_crawler metadump all");
    client.take_through(b"END\r\n");
    let mut watcher = server.connect();
    watcher.send_line("watch fetchers");
    watcher.expect_line("OK");
    client.send_line("get k299");
    client.take_through(b"END\r\n");
    assert!(watcher.lf_line().starts_with(b"ts="));
    fs::write(path("networks"), "allow 127.0.0.0/8\ndeny 127.0.0.9").expect("room");
    server.await_stderr("access list read again allow=1 deny=1");
    server.signal(Signal::HUP);
    client.send_line("shutdown graceful");
    assert!(server.await_exit().success());
    server.await_stderr("msg=stopped");
}

//! What connections tell when they come and go.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::common::{Client, DEADLINE, Flavour, Server};
use crate::{Watcher, descriptor_of};

#[test]
fn clients_are_told_when_they_come_and_why_they_go() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "connevents");
    let endings: [(&[u8], &str); 4] =
        [(b"quit\r\n", "normal"), (b"", "normal"), (b"GET / HTTP/1.1\r\n", "error"), (&[b'x'; 5000], "error")];
    for (last_words, reason) in endings {
        let mut client = server.connect();
        let fd = descriptor_of(&mut client);
        let opened = watcher.line();
        assert_eq!(opened.text.split(" rport").next(), Some("type=conn_new rip=127.0.0.1"));
        assert_eq!((opened.word("transport"), opened.word("cfd")), ("tcp", fd.as_str()));
        if last_words.is_empty() {
            client.finish_sending();
        } else {
            client.send(last_words);
        }
        client.expect_closed();
        let closed = watcher.line();
        let expected = opened.text.replace("conn_new", "conn_close");
        let (before, after) = expected.split_once(" cfd=").expect("a descriptor");
        assert_eq!(closed.text, format!("{before} reason={reason} cfd={after}"));
    }
}

#[test]
fn idle_client_is_told_to_have_idled_and_watchers_may_idle() {
    let server = Server::start(&["-o", "idle_timeout=1"]);
    // Until it watches, it must not idle either, and is held up where this machine has something else to do.
    let since = Instant::now();
    let mut watcher = loop {
        let begun = Instant::now();
        match Watcher::try_of(&server, "connevents") {
            Some(watcher) => break watcher,
            None => assert!(begun.elapsed() >= Duration::from_secs(1) && since.elapsed() < DEADLINE, "closed"),
        }
    };
    let mut client = server.connect();
    client.expect_closed();
    assert_eq!(watcher.line_of("conn_close").word("reason"), "idle_timeout");
    let mut later = server.connect();
    later.expect_closed();
    assert_eq!(watcher.line_of("conn_close").word("reason"), "idle_timeout");
}

#[test]
fn shutdown_closes_the_connection_that_asked_for_it_and_ends_with_watchers_there() {
    let mut server = Server::start(&["-A"]);
    if server.flavour() == Flavour::Memcached {
        return; // It exits before its log thread wakes up.
    }
    let mut watcher = Watcher::of(&server, "connevents");
    let mut client = server.connect();
    client.send_line("shutdown");
    assert_eq!(watcher.line_of("conn_close").word("reason"), "shutdown");
    assert!(server.await_exit().success());
}

#[test]
fn stop_does_not_wait_for_watchers_that_do_not_read() {
    let mut server = Server::start(&[]);
    let watchers: Vec<Watcher> = (0..20).map(|_| Watcher::of(&server, "connevents fetchers")).collect();
    server.signal(rustix::process::Signal::TERM);
    let status = server.await_exit();
    if server.flavour() == Flavour::Larder {
        assert!(status.success(), "{status}");
    }
    drop(watchers);
}

#[test]
fn clients_on_a_unix_socket_have_no_address() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let _server = Server::start_unix(&path, &[]);
    let mut watcher = UnixStream::connect(&path).expect("it listens");
    watcher.set_read_timeout(Some(DEADLINE)).expect("not zero");
    watcher.write_all(b"watch connevents\r\n").expect("room for a line");
    let mut lines = BufReader::new(watcher).lines().map(|line| line.expect("a line in time"));
    assert_eq!(lines.next().as_deref(), Some("OK"));
    // The server under test was dialled before, to see that it listens; that connection may still be on its way out.
    drop(UnixStream::connect(&path).expect("it listens"));
    let mut words = |kind: &str| loop {
        let line = lines.next().expect("the server lives");
        if line.contains(kind) {
            return line.split(' ').skip(2).take(4).collect::<Vec<_>>().join(" ");
        }
    };
    assert_eq!(words("conn_new"), "type=conn_new rip=unix rport=0 transport=local");
    assert_eq!(words("conn_close"), "type=conn_close rip=unix rport=0 transport=local");
}

#[test]
fn watcher_is_a_connection_until_it_leaves() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    let watcher = Watcher::of(&server, "");
    let states = |client: &mut Client| {
        client.send_line("stats conns");
        let mut states = 0;
        loop {
            let line = String::from_utf8(client.line()).expect("text");
            if line == "END" {
                return states;
            }
            states += usize::from(line.ends_with(":state conn_watch"));
        }
    };
    // memcached's worker may answer before it says so.
    let since = Instant::now();
    while states(&mut client) != 1 {
        assert!(since.elapsed() < DEADLINE, "no connection watches");
    }
    // memcached's log thread tells the number once a second.
    client.await_statistic("log_watchers", "1");
    assert_eq!(client.statistic("", "curr_connections").as_deref(), Some("2"));
    drop(watcher);
    client.await_statistic("log_watchers", "0");
    client.await_statistic("curr_connections", "1");
    assert_eq!(states(&mut client), 0);
}

//! Who may not watch, and what a watcher's further words do.

use crate::Watcher;
use crate::common::{Client, Server, check, check_with};

#[test]
fn unknown_kinds_are_refused_and_known_ones_may_be_cut_short() {
    check(
        r"
        > watch foo
        < ERROR
        > watch fetchers foo
        < ERROR
        > watch fetchersx
        < ERROR
        > watch noreply
        < ERROR
        > watch fetchers mut e conn deletions rawcmds sysevents proxyreqs proxyevents proxyuser
        < OK
        ",
    );
}

#[test]
fn watch_can_be_forbidden() {
    let refused =
        "> watch\n< CLIENT_ERROR watch commands not allowed\n> watch foo\n< CLIENT_ERROR watch commands not allowed";
    check_with(&["-W"], refused);
}

#[test]
fn watch_stands_alone_in_its_batch() {
    let server = Server::start(&[]);
    let refused = "ERROR cannot pipeline other commands before watch\r\n";
    for (before, reply) in
        [("get k\r\n", "END\r\n"), ("set k 0 0 1 noreply\r\nx\r\n", ""), ("watch foo\r\n", "ERROR\r\n")]
    {
        let mut client = server.connect();
        client.send(format!("{before}watch\r\n"));
        client.expect(format!("{reply}{refused}"));
        // One at a time it is allowed.
        client.send_line("watch");
        client.expect_line("OK");
    }
}

#[test]
fn what_a_watcher_sends_is_ignored() {
    let server = Server::start(&[]);
    let mut watcher = server.connect();
    watcher.send("watch\r\nset k 0 0 1\r\nx\r\n");
    watcher.expect_line("OK");
    watcher.send("set k 0 0 1\r\nx\r\nversion\r\n");
    let mut client = server.connect();
    client.send_line("get k");
    client.expect_line("END");
    let line = String::from_utf8(watcher.lf_line()).expect("text");
    assert!(line.contains("type=item_get key=k status=not_found"), "{line}");
}

#[test]
fn twenty_may_watch_and_the_next_one_stays_an_ordinary_client() {
    let server = Server::start(&[]);
    let mut watchers: Vec<Watcher> = (0..20).map(|_| Watcher::of(&server, "")).collect();
    let mut client = server.connect();
    client.send_line("watch");
    client.expect_line("WATCHER_TOO_MANY log watcher limit reached");
    client.send_line("mn");
    client.expect_line("MN");
    watchers.pop();
    client.await_statistic("log_watchers", "19");
    client.send_line("watch");
    client.expect_line("OK");
}

/// Without a single lost place, although most of those who ask hang up at once.
#[test]
fn a_thousand_watchers_one_after_another_leave_nothing_behind() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    // memcached counts its listener, too.
    let total: u32 = client.statistic("", "total_connections").expect("there is one").parse().expect("a number");
    for round in 0..50 {
        let watchers: Vec<Client> = (0..20)
            .map(|_| {
                let mut watcher = server.connect();
                watcher.send_line("watch fetchers mutations connevents");
                watcher
            })
            .collect();
        if round % 2 == 0 {
            client.send_line("get k");
            client.expect_line("END");
        }
        drop(watchers);
    }
    // One that the server has yet to accept would take its place later.
    client.await_statistic("total_connections", &(total + 1000).to_string());
    client.await_statistic("curr_connections", "1");
    client.await_statistic("log_watchers", "0");
    let watchers: Vec<Watcher> = (0..20).map(|_| Watcher::of(&server, "")).collect();
    assert_eq!(watchers.len(), 20);
}

//! What commands on items tell.

use crate::common::{Flavour, Server};
use crate::{Line, Watcher, descriptor_of};

/// Sends each request and expects its reply and its lines, which are given without number, time and descriptor.
#[track_caller]
fn check(server: &Server, kinds: &str, cases: &[(&str, &str, &[&str])]) {
    let mut watcher = Watcher::of(server, kinds);
    let mut client = server.connect();
    let cfd = format!(" cfd={}", descriptor_of(&mut client));
    let mut last = 0;
    for (request, reply, lines) in cases {
        client.send(request.replace('\n', "\r\n"));
        client.expect(reply.replace('\n', "\r\n"));
        for expected in *lines {
            let Line { gid, text } = watcher.line();
            assert_eq!(text.replace(&cfd, ""), *expected, "after {request:?}");
            assert_eq!(text.contains(" cfd="), !expected.starts_with("type=deleted"), "{text}");
            assert!(gid > last, "{gid} after {last}");
            last = gid;
        }
    }
}

#[test]
fn every_command_tells_what_it_looks_up_and_stores() {
    let found = "type=item_get key=k status=found clsid=1 size=3";
    let missing = "type=item_get key=k status=not_found clsid=0 size=0";
    check(
        &Server::start(&[]),
        "fetchers mutations deletions",
        &[
            ("get k\n", "END\n", &[missing]),
            (
                "set k 5 0 3\nabc\n",
                "STORED\n",
                &[missing, "type=item_store key=k status=stored cmd=set ttl=0 clsid=1 size=3"],
            ),
            (
                "get k other\n",
                "VALUE k 5 3\nabc\nEND\n",
                &[found, "type=item_get key=other status=not_found clsid=0 size=0"],
            ),
            ("touch k 0\n", "TOUCHED\n", &[found]),
            ("gat 0 k\n", "VALUE k 5 3\nabc\nEND\n", &[found]),
            (
                "append k 0 7 2\nde\n",
                "STORED\n",
                &[found, "type=item_store key=k status=stored cmd=append ttl=0 clsid=1 size=5"],
            ),
            (
                "prepend k 0 7 1\n>\n",
                "STORED\n",
                &[
                    "type=item_get key=k status=found clsid=1 size=5",
                    "type=item_store key=k status=stored cmd=prepend ttl=0 clsid=1 size=6",
                ],
            ),
            (
                "add k 0 0 1\nx\n",
                "NOT_STORED\n",
                &[
                    "type=item_get key=k status=found clsid=1 size=6",
                    "type=item_store key=k status=not_stored cmd=add ttl=0 clsid=1 size=1",
                ],
            ),
            (
                "cas k 0 0 1 999999\nx\n",
                "EXISTS\n",
                &[
                    "type=item_get key=k status=found clsid=1 size=6",
                    "type=item_store key=k status=exists cmd=cas ttl=0 clsid=1 size=1",
                ],
            ),
            (
                "delete k\n",
                "DELETED\n",
                &["type=item_get key=k status=found clsid=1 size=6", "type=deleted key=k cmd=delete clsid=1 size=6"],
            ),
            ("delete k\n", "NOT_FOUND\n", &[missing]),
            ("touch k 5\n", "NOT_FOUND\n", &[missing]),
            ("incr k 1\n", "NOT_FOUND\n", &[missing]),
            (
                "replace k 0 0 1\nx\n",
                "NOT_STORED\n",
                &[missing, "type=item_store key=k status=not_stored cmd=replace ttl=0 clsid=1 size=1"],
            ),
            (
                "cas k 0 0 1 1\nx\n",
                "NOT_FOUND\n",
                &[missing, "type=item_store key=k status=not_found cmd=cas ttl=0 clsid=1 size=1"],
            ),
            (
                "set k 0 0 1 noreply\n9\nmn\n",
                "MN\n",
                &[missing, "type=item_store key=k status=stored cmd=set ttl=0 clsid=1 size=1"],
            ),
            ("incr k 1\n", "10\n", &["type=item_get key=k status=found clsid=1 size=1"]),
            ("decr k 1\n", "9\n", &["type=item_get key=k status=found clsid=1 size=2"]),
            // What is refused before it could be stored is not told.
            ("set k 0 0 1\nxyz\nmn\n", "CLIENT_ERROR bad data chunk\nCLIENT_ERROR bad command line format\nMN\n", &[]),
            ("get %a/~-._\u{e9}\n", "END\n", &["type=item_get key=%25a%2F~-._%C3%A9 status=not_found clsid=0 size=0"]),
        ],
    );
}

#[test]
fn meta_commands_tell_the_same() {
    let found = "type=item_get key=k status=found clsid=1 size=2";
    let missing = "type=item_get key=n status=not_found clsid=0 size=0";
    check(
        &Server::start(&[]),
        "fetchers mutations deletions",
        &[
            (
                "ms k 2\nab\n",
                "HD\n",
                &[
                    "type=item_get key=k status=not_found clsid=0 size=0",
                    "type=item_store key=k status=stored cmd=set ttl=0 clsid=1 size=2",
                ],
            ),
            ("mg k v\n", "VA 2\nab\n", &[found]),
            ("mg k u\n", "HD\n", &[found]),
            ("mg w N30\n", "HD W\n", &["type=item_get key=w status=not_found clsid=0 size=0"]),
            (
                "ms k 2 ME\nzz\n",
                "NS\n",
                &[found, "type=item_store key=k status=not_stored cmd=add ttl=0 clsid=1 size=2"],
            ),
            (
                "ms k 2 C999999\nzz\n",
                "EX\n",
                &[found, "type=item_store key=k status=exists cmd=cas ttl=0 clsid=1 size=2"],
            ),
            ("ms k 1 MA\nc\n", "HD\n", &[found, "type=item_store key=k status=stored cmd=append ttl=0 clsid=1 size=3"]),
            (
                "ms YWJj 1 b\nx\n",
                "HD\n",
                &[
                    "type=item_get key=abc status=not_found clsid=0 size=0",
                    "type=item_store key=abc status=stored cmd=set ttl=0 clsid=1 size=1",
                ],
            ),
            ("ma n\n", "NF\n", &[missing]),
            // Nothing is deleted but the truth of the value.
            ("md k I\n", "HD\n", &["type=item_get key=k status=found clsid=1 size=3"]),
            ("md k C1\n", "EX\n", &["type=item_get key=k status=found clsid=1 size=3"]),
            (
                "md k\n",
                "HD\n",
                &["type=item_get key=k status=found clsid=1 size=3", "type=deleted key=k cmd=md clsid=1 size=3"],
            ),
            ("md n q\nmn\n", "NF\nMN\n", &[missing]),
        ],
    );
}

#[test]
fn number_that_a_command_creates_is_told_as_an_add() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "mutations");
    let mut client = server.connect();
    client.send_line("ma n N0 J512");
    client.expect_line("HD");
    let line = watcher.line();
    let words = ["key", "status", "cmd", "ttl", "size"].map(|name| line.word(name));
    assert_eq!(words, ["n", "stored", "add", "0", "3"]);
}

#[test]
fn item_that_is_emptied_is_told_as_stored_and_deleted() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("ms k 2\r\nab\r\n");
    client.expect_line("HD");
    let mut watcher = Watcher::of(&server, "mutations deletions");
    client.send_line("md k x");
    client.expect_line("HD");
    let stored = watcher.line();
    assert_eq!((stored.word("status"), stored.word("cmd"), stored.word("size")), ("stored", "set", "0"));
    let deleted = watcher.line();
    assert_eq!((deleted.word("cmd"), deleted.word("size")), ("md", "0"));
    // Stale and empty, but still there.
    client.send_line("md k I x");
    client.expect_line("HD");
    assert_eq!(watcher.line().word("cmd"), "set");
    client.send_line("delete k");
    client.expect_line("DELETED");
    assert_eq!(watcher.line().word("cmd"), "delete");
}

#[test]
fn time_to_live_is_told_in_seconds_from_now() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "mutations");
    let mut client = server.connect();
    client.send("set k 0 1000 1\r\nx\r\nadd k 0 7 1\r\nx\r\nappend k 0 0 1\r\nx\r\n");
    client.expect("STORED\r\nNOT_STORED\r\nSTORED\r\n");
    for (command, longest) in [("set", 1000), ("add", 7), ("append", 1000)] {
        let line = watcher.line();
        assert_eq!(line.word("cmd"), command);
        let ttl: u32 = line.word("ttl").parse().expect("a number");
        // The clock may have moved on meanwhile.
        assert!((longest - 5..=longest).contains(&ttl), "{}", line.text);
    }
}

#[test]
fn value_that_is_too_large_is_told_and_so_is_the_look_up_of_the_old_one() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "fetchers mutations");
    let mut client = server.connect();
    client.send("set k 0 0 1\r\nx\r\n");
    client.expect("STORED\r\n");
    let value = "x".repeat(2 << 20);
    for command in ["set", "add"] {
        client.send(format!("{command} k 0 0 {}\r\n{value}\r\n", value.len()));
        client.expect("SERVER_ERROR object too large for cache\r\n");
    }
    let mut told = Vec::new();
    for _ in 0..5 {
        let line = watcher.line();
        assert_eq!(line.word("key"), "k");
        told.push((line.text.split(' ').next().unwrap().to_owned(), line.word("status").to_owned()));
    }
    let told: Vec<_> = told.iter().map(|(kind, status)| (kind.as_str(), status.as_str())).collect();
    let expected = [
        ("type=item_get", "not_found"),
        ("type=item_store", "stored"),
        ("type=item_store", "too_large"),
        ("type=item_get", "found"),
        ("type=item_store", "too_large"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn values_that_arrive_in_parts_are_told_when_they_are_whole() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "mutations");
    let mut client = server.connect();
    for len in [20_000, 600_000] {
        let value = "x".repeat(len);
        client.send(format!("set k 0 0 {len}\r\n{}", &value[..len / 2]));
        // While half of it is missing, the only line is another client's.
        let mut other = server.connect();
        other.send("set other 0 0 1\r\nx\r\n");
        other.expect_line("STORED");
        assert_eq!(watcher.line().word("key"), "other");
        client.send(format!("{}\r\n", &value[len / 2..]));
        client.expect_line("STORED");
        let line = watcher.line();
        assert_eq!((line.word("status"), line.word("size")), ("stored", len.to_string().as_str()));
    }
}

#[test]
fn expired_and_flushed_items_are_told_apart() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send("set e 0 1 1\r\nx\r\nset f 0 0 1\r\nx\r\n");
    client.expect("STORED\r\nSTORED\r\n");
    let mut watcher = Watcher::of(&server, "fetchers");
    // Found until its second is over, and then expired once.
    let status = loop {
        client.send_line("gets e");
        let status = watcher.line().word("status").to_owned();
        if status != "found" {
            break status;
        }
        client.expect("VALUE e 0 1 ");
        client.line();
        client.expect("x\r\nEND\r\n");
    };
    client.expect_line("END");
    // A background sweep can have been faster.
    assert!(["expired", "not_found"].contains(&status.as_str()), "{status}");
    client.send("flush_all\r\nget f\r\nget f\r\n");
    client.expect("OK\r\nEND\r\nEND\r\n");
    let statuses = [watcher.line(), watcher.line()].map(|line| line.word("status").to_owned());
    match server.flavour() {
        Flavour::Larder => {
            // The sweep can have been faster here as well.
            assert!(["flushed", "not_found"].contains(&statuses[0].as_str()), "{statuses:?}");
            assert_eq!(statuses[1], "not_found");
        }
        // flush_all has unlinked it when nothing else was stored in that second.
        Flavour::Memcached => assert_eq!(statuses[1], "not_found"),
    }
}

#[test]
fn evictions_tell_who_made_room() {
    let server = Server::start(&["-m", "8"]);
    let mut watcher = Watcher::of(&server, "evictions");
    let mut client = server.connect();
    let value = "x".repeat(10_000);
    for number in 0..2000 {
        client.send(format!("set old,{number} 0 900 {} noreply\r\n{value}\r\n", value.len()));
    }
    client.send_line("mn");
    client.expect_line("MN");
    let line = watcher.line();
    assert!(line.text.starts_with("type=eviction key=old%2C"), "{}", line.text);
    assert_eq!((line.word("fetch"), line.word("size")), ("no", "10000"));
    let number = |name| line.word(name).parse::<u32>().expect("a number");
    assert!((800..=900).contains(&number("ttl")), "{}", line.text);
    assert!(number("la") < 100 && number("clsid") > 1, "{}", line.text);
}

#[test]
fn longest_key_is_told_whole() {
    let server = Server::start(&[]);
    let mut watcher = Watcher::of(&server, "mutations");
    let mut client = server.connect();
    let key = "#".repeat(250);
    client.send(format!("set {key} 0 0 1\r\nx\r\n"));
    client.expect_line("STORED");
    assert_eq!(watcher.line().word("key"), "%23".repeat(250));
}

//! A user bound to the prefix `a:` reaches nothing else, by any command of any protocol; and each right is needed for
//! what it is for.

use crate::common::packet::{Request, ask, count, store, touch};
use crate::common::{Client, Server};
use crate::stand::{Users, answer, binary_client, log_in_by_set, sasl_words, scram, text_client};

const FORBIDDEN: &str = "CLIENT_ERROR unauthorized";

/// A server with a value under `a:mine` and one under `b:other`.
fn stocked(users: &Users) -> Server {
    let server = users.serve(&["-A"]);
    let mut admin = text_client(&server, "admin");
    admin.send("set a:mine 0 0 1\r\n1\r\nset b:other 0 0 1\r\n1\r\n");
    admin.expect("STORED\r\nSTORED\r\n");
    server
}

/// That nothing became of `b:other`.
fn expect_untouched(server: &Server) {
    let mut admin = text_client(server, "admin");
    admin.send("mg b:other v t h f\r\n");
    admin.expect("VA 1 t-1 h0 f0\r\n1\r\n");
}

/// Sends a request and a barrier; what comes before the barrier's answer.
fn replies(client: &mut Client, request: &str) -> String {
    client.send(format!("{request}\r\nmn\r\n"));
    let mut lines = String::new();
    loop {
        let line = String::from_utf8_lossy(&client.line()).into_owned();
        if line == "MN" {
            return lines;
        }
        lines += &line;
        lines += ";";
    }
}

#[test]
fn text_and_meta_keep_to_the_prefix() {
    let users = Users::usual();
    let server = stocked(&users);
    let mut client = text_client(&server, "bound");
    // Base64 of `b:other`.
    let encoded = "YjpvdGhlcg==";
    let requests = [
        "get b:other",
        "gets b:other",
        "get a:mine b:other",
        "get b:other a:mine",
        "gats 10 a:mine b:other",
        "gat 10 b:other",
        "set b:other 0 0 1\r\nx",
        "add b:new 0 0 1\r\nx",
        "replace b:other 0 0 1\r\nx",
        "append b:other 0 0 1\r\nx",
        "prepend b:other 0 0 1\r\nx",
        "cas b:other 0 0 1 1\r\nx",
        "incr b:other 1",
        "decr b:other 1",
        "touch b:other 10",
        "delete b:other",
        "mg b:other v",
        "mg b:other q v",
        "mg b:other",
        "mg b:other N10 v",
        "mg b:other T10",
        "me b:other",
        "ms b:other 1\r\nx",
        "ms b:other 1 MA\r\nx",
        "md b:other",
        "md b:other I T0",
        "ma b:other",
        "ma b:other N0 J5",
        "larder delete_prefix b:",
        "larder delete_prefix a",
        "lru_crawler metadump all",
        "lru_crawler metadump all b:",
        "lru_crawler metadump all a:",
        "lru_crawler mgdump all",
        "lru_crawler crawl all",
        "lru_crawler disable",
        "flush_all",
        "flush_all 5",
        "stats cachedump 3 100",
        "stats detail on",
        "stats detail dump",
        "stats hotkeys",
        "stats conns",
        "stats reset",
        "stats unknown",
        "stats r",
        "watch fetchers mutations",
        "verbosity 2",
        "cache_memlimit 128",
        "slabs automove 0",
        "slabs reassign 1 2",
        "lru mode flat",
        "shutdown",
        " flush_all",
    ];
    for request in requests {
        assert_eq!(replies(&mut client, request), format!("{FORBIDDEN};"), "{request:?}");
    }
    for request in [format!("mg {encoded} b v"), format!("md {encoded} b"), format!("ms {encoded} 1 b\r\nx")] {
        assert_eq!(replies(&mut client, &request), format!("{FORBIDDEN};"), "{request:?}");
    }
    for silent in ["set b:other 0 0 1 noreply\r\nx", "delete b:other noreply", "incr b:other 5 noreply"] {
        assert_eq!(replies(&mut client, silent), "", "{silent:?}");
    }
    expect_untouched(&server);
    for (request, reply) in [
        ("get a:mine", "VALUE a:mine 0 1;1;END;"),
        ("set a:mine 0 0 1\r\n5", "STORED;"),
        ("incr a:mine 1", "6;"),
        ("mg a:mine v", "VA 1;6;"),
        ("gat 0 a:mine", "VALUE a:mine 0 1;6;END;"),
        ("delete a:mine", "DELETED;"),
        ("larder delete_prefix a:", "DELETED 0;"),
        ("version", "VERSION 1.6.45;"),
    ] {
        assert_eq!(replies(&mut client, request), reply, "{request:?}");
    }
}

/// Such a line is answered key by key as it arrives.
#[test]
fn a_long_line_of_keys_keeps_to_the_prefix() {
    let server = stocked(&Users::usual());
    let mut client = text_client(&server, "bound");
    let line = format!("get {}b:other", "a:none ".repeat(5000));
    assert_eq!(replies(&mut client, &line), format!("{FORBIDDEN};"));
    assert_eq!(replies(&mut client, "get a:mine"), "VALUE a:mine 0 1;1;END;");
}

#[test]
fn binary_keeps_to_the_prefix() {
    let users = Users::usual();
    let server = stocked(&users);
    let mut play = binary_client(&server, "bound");
    let mut requests = Vec::new();
    for opcode in [0x00, 0x09, 0x0c, 0x0d, 0x04, 0x14] {
        requests.push(ask(opcode, "b:other"));
    }
    for opcode in [0x01, 0x02, 0x03, 0x11, 0x12, 0x13] {
        requests.push(store(opcode, "b:other", 0, 0, "x"));
    }
    for opcode in [0x0e, 0x0f, 0x19, 0x1a] {
        requests.push(ask(opcode, "b:other").value("x"));
    }
    for opcode in [0x05, 0x06, 0x15, 0x16] {
        requests.push(count(opcode, "b:other", 1, 1, 0));
    }
    for opcode in [0x1c, 0x1d, 0x1e, 0x23, 0x24] {
        requests.push(touch(opcode, "b:other", 10));
    }
    for opcode in [0x08, 0x18] {
        requests.push(ask(opcode, ""));
        requests.push(Request { extras: 9u32.to_be_bytes().into(), ..ask(opcode, "") });
    }
    for group in ["reset", "detail on", "detail dump", "conns", "nonsense"] {
        requests.push(ask(0x10, group));
    }
    for request in &requests {
        play.play(request).says(0x20, "Auth failure.");
    }
    play.expect_silence();
    expect_untouched(&server);
    play.play(&ask(0x00, "a:mine")).says(0, "1");
    assert_eq!(play.play(&store(0x01, "a:mine", 0, 0, "2")).status, 0);
}

#[test]
fn each_right_is_for_its_own_commands() {
    let users = Users::usual();
    users.add("reader", &["--rights", "read"]);
    users.add("writer", &["--rights", "write"]);
    users.add("warden", &["--rights", "admin"]);
    let server = stocked(&users);
    let denied = format!("{FORBIDDEN};");
    let cases = [
        ("get a:mine", "reader"),
        ("mg a:mine v", "reader"),
        ("me a:none", "reader"),
        ("set k 0 0 1\r\nx", "writer"),
        ("append k 0 0 1\r\nx", "writer"),
        ("touch a:mine 0", "writer"),
        ("delete nothing", "writer"),
        ("md nothing", "writer"),
        ("larder delete_prefix none", "writer"),
        ("incr a:mine 0", ""),
        ("gat 0 a:mine", ""),
        ("mg a:mine T0", ""),
        ("mg a:mine N0", ""),
        ("mg a:mine R0", ""),
        ("ma a:mine", ""),
        ("verbosity 0", "warden"),
        ("lru_crawler enable", "warden"),
        ("stats conns", "warden"),
        ("stats settings", "reader writer warden"),
        ("stats", "reader writer warden"),
        ("mn", "reader writer warden"),
    ];
    for user in ["reader", "writer", "warden"] {
        let mut client = text_client(&server, user);
        for (request, allowed) in cases {
            let reply = replies(&mut client, request);
            assert_eq!(reply != denied, allowed.split(' ').any(|name| name == user), "{user}: {request:?}: {reply}");
        }
    }
}

#[test]
fn failures_are_counted_for_their_user_by_any_mechanism() {
    let server = stocked(&Users::usual());
    let mut client = server.connect();
    log_in_by_set(&mut client, "app", "wrong");
    client.expect_line("CLIENT_ERROR authentication failure");
    let mut session = scram("SCRAM-SHA-256", "app", "wrong");
    let (_, first) = sasl_words(&mut client, Some("SCRAM-SHA-256"), &answer(&mut session, None));
    let (word, _) = sasl_words(&mut client, None, &answer(&mut session, Some(&first)));
    assert_eq!(word, "AUTH_ERROR authentication failure");
    let mut admin = text_client(&server, "admin");
    assert_eq!(admin.statistic("users", "app:failures").as_deref(), Some("2"));
    server.await_stderr("mechanism=SCRAM-SHA-256 user=\"app\"");
}

#[test]
fn counts_are_shown_to_administrators_and_to_oneself() {
    let users = Users::usual();
    users.add("per cent", &[]);
    let server = stocked(&users);
    let mut client = text_client(&server, "bound");
    assert_eq!(replies(&mut client, "get b:other"), format!("{FORBIDDEN};"));
    let own = client.statistics("users");
    let names: Vec<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["bound:logins", "bound:failures", "bound:requests", "bound:refusals"]);
    assert_eq!(own[0].1, "1");
    assert_eq!(own[3].1, "1");
    let mut admin = text_client(&server, "admin");
    let all = admin.statistics("users");
    for name in ["admin:logins", "app:logins", "bound:requests", "per%20cent:logins"] {
        assert!(all.iter().any(|(row, _)| row == name), "{name} is not in {all:?}");
    }
    let mut play = binary_client(&server, "bound");
    assert_eq!(play.play(&ask(0x10, "users")).key, b"bound:logins");
}

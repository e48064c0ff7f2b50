//! The command and its older form, over text and binary, before and after a login.

use crate::common::packet::{Play, ask, count, store, touch};
use crate::common::{Server, check_with};
use crate::stand::{Users, binary_client, text_client};
use crate::{NodesFile, list};

/// ElastiCache's opcodes.
const CONFIG_GET: u8 = 0x60;
const CONFIG_SET: u8 = 0x64;
const CONFIG_DELETE: u8 = 0x66;

const OLD_KEY: &str = "AmazonElastiCache:cluster";

const TEXT: &str = "version 12\nb.example 11212 10.0.0.2\na.example 11211\n";
const PAYLOAD: &str = "12\na.example||11211 b.example|10.0.0.2|11212\n";

#[test]
fn text_and_binary_tell_the_same_list() {
    let file = NodesFile::holding(TEXT);
    let server = Server::start(&["--cluster", &file.text()]);
    let mut client = server.connect();
    client.send("config get cluster\r\n");
    client.expect(format!("CONFIG cluster 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len()));
    client.send("config get cluster\n");
    client.expect(format!("CONFIG cluster 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len()));
    let value = format!("VALUE {OLD_KEY} 0 {}\r\n{PAYLOAD}\r\n", PAYLOAD.len());
    client.send(format!("get {OLD_KEY}\r\n"));
    client.expect(format!("{value}END\r\n"));
    client.send(format!("set k 0 0 1\r\nv\r\nget k {OLD_KEY} none {OLD_KEY}\r\n"));
    client.expect(format!("STORED\r\nVALUE k 0 1\r\nv\r\n{value}{value}END\r\n"));
    client.send(format!("gets {OLD_KEY}\r\n"));
    client.expect(format!("VALUE {OLD_KEY} 0 {} 12\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len()));

    let mut play = Play::on(&server);
    let reply = play.play(&ask(CONFIG_GET, "cluster"));
    reply.says(0, PAYLOAD);
    assert_eq!(reply.extras, [0; 4], "ElastiCache's client in Java skips four bytes");
    for (opcode, key) in [(0x00, ""), (0x09, ""), (0x0c, OLD_KEY), (0x0d, OLD_KEY)] {
        let reply = play.play(&ask(opcode, OLD_KEY));
        reply.says(0, PAYLOAD);
        assert_eq!((String::from_utf8_lossy(&reply.key).as_ref(), reply.cas), (key, 12));
    }
}

#[test]
fn other_words_are_refused() {
    let file = NodesFile::holding(TEXT);
    let server = Server::start(&["--cluster", &file.text()]);
    let mut client = server.connect();
    for (line, reply) in [
        ("config get", "ERROR"),
        ("config get other", "CLIENT_ERROR unknown config key"),
        ("config get CLUSTER", "CLIENT_ERROR unknown config key"),
        ("config get cluster now", "ERROR"),
        ("config set cluster 0 3", "ERROR"),
        ("config delete cluster", "ERROR"),
        ("config", "ERROR"),
    ] {
        client.send_line(line);
        client.expect_line(reply);
    }
    let mut play = Play::on(&server);
    play.play(&ask(CONFIG_GET, "other")).says(1, "Not found");
    play.play(&ask(CONFIG_GET, "")).says(1, "Not found");
    play.play(&ask(CONFIG_SET, "cluster").value("12\nevil||1\n")).says(0x81, "Unknown command");
    play.play(&ask(CONFIG_DELETE, "cluster")).says(0x81, "Unknown command");
    play.play(&ask(CONFIG_GET, "cluster").value("superfluous")).says(0, PAYLOAD);
    play.expect_silence();
}

#[test]
fn without_a_list_there_is_no_such_command() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send(format!("config get cluster\r\nget {OLD_KEY}\r\nset {OLD_KEY} 0 0 1\r\nv\r\nget {OLD_KEY}\r\n"));
    client.expect(format!("ERROR\r\nEND\r\nSTORED\r\nVALUE {OLD_KEY} 0 1\r\nv\r\nEND\r\n"));
    assert_eq!(client.statistic("", "cmd_config_get"), None);
    let mut play = Play::on(&server);
    for request in [ask(CONFIG_GET, "cluster"), ask(CONFIG_GET, ""), ask(CONFIG_GET, "x").value("value")] {
        play.play(&request).says(0x81, "Unknown command");
    }
    play.expect_silence();
}

#[test]
fn nobody_writes_the_old_key() {
    let file = NodesFile::holding(TEXT);
    let server = Server::start(&["--cluster", &file.text()]);
    check_with(
        &["--cluster", &file.text()],
        "
        > set AmazonElastiCache:cluster 0 0 1
        > v
        < CLIENT_ERROR unauthorized
        > set AmazonElastiCache:cluster 0 0 1 noreply
        > v
        > add AmazonElastiCache:cluster 0 0 1
        > v
        < CLIENT_ERROR unauthorized
        > append AmazonElastiCache:cluster 0 0 1
        > v
        < CLIENT_ERROR unauthorized
        > cas AmazonElastiCache:cluster 0 0 1 12
        > v
        < CLIENT_ERROR unauthorized
        > delete AmazonElastiCache:cluster
        < CLIENT_ERROR unauthorized
        > delete AmazonElastiCache:cluster noreply
        > incr AmazonElastiCache:cluster 1
        < CLIENT_ERROR unauthorized
        > touch AmazonElastiCache:cluster 1
        < CLIENT_ERROR unauthorized
        > gat 1 k AmazonElastiCache:cluster
        < CLIENT_ERROR unauthorized
        > ms AmazonElastiCache:cluster 1
        > v
        < CLIENT_ERROR unauthorized
        > ms QW1hem9uRWxhc3RpQ2FjaGU6Y2x1c3Rlcg== 1 b
        > v
        < CLIENT_ERROR unauthorized
        > md AmazonElastiCache:cluster
        < CLIENT_ERROR unauthorized
        > ma AmazonElastiCache:cluster N0
        < CLIENT_ERROR unauthorized
        > mg AmazonElastiCache:cluster v N30
        < CLIENT_ERROR unauthorized
        > mg AmazonElastiCache:cluster v
        < EN
        > mn
        < MN
        ",
    );
    let mut play = Play::on(&server);
    for request in [
        store(0x01, OLD_KEY, 0, 0, "v"),
        store(0x11, OLD_KEY, 0, 0, "v"),
        store(0x02, OLD_KEY, 0, 0, "v"),
        ask(0x0e, OLD_KEY).value("v"),
        ask(0x04, OLD_KEY),
        count(0x05, OLD_KEY, 1, 1, 0),
        touch(0x1c, OLD_KEY, 1),
        touch(0x1d, OLD_KEY, 1),
    ] {
        play.play(&request).says(0x20, "Auth failure.");
    }
    play.expect_silence();
    let mut client = server.connect();
    assert_eq!(client.statistic("", "curr_items").as_deref(), Some("0"));
    client.send(format!("get {OLD_KEY}\r\n"));
    client.expect(format!("VALUE {OLD_KEY} 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len()));
}

#[test]
fn an_item_of_the_old_key_does_not_outlive_a_restart() {
    let file = NodesFile::holding(TEXT);
    let memory = file.directory.path().join("memory");
    let memory = memory.to_str().expect("UTF-8");
    let mut server = Server::start(&["-e", memory]);
    let mut client = server.connect();
    client.send(format!("set {OLD_KEY} 0 0 1\r\nv\r\nset k 0 0 1\r\nv\r\n"));
    client.expect("STORED\r\nSTORED\r\n");
    server.signal(rustix::process::Signal::TERM);
    assert!(server.await_exit().success());
    let server = Server::start(&["-e", memory, "--cluster", &file.text()]);
    let mut client = server.connect();
    client.send(format!("get k {OLD_KEY}\r\n"));
    client.expect(format!("VALUE k 0 1\r\nv\r\nVALUE {OLD_KEY} 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len()));
}

#[test]
fn whoever_has_logged_in_is_told() {
    let file = NodesFile::holding(TEXT);
    let users = Users::usual();
    let server = users.serve(&["--cluster", &file.text(), "--allow-plain"]);
    let mut stranger = server.connect();
    for line in ["config get cluster".to_owned(), format!("get {OLD_KEY}"), "version".to_owned()] {
        stranger.send_line(line);
        stranger.expect_line("CLIENT_ERROR unauthenticated");
    }
    let mut play = Play::on(&server);
    play.play(&ask(CONFIG_GET, "cluster")).says(0x20, "Auth failure.");
    play.client.expect_closed();
    // Whose prefix it has not.
    let mut client = text_client(&server, "bound");
    assert_eq!(list(&mut client), (12, "a.example||11211 b.example|10.0.0.2|11212".to_owned()));
    client.send(format!("get {OLD_KEY}\r\nget {OLD_KEY} b:k\r\nset {OLD_KEY} 0 0 1\r\nv\r\n"));
    let value = format!("VALUE {OLD_KEY} 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len());
    client.expect(format!("{value}CLIENT_ERROR unauthorized\r\nCLIENT_ERROR unauthorized\r\n"));
    let mut play = binary_client(&server, "bound");
    play.play(&ask(CONFIG_GET, "cluster")).says(0, PAYLOAD);
    play.play(&ask(0x00, OLD_KEY)).says(0, PAYLOAD);
    play.play(&touch(0x1d, OLD_KEY, 1)).says(0x20, "Auth failure.");
    // Who may write everything may not write this.
    let mut client = text_client(&server, "admin");
    client.send(format!("set {OLD_KEY} 0 0 1\r\nv\r\n"));
    client.expect_line("CLIENT_ERROR unauthorized");
}

#[test]
fn strangers_are_told_where_the_operator_says_so() {
    let file = NodesFile::holding(TEXT);
    let server = Users::usual().serve(&["--cluster", &file.text(), "--cluster-before-login"]);
    let mut stranger = server.connect();
    assert_eq!(list(&mut stranger).0, 12);
    stranger.send(format!("version\r\nget {OLD_KEY}\r\n"));
    let value = format!("VALUE {OLD_KEY} 0 {}\r\n{PAYLOAD}\r\nEND\r\n", PAYLOAD.len());
    stranger.expect(format!("VERSION 1.6.45\r\n{value}"));
    for line in
        ["get k", "stats", "mn   ", "config set cluster", "get k AmazonElastiCache:cluster", "delete k", "flush_all"]
    {
        stranger.send_line(line);
        stranger.expect_line("CLIENT_ERROR unauthenticated");
    }
    stranger.send_line("config get other");
    stranger.expect_line("CLIENT_ERROR unknown config key");
    let mut play = Play::on(&server);
    play.play(&ask(CONFIG_GET, "cluster")).says(0, PAYLOAD);
    play.play(&ask(0x0b, "")).says(0, "1.6.45");
    play.play(&ask(0x00, OLD_KEY)).says(0x20, "Auth failure.");
    play.client.expect_closed();
}

#[test]
fn questions_are_counted() {
    let file = NodesFile::holding(TEXT);
    let server = Server::start(&["--cluster", &file.text()]);
    let mut client = server.connect();
    list(&mut client);
    client.send(format!("get {OLD_KEY}\r\nconfig get other\r\n"));
    client.take_through(b"CLIENT_ERROR unknown config key\r\n");
    Play::on(&server).play(&ask(CONFIG_GET, "cluster")).says(0, PAYLOAD);
    let mut row = |name: &str| client.statistic("", name).expect(name);
    let rows = ["cmd_config_get", "cluster_version", "cluster_nodes", "cluster_failures"].map(&mut row);
    assert_eq!(rows, ["4", "12", "2", "0"]);
    client.send_line("stats reset");
    client.expect_line("RESET");
    assert_eq!(client.statistic("", "cmd_config_get").as_deref(), Some("0"));
}

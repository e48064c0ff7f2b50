//! Users in memcached's own formats.

use std::process::{Command, Stdio};

use crate::common::Server;
use crate::common::packet::{Play, ask};
use crate::stand::{AUTH, LIST, log_in_by_set, plain, private_file, say};

#[test]
fn dash_y_reads_memcacheds_file() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = directory.path().join("auth");
    let many: String = (0..20).map(|number| format!("user{number}:pass{number}\n")).collect();
    private_file(&path, &format!("foo:bar\ncolon:a:b c\n{many}last:line"));
    let server = Server::start(&["-Y", path.to_str().expect("UTF-8")]);
    for (user, password) in [("foo", "bar"), ("colon", "a:b c"), ("user19", "pass19"), ("last", "line")] {
        let mut client = server.connect();
        log_in_by_set(&mut client, user, "b");
        client.expect_line("CLIENT_ERROR authentication failure");
        log_in_by_set(&mut client, user, password);
        client.expect_line("STORED");
        client.send_line("flush_all");
        client.expect_line("OK");
    }
    let mut client = server.connect();
    log_in_by_set(&mut client, "colon", "a");
    client.expect_line("CLIENT_ERROR authentication failure");
    // Text alone, as in memcached.
    let mut play = Play::on(&server);
    play.send(&ask(LIST, ""));
    play.client.expect_closed();
}

/// The variables are read at start; a server of its own process gets them.
fn with_environment(variables: &[(&str, &str)], arguments: &[&str]) -> (std::process::Child, Play) {
    let directory = tempfile::tempdir().expect("a new directory");
    let ports = directory.path().join("ports");
    let mut command = Command::new(crate::common::server_path());
    command.args(["-l", "127.0.0.1", "-p", "-1", "-u", "root"]).args(arguments).env("MEMCACHED_PORT_FILENAME", &ports);
    let mut child = command.envs(variables.iter().copied()).stderr(Stdio::null()).spawn().expect("it starts");
    let since = std::time::Instant::now();
    let port = loop {
        let text = std::fs::read_to_string(&ports).unwrap_or_default();
        if let Some(port) = text.lines().find_map(|line| line.strip_prefix("TCP INET: ")?.parse::<u16>().ok()) {
            break port;
        }
        assert_eq!(child.try_wait().expect("our child"), None, "it ended while starting");
        assert!(since.elapsed() < crate::common::DEADLINE, "it does not start");
        std::thread::sleep(crate::common::POLL_INTERVAL);
    };
    let play = Play::to(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    (child, play)
}

#[test]
fn the_password_database_and_the_mechanisms_of_cyrus_are_found() {
    let directory = tempfile::tempdir().expect("a new directory");
    let database = directory.path().join("pwdb");
    private_file(&database, "testuser:testpass\ncolon:a:b c\n");
    private_file(&directory.path().join("memcached.conf"), "# ours\nmech_list: plain scram-sha-256\n");
    let variables = [
        ("MEMCACHED_SASL_PWDB", database.to_str().expect("UTF-8")),
        ("SASL_CONF_PATH", directory.path().to_str().expect("UTF-8")),
    ];
    let (mut child, mut play) = with_environment(&variables, &["-S"]);
    play.play(&ask(LIST, "")).says(0, "PLAIN SCRAM-SHA-256");
    say(&mut play, AUTH, "PLAIN", plain("testuser", "testpas")).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", plain("testuser", "testpass1")).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", plain("colon", "a")).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", plain("colon", "a:b c")).says(0, "Authenticated");
    say(&mut play, AUTH, "PLAIN", plain("testuser", "testpass")).says(0, "Authenticated");
    child.kill().expect("our child");
    child.wait().expect("our child");
}

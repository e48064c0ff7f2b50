//! memcached's published vulnerabilities in logins (`docs/security.md`), and the like of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::packet::{Play, ask, store};
use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server, server_path};
use crate::stand::{AUTH, PASSWORD, STEP, Users, log_in_by_set, plain, private_file, say, text_client};

const AUTH_FAILED: u16 = 0x20;

/// CVE-2013-7239: a login that was no login, and a wrong one behind it, let a client in.
#[test]
fn no_sequence_of_failures_lets_anyone_in() {
    let server = Users::usual().serve(&[]);
    text_client(&server, "app").send("set k 0 0 1\r\nv\r\n");
    let wrong = plain("app", "wrong");
    let steps: [(u8, &str, &[u8]); 6] = [
        (AUTH, "PLAIN", b""),
        (AUTH, "NOSUCH", b"\0app\0wrong"),
        (STEP, "PLAIN", &wrong),
        (AUTH, "PLAIN", b"\0\0"),
        (AUTH, "SCRAM-SHA-256", b"n,,n=app,r=abcdefgh"),
        (AUTH, "PLAIN", &wrong),
    ];
    for (first_opcode, first_name, first) in &steps {
        for (opcode, name, second) in &steps {
            let mut play = Play::on(&server);
            assert_ne!(say(&mut play, *first_opcode, first_name, first).status, 0, "{first_name}");
            assert_ne!(say(&mut play, *opcode, name, second).status, 0, "{first_name}, {name}");
            assert_eq!(play.play(&ask(0x00, "k")).status, AUTH_FAILED, "{first_name}, {name}");
            play.client.expect_closed();
        }
    }
}

/// CVE-2026-47783, CVE-2026-47784: who is right in the name, or in half of the password, is told so by the time that
/// passes. A failure is told after a fixed time whatever it was; by what is compared in it, it is no different.
#[test]
fn failures_look_alike_and_come_late() {
    const FAILURE_DELAY: Duration = Duration::from_millis(100);
    let users = Users::usual();
    users.add("sole", &[]);
    let server = users.serve(&[]);
    let almost = &PASSWORD[..PASSWORD.len() - 1];
    let longer = format!("{PASSWORD}x");
    let attempts = [("nobody", PASSWORD), ("sole", "x"), ("sole", almost), ("sole", &longer), ("sol", PASSWORD)];
    for (name, password) in attempts {
        let mut client = server.connect();
        let since = Instant::now();
        log_in_by_set(&mut client, name, password);
        client.expect_line("CLIENT_ERROR authentication failure");
        assert!(since.elapsed() >= FAILURE_DELAY, "{name} {password:?}");
        let mut play = Play::on(&server);
        let since = Instant::now();
        say(&mut play, AUTH, "PLAIN", plain(name, password)).says(AUTH_FAILED, "Auth failure.");
        assert!(since.elapsed() >= FAILURE_DELAY, "{name} {password:?}");
    }
}

/// A server of memcached's `-Y`.
fn with_auth_file(directory: &tempfile::TempDir) -> Server {
    let path = directory.path().join("auth");
    private_file(&path, "app:secret\n");
    Server::start(&["-Y", path.to_str().expect("UTF-8")])
}

fn logged_in(server: &Server) -> Client {
    let mut client = server.connect();
    log_in_by_set(&mut client, "app", "secret");
    client.expect_line("STORED");
    client
}

/// CVE-2026-90698: lines of no or one byte before a login. And, without a number, announced logins of any length.
#[test]
fn lines_too_short_for_a_login_and_logins_too_long_are_refused() {
    let directory = tempfile::tempdir().expect("a new directory");
    let server = with_auth_file(&directory);
    let mut friend = logged_in(&server);
    friend.send(b"set k 0 0 1\r\nv\r\n");
    friend.expect_line("STORED");
    for line in ["\n", "\r\n", " \n", "s\n", "\0\n", "\r\r\n", "se\r\n", "set\r\n", "set \r\n", "set x\r\n"] {
        let mut client = server.connect();
        client.send(line.repeat(3000));
        client.finish_sending();
        // Errors, or the end; never anything else.
        while let Some(reply) = client.next_line() {
            assert!(reply.starts_with(b"CLIENT_ERROR") || reply.starts_with(b"ERROR"), "{line:?}: {reply:?}");
        }
    }
    for length in ["-1", "0", "1", "16385", "1048576", "2147483647", "4294967295", "18446744073709551616"] {
        let mut client = server.connect();
        client.send(format!("set x 0 0 {length}\r\n"));
        client.finish_sending();
        while let Some(reply) = client.next_line() {
            assert!(reply.starts_with(b"CLIENT_ERROR"), "{length}: {reply:?}");
        }
    }
    friend.send_line("get k");
    friend.expect("VALUE k 0 1\r\nv\r\nEND\r\n");
}

/// Without a number; mended in memcached 1.6.43: `-l` could name a protocol that did not ask for the login of `-Y`.
#[test]
fn a_listener_of_another_protocol_is_no_way_round_the_login() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = directory.path().join("auth");
    private_file(&path, "app:secret\n");
    let auth_file = path.to_str().expect("UTF-8");
    let (status, printed) = start_and_end(&["-Y", auth_file, "-l", "proto[binary]:127.0.0.1", "-p", "-1"]);
    assert_eq!(status, Some(64), "{printed}");
    assert!(printed.contains("-Y does not go with the binary protocol"), "{printed}");
    // Whatever is spoken on a listener that takes both.
    let server = Users::usual().serve(&["-B", "auto"]);
    let mut play = Play::on(&server);
    play.play(&store(0x01, "k", 0, 0, "v")).says(AUTH_FAILED, "Auth failure.");
}

/// CVE-2021-37519: a users file whose last line has no end, or lines longer than the reader's buffer.
#[test]
fn broken_files_of_users_are_refused_with_a_line() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = directory.path().join("auth");
    let files = [
        "x".repeat(70_000),
        format!("{}:p", "u".repeat(70_000)),
        format!("u:{}", "p".repeat(70_000)),
        "no colon at the end of the file".to_owned(),
        "\0".repeat(300),
        "u\0:p".to_owned(),
        ":".repeat(255),
        format!("{}u:", "u:p\n"),
    ];
    for file in files {
        private_file(&path, &file);
        let shown: String = file.chars().take(40).collect();
        let (status, printed) = start_and_end(&["-Y", path.to_str().expect("UTF-8"), "-p", "-1"]);
        assert_eq!(status, Some(1), "{shown:?}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{shown:?}: {printed}");
        assert!(printed.contains("auth") && printed.len() < 1000, "{shown:?}: {printed}");
    }
}

/// A server that ought not to start: its status, and what it printed.
fn start_and_end(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(server_path());
    command.args(arguments).args(["-u", "root"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let since = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if since.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("it serves: {arguments:?}");
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    let output = child.wait_with_output().expect("it has ended");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

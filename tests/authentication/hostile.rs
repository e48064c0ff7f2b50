//! Clients that mean harm: the server lives, others are served, nothing is given away.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::common::Client;
use crate::common::packet::{Play, ask, header, store};
use crate::stand::{AUTH, PASSWORD, STEP, Users, binary_client, log_in_by_set, plain, say, text_client};

/// Each of these made rsasl panic or go on with a session that was over (its traps are tested one by one in
/// `auth::sasl`); here they come over a socket.
#[test]
fn malformed_scram_ends_the_handshake_and_nothing_else() {
    let server = Users::usual().serve(&[]);
    let mut admin = text_client(&server, "admin");
    let firsts = ["", "n", "n,,", "n,x,n=u,r=a", "n,,n,r=a", "n,,n=u,", "p=x,,n=app,r=a", "n,,n=a=b,r=c", "\0\0\0"];
    for first in firsts {
        let mut play = Play::on(&server);
        let reply = say(&mut play, AUTH, "SCRAM-SHA-256", first);
        assert!(matches!(reply.status, 0x20 | 0x21), "{first:?}: {reply:?}");
        assert_eq!(say(&mut play, STEP, "SCRAM-SHA-256", "x").status, 0x20, "{first:?}");
    }
    for last in ["", "c", "c=biws", "c=biws,r=x", "c=biws,r=x,p=AAA,", "c=biws,r=x,p=AAA,x", "p=,,,", "c=,r=,p="] {
        let mut play = Play::on(&server);
        assert_eq!(say(&mut play, AUTH, "SCRAM-SHA-256", "n,,n=app,r=abcdefgh").status, 0x21);
        say(&mut play, STEP, "SCRAM-SHA-256", last).says(0x20, "Auth failure.");
        say(&mut play, STEP, "SCRAM-SHA-256", last).says(0x20, "Auth failure.");
    }
    admin.send_line("mn");
    admin.expect_line("MN");
}

/// A page that a browser shows can have it send such a request; the body must not be taken for lines of ours.
#[test]
fn a_browser_cannot_be_made_to_log_in() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: cache\r\nContent-Length: 40\r\n\r\n");
    log_in_by_set(&mut client, "app", PASSWORD);
    client.expect_closed();
}

/// Were the connection closed at once, what such a client writes next would fail, and it would never look for a reply.
#[test]
fn a_refusal_reaches_a_client_that_is_still_writing() {
    /// So long the server waits for the rest of a request that it has refused.
    const LINGER_TIME_MAX: Duration = Duration::from_secs(1);
    let server = Users::usual().serve(&[]);
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address()).expect("the server accepts connections");
        let set = store(0x01, "k", 0, 0, "value").bytes(0);
        let since = Instant::now();
        stream.write_all(&set[..24]).expect("the server reads");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("a reply and the end of replies");
        assert!(reply.ends_with(b"Auth failure."), "{}", reply.escape_ascii());
        for rest in [&set[24..32], &set[32..]] {
            let written = stream.write_all(rest);
            // Its time can be over where this machine has something else to do.
            assert!(written.is_ok() || since.elapsed() >= LINGER_TIME_MAX, "not thrown away: {written:?}");
        }
    }
}

#[test]
fn whoever_does_not_go_when_refused_is_cut_off() {
    let server = Users::usual().serve(&[]);
    let mut admin = text_client(&server, "admin");
    let refused = || {
        let mut stream = TcpStream::connect(server.address()).expect("the server accepts connections");
        stream.write_all(&header(0x01, 1, 8, 50_000_000, 7, 0)).expect("the server reads");
        stream.read_to_end(&mut Vec::new()).expect("a reply and the end of replies");
        stream
    };
    let silent: Vec<TcpStream> = (0..50).map(|_| refused()).collect();
    let mut writer = refused();
    let chunks = (0..800).take_while(|_| writer.write_all(&[b'x'; 64 << 10]).is_ok()).count();
    assert!(chunks < 800, "the server reads all of it");
    admin.await_statistic("curr_connections", "1");
    drop(silent);
}

#[test]
fn unknown_users_get_the_same_salt_each_time() {
    let server = Users::usual().serve(&[]);
    let salt = |user: &str| {
        let mut play = Play::on(&server);
        let reply = say(&mut play, AUTH, "SCRAM-SHA-256", format!("n,,n={user},r=abcdefgh"));
        assert_eq!(reply.status, 0x21);
        let text = String::from_utf8(reply.value).expect("text");
        text.split_once(',').expect("nonce, then salt and iterations").1.to_owned()
    };
    assert_eq!(salt("nobody"), salt("nobody"));
    assert_ne!(salt("nobody"), salt("somebody"));
    let iterations = |text: &str| text.split_once(",i=").map(|(_, count)| count.to_owned());
    assert_eq!(iterations(&salt("nobody")), iterations(&salt("app")));
}

#[test]
fn secrets_and_strange_names_are_not_in_the_log() {
    let server = Users::usual().serve(&["-vv"]);
    let mut client = server.connect();
    log_in_by_set(&mut client, "app", "hunter2hunter2");
    client.expect_line("CLIENT_ERROR authentication failure");
    log_in_by_set(&mut client, "evil\u{1b}[31mname", "hunter2hunter2");
    client.expect_line("CLIENT_ERROR authentication failure");
    let mut play = binary_client(&server, "app");
    say(&mut play, AUTH, "PLAIN", plain("app", "hunter2hunter2")).says(0x20, "Auth failure.");
    server.await_stderr("login failed");
    let log = server.stderr();
    assert!(!log.contains("hunter2") && !log.contains(PASSWORD), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

/// They announce much, and some of it comes.
#[test]
fn unfinished_logins_hold_no_memory_to_speak_of() {
    let server = Users::usual().serve(&["-m", "64"]);
    text_client(&server, "app");
    let before = server.memory_bytes("VmRSS");
    let mut clients: Vec<Client> = Vec::new();
    for number in 0..200 {
        let mut client = server.connect();
        if number % 2 == 0 {
            client.send([b"sasl auth PLAIN 16384\r\n".to_vec(), vec![b'x'; 16_000]].concat());
        } else {
            client.send(ask(AUTH, "PLAIN").value(vec![b'x'; 500_000]).bytes(1).split_at(16_000).0);
        }
        clients.push(client);
    }
    let mut app = text_client(&server, "app");
    app.send("set k 0 0 1\r\nv\r\nget k\r\n");
    app.expect("STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
    let grown = server.memory_bytes("VmRSS").saturating_sub(before);
    assert!(grown < 16 << 20, "200 unfinished logins hold {grown} bytes");
    drop(clients);
}

#[test]
fn a_flood_of_wrong_passwords_leaves_the_others_alone() {
    let server = Users::usual().serve(&[]);
    let mut app = text_client(&server, "app");
    let mut attackers: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    for attacker in &mut attackers {
        for number in 0..20 {
            log_in_by_set(attacker, "app", &format!("guess{number}"));
        }
    }
    for _ in 0..100 {
        app.send_line("get k");
        app.expect_line("END");
    }
    // Who was right a moment ago comes in at once.
    text_client(&server, "app");
    // The tenth failure closes a connection, or an earlier one when the address has failed too often.
    for attacker in &mut attackers {
        let mut failures = 0;
        while let Some(line) = attacker.next_line() {
            assert_eq!(line, b"CLIENT_ERROR authentication failure\r");
            failures += 1;
        }
        assert!((1..=10).contains(&failures), "{failures} failures");
    }
}

//! Which certificates are asked for and shown, and what happens when they change.

use std::process::{Command, Output};
use std::sync::Arc;

use rustix::process::{Signal, geteuid};
use rustls::version::{TLS12, TLS13};

use crate::common::{Server, server_path};
use crate::stand::{Authority, Identity, Stand, Tls, der};

/// The first line of an answer, or nothing for a connection that is refused.
fn ask(stand: &Stand, server: &Server, own: Option<&Identity>) -> Option<String> {
    let mut answers = [&TLS12, &TLS13].map(|version| {
        let config = Arc::new(stand.client(&[version], own));
        Tls::begin(&config, server.address()).ask().ok()
    });
    assert_eq!(answers[0], answers[1], "both versions are alike");
    answers[0].take()
}

#[test]
fn clients_show_what_the_listener_asks_for() {
    let stand = Stand::new();
    let (good, stranger) = (stand.authority.issue("client"), Authority::new("another").issue("client"));
    let expired = stand.authority.issue_until("client", 2020);
    let server = |words: &[&str]| stand.serve(",ssl_ca_cert={ca}", words);
    // none, good, of another authority, expired
    for (words, served) in [
        (&[][..], [true, true, true, true]),
        (&["-o", "ssl_verify_mode=1"], [true, true, false, false]),
        (&["-o", "ssl_verify_mode=2"], [false, true, false, false]),
        (&["-o", "ssl_verify_mode=3"], [false, true, false, false]),
        (&["-o", "ssl_verify_mode=2", "-l", "btls:127.0.0.1:0"], [true, true, true, true]),
        (&["-l", "mtls:127.0.0.1:0"], [false, true, false, false]),
    ] {
        let server = if words.contains(&"-l") { start_alone(&stand, words) } else { server(words) };
        for (own, expected) in [None, Some(&good), Some(&stranger), Some(&expired)].into_iter().zip(served) {
            let answer = ask(&stand, &server, own);
            assert_eq!(answer.as_deref(), expected.then_some("MN\r\n"), "{words:?} {:?}", own.is_some());
        }
    }
}

/// A server that listens nowhere but where `words` say.
fn start_alone(stand: &Stand, words: &[&str]) -> Server {
    let tls = stand.words(",ssl_ca_cert={ca}");
    let all: Vec<&str> = tls.iter().map(String::as_str).chain(words.iter().copied()).collect();
    Server::start_listening(&all)
}

#[test]
fn without_authorities_nobody_passes_where_certificates_are_demanded() {
    let stand = Stand::new();
    let words = stand.words("");
    let all: Vec<&str> = words.iter().map(String::as_str).chain(["-l", "mtls:127.0.0.1:0"]).collect();
    let server = Server::start_listening(&all);
    server.await_stderr("mtls: nobody can connect");
    assert_eq!(ask(&stand, &server, None), None);
    assert_eq!(ask(&stand, &server, Some(&stand.authority.issue("client"))), None);
}

/// A second connection with the same configuration, which keeps sessions.
fn is_resumed(stand: &Stand, server: &Server, version: &'static rustls::SupportedProtocolVersion) -> bool {
    let config = Arc::new(stand.client(&[version], None));
    let resumed = [(); 2].map(|()| {
        let mut tls = Tls::begin(&config, server.address());
        tls.ask().expect("served");
        tls.is_resumed()
    });
    assert!(!resumed[0]);
    resumed[1]
}

#[test]
fn sessions_resume_where_they_are_asked_to() {
    let stand = Stand::new();
    for version in [&TLS12, &TLS13] {
        let server = stand.serve("", &[]);
        assert!(!is_resumed(&stand, &server, version));
        assert_eq!(stand.connect(&server).statistic("", "ssl_new_sessions"), None);
        let server = stand.serve(",ssl_session_cache", &[]);
        assert!(is_resumed(&stand, &server, version));
        assert_eq!(stand.connect(&server).statistic("", "ssl_new_sessions").as_deref(), Some("2"), "one is new: ours");
    }
}

/// Otherwise whoever may connect to the one could connect to the other.
#[test]
fn sessions_do_not_lead_from_a_listener_without_certificates_to_one_that_demands_them() {
    let stand = Stand::new();
    let words = stand.words(",ssl_session_cache,ssl_ca_cert={ca}");
    let listen = ["-l", "btls:127.0.0.1:0", "-l", "mtls:127.0.0.2:0"];
    let all: Vec<&str> = words.iter().map(String::as_str).chain(listen).collect();
    let server = Server::start_listening(&all);
    let mutual = server.tcp_addresses()[1];
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(stand.client(&[version], None));
        assert_eq!(Tls::begin(&config, server.address()).ask().expect("served"), "MN\r\n");
        assert!(Tls::begin(&config, mutual).ask().is_err(), "no certificate was ever shown");
        assert!(is_resumed(&stand, &server, version), "and yet sessions do resume");
    }
}

/// What a new connection is shown.
fn shown(stand: &Stand, server: &Server) -> Vec<u8> {
    let mut tls = Tls::begin(&Arc::new(stand.client(&[&TLS13], None)), server.address());
    tls.ask().expect("served");
    tls.server_certificate()
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_alone() {
    let stand = Stand::new();
    let server = stand.serve("", &[]);
    let mut old = Tls::begin(&Arc::new(stand.client(&[&TLS13], None)), server.address());
    old.ask().expect("served");
    let mut control = stand.connect(&server);

    let second = stand.authority.issue("second");
    stand.install(&second);
    control.send_line("refresh_certs");
    control.expect_line("OK");
    assert_eq!(shown(&stand, &server), der(&second));

    let third = stand.authority.issue("third");
    stand.install(&third);
    server.signal(Signal::HUP);
    await_shown(&stand, &server, &third);

    let fourth = stand.authority.issue("fourth");
    stand.install(&fourth);
    await_shown(&stand, &server, &fourth);

    old.ask().expect("still served");
    assert_ne!(old.server_certificate(), der(&fourth));
}

fn await_shown(stand: &Stand, server: &Server, identity: &Identity) {
    let since = std::time::Instant::now();
    while shown(stand, server) != der(identity) {
        assert!(since.elapsed() < crate::common::DEADLINE, "the new certificate is never shown");
        std::thread::sleep(crate::common::POLL_INTERVAL);
    }
}

#[test]
fn files_that_will_not_do_leave_everything_as_it_was() {
    let stand = Stand::new();
    let first = stand.authority.issue("first");
    stand.install(&first);
    let server = stand.serve("", &[]);
    let mut control = stand.connect(&server);
    stand.write("cert", &stand.authority.issue("of another key").certificate);
    control.send_line("refresh_certs");
    let answer = String::from_utf8(control.line()).expect("text");
    assert!(answer.contains("key: is not the key of the certificate in ssl_chain_cert"), "{answer}");
    server.await_stderr("certificates stay as they were: ssl_key=");
    stand.write("cert", "nothing");
    control.send_line("refresh_certs");
    let answer = String::from_utf8(control.line()).expect("text");
    assert!(answer.contains("cert: has no certificate"), "{answer}");
    assert_eq!(shown(&stand, &server), der(&first));
}

#[test]
fn without_tls_there_is_nothing_to_refresh() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send_line("refresh_certs");
    client.expect_line("Error TLS not enabled");
}

/// The end of a server that must not start.
fn refusal(words: &[String]) -> String {
    let mut command = Command::new(server_path());
    command.args(["-l", "127.0.0.1", "-p", "-1"]).args(words);
    if geteuid().is_root() {
        command.args(["-u", "root"]);
    }
    let Output { status, stderr, .. } = command.output().expect("it runs");
    assert_eq!(status.code(), Some(64));
    String::from_utf8(stderr).expect("text")
}

#[test]
fn a_start_without_a_good_certificate_says_what_is_wrong() {
    let stand = Stand::new();
    let good = stand.authority.issue("server");
    let line = |cert: Option<&str>, key: Option<&str>| {
        for (name, text) in [("cert", cert), ("key", key)] {
            match text {
                Some(text) => stand.write(name, text),
                None => std::fs::remove_file(stand.path(name)).expect("it was there"),
            }
        }
        let line = refusal(&stand.words(""));
        // The last line, as there may be warnings before.
        line.lines().last().unwrap_or_default().replace(&format!("{}/", stand.path("").display()), "")
    };
    let expired = stand.authority.issue_until("server", 2020);
    for (cert, key, expected) in [
        (Some("nothing"), Some(good.key.as_str()), "cert: has no certificate; give"),
        (Some(good.certificate.as_str()), Some("nothing"), "key: has no private key as PEM: "),
        (Some(&good.certificate), Some(&expired.key), "key: is not the key of the certificate in ssl_chain_cert;"),
        (Some(&expired.certificate), Some(&expired.key), "cert: its first certificate was good until "),
        (Some(&good.certificate), None, "key: cannot be read: No such file"),
    ] {
        let line = line(cert, key);
        assert!(line.contains(expected), "{line}\nexpected {expected}");
        if key.is_none() {
            stand.write("key", "");
        }
    }
    stand.install(&good);
    let line = refusal(&stand.words(",ssl_verify_mode=2"));
    assert!(line.contains("-o ssl_verify_mode=2 needs authorities"), "{line}");
}

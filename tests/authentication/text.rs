//! Logins over text: memcached's by `set`, ours by `ms`, and SASL in words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::common::Server;
use crate::stand::{PASSWORD, Users, answer, log_in_by_set, plain, sasl_words, scram, text_client};

#[test]
fn before_a_login_every_line_is_refused() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    for line in [
        "get key",
        "version",
        "stats",
        "set a 0 0",
        "set a 0 0 -1",
        "add a 0 0 1",
        "mg key",
        "flush_all",
        "shutdown",
        "watch fetchers",
    ] {
        client.send_line(line);
        client.expect_line("CLIENT_ERROR unauthenticated");
    }
    client.send_line("quit");
    client.expect_closed();
}

#[test]
fn a_set_carries_user_and_password() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    for (user, password) in [("app", "wrong"), ("nobody", PASSWORD), ("app", ""), ("app", "pass")] {
        log_in_by_set(&mut client, user, password);
        client.expect_line("CLIENT_ERROR authentication failure");
    }
    for (bytes, refusal) in [
        ("set a 0 0 16385\r\n", "CLIENT_ERROR auth token too long"),
        ("set a 0 0 6\r\nnoword\r\n", "CLIENT_ERROR bad authentication token format"),
        ("set a 0 0 6\r\nap pasX!", "CLIENT_ERROR bad command line termination"),
    ] {
        client.send(bytes);
        client.expect_line(refusal);
    }
    log_in_by_set(&mut client, "app", PASSWORD);
    client.expect_line("STORED");
    client.send("set k 0 0 1\r\nv\r\nget k\r\n");
    client.expect("STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn no_log_holds_a_password() {
    let server = Users::usual().serve(&["-vv", "--slow-request-us", "1"]);
    let mut client = server.connect();
    log_in_by_set(&mut client, "app", PASSWORD);
    client.expect_line("STORED");
    server.await_stderr("slow requests");
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("admin", PASSWORD)).0, "SASL_OK");
    client.send_line("get after");
    client.expect_line("END");
    server.await_stderr("after");
    let log = server.stderr();
    let secret = "word:with";
    assert!(PASSWORD.contains(secret) && !log.contains(secret), "{log}");
    assert!(!log.contains(&STANDARD.encode(plain("admin", PASSWORD))), "{log}");
}

#[test]
fn noreply_of_a_login_is_ignored() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    let token = format!("app {PASSWORD}");
    client.send(format!("set auth 0 0 {} noreply\r\n{token}\r\n", token.len()));
    client.expect_line("STORED");
}

#[test]
fn ms_logs_in_as_well() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    let token = format!("app {PASSWORD}");
    client.send(format!("ms any {} T0\r\n{token}\r\n", token.len()));
    client.expect_line("HD");
    client.send("ms k 1\r\nv\r\nmg k v\r\n");
    client.expect("HD\r\nVA 1\r\nv\r\n");
}

#[test]
fn a_line_without_an_end_closes_the_connection() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    client.send([b'x'; 2049]);
    client.expect_closed();
}

/// Its message goes with it, so that what follows is understood.
#[test]
fn a_login_line_is_no_longer_than_others() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    let token = format!("app {PASSWORD}");
    let line_of = |bytes: usize, start: &str| {
        let blanks = " ".repeat(bytes - start.len() - "31\r\n".len());
        format!("{start}{blanks}{}\r\n", token.len())
    };
    for start in ["set a 0 0 ", "ms any ", "sasl auth PLAIN ", "sasl auth "] {
        client.send(line_of(2049, start) + &token + "\r\n");
        client.expect_line("CLIENT_ERROR bad command line format");
    }
    client.send(line_of(2048, "set a 0 0 ") + &token + "\r\n");
    client.expect_line("STORED");
    client.send(line_of(4096, "sasl auth PLAIN ") + &token + "\r\n");
    client.expect_line("CLIENT_ERROR bad command line format");
    client.send_line("get k");
    client.expect_line("END");
}

#[test]
fn sasl_in_words_lists_and_logs_in_by_plain() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    client.send_line("sasl mech");
    client.expect_line("SASL_MECH SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN");
    for wrong in [plain("app", "wrong"), plain("nobody", PASSWORD), b"app".to_vec()] {
        assert_eq!(sasl_words(&mut client, Some("PLAIN"), &wrong).0, "AUTH_ERROR authentication failure");
    }
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("app", PASSWORD)).0, "SASL_OK");
    client.send_line("get k");
    client.expect_line("END");
}

#[test]
fn sasl_in_words_does_scram() {
    let server = Users::usual().serve(&[]);
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut client = server.connect();
        let mut session = scram(mechanism, "app", PASSWORD);
        let (word, first) = sasl_words(&mut client, Some(mechanism), &answer(&mut session, None));
        assert_eq!(word, "SASL_CONTINUE", "{mechanism}");
        let (word, last) = sasl_words(&mut client, None, &answer(&mut session, Some(&first)));
        assert_eq!(word, "SASL_CONTINUE", "{mechanism}");
        let end = answer(&mut session, Some(&last));
        assert_eq!(sasl_words(&mut client, None, &end).0, "SASL_OK", "{mechanism}");
        client.send_line("mn");
        client.expect_line("MN");
    }
}

/// What was said in a login by SCRAM-SHA-256, as the page writes it. Nonces, salts and what comes of them differ from
/// one login to the next, their lengths do not.
#[test]
fn the_example_of_the_page_is_a_login() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    client.send_line("sasl mech");
    let mut said = format!("> sasl mech\n< {}\n", String::from_utf8(client.line()).expect("words").trim_end());
    let mut session = scram("SCRAM-SHA-256", "app", PASSWORD);
    let (mut message, mut mechanism) = (answer(&mut session, None), Some("SCRAM-SHA-256"));
    loop {
        let name = mechanism.map(|name| format!("{name} ")).unwrap_or_default();
        said += &format!("> sasl auth {name}{}\n> {}\n", message.len(), String::from_utf8_lossy(&message));
        let (word, challenge) = sasl_words(&mut client, mechanism.take(), &message);
        if word != "SASL_CONTINUE" {
            said += &format!("< {word}\n");
            break;
        }
        said += &format!("< SASL_CONTINUE {}\n< {}\n", challenge.len(), String::from_utf8_lossy(&challenge));
        message = answer(&mut session, Some(&challenge));
    }
    let page = include_str!("../../docs/authentication.md").split_once("### SASL over text").expect("its heading").1;
    let example = page.split("```").nth(1).and_then(|block| block.strip_prefix("text\n")).expect("an example");
    let shape = |text: &str| -> Vec<_> {
        let words =
            |line: &str| ["> sasl", "< SASL"].iter().any(|start| line.starts_with(start)).then(|| line.to_owned());
        text.lines().map(|line| (words(line), line.trim_end().len())).collect()
    };
    assert_eq!(shape(&said), shape(example), "was said:\n{said}");
}

#[test]
fn sasl_in_words_refuses_what_is_out_of_order() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    assert_eq!(sasl_words(&mut client, None, b"x").0, "AUTH_ERROR authentication failure");
    assert_eq!(sasl_words(&mut client, Some("CRAM-MD5"), b"").0, "AUTH_ERROR authentication failure");
    for line in ["sasl none", "sasl auth", "sasl auth PLAIN x", "sasl login"] {
        client.send_line(line);
        client.expect_line("CLIENT_ERROR bad command line format");
    }
    client.send("sasl auth PLAIN 4\r\nabcdef");
    client.expect_line("CLIENT_ERROR bad command line termination");
    client.send([b"sasl auth PLAIN 20000\r\n".to_vec(), vec![b'x'; 20_002]].concat());
    client.expect_line("CLIENT_ERROR auth token too long");
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("app", PASSWORD)).0, "SASL_OK");
}

#[test]
fn after_a_login_another_user_may_log_in() {
    let server = Users::usual().serve(&[]);
    let mut client = text_client(&server, "app");
    client.send_line("flush_all");
    client.expect_line("CLIENT_ERROR unauthorized");
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("admin", PASSWORD)).0, "SASL_OK");
    client.send_line("flush_all");
    client.expect_line("OK");
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("admin", "wrong")).0, "AUTH_ERROR authentication failure");
    client.send_line("get k");
    client.expect_line("CLIENT_ERROR unauthenticated");
}

#[test]
fn settings_tell_that_sasl_is_there() {
    let server = Users::usual().serve(&[]);
    let mut client = text_client(&server, "app");
    assert_eq!(client.statistic("settings", "auth_enabled_sasl").as_deref(), Some("yes"));
    let server = Server::start(&[]);
    let mut client = server.connect();
    assert_eq!(client.statistic("settings", "auth_enabled_sasl").as_deref(), Some("no"));
}

/// arcus-memcached says so, and a client that logs in needs no other setting for a server without users.
#[test]
fn where_no_login_is_asked_for_sasl_is_welcome() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.send_line("sasl mech");
    client.expect_line("SASL_OK");
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), b"get a\r\nget b\r\n").0, "SASL_OK");
    client.send_line("get k");
    client.expect_line("END");
}

#[test]
fn tenth_failure_closes_the_connection() {
    let server = Users::usual().serve(&[]);
    let mut client = server.connect();
    for _ in 0..10 {
        log_in_by_set(&mut client, "app", "wrong");
        client.expect_line("CLIENT_ERROR authentication failure");
    }
    client.expect_closed();
}

//! SASL over the binary opcodes; the answers are those that memcached with Cyrus gives.

use crate::common::packet::{Play, ask, header, store};
use crate::stand::{AUTH, LIST, PASSWORD, STEP, Users, answer, binary_client, plain, say, scram};

#[test]
fn mechanisms_are_listed_the_strongest_first() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    play.play(&ask(LIST, "")).says(0, "SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN");
    let server = Users::usual().serve(&["--sasl-mechanisms", "plain,LOGIN,SCRAM-SHA-256"]);
    Play::on(&server).play(&ask(LIST, "")).says(0, "PLAIN LOGIN SCRAM-SHA-256");
}

#[test]
fn without_logins_the_opcodes_are_unknown() {
    let mut play = Play::start();
    play.play(&ask(LIST, "")).says(0x81, "Unknown command");
    say(&mut play, AUTH, "PLAIN", plain("app", PASSWORD)).says(0x81, "Unknown command");
    say(&mut play, STEP, "PLAIN", "x").says(0x81, "Unknown command");
    play.expect_silence();
}

#[test]
fn before_a_login_only_version_and_sasl_are_answered() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    play.play(&ask(0x0b, "")).says(0, "1.6.45");
    for opcode in (0x00..=0x1f).filter(|opcode| *opcode != 0x0b).chain([0x23, 0x24, 0x60]) {
        let mut play = Play::on(&server);
        let body = match opcode {
            0x01..=0x03 | 0x11..=0x13 => store(opcode, "k", 0, 0, "v"),
            0x07 | 0x08 | 0x0a | 0x10 | 0x17 | 0x18 => ask(opcode, ""),
            0x05 | 0x06 | 0x15 | 0x16 => crate::common::packet::count(opcode, "k", 1, 1, 0),
            0x1c..=0x1e | 0x23 | 0x24 => crate::common::packet::touch(opcode, "k", 0),
            _ => ask(opcode, "k"),
        };
        play.play(&body).says(0x20, "Auth failure.");
        play.client.expect_closed();
    }
}

#[test]
fn plain_logs_in_with_the_right_password_only() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    for (user, password) in
        [("app", "wrong"), ("app", ""), ("nobody", PASSWORD), ("", PASSWORD), ("app", "pass word:with")]
    {
        say(&mut play, AUTH, "PLAIN", plain(user, password)).says(0x20, "Auth failure.");
    }
    say(&mut play, AUTH, "plain", plain("app", PASSWORD)).says(0, "Authenticated");
    assert_eq!(play.play(&store(0x01, "k", 0, 0, "v")).status, 0);
    play.play(&ask(0x00, "k")).says(0, "v");
}

#[test]
fn plain_may_come_in_a_second_message_and_with_an_authzid() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    play.play(&ask(AUTH, "PLAIN")).says(0x21, "");
    say(&mut play, STEP, "PLAIN", ["app", "app", PASSWORD].join("\0")).says(0, "Authenticated");
    // Somebody else's name is not taken.
    let mut play = Play::on(&server);
    say(&mut play, AUTH, "PLAIN", ["admin", "app", PASSWORD].join("\0")).says(0x20, "Auth failure.");
}

#[test]
fn scram_succeeds_in_two_steps_and_proves_the_server() {
    let server = Users::usual().serve(&[]);
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let mut play = Play::on(&server);
        let mut client = scram(mechanism, "app", PASSWORD);
        let first = say(&mut play, AUTH, mechanism, answer(&mut client, None));
        assert_eq!(first.status, 0x21, "{mechanism}");
        let last = say(&mut play, STEP, mechanism, answer(&mut client, Some(&first.value)));
        assert_eq!(last.status, 0x21, "{mechanism}");
        assert!(last.value.starts_with(b"v="), "{mechanism}");
        // The client checks the server's proof here.
        assert_eq!(answer(&mut client, Some(&last.value)), b"");
        play.play(&ask(STEP, mechanism)).says(0, "Authenticated");
        assert_eq!(play.play(&store(0x01, "k", 0, 0, "v")).status, 0);
    }
}

#[test]
fn scram_refuses_what_is_not_the_password_or_not_a_user() {
    let server = Users::usual().serve(&[]);
    for (user, password) in [("app", "wrong"), ("nobody", PASSWORD)] {
        let mut play = Play::on(&server);
        let mut client = scram("SCRAM-SHA-256", user, password);
        let first = say(&mut play, AUTH, "SCRAM-SHA-256", answer(&mut client, None));
        assert_eq!(first.status, 0x21, "{user} looks like any other");
        say(&mut play, STEP, "SCRAM-SHA-256", answer(&mut client, Some(&first.value))).says(0x20, "Auth failure.");
        // The connection stays, and a new login may succeed.
        say(&mut play, AUTH, "PLAIN", plain("app", PASSWORD)).says(0, "Authenticated");
    }
}

#[test]
fn the_last_step_of_scram_is_part_of_it() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    let mut client = scram("SCRAM-SHA-256", "app", PASSWORD);
    let first = say(&mut play, AUTH, "SCRAM-SHA-256", answer(&mut client, None));
    let last = say(&mut play, STEP, "SCRAM-SHA-256", answer(&mut client, Some(&first.value)));
    assert_eq!(last.status, 0x21);
    play.play(&ask(0x0a, "")).says(0x20, "Auth failure.");
    play.client.expect_closed();
}

#[test]
fn login_asks_for_user_and_password() {
    let server = Users::usual().serve(&["--sasl-mechanisms", "LOGIN"]);
    let mut play = Play::on(&server);
    play.play(&ask(AUTH, "LOGIN")).says(0x21, "Username:");
    say(&mut play, STEP, "LOGIN", "app").says(0x21, "Password:");
    say(&mut play, STEP, "LOGIN", PASSWORD).says(0, "Authenticated");
}

#[test]
fn what_comes_out_of_order_fails_and_the_connection_stays() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    say(&mut play, STEP, "PLAIN", plain("app", PASSWORD)).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "CRAM-MD5", "").says(0x20, "Auth failure.");
    say(&mut play, AUTH, "LOGIN", "").says(0x20, "Auth failure.");
    say(&mut play, AUTH, &"X".repeat(33), "data").says(0x04, "Invalid arguments");
    say(&mut play, AUTH, "PLAIN", "PLAIN\0X").says(0x20, "Auth failure.");
    play.play(&ask(AUTH, "PLAIN").value(plain("app", PASSWORD))).says(0, "Authenticated");
}

#[test]
fn an_empty_mechanism_closes_the_connection() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    say(&mut play, AUTH, "", "data").says(0x04, "Invalid arguments");
    play.client.expect_closed();
}

#[test]
fn a_failed_login_ends_the_one_before() {
    let server = Users::usual().serve(&[]);
    let mut play = binary_client(&server, "app");
    say(&mut play, AUTH, "PLAIN", plain("app", "wrong")).says(0x20, "Auth failure.");
    play.play(&ask(0x00, "k")).says(0x20, "Auth failure.");
    play.client.expect_closed();
}

#[test]
fn a_binary_login_holds_for_text() {
    let server = Users::usual().serve(&[]);
    let mut play = binary_client(&server, "app");
    play.client.send("set k 0 0 1\r\nv\r\nget k\r\n");
    play.client.expect("STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n");
}

#[test]
fn requests_behind_a_login_wait_for_it() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    let login = ask(AUTH, "PLAIN").value(plain("app", PASSWORD));
    let bytes = [login.bytes(1), store(0x01, "k", 0, 0, "v").bytes(2), ask(0x00, "k").bytes(3)].concat();
    play.client.send(bytes);
    for (opaque, value) in [(1, "Authenticated"), (2, ""), (3, "v")] {
        play.reply_to(opaque).says(0, value);
    }
}

#[test]
fn a_login_may_arrive_byte_by_byte() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    for byte in ask(AUTH, "PLAIN").value(plain("app", PASSWORD)).bytes(7) {
        play.client.send([byte]);
    }
    play.reply_to(7).says(0, "Authenticated");
}

#[test]
fn messages_beyond_the_limit_fail_without_being_kept() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    say(&mut play, AUTH, "PLAIN", vec![b'x'; 16 << 10]).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", vec![b'x'; 1 << 20]).says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", plain("app", PASSWORD)).says(0, "Authenticated");
    // Nothing is waited for where nothing of the kind can be meant.
    let mut play = Play::on(&server);
    play.client.send(header(AUTH, 5, 0, u32::MAX, 9, 0));
    play.reply_to(9).says(0x04, "Invalid arguments");
    play.client.expect_closed();
}

#[test]
fn dash_s_is_binary_alone() {
    let server = Users::usual().serve(&["-S"]);
    binary_client(&server, "app");
    let mut client = server.connect();
    client.send("sasl mech\r\n");
    client.expect_closed();
}

#[test]
fn attempts_are_counted() {
    let server = Users::usual().serve(&[]);
    let mut play = Play::on(&server);
    say(&mut play, AUTH, "PLAIN", plain("app", "wrong")).says(0x20, "Auth failure.");
    say(&mut play, STEP, "PLAIN", "").says(0x20, "Auth failure.");
    say(&mut play, AUTH, "PLAIN", plain("app", PASSWORD)).says(0, "Authenticated");
    assert_eq!(play.client.statistic("", "auth_cmds").as_deref(), Some("3"));
    assert_eq!(play.client.statistic("", "auth_errors").as_deref(), Some("2"));
}

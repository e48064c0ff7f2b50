//! Users that change while the server runs.

use rustix::process::Signal;

use crate::common::{Client, Server};
use crate::stand::{PASSWORD, Users, answer, log_in_by_set, plain, private_file, sasl_words, scram, text_client};

/// Has the files read again, and waits until that was done.
fn reload(server: &Server, log_line: &str) {
    server.signal(Signal::HUP);
    server.await_stderr(log_line);
}

fn expect_login(server: &Server, user: &str, password: &str, reply: &str) -> Client {
    let mut client = server.connect();
    log_in_by_set(&mut client, user, password);
    client.expect_line(reply);
    client
}

#[test]
fn new_users_come_in_after_a_signal() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    expect_login(&server, "late", PASSWORD, "CLIENT_ERROR authentication failure");
    users.add("late", &[]);
    reload(&server, "users read again");
    expect_login(&server, "late", PASSWORD, "STORED");
}

#[test]
fn a_change_is_seen_without_a_signal() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    users.add("late", &[]);
    server.await_stderr("users read again");
    expect_login(&server, "late", PASSWORD, "STORED");
}

#[test]
fn a_broken_file_keeps_the_users_and_names_the_line() {
    let users = Users::usual();
    let server = users.serve(&[]);
    let text = std::fs::read_to_string(users.path()).expect("the users");
    // As an editor does it: a look between two steps must not find a file without users.
    let beside = users.path().with_extension("new");
    private_file(&beside, &format!("{text}\n[users.x]\nrights = [\"fly\"]\n"));
    std::fs::rename(&beside, users.path()).expect("our own file");
    let line = text.lines().count() + 3;
    reload(&server, &format!("line={line}"));
    expect_login(&server, "app", PASSWORD, "STORED");
}

/// It can take as long as its reader wants.
#[test]
fn a_dump_ends_when_its_reader_is_no_administrator_any_more() {
    const ITEMS: usize = 100_000;
    let users = Users::usual();
    let server = users.serve(&["-v", "-m", "256"]);
    let mut admin = text_client(&server, "admin");
    let key = |number: usize| format!("{number:0>200}");
    let sets: String = (0..ITEMS).map(|number| format!("set {} 0 0 1 noreply\r\nx\r\n", key(number))).collect();
    admin.send(sets + "mn\r\n");
    admin.expect_line("MN");
    admin.send_line("lru_crawler metadump all");
    admin.expect_line("OK");
    users.passwd(&["rights", "admin", "--rights", "read,write"], "");
    reload(&server, "users read again");
    let mut told = 0;
    while let Some(line) = admin.next_line() {
        assert!(line.starts_with(b"key="), "{}", line.escape_ascii());
        told += 1;
    }
    assert!(told < ITEMS, "all of it was told");
    let mut admin = text_client(&server, "admin");
    admin.send_line("lru_crawler metadump all");
    admin.expect_line("CLIENT_ERROR unauthorized");
}

#[test]
fn whoever_is_gone_is_put_out() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    let mut gone = text_client(&server, "app");
    let mut stays = text_client(&server, "admin");
    users.passwd(&["delete", "app"], "");
    server.await_stderr("users read again");
    gone.send_line("get k");
    gone.expect_closed();
    stays.send_line("get k");
    stays.expect_line("END");
}

#[test]
fn whoever_watches_and_may_no_more_is_put_out() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    let mut watcher = text_client(&server, "admin");
    watcher.send_line("watch connevents");
    watcher.expect_line("OK");
    users.passwd(&["rights", "admin", "--rights", "read"], "");
    server.await_stderr("users read again");
    while watcher.next_line().is_some() {}
}

#[test]
fn a_changed_password_ends_what_it_opened() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    let mut old = text_client(&server, "app");
    users.passwd(&["change", "app"], "another");
    server.await_stderr("users read again");
    old.send_line("get k");
    old.expect_closed();
    expect_login(&server, "app", PASSWORD, "CLIENT_ERROR authentication failure");
    expect_login(&server, "app", "another", "STORED");
}

#[test]
fn rights_change_under_open_connections() {
    let users = Users::usual();
    let server = users.serve(&["-v"]);
    let mut client = text_client(&server, "app");
    client.send_line("get k");
    client.expect_line("END");
    users.passwd(&["rights", "app", "--rights", "write"], "");
    server.await_stderr("users read again");
    client.send_line("get k");
    client.expect_line("CLIENT_ERROR unauthorized");
}

#[test]
fn both_passwords_work_while_one_is_rotated() {
    let users = Users::usual();
    users.passwd(&["rotate", "app"], "new password");
    let server = users.serve(&["-v"]);
    let mut old = expect_login(&server, "app", PASSWORD, "STORED");
    let mut new = expect_login(&server, "app", "new password", "STORED");
    for mechanism in ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for password in [PASSWORD, "new password"] {
            let mut client = server.connect();
            let mut session = scram(mechanism, "app", password);
            let (_, first) = sasl_words(&mut client, Some(mechanism), &answer(&mut session, None));
            let (_, last) = sasl_words(&mut client, None, &answer(&mut session, Some(&first)));
            // The client checks the server's proof here.
            let end = answer(&mut session, Some(&last));
            assert_eq!(sasl_words(&mut client, None, &end).0, "SASL_OK", "{mechanism} {password}");
        }
    }
    expect_login(&server, "app", "neither", "CLIENT_ERROR authentication failure");
    users.passwd(&["retire", "app"], "");
    server.await_stderr("users read again");
    old.send_line("mn");
    old.expect_closed();
    new.send_line("mn");
    new.expect_line("MN");
    let mut client = server.connect();
    assert_eq!(sasl_words(&mut client, Some("PLAIN"), &plain("app", PASSWORD)).0, "AUTH_ERROR authentication failure");
}

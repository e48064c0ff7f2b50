//! Logins as a session takes them, without the threads that decide them.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;

use super::*;
use crate::auth::access_list::Access;
use crate::auth::authority::{Admission, Authority, Config};
use crate::auth::sasl::Mechanism;
use crate::auth::sources::Sources;
use crate::shared::Doors;

/// What a server shares whose users are in this file.
fn shared(users: &str) -> Shared {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("users.toml");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(&path).expect("a file");
    file.write_all(users.as_bytes()).expect("room");
    let sources = Sources::new(Some(path), None, None);
    let config = Config { sources, mechanisms: Mechanism::ALL.to_vec(), takes_plain: true };
    let authority = Authority::start(config).expect("users");
    let doors = Doors { access: Access::of_flags(settings().access), tls: None, authority: Some(authority) };
    Shared::with_doors(settings(), doors).expect("memory")
}

fn context(shared: &Shared) -> Context<'_> {
    Context { shared, counters: &shared.counters[0], now: 10, fd: -1 }
}

fn session(external: Option<&str>) -> Session {
    let client = Client { may_send_secrets: true, external: external.map(Arc::from), ..Client::default() };
    Session::with_login(ProtocolChoice::Auto, client, 10)
}

/// What the session says to this, and what it waits for.
fn feed(session: &mut Session, input: &[u8], cx: &Context<'_>) -> (String, Next) {
    let (mut out, mut replies) = (Outbox::default(), Vec::new());
    let progress = session.feed(input, &mut out, cx, u32::MAX);
    while !out.is_empty() {
        out.send(&mut replies).expect("a vector takes everything");
    }
    (String::from_utf8(replies).expect("text"), progress.next)
}

#[test]
fn a_client_that_takes_no_replies_has_no_more_time_than_others() {
    let shared = shared("");
    let mut cx = context(&shared);
    let mut session = session(None);
    assert_eq!(feed(&mut session, b"set _ _ _ 3\r\na b\r\n", &cx).1, Next::Login);
    cx.now = 10 + 31;
    assert!(session.is_expelled(&cx), "nobody has begun with it, as replies before it were not taken");
    session.take_errand().expect("it was not taken");
    assert!(!session.is_expelled(&cx), "it waits for us");
}

#[test]
fn guesses_of_others_do_not_keep_a_client_out_that_need_not_guess() {
    let shared = shared("[users.app]");
    let (cx, authority) = (context(&shared), shared.authority.as_ref().expect("given"));
    while authority.admit(None) != Admission::Refused {}
    for _ in 0..1000 {
        let said = feed(&mut session(Some("app")), b"sasl auth EXTERNAL 0\r\n\r\nget k\r\n", &cx);
        assert_eq!(said.0, "SASL_OK\r\nEND\r\n");
    }
    assert_ne!(authority.admit(None), Admission::Now, "these logins have paid for no guesses");
}

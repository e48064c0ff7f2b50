//! Handshakes against rsasl's own clients, and each of rsasl's traps.

use rsasl::prelude::SASLClient;

use super::*;
use crate::auth::rights::Rights;
use crate::auth::verifier::Salts;

const SECRET: [u8; 32] = [3; 32];
const ITERATIONS: u32 = 4096;
const SCRAM: [Mechanism; 3] = [Mechanism::ScramSha1, Mechanism::ScramSha256, Mechanism::ScramSha512];

/// `app` with the password `new`, and before it `old`; `a,b=c` with `pw`; `bare` without a password.
fn users() -> Arc<Users> {
    let salts = Salts::derived(&SECRET, "app");
    let new = Verifier::of("new", ITERATIONS, &salts).expect("letters");
    let old = new.beside("old").expect("letters");
    let user = |name: &str, passwords| User {
        name: name.into(),
        rights: Arc::new(Rights::ALL),
        passwords,
        counts: Arc::default(),
    };
    let comma = Verifier::of("pw", ITERATIONS, &salts).expect("letters");
    Arc::new(Users::new([user("app", vec![new, old]), user("a,b=c", vec![comma]), user("bare", Vec::new())], None))
}

fn begin(mechanism: Mechanism) -> Handshake {
    Handshake::begin(mechanism, users(), &SECRET)
}

fn client(mechanism: Mechanism, name: &str, password: &str, authzid: Option<&str>) -> Session {
    let config =
        SASLConfig::with_credentials(authzid.map(str::to_owned), name.to_owned(), password.to_owned()).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    SASLClient::new(config).start_suggested(&[name]).unwrap()
}

fn answer(client: &mut Session, challenge: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    client.step(challenge, &mut out).expect("what the server sends is sound");
    out
}

fn challenge(step: Step) -> Vec<u8> {
    match step {
        Step::Challenge(data) => data,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(step: Step) -> Why {
    match step {
        Step::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

/// Plays a SCRAM handshake up to the server's last words.
fn scram(mechanism: Mechanism, name: &str, password: &str, authzid: Option<&str>) -> (Handshake, Session, Step) {
    let (mut server, mut client) = (begin(mechanism), client(mechanism, name, password, authzid));
    let first = answer(&mut client, None);
    let step = match server.step(Some(&first)) {
        Step::Challenge(data) => server.step(Some(&answer(&mut client, Some(&data)))),
        other => other,
    };
    (server, client, step)
}

#[test]
fn scram_grants_after_the_client_has_seen_the_servers_proof() {
    for mechanism in SCRAM {
        for (password, authzid) in [("new", None), ("new", Some("app")), ("old", None), ("old", Some("app"))] {
            let (mut server, mut client, step) = scram(mechanism, "app", password, authzid);
            let last = challenge(step);
            assert!(last.starts_with(b"v="), "{mechanism:?} {password}");
            assert_eq!(answer(&mut client, Some(&last)), b"", "the client believes it");
            let Step::Granted(identity) = server.step(Some(b"")) else { panic!("{mechanism:?} {password}") };
            assert_eq!(&*identity.name, "app");
            let stored = &users().by_name["app"].passwords[usize::from(password == "old")];
            assert_eq!(identity.proof, Proof::Password(stored.fingerprint()));
            assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder, "it is over");
        }
    }
}

/// Trap: rsasl calls these a finish, and writes `e=...` or even its proof.
#[test]
fn wrong_passwords_and_unknown_users_are_refused_alike() {
    for mechanism in SCRAM {
        for (name, password) in [("app", "wrong"), ("nobody", "new"), ("bare", "new")] {
            let (mut server, _, step) = scram(mechanism, name, password, None);
            assert_eq!(refused(step), Why::BadProof, "{mechanism:?} {name}");
            assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder);
        }
    }
}

/// Trap: rsasl gives unknown users another salt each time, and its own number of iterations.
#[test]
fn unknown_users_look_like_others() {
    let ask = |name: &str| {
        let data = challenge(begin(Mechanism::ScramSha256).step(Some(format!("n,,n={name},r=abc").as_bytes())));
        let text = String::from_utf8(data).unwrap();
        let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
        (parts[1].clone(), parts[2].clone())
    };
    assert_eq!(ask("nobody"), ask("nobody"));
    assert_ne!(ask("nobody").0, ask("somebody").0);
    assert_eq!(ask("nobody").1, format!("i={ITERATIONS}"));
    assert_eq!(ask("nobody").0.len(), ask("app").0.len());
}

/// Trap: names reach rsasl's callback still escaped.
#[test]
fn names_are_unescaped() {
    let message = b"n,,n=a=2Cb=3Dc,r=abc";
    let known = challenge(begin(Mechanism::ScramSha256).step(Some(message)));
    let salt = &users().by_name["a,b=c"].passwords[0].record(Hash::Sha256).unwrap().salt.clone();
    let expected = format!(",s={},", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, salt));
    assert!(String::from_utf8_lossy(&known).contains(&expected));
    assert_eq!(refused(begin(Mechanism::ScramSha256).step(Some(b"n,,n=a=b,r=abc"))), Why::Malformed);
}

/// Trap: rsasl's parser slices what it did not check, and panics when asked again after an error.
#[test]
fn malformed_messages_are_refused_and_end_it() {
    for mechanism in SCRAM {
        for first in ["", "n,,", "n,x,n=u,r=a", "n,,n,r=a", "n,,n=u,", "n,,n=u,r=", "p=x,,n=app,r=a", "\0"] {
            let mut server = begin(mechanism);
            assert_eq!(refused(server.step(Some(first.as_bytes()))), Why::Malformed, "{first:?}");
            assert_eq!(refused(server.step(Some(b"c=biws,r=abc,p=AAAA"))), Why::OutOfOrder, "{first:?}");
        }
        for last in ["", "c", "c=biws,r", "c=biws,r=abc,p=AAA,", "c=biws,r=abc,p=AAA,x", "c=biws,r=abc,p=", "p=AAAA"] {
            let mut server = begin(mechanism);
            challenge(server.step(Some(b"n,,n=app,r=abc")));
            assert_eq!(refused(server.step(Some(last.as_bytes()))), Why::Malformed, "{last:?}");
            assert_eq!(refused(server.step(Some(last.as_bytes()))), Why::OutOfOrder, "{last:?}");
        }
    }
}

#[test]
fn another_nonce_or_binding_is_refused_with_the_right_proof_too() {
    for (from, to) in [(",r=", ",r=x"), ("c=biws", "c=eSws"), ("c=biws", "c=bixhPWFwcCw=")] {
        for password in ["new", "old"] {
            let mechanism = Mechanism::ScramSha256;
            let (mut server, mut client) = (begin(mechanism), client(mechanism, "app", password, None));
            let data = challenge(server.step(Some(&answer(&mut client, None))));
            let last = String::from_utf8(answer(&mut client, Some(&data))).unwrap().replacen(from, to, 1);
            refused(server.step(Some(last.as_bytes())));
        }
    }
}

#[test]
fn nobody_acts_for_another() {
    for mechanism in SCRAM {
        assert_eq!(refused(scram(mechanism, "app", "new", Some("admin")).2), Why::NotAllowed);
    }
    assert_eq!(refused(begin(Mechanism::Plain).step(Some(b"admin\0app\0new"))), Why::NotAllowed);
}

#[test]
fn the_empty_message_at_the_end_is_empty() {
    let (mut server, _, step) = scram(Mechanism::ScramSha256, "app", "new", None);
    challenge(step);
    assert_eq!(refused(server.step(Some(b"x"))), Why::OutOfOrder);
}

#[test]
fn messages_have_a_limit() {
    for mechanism in Mechanism::ALL {
        assert_eq!(refused(begin(*mechanism).step(Some(&[b'a'; MESSAGE_MAX + 1]))), Why::TooLong);
    }
}

#[track_caller]
fn password(step: Step) -> (String, String) {
    match step {
        Step::Check(Claim::Password { name, password, .. }) => (name, password.to_string()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_gives_name_and_password_to_be_checked() {
    let pair = |name: &str, password: &str| (name.to_owned(), password.to_owned());
    for message in ["\0app\0se cret:", "app\0app\0se cret:"] {
        assert_eq!(password(begin(Mechanism::Plain).step(Some(message.as_bytes()))), pair("app", "se cret:"));
    }
    let mut late = begin(Mechanism::Plain);
    assert_eq!(challenge(late.step(None)), b"");
    assert_eq!(password(late.step(Some(b"\0app\0x"))), pair("app", "x"));
    assert_eq!(refused(late.step(Some(b"\0app\0x"))), Why::OutOfOrder);
    for bad in ["", "\0", "app", "\0app", "\0app\0", "\0\0x", "PLAIN\0X", "\0app\0x\0y", "\0a\np\0xx"] {
        assert_eq!(refused(begin(Mechanism::Plain).step(Some(bad.as_bytes()))), Why::Malformed, "{bad:?}");
    }
    assert_eq!(refused(begin(Mechanism::Plain).step(Some(b"\0app\0\xff\xfe"))), Why::Malformed);
}

/// Trap: rsasl passes over an initial response, and its prompts are not those that clients wait for.
#[test]
fn login_asks_twice_or_once() {
    let mut asked = begin(Mechanism::Login);
    assert_eq!(challenge(asked.step(None)), b"Username:");
    assert_eq!(challenge(asked.step(Some(b"app"))), b"Password:");
    assert_eq!(password(asked.step(Some(b"x"))), ("app".to_owned(), "x".to_owned()));
    let mut told = begin(Mechanism::Login);
    assert_eq!(challenge(told.step(Some(b"app"))), b"Password:");
    assert_eq!(password(told.step(Some(b"x"))), ("app".to_owned(), "x".to_owned()));
}

#[test]
fn oauthbearer_gives_the_token_without_its_scheme() {
    for (message, name) in [
        ("n,,\x01auth=Bearer abc.def.ghi\x01\x01", None),
        ("n,a=app,\x01host=h\x01port=1\x01auth=bearer abc.def.ghi\x01\x01", Some("app")),
    ] {
        match begin(Mechanism::OAuthBearer).step(Some(message.as_bytes())) {
            Step::Check(Claim::Token { name: given, token }) => {
                assert_eq!((given.as_deref(), token.as_str()), (name, "abc.def.ghi"));
            }
            other => panic!("{other:?}"),
        }
    }
    for bad in [
        "",
        "\x01",
        "n,,\x01\x01",
        "n,,\x01auth=abc\x01\x01",
        "n,,\x01auth=Basic abc\x01\x01",
        "p=x,,\x01auth=Bearer a\x01\x01",
    ] {
        assert_eq!(refused(begin(Mechanism::OAuthBearer).step(Some(bad.as_bytes()))), Why::Malformed, "{bad:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let step = begin(Mechanism::Plain).step(Some(b"\0app\0hunter2"));
    assert!(!format!("{step:?}").contains("hunter2"));
}

/// Messages that are nearly sound: none may get through, and none may bring anything down.
#[test]
fn mutated_messages_never_succeed() {
    let mut random = 88_172_645_463_325_252u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    let firsts: [&[u8]; 5] = [
        b"n,,n=app,r=abcdef",
        b"y,a=app,n=app,r=abcdef,x=1",
        b"\0app\0wrong",
        b"n,a=app,\x01auth=Bearer x\x01\x01",
        b"app",
    ];
    let mut last = b"c=biws,r=abcdef,p=".to_vec();
    last.extend_from_slice(&[b'A'; 44]);
    let users = users();
    for round in 0..30_000 {
        let mechanism = Mechanism::ALL[next(Mechanism::ALL.len())];
        let mut server = Handshake::begin(mechanism, Arc::clone(&users), &SECRET);
        let mut message = firsts[next(firsts.len())].to_vec();
        for _ in 0..4 {
            if round % 3 > 0 && !message.is_empty() {
                let at = next(message.len());
                match next(3) {
                    0 => message[at] = next(256) as u8,
                    1 => _ = message.remove(at),
                    _ => message.insert(at, b",=\0pnr"[next(6)]),
                }
            }
            match server.step(Some(&message)) {
                Step::Granted(identity) => panic!("{identity:?} by {message:?}"),
                // The guard let something through that rsasl could not bear.
                Step::Refused(Why::Broken) => panic!("{mechanism:?} {}", message.escape_ascii()),
                Step::Refused(_) | Step::Check(_) => break,
                Step::Challenge(data) => {
                    // The right nonce takes a message further in.
                    let nonce = data.split(|&byte| byte == b',').next().unwrap_or_default();
                    message = if next(2) == 0 { last.clone() } else { [b"c=biws,", nonce, b",p=AAAA"].concat() };
                }
            }
        }
    }
}

//! Whole exchanges, most of them with rsasl's client on the other side.

mod binding;

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::scram;
use rsasl::prelude::{ChannelBindingCallback, Mechname, Registry, SASLClient, SASLConfig, SessionError};
use rsasl::property::{AuthId, AuthzId, OAuthBearerToken, Password};
use rsasl::validate::NoValidation;

use super::*;
use crate::auth::client::Client;
use crate::auth::user::{Proof, User, Users};
use crate::auth::verifier::{Salts, Verifier};

/// Fewer than are accepted from files, because rsasl's client computes them slowly.
const ITERATIONS: u32 = 64;
const SECRET: [u8; 32] = [7; 32];
const BINDING: [u8; 32] = [9; 32];
const PLUS: [Mechanism; 2] = [Mechanism::ScramSha512Plus, Mechanism::ScramSha256Plus];
const SCRAM: [Mechanism; 5] = [PLUS[0], PLUS[1], Mechanism::ScramSha512, Mechanism::ScramSha256, Mechanism::ScramSha1];

fn user(name: &str, passwords: &[&str]) -> User {
    let salts = Salts::derived(&[1; 32], name);
    let verifier = |password: &&str| Verifier::of(password, ITERATIONS, &salts).unwrap();
    User {
        name: name.into(),
        rights: Arc::default(),
        passwords: passwords.iter().map(verifier).collect(),
        counts: Arc::default(),
    }
}

/// `user` with a password, `two` with a new and an old one, `a,b=c`, `modern` without SHA-1, and `bare` without any.
static USERS: LazyLock<Arc<Users>> = LazyLock::new(|| {
    let mut modern = user("modern", &["pencil"]);
    modern.passwords[0].sha1 = None;
    let others = [user("two", &["new", "old"]), user("a,b=c", &["x"]), modern, user("bare", &[])];
    Arc::new(Users::new(others.into_iter().chain([user("user", &["pencil"])]), None))
});

/// With channel binding where the mechanism needs it.
fn begin(mechanism: Mechanism) -> Handshake {
    begin_on(mechanism, mechanism.binds_channel().then_some(BINDING))
}

fn begin_on(mechanism: Mechanism, channel_binding: Option<[u8; 32]>) -> Handshake {
    Handshake::begin(mechanism, Arc::clone(&USERS), &SECRET, &Client { channel_binding, ..Client::default() })
}

/// What a client knows.
#[derive(Clone)]
struct Credentials {
    authzid: Option<&'static str>,
    name: &'static str,
    password: &'static str,
}

impl SessionCallback for Credentials {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        if let Some(authzid) = self.authzid {
            request.satisfy::<AuthzId>(authzid)?;
        }
        request
            .satisfy::<AuthId>(self.name)?
            .satisfy::<Password>(self.password.as_bytes())?
            .satisfy::<OAuthBearerToken>(self.password)?;
        Ok(())
    }

    /// So that it says `p=`, or `y` where that is not offered.
    fn enable_channel_binding(&self) -> bool {
        true
    }
}

/// The binding data that a client has.
struct Exported(&'static str, [u8; 32]);

impl ChannelBindingCallback for Exported {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == self.0).then_some(&self.1)
    }
}

type Session = rsasl::prelude::Session<NoValidation, Exported>;

fn client(mechanism: Mechanism, credentials: Credentials) -> Session {
    client_on(mechanism, credentials, Exported("tls-exporter", BINDING))
}

fn client_on(mechanism: Mechanism, credentials: Credentials, exported: Exported) -> Session {
    static PLUS: &[rsasl::prelude::Mechanism] = &[scram::SCRAM_SHA512_PLUS, scram::SCRAM_SHA256_PLUS];
    let config = SASLConfig::builder();
    let config = match mechanism.binds_channel() {
        true => config.with_registry(Registry::with_mechanisms(PLUS)),
        false => config.with_defaults(),
    };
    let config = config.with_callback(credentials).unwrap();
    let name = Mechname::parse(mechanism.name().as_bytes()).unwrap();
    SASLClient::with_cb(config, exported).start_suggested(&[name]).unwrap()
}

fn answer(client: &mut Session, challenge: Option<&[u8]>) -> Vec<u8> {
    let mut message = Vec::new();
    client.step(challenge, &mut message).unwrap();
    message
}

/// A login by rsasl's client. The client refuses a server that does not know the password.
fn log_in(mechanism: Mechanism, name: &'static str, password: &'static str) -> Step {
    log_in_as(mechanism, Credentials { authzid: None, name, password })
}

fn log_in_as(mechanism: Mechanism, credentials: Credentials) -> Step {
    let mut server = begin(mechanism);
    let mut client = client(mechanism, credentials);
    let mut step =
        if client.are_we_first() { server.step(Some(&answer(&mut client, None))) } else { server.step(None) };
    while let Step::Challenge(challenge) = &step {
        step = server.step(Some(&answer(&mut client, Some(challenge))));
    }
    step
}

#[track_caller]
fn refused(step: Step) -> Why {
    match step {
        Step::Refused(why) => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// The index of the password that let the user in.
#[track_caller]
fn granted(step: Step, name: &str) -> usize {
    let Step::Granted(identity) = step else { panic!("not granted: {step:?}") };
    assert_eq!(&*identity.name, name);
    let Proof::Password(fingerprint) = identity.proof else { panic!("not by a password") };
    USERS.by_name[name].passwords.iter().position(|verifier| verifier.fingerprint() == fingerprint).unwrap()
}

#[track_caller]
fn challenge(step: Step) -> Vec<u8> {
    match step {
        Step::Challenge(challenge) => challenge,
        other => panic!("no challenge: {other:?}"),
    }
}

/// What a client that supports what its mechanism needs says of channel binding.
fn flag(mechanism: Mechanism) -> &'static str {
    if mechanism.binds_channel() { "p=tls-exporter" } else { "n" }
}

/// The value of `c=` of such a client.
fn channel(mechanism: Mechanism) -> String {
    let data = if mechanism.binds_channel() { &BINDING[..] } else { &[] };
    STANDARD.encode([flag(mechanism).as_bytes(), b",,", data].concat())
}

/// A SCRAM exchange up to the client's proof.
fn up_to_proof(mechanism: Mechanism, name: &'static str, password: &'static str) -> (Handshake, Vec<u8>) {
    let mut server = begin(mechanism);
    let mut client = client(mechanism, Credentials { authzid: None, name, password });
    let server_first = challenge(server.step(Some(&answer(&mut client, None))));
    let message = answer(&mut client, Some(&server_first));
    (server, message)
}

#[test]
fn names_of_mechanisms_are_read_in_any_case() {
    for &mechanism in Mechanism::ALL {
        assert_eq!(Mechanism::parse(mechanism.name().to_lowercase().as_bytes()), Some(mechanism));
    }
    for name in [&b""[..], b"SCRAM-SHA-1-PLUS", b"PLAIN ", b"EXTERNA", b"GSSAPI"] {
        assert_eq!(Mechanism::parse(name), None);
    }
    let names = Mechanism::DEFAULT.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(" ");
    assert_eq!(
        names,
        "EXTERNAL SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN"
    );
    let is_scram: Vec<bool> = Mechanism::ALL.iter().map(|mechanism| mechanism.is_scram()).collect();
    assert_eq!(is_scram, [false, true, true, true, true, true, false, false, false]);
}

#[test]
fn scram_grants_who_proves_the_password() {
    for mechanism in SCRAM {
        assert_eq!(granted(log_in(mechanism, "user", "pencil"), "user"), 0);
        let own = Credentials { authzid: Some("user"), name: "user", password: "pencil" };
        assert_eq!(granted(log_in_as(mechanism, own), "user"), 0);
    }
}

/// Trap 3: rsasl finishes such sessions without an error.
#[test]
fn scram_refuses_wrong_proofs() {
    for mechanism in SCRAM {
        for (name, password, expected) in [
            ("user", "pencil2", Why::BadProof),
            ("two", "neither", Why::BadProof),
            ("nobody", "pencil", Why::UnknownUser),
        ] {
            let (mut server, proof) = up_to_proof(mechanism, name, password);
            assert_eq!(refused(server.step(Some(&proof))), expected, "{mechanism:?} {name}");
            assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder);
        }
    }
}

#[test]
fn scram_accepts_each_password_of_a_user_and_answers_with_its_signature() {
    for mechanism in SCRAM {
        // The client has checked the signature when it comes this far.
        assert_eq!(granted(log_in(mechanism, "two", "new"), "two"), 0);
        assert_eq!(granted(log_in(mechanism, "two", "old"), "two"), 1);
    }
}

#[test]
fn a_record_that_is_missing_makes_an_unknown_user() {
    assert_eq!(granted(log_in(Mechanism::ScramSha256, "modern", "pencil"), "modern"), 0);
    let (mut server, proof) = up_to_proof(Mechanism::ScramSha1, "modern", "pencil");
    assert_eq!(refused(server.step(Some(&proof))), Why::UnknownUser);
}

#[test]
fn scram_success_takes_an_empty_message_more() {
    for last in [None, Some(&b""[..])] {
        let (mut server, proof) = up_to_proof(Mechanism::ScramSha256, "user", "pencil");
        assert!(challenge(server.step(Some(&proof))).starts_with(b"v="));
        assert_eq!(granted(server.step(last), "user"), 0);
        assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder);
    }
    let (mut server, proof) = up_to_proof(Mechanism::ScramSha256, "user", "pencil");
    challenge(server.step(Some(&proof)));
    assert_eq!(refused(server.step(Some(b"x"))), Why::OutOfOrder);
    assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder);
}

/// Trap 1: rsasl panics on each of these.
#[test]
fn malformed_scram_messages_are_refused() {
    for mechanism in SCRAM {
        for rest in ["", "x,n=u,r=a", ",n,r=a", ",n=u,", ",n=u", ",n=u,r=a,"] {
            let first = format!("{},{rest}", flag(mechanism));
            assert_eq!(refused(begin(mechanism).step(Some(first.as_bytes()))), Why::Malformed, "{first:?}");
        }
        assert_eq!(refused(begin(mechanism).step(Some(b"x,,n=user,r=a"))), Why::Malformed);
        for last in ["", "c", "c=biws,r", "c=biws,r=x,"] {
            let (mut server, _) = up_to_proof(mechanism, "user", "pencil");
            assert_eq!(refused(server.step(Some(last.as_bytes()))), Why::Malformed, "{last:?}");
        }
        let (mut server, mut proof) = up_to_proof(mechanism, "user", "pencil");
        proof.push(b',');
        assert_eq!(refused(server.step(Some(&proof))), Why::Malformed);
    }
}

/// Trap 1, the second net: what rsasl panics on is contained even if it gets there.
#[test]
fn a_panic_of_the_library_is_contained() {
    let record = USERS.by_name["user"].passwords[0].sha256.clone();
    let session = session::Session::begin(Mechanism::ScramSha256, record, None).unwrap();
    assert!(matches!(session.step(Some(b"n,,")), session::Outcome::Broken));
}

/// Trap 2: rsasl panics when a session is used after an error.
#[test]
fn nothing_follows_a_refusal() {
    for &mechanism in Mechanism::ALL {
        let mut server = begin(mechanism);
        let long = vec![b'x'; MESSAGE_MAX + 1];
        refused(server.step(Some(&long)));
        for message in [None, Some(&b""[..]), Some(b"n,,n=user,r=a"), Some(b"\0user\0pencil")] {
            assert_eq!(refused(server.step(message)), Why::OutOfOrder, "{mechanism:?}");
        }
    }
}

/// Trap 4: rsasl writes its signature before it asks whether the user may be who it wants to be.
#[test]
fn nobody_proves_to_be_somebody_else() {
    for mechanism in [Mechanism::ScramSha256, Mechanism::Plain] {
        let other = Credentials { authzid: Some("two"), name: "user", password: "pencil" };
        assert_eq!(refused(log_in_as(mechanism, other)), Why::NotAllowed, "{mechanism:?}");
    }
}

/// Trap 5: rsasl's own challenges for unknown users differ each time.
#[test]
fn challenges_do_not_tell_who_exists() {
    let salt_on = |mechanism: Mechanism, name: &str| {
        let first = format!("{},,n={name},r=abc", flag(mechanism));
        let server_first = challenge(begin(mechanism).step(Some(first.as_bytes())));
        let server_first = String::from_utf8(server_first).unwrap();
        server_first[server_first.find(",s=").unwrap()..].to_owned()
    };
    for mechanism in SCRAM {
        let [known, unknown] = ["user", "nobody"].map(|name| salt_on(mechanism, name));
        assert_eq!(unknown, salt_on(mechanism, "nobody"));
        assert_ne!(unknown, salt_on(mechanism, "noone"));
        assert_eq!(known.len(), unknown.len());
        assert!(known.ends_with(",i=64") && unknown.ends_with(",i=64"));
    }
}

/// Trap 6: rsasl hands names on as they are escaped.
#[test]
fn escaped_names_are_those_of_their_users() {
    for mechanism in SCRAM {
        assert_eq!(granted(log_in(mechanism, "a,b=c", "x"), "a,b=c"), 0);
    }
    assert_eq!(refused(begin(Mechanism::ScramSha1).step(Some(b"n,,n=a=2cb,r=x"))), Why::Malformed);
}

/// Trap 8: rsasl drops an initial response, and its prompts are not those of Cyrus.
#[test]
fn login_asks_as_cyrus_and_takes_an_initial_response() {
    let check = |step: Step| match step {
        Step::Check(Claim::Password { name, password, mechanism: Mechanism::Login }) => (name, password.to_string()),
        other => panic!("{other:?}"),
    };
    let mut server = begin(Mechanism::Login);
    assert_eq!(challenge(server.step(None)), b"Username:");
    assert_eq!(challenge(server.step(Some(b"I\xC2\xADX"))), b"Password:");
    assert_eq!(check(server.step(Some(b"pencil"))), ("IX".to_owned(), "pencil".to_owned()));
    let mut server = begin(Mechanism::Login);
    assert_eq!(challenge(server.step(Some(b"user"))), b"Password:");
    assert_eq!(check(server.step(Some(b"pencil"))), ("user".to_owned(), "pencil".to_owned()));
    assert_eq!(check(log_in(Mechanism::Login, "user", "pencil")), ("user".to_owned(), "pencil".to_owned()));
    for name in [&b""[..], b"a\0", b"\xFF"] {
        assert_eq!(refused(begin(Mechanism::Login).step(Some(name))), Why::Malformed);
    }
    let mut server = begin(Mechanism::Login);
    challenge(server.step(None));
    assert_eq!(refused(server.step(None)), Why::OutOfOrder);
}

/// Trap 9: rsasl has no limits.
#[test]
fn long_messages_are_refused() {
    for &mechanism in Mechanism::ALL {
        let message = |length| [&b"n,,n=user,r="[..], &vec![b'x'; length - 12]].concat();
        assert_eq!(refused(begin(mechanism).step(Some(&message(MESSAGE_MAX + 1)))), Why::TooLong);
    }
    let with_nonce = |bytes| [&b"n,,n=user,r="[..], &vec![b'x'; bytes]].concat();
    let longest = shape::CLIENT_FIRST_MAX - with_nonce(0).len();
    challenge(begin(Mechanism::ScramSha256).step(Some(&with_nonce(longest))));
    assert_eq!(refused(begin(Mechanism::ScramSha256).step(Some(&with_nonce(longest + 1)))), Why::TooLong);
    // The longest names there are leave room for a nonce.
    let name = "=2C".repeat(255);
    let first = format!("p=tls-exporter,a={name},n={name},r={}", "x".repeat(256));
    challenge(begin(Mechanism::ScramSha256Plus).step(Some(first.as_bytes())));
    let (mut server, mut proof) = up_to_proof(Mechanism::ScramSha256, "user", "pencil");
    proof.resize(MESSAGE_MAX + 1, b'x');
    assert_eq!(refused(server.step(Some(&proof))), Why::TooLong);
}

/// Trap 11: rsasl leaves extensions out of what is signed.
#[test]
fn extensions_of_scram_are_refused() {
    assert_eq!(refused(begin(Mechanism::ScramSha256).step(Some(b"n,,n=user,r=a,x=1"))), Why::Malformed);
    let (mut server, proof) = up_to_proof(Mechanism::ScramSha256, "user", "pencil");
    let at = proof.windows(3).position(|part| part == b",p=").unwrap();
    let extended = [&proof[..at], b",x=1", &proof[at..]].concat();
    assert_eq!(refused(server.step(Some(&extended))), Why::Malformed);
}

/// A handshake of somebody whose transport gives this name.
fn external(name: &str) -> Handshake {
    let client = Client { external: Some(name.into()), ..Client::default() };
    Handshake::begin(Mechanism::External, Arc::clone(&USERS), &SECRET, &client)
}

#[test]
fn external_logs_in_who_the_transport_vouches_for() {
    for (name, message) in [
        ("user", None),
        ("user", Some(&b""[..])),
        ("user", Some(b"user")),
        ("user", Some("us\u{AD}er".as_bytes())),
        ("a,b=c", Some(b"a,b=c")),
        ("bare", None),
    ] {
        let mut server = external(name);
        let Step::Granted(identity) = server.step(message) else { panic!("{name} is not let in by {message:?}") };
        assert_eq!((&*identity.name, &identity.proof), (name, &Proof::External));
        assert_eq!(refused(server.step(Some(b""))), Why::OutOfOrder);
    }
}

#[test]
fn external_logs_in_nobody_else() {
    for (name, message, expected) in [
        ("user", Some(&b"two"[..]), Why::NotAllowed),
        ("user", Some(b"User"), Why::NotAllowed),
        ("user", Some(b"user\0"), Why::Malformed),
        ("user", Some(b"\xFF"), Why::Malformed),
        ("nobody", None, Why::UnknownUser),
        ("nobody", Some(b"user"), Why::NotAllowed),
        ("", None, Why::UnknownUser),
        // The name of a certificate is no user's because it would be prepared to one.
        ("us\u{AD}er", None, Why::UnknownUser),
        ("us\u{AD}er", Some(b"user"), Why::NotAllowed),
        ("User", None, Why::UnknownUser),
        ("user\0", None, Why::UnknownUser),
    ] {
        let mut server = external(name);
        assert_eq!(refused(server.step(message)), expected, "{name:?} {message:?}");
        assert_eq!(server.name(), Some(name));
        assert_eq!(refused(server.step(None)), Why::OutOfOrder);
    }
    assert_eq!(refused(begin(Mechanism::External).step(None)), Why::OutOfOrder, "the transport knows nobody");
}

#[test]
fn plain_hands_on_what_was_sent() {
    let check = |step: Step| match step {
        Step::Check(Claim::Password { name, password, mechanism: Mechanism::Plain }) => (name, password.to_string()),
        other => panic!("{other:?}"),
    };
    assert_eq!(check(log_in(Mechanism::Plain, "user", "pen cil")), ("user".to_owned(), "pen cil".to_owned()));
    // Whether anybody has this name is not looked at.
    let mut server = begin(Mechanism::Plain);
    assert_eq!(challenge(server.step(None)), b"");
    assert_eq!(check(server.step(Some(b"IX\0I\xC2\xADX\0p"))), ("IX".to_owned(), "p".to_owned()));
    for message in [&b""[..], b"user", b"\0user\0", b"\0\0pencil", b"\0user\0a\0b", b"\0us\ter\0p", b"\0user\0\xFF"] {
        assert_eq!(refused(begin(Mechanism::Plain).step(Some(message))), Why::Malformed, "{message:?}");
    }
    let mut server = begin(Mechanism::Plain);
    challenge(server.step(None));
    assert_eq!(refused(server.step(None)), Why::OutOfOrder);
}

#[test]
fn a_bearer_token_loses_its_scheme() {
    let check = |step: Step| match step {
        Step::Check(Claim::Token { name, token }) => (name, token.to_string()),
        other => panic!("{other:?}"),
    };
    let send = |message: &str| begin(Mechanism::OAuthBearer).step(Some(message.as_bytes()));
    // The example of RFC 7628 section 4.1.
    let example = "n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
                   auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
    assert_eq!(
        check(send(example)),
        (Some("user@example.com".into()), "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".into())
    );
    assert_eq!(check(send("n,,\x01auth=bEARER a.b.c\x01\x01")), (None, "a.b.c".into()));
    assert_eq!(check(send("n,a=a=2Cb,\x01auth=Bearer x\x01\x01")), (Some("a,b".into()), "x".into()));
    // rsasl's client adds the scheme.
    let credentials = Credentials { authzid: Some("user"), name: "user", password: "a.b.c" };
    assert_eq!(check(log_in_as(Mechanism::OAuthBearer, credentials)), (Some("user".into()), "a.b.c".into()));
    for message in ["", "\x01", "n,,\x01\x01", "n,,\x01auth=x\x01\x01", "n,a=\x02,\x01auth=Bearer x\x01\x01"] {
        assert_eq!(refused(send(message)), Why::Malformed, "{message:?}");
    }
}

#[test]
fn debugging_shows_no_secret() {
    let plain = begin(Mechanism::Plain).step(Some(b"\0user\0pencil"));
    let token = begin(Mechanism::OAuthBearer).step(Some(b"n,,\x01auth=Bearer pencil\x01\x01"));
    for text in [format!("{plain:?}"), format!("{token:?}"), format!("{:?}", begin(Mechanism::Plain))] {
        assert!(!text.contains("pencil"), "{text}");
    }
}

/// The first messages of RFC 5802 section 5 and RFC 7677 section 3; the rest depends on the server's nonce, and is
/// checked where proofs are.
#[test]
fn examples_of_the_rfcs_begin_as_written() {
    for (mechanism, first) in [
        (Mechanism::ScramSha1, "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
        (Mechanism::ScramSha256, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
    ] {
        let server_first = String::from_utf8(challenge(begin(mechanism).step(Some(first.as_bytes())))).unwrap();
        let nonce = first.split_once(",r=").unwrap().1;
        assert!(server_first.starts_with(&format!("r={nonce}")), "{server_first}");
        let salt = server_first.split(',').find_map(|part| part.strip_prefix("s=")).unwrap();
        assert_eq!(STANDARD.decode(salt).unwrap().len(), 16);
        assert!(server_first.ends_with(",i=64"));
    }
}

/// Numbers that are the same in each run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    /// Changes a message in one to four places.
    fn mutate(&mut self, message: &mut Vec<u8>) {
        const WORDS: &[&[u8]] =
            &[b",", b"=", b"p=", b"n=", b"a=x", b",,", b"\0", b"\x01", b"r=", b"c=biws", b"\xFF", b"A"];
        for _ in 0..=self.below(4) {
            let at = self.below(message.len() + 1);
            match self.below(5) {
                0 => message.truncate(at),
                1 => drop(message.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                2 if at < message.len() => message[at] ^= 1 << self.below(8),
                3 if at < message.len() => drop(message.remove(at)),
                _ => {
                    let to = self.below(message.len() + 1);
                    let part = message[at.min(to)..at.max(to)].to_vec();
                    drop(message.splice(to..to, part));
                }
            }
        }
    }
}

/// No mutated message panics, and none gets in: a changed proof is a wrong one.
#[test]
fn mutated_messages_do_no_harm() {
    let seeds: &[(Mechanism, &[u8])] = &[
        (Mechanism::Plain, b"user\0user\0pencil"),
        (Mechanism::Login, b"user"),
        (Mechanism::OAuthBearer, b"n,a=user,\x01host=h\x01auth=Bearer abc\x01\x01"),
        (Mechanism::ScramSha512, b"n,a=user,n=user,r=abc"),
        (Mechanism::ScramSha256, b"n,,n=user,r=abc"),
        (Mechanism::ScramSha512Plus, b"p=tls-exporter,,n=two,r=abc"),
        (Mechanism::ScramSha256Plus, b"p=tls-exporter,a=user,n=user,r=abc"),
        (Mechanism::External, b"user"),
        (Mechanism::ScramSha1, b"y,,n=two,r=abc"),
    ];
    let mut dice = Dice(0x5EED);
    let mut reached = [0_u32; 3];
    for round in 0..80_000 {
        let (mechanism, first) = seeds[round % seeds.len()];
        let mut server = if mechanism == Mechanism::External { external("nobody") } else { begin(mechanism) };
        let mut message = first.to_vec();
        dice.mutate(&mut message);
        for _ in 0..4 {
            match server.step(Some(&message)) {
                Step::Challenge(challenge) => {
                    reached[0] += 1;
                    let nonce = shape::server_nonce(&challenge).unwrap_or(b"abc");
                    let (channel, proof) = (channel(mechanism), STANDARD.encode([0; 32]));
                    message = [b"c=", channel.as_bytes(), b",r=", nonce, b",p=", proof.as_bytes()].concat();
                    if dice.below(4) > 0 {
                        dice.mutate(&mut message);
                    }
                }
                Step::Check(_) => reached[1] += 1,
                Step::Refused(why) => {
                    assert_ne!(why, Why::Broken, "{message:?}");
                    reached[2] += 1;
                }
                Step::Granted(identity) => panic!("{} got in", identity.name),
            }
        }
    }
    assert!(reached.iter().all(|&times| times > 1_000), "{reached:?}");
    for round in 0..3_000 {
        let (mut server, proof) = up_to_proof(SCRAM[round % SCRAM.len()], "two", ["new", "old"][round % 2]);
        let mut message = proof.clone();
        dice.mutate(&mut message);
        if message != proof {
            let why = refused(server.step(Some(&message)));
            assert_ne!(why, Why::Broken, "{message:?}");
        }
    }
}

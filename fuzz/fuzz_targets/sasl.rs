//! Logins by a client that does not know any password: nobody gets in, nothing panics, not even inside the fence around
//! rsasl (the fuzzer ends at contained panics too).
//!
//! The input: a byte that chooses the mechanism, then messages with 0xFE between them, which no text has. `@` in a
//! message stands for the nonce of the last challenge, so that proofs get as far as being checked.

#![no_main]

use std::sync::{Arc, LazyLock};

use larder::auth::client::Client;
use larder::auth::sasl::{Handshake, MESSAGE_MAX, Mechanism, Step, Why};
use larder::auth::user::{User, Users};
use larder::auth::verifier::{Salts, Verifier};
use libfuzzer_sys::fuzz_target;

const SECRET: [u8; 32] = [7; 32];

static USERS: LazyLock<Arc<Users>> = LazyLock::new(|| {
    let salts = Salts::derived(&SECRET, "user");
    let verifier = |password| Verifier::of(password, 4_096, &salts).expect("a password of letters");
    let passwords = vec![verifier("new and not in any dictionary"), verifier("old and not in any dictionary")];
    let user = User { name: "user".into(), rights: Arc::default(), passwords, counts: Arc::default() };
    Arc::new(Users::new([user], None))
});

fuzz_target!(|input: &[u8]| {
    let Some((&choice, messages)) = input.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(choice) % Mechanism::ALL.len()];
    let channel_binding = mechanism.binds_channel().then_some([9; 32]);
    let client = Client { external: Some("nobody".into()), channel_binding, ..Client::default() };
    let mut login = Handshake::begin(mechanism, Arc::clone(&USERS), &SECRET, &client);
    let mut nonce = Vec::new();
    for message in messages.split(|byte| *byte == 0xFE) {
        let parts: Vec<&[u8]> = message.split(|byte| *byte == b'@').collect();
        match login.step(Some(&parts.join(&nonce[..]))) {
            Step::Challenge(challenge) => {
                assert!(challenge.len() <= MESSAGE_MAX + 256, "a challenge of {} bytes", challenge.len());
                let first = challenge.split(|byte| *byte == b',').next().unwrap_or_default();
                nonce = first.strip_prefix(b"r=").unwrap_or_default().to_vec();
            }
            Step::Check(_) => {}
            Step::Refused(why) => assert_ne!(why, Why::Broken),
            Step::Granted(identity) => panic!("{} got in without a password", identity.name),
        }
    }
});

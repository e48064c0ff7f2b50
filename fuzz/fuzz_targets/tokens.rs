//! Tokens and key sets that anybody may send or write.
//!
//! The first byte of the input chooses: 0, the rest is a key set; 1, a token by somebody who has no key; else a header
//! and claims with 0xFE between them, which are signed here, so that the rules for claims are reached.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder::auth::rights::Demand;
use larder::auth::token::{TOKEN_MAX, TokenRules};
use larder::auth::user::{NAME_MAX, Users};
use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const NOW: u64 = 1_800_000_000;

static PAIR: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed is good"));

static RULES: LazyLock<TokenRules> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(PAIR.public_key().as_ref());
    let set = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
    TokenRules::load("i", "a", set.as_bytes()).expect("a good set")
});

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    match choice {
        0 => {
            if let Err(refusal) = TokenRules::load("i", "a", rest) {
                assert!(!refusal.contains('\n'), "{refusal:?}");
            }
        }
        1 => {
            let Ok(token) = std::str::from_utf8(rest) else { return };
            TokenRules::looks_like_token(token);
            assert!(RULES.check(token, NOW).is_err(), "a token without a key: {token:?}");
        }
        _ => {
            let mut parts = rest.splitn(2, |byte| *byte == 0xFE);
            let mut part = || URL_SAFE_NO_PAD.encode(parts.next().unwrap_or_default());
            let signed = format!("{}.{}", part(), part());
            let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes())));
            let Ok(verified) = RULES.check(&token, NOW) else { return };
            assert!(token.len() <= TOKEN_MAX && verified.expires > NOW && &*verified.key == "k");
            assert!((1..=NAME_MAX).contains(&verified.subject.len()));
            assert!(!verified.subject.contains(char::is_control));
            if let Ok(identity) = RULES.identity(&Users::default(), &verified) {
                let rights = &identity.rights;
                assert!(rights.read || rights.write || rights.admin, "{rights:?}");
                assert!(!rights.admin || rights.prefixes.is_none(), "{rights:?}");
                assert!(rights.prefixes.is_none() || !rights.allow(Demand::Admin));
            }
        }
    }
});

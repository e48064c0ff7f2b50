//! Signatures by the examples of the RFCs, rules by a table with a line for each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::auth::user::User;

const ISSUER: &str = "https://issuer.example";
const NOW: u64 = 1_800_000_000;

/// RFC 8037 appendix A.4.
const RFC_8037_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RFC_8037_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
     hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7515 appendix A.3.
const RFC_7515_KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
const RFC_7515_TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.\
     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
     DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// Made with openssl; the private key is nowhere any more.
const RSA_N: &str = "wmh6HxHyRt51zZ3FT5J2UKprH3AyvAd1vn_Jujwzt6bowDJkFEHiJRPm15-gdjgw9PKkbr3u5hUe_0RX2KdkSoKCIl2zgNlMjCHY\
     iyOf4U2camUNAmCjUXj_GyGY8XUhxJEwXgJo3-S835mXgUxq2u9BWhlPOjaf-dn4wfW5m85o4-b4CQnjsit_8EfObNS4OkLFLtL_\
     8AYhqp0UREvS5TQICSWaLMNogCSoOMMwcNVELGfyROaaqxLBOSZpjyX8AYAoimtnEn55ha-a2aVd0t9EjAtld2XLSpcmIam69uT0\
     xTavzGZiOjr8YZJg0kyx_YKCVqS2tIrmsDHPCldHkw";
const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoibGFyZGVyIiw\
     ic3ViIjoiYXBwIiwiZXhwIjoxMDAwfQ.CjR2D098YL6egP-wkehb3lfeunLFezQA8uF2YBDn0qC2W23-UmO8yZBrH1FZhA-crdgj\
     R5yS1MZPdOREBNOWSeCAB3o8pch85YSsG_YrRdXLMGFyoZzMLN07aEWZ0l4DaANHeRq5XoiXAHb8Ji97nIkVLgMZLO9_VkLD1L0A\
     -kSDLxn5SdseeyB3smaYYbI36GvNKyP2GYenyrNZeq2OMQK2SwQgEhGn8tLxwWO3c6DpSHRwsfD2cftVl-COkjsP_-Y8JDOmPt7h\
     UzBxsuZm84QVO5AsREtIFvoZBwFezAie4jJ1qGR818L2WqrlMRCysHzGGp6RC2CVm1WLLwdxtw";

fn set(keys: &[&str]) -> Vec<u8> {
    format!("{{\"keys\":[{}]}}", keys.join(",")).into_bytes()
}

fn load(keys: &[&str]) -> Result<TokenRules, String> {
    TokenRules::load(ISSUER, "larder", &set(keys))
}

/// A key of this run, named `k`, and rules that know it.
struct Signer {
    pair: Ed25519KeyPair,
    rules: TokenRules,
}

impl Signer {
    fn new() -> Signer {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let rules = load(&[&key_row(&pair, "k")]).unwrap();
        Signer { pair, rules }
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }

    fn check(&self, header: &str, payload: &str) -> Result<Verified, TokenFault> {
        self.rules.check(&self.sign(header, payload), NOW)
    }
}

fn key_row(pair: &Ed25519KeyPair, name: &str) -> String {
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{name}"}}"#)
}

const HEADER: &str = r#"{"alg":"EdDSA","kid":"k"}"#;

/// Good claims, with one of them replaced.
fn claims(name: &str, value: &str) -> String {
    let mut members = vec![
        ("iss", format!("{ISSUER:?}")),
        ("aud", "\"larder\"".to_owned()),
        ("sub", "\"app\"".to_owned()),
        ("exp", (NOW + 100).to_string()),
    ];
    members.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        members.push((name, value.to_owned()));
    }
    let rows: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", rows.join(","))
}

#[test]
fn signatures_of_the_rfcs_are_good() {
    let rules = load(&[RFC_8037_KEY]).unwrap();
    // The signature is good; the payload is no claims.
    assert_eq!(rules.check(RFC_8037_TOKEN, NOW), Err(TokenFault::Malformed));
    let rules = TokenRules::load("joe", "larder", &set(&[RFC_7515_KEY])).unwrap();
    assert_eq!(rules.check(RFC_7515_TOKEN, NOW), Err(TokenFault::Audience));
    for (rules, token) in [(load(&[RFC_8037_KEY]).unwrap(), RFC_8037_TOKEN), (rules, RFC_7515_TOKEN)] {
        let other = token.replacen('.', ".A", 1);
        assert!(matches!(rules.check(&other, NOW), Err(TokenFault::Signature | TokenFault::Malformed)));
    }
    let rsa = format!(r#"{{"kty":"RSA","kid":"rsa","use":"sig","alg":"RS256","e":"AQAB","n":"{RSA_N}"}}"#);
    let verified = load(&[&rsa]).unwrap().check(RSA_TOKEN, 999).unwrap();
    assert_eq!((verified.subject.as_str(), &*verified.key, verified.expires), ("app", "rsa", 1000));
}

#[test]
fn each_claim_has_its_rule() {
    let signer = Signer::new();
    let at = |secs: u64| secs.to_string();
    use TokenFault::*;
    let cases = [
        ("", "", Ok(())),
        ("iss", "\"https://other.example\"", Err(Issuer)),
        ("iss", "", Err(Issuer)),
        ("iss", "7", Err(Issuer)),
        ("aud", "\"other\"", Err(Audience)),
        ("aud", "", Err(Audience)),
        ("aud", "[]", Err(Audience)),
        ("aud", "[\"other\",\"larder\"]", Ok(())),
        ("exp", "", Err(Expired)),
        ("exp", &at(NOW), Err(Expired)),
        ("exp", &at(NOW - 1000), Err(Expired)),
        ("exp", &format!("{NOW}.5"), Ok(())),
        ("exp", "\"soon\"", Err(Malformed)),
        ("exp", "-1", Err(Malformed)),
        ("exp", "1e300", Ok(())),
        ("nbf", &at(NOW + 59), Ok(())),
        ("nbf", &at(NOW + 61), Err(NotYetValid)),
        ("iat", &at(NOW + 61), Err(NotYetValid)),
        ("iat", "null", Err(Malformed)),
        ("sub", "", Err(Subject)),
        ("sub", "\"\"", Err(Subject)),
        ("sub", "\"a\\nb\"", Err(Subject)),
        ("sub", "7", Err(Subject)),
        ("scope", "\"openid profile\"", Ok(())),
        ("scope", "\"larder:read larder:prefix=a:\"", Ok(())),
        ("scope", "[\"larder:read\"]", Ok(())),
        ("scope", "7", Err(Scope)),
        ("scope", "\"larder:fly\"", Err(Scope)),
        ("scope", "\"larder:prefix=\"", Err(Scope)),
        ("scope", "\"larder:admin larder:prefix=a:\"", Err(Scope)),
    ];
    for (name, value, expected) in cases {
        assert_eq!(signer.check(HEADER, &claims(name, value)).map(|_| ()), expected, "{name} {value}");
    }
    let twice = claims("x", "1").replace("\"sub\":", "\"sub\":\"admin\",\"sub\":");
    assert_eq!(signer.check(HEADER, &twice).map(|_| ()), Err(Malformed), "a member that comes twice");
    for payload in ["", "7", "[]", "{", "null"] {
        assert_eq!(signer.check(HEADER, payload).map(|_| ()), Err(Malformed), "{payload:?}");
    }
}

#[test]
fn headers_have_their_rules() {
    let signer = Signer::new();
    use TokenFault::*;
    for (header, expected) in [
        (HEADER, Ok(())),
        (r#"{"alg":"EdDSA"}"#, Ok(())),
        (r#"{"alg":"EdDSA","kid":"k","typ":"jwt"}"#, Ok(())),
        (r#"{"alg":"EdDSA","kid":"k","typ":"at+JWT"}"#, Ok(())),
        (r#"{"alg":"EdDSA","kid":"k","typ":"dpop+jwt"}"#, Err(Malformed)),
        (r#"{"alg":"EdDSA","kid":"other"}"#, Err(UnknownKey)),
        (r#"{"alg":"EdDSA","kid":7}"#, Err(Malformed)),
        (r#"{"alg":"ES256","kid":"k"}"#, Err(UnknownKey)),
        (r#"{"alg":"none"}"#, Err(Algorithm)),
        (r#"{"alg":"None","kid":"k"}"#, Err(Algorithm)),
        (r#"{"alg":"HS256","kid":"k"}"#, Err(Algorithm)),
        (r#"{"kid":"k"}"#, Err(Algorithm)),
        (r#"{"alg":"EdDSA","kid":"k","crit":["exp"]}"#, Err(Algorithm)),
        (r#"{"alg":"none","alg":"EdDSA","kid":"k"}"#, Err(Malformed)),
        ("[]", Err(Malformed)),
    ] {
        assert_eq!(signer.check(header, &claims("", "")).map(|_| ()), expected, "{header}");
    }
}

#[test]
fn no_other_token_is_good_in_place_of_a_good_one() {
    let signer = Signer::new();
    let token = signer.sign(HEADER, &claims("", ""));
    assert!(signer.rules.check(&token, NOW).is_ok());
    for at in 0..token.len() {
        for letter in ["A", "z", ".", "=", "-", " "] {
            let mut other = token.clone();
            other.replace_range(at..=at, letter);
            assert!(other == token || signer.rules.check(&other, NOW).is_err(), "{letter:?} at {at}");
        }
    }
    for other in [
        "",
        ".",
        "..",
        "...",
        "a.b",
        &token[1..],
        &format!("{token}="),
        &format!("{token}.x"),
        &"e".repeat(TOKEN_MAX + 1),
    ] {
        assert!(signer.rules.check(other, NOW).is_err(), "{other:?}");
    }
    // Without its signature, and with another key's.
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(signer.rules.check(&unsigned, NOW), Err(TokenFault::Signature));
    assert_eq!(Signer::new().rules.check(&token, NOW), Err(TokenFault::Signature));
}

#[test]
fn key_sets_are_checked() {
    let signer = Signer::new();
    let good = key_row(&signer.pair, "k");
    for (keys, reason) in [
        (vec![], "there is no key for"),
        (vec![good.as_str(), good.as_str()], "two keys are called \"k\""),
        (vec![r#"{"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"}"#], "key \"r\": an RSA key of about 24 bits"),
        (vec![r#"{"kty":"OKP","crv":"Ed25519"}"#], "key 0: there is no \"x\""),
        (vec![r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#], "key 0: an Ed25519 key has 32 bytes"),
        (vec![r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#], "key 0: the coordinates"),
        (vec![r#"{"kty":"OKP","crv":"Ed25519","x":"?"}"#], "key 0: \"x\" is no base64url"),
        (vec![r#"{"kty":"oct","k":"AAAA"}"#], "there is no key for"),
        (vec![&good.replace("\"kid\"", "\"use\":\"enc\",\"kid\"")], "there is no key for"),
        (vec![&good.replace("\"kid\"", "\"alg\":\"RS256\",\"kid\"")], "there is no key for"),
        (vec![&good.replace("\"kid\"", "\"key_ops\":[\"sign\"],\"kid\"")], "there is no key for"),
    ] {
        let refusal = load(&keys).map(|_| ()).expect_err(reason);
        assert!(refusal.starts_with(reason), "{refusal}");
        assert!(!refusal.contains('\n'));
    }
    for text in ["", "[]", "{}", "{\"keys\":7}"] {
        assert!(TokenRules::load(ISSUER, "larder", text.as_bytes()).is_err(), "{text:?}");
    }
    // What is for others is passed over.
    let mixed = load(&[&good, r#"{"kty":"EC","crv":"P-521","x":"?"}"#, r#"{"kty":"oct","k":"AAAA"}"#]).unwrap();
    assert!(mixed.has_key("k") && !mixed.has_key("other"));
    assert!(mixed.check(&signer.sign(HEADER, &claims("", "")), NOW).is_ok());
    // Of two keys that fit, a token has to name one.
    let two = load(&[&good, &key_row(&Signer::new().pair, "other")]).unwrap();
    assert_eq!(two.check(&signer.sign(r#"{"alg":"EdDSA"}"#, &claims("", "")), NOW), Err(TokenFault::UnknownKey));
}

#[test]
fn users_have_their_rights_or_those_of_the_scope() {
    let signer = Signer::new();
    let limited =
        Rights { read: true, write: true, prefixes: Some([Box::from(&b"a:"[..])].into()), ..Rights::default() };
    let user =
        User { name: "app".into(), rights: Arc::new(limited.clone()), passwords: Vec::new(), counts: Arc::default() };
    let users = Users::new([user], None);
    let identity = |name: &str, scope: &str| {
        let scope = if scope.is_empty() { String::new() } else { format!(",\"scope\":\"{scope}\"") };
        let payload = claims("sub", &format!("\"{name}\"{scope}"));
        signer
            .rules
            .identity(&users, &signer.check(HEADER, &payload).unwrap())
            .map(|identity| (*identity.rights).clone())
    };
    let read_only = Rights { write: false, ..limited.clone() };
    assert_eq!(identity("app", ""), Ok(limited.clone()));
    assert_eq!(identity("app", "openid"), Ok(limited));
    assert_eq!(identity("app", "larder:read"), Ok(read_only));
    assert_eq!(identity("app", "larder:admin"), Err(TokenFault::NoRights), "a scope only takes away");
    assert_eq!(identity("app", "larder:read larder:prefix=b:"), Err(TokenFault::NoRights));
    assert_eq!(identity("guest", ""), Err(TokenFault::NoRights));
    assert_eq!(identity("guest", "larder:read"), Ok(Rights { read: true, ..Rights::default() }));
}

#[test]
fn tokens_are_told_from_passwords() {
    let signer = Signer::new();
    assert!(TokenRules::looks_like_token(&signer.sign(HEADER, &claims("", ""))));
    for password in ["", "hunter2", "eyJ", "eyJ.x", "a.b.c", "eyJ.a.b.c"] {
        assert!(!TokenRules::looks_like_token(password), "{password:?}");
    }
}

//! Signatures by the examples of the RFCs, rules by a table with a line for each.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

use super::*;
use crate::auth::user::{NAME_MAX, User};
use crate::auth::users_file::{PREFIX_BYTES_MAX, PREFIXES_MAX};

const ISSUER: &str = "https://issuer.example";
const NOW: u64 = 1_800_000_000;

/// RFC 8037 appendix A.4.
const RFC_8037_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RFC_8037_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
     hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// RFC 7515 appendix A.2.
const RFC_7515_RSA_KEY: &str = r#"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}"#;
const RFC_7515_RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.\
     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
     cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb\
     F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383\
     LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
     wlVmtVrBp0igcN_IoypGlUPQGe77Rw";

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

/// A key as a provider lists it that gives no name.
fn nameless(pair: &Ed25519KeyPair) -> String {
    key_row(pair, "k").replace(",\"kid\":\"k\"", "")
}

/// The good key with one more member.
fn with_member(row: &str, member: &str) -> String {
    row.replacen('{', &format!("{{{member},"), 1)
}

#[test]
fn signatures_of_the_rfcs_are_good() {
    // The signatures are good, the payloads are no claims for us.
    for (key, token, fault) in [
        (RFC_8037_KEY, RFC_8037_TOKEN, TokenFault::Malformed),
        (RFC_7515_KEY, RFC_7515_TOKEN, TokenFault::Audience),
        (RFC_7515_RSA_KEY, RFC_7515_RSA_TOKEN, TokenFault::Audience),
    ] {
        let rules = TokenRules::load("joe", "larder", &set(&[key])).unwrap();
        assert_eq!(rules.check(token, NOW), Err(fault));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let other = format!("{signed}.{first}{}", &signature[1..]);
        assert_eq!(rules.check(&other, NOW), Err(TokenFault::Signature));
        let zeros = URL_SAFE_NO_PAD.encode(vec![0; URL_SAFE_NO_PAD.decode(signature).unwrap().len()]);
        assert_eq!(rules.check(&format!("{signed}.{zeros}"), NOW), Err(TokenFault::Signature));
    }
}

#[test]
fn each_algorithm_lets_in() {
    let rsa = |e: &str| format!(r#"{{"kty":"RSA","kid":"rsa","use":"sig","alg":"RS256","e":"{e}","n":"{RSA_N}"}}"#);
    for e in ["AQAB", "AAEAAQ"] {
        let verified = load(&[&rsa(e)]).unwrap().check(RSA_TOKEN, 999).unwrap();
        assert_eq!((verified.subject.as_str(), &*verified.key, verified.expires), ("app", "rsa", 1000));
    }
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    let rules = load(&[&format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","kid":"p"}}"#)]).unwrap();
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":"p"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims("", "")));
    let signature = pair.sign(&random, signed.as_bytes()).unwrap();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    assert_eq!(rules.check(&token, NOW).map(|verified| verified.subject), Ok("app".to_owned()));
}

#[test]
fn each_claim_has_its_rule() {
    let signer = Signer::new();
    let at = |secs: u64| secs.to_string();
    let prefixes = |count: usize, bytes: usize| {
        format!("\"larder:read{}\"", format!(" larder:prefix={}", "p".repeat(bytes)).repeat(count))
    };
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
        ("exp", "null", Err(Malformed)),
        ("exp", "1e999", Err(Malformed)),
        ("exp", "\"soon\"", Err(Malformed)),
        ("exp", "-1", Err(Malformed)),
        ("exp", "1e300", Ok(())),
        ("nbf", &at(NOW + 59), Ok(())),
        ("nbf", &at(NOW + 60), Ok(())),
        ("nbf", &at(NOW + 61), Err(NotYetValid)),
        ("nbf", "-1", Err(Malformed)),
        ("iat", &at(NOW + 60), Ok(())),
        ("iat", &at(NOW + 61), Err(NotYetValid)),
        ("iat", "null", Err(Malformed)),
        ("sub", "", Err(Subject)),
        ("sub", "\"\"", Err(Subject)),
        ("sub", "\"a\\nb\"", Err(Subject)),
        ("sub", "7", Err(Subject)),
        ("sub", &format!("{:?}", "n".repeat(NAME_MAX)), Ok(())),
        ("sub", &format!("{:?}", "n".repeat(NAME_MAX + 1)), Err(Subject)),
        ("scope", "\"openid profile\"", Ok(())),
        ("scope", "\"larder:read larder:prefix=a:\"", Ok(())),
        ("scope", "[\"larder:read\"]", Ok(())),
        ("scope", "7", Err(Scope)),
        ("scope", "\"larder:fly\"", Err(Scope)),
        ("scope", "\"larder:prefix=\"", Err(Scope)),
        ("scope", "\"larder:admin larder:prefix=a:\"", Err(Scope)),
        ("scope", "[\"larder:read\",7]", Err(Scope)),
        ("scope", &prefixes(PREFIXES_MAX, 1), Ok(())),
        ("scope", &prefixes(PREFIXES_MAX + 1, 1), Err(Scope)),
        ("scope", &prefixes(1, PREFIX_BYTES_MAX), Ok(())),
        ("scope", &prefixes(1, PREFIX_BYTES_MAX + 1), Err(Scope)),
    ];
    for (name, value, expected) in cases {
        assert_eq!(signer.check(HEADER, &claims(name, value)).map(|_| ()), expected, "{name} {value}");
    }
    for (exp, expires) in [("2e9", 2_000_000_000), ("2000000000.5", 2_000_000_001), ("1e300", u64::MAX)] {
        let verified = signer.check(HEADER, &claims("exp", exp)).unwrap();
        assert_eq!(verified.expires, expires, "{exp}");
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
        (r#"{"alg":"EdDSA","kid":"k","typ":7}"#, Err(Malformed)),
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
        for letter in (0..=127).map(char::from).filter(|letter| !letter.is_control()) {
            let mut other = token.clone();
            other.replace_range(at..=at, letter.encode_utf8(&mut [0; 4]));
            assert!(other == token || signer.rules.check(&other, NOW).is_err(), "{letter:?} at {at}");
        }
        let mut shorter = token.clone();
        shorter.remove(at);
        assert!(signer.rules.check(&shorter, NOW).is_err(), "without the letter at {at}");
        let mut longer = token.clone();
        longer.insert(at, 'A');
        assert!(signer.rules.check(&longer, NOW).is_err(), "with a letter more at {at}");
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
    let bare = nameless(&signer.pair);
    let rsa = |n: &[u8], e: &str| format!(r#"{{"kty":"RSA","kid":"r","n":"{}","e":"{e}"}}"#, URL_SAFE_NO_PAD.encode(n));
    let bytes = |first: u8, len: usize| [&[first][..], &vec![1; len - 1]].concat();
    for (keys, reason) in [
        (vec![], "there is no key for"),
        (vec![good.as_str(), good.as_str()], "two keys are called \"k\""),
        (vec![bare.as_str(), bare.as_str()], "two keys are called"),
        (vec![&good.replace("\"k\"", "7")], "key 0: its \"kid\" is no text"),
        (vec![&rsa(&bytes(0x7F, 256), "AQAB")], "key \"r\": an RSA key of 2047 bits"),
        (vec![&rsa(&bytes(1, 1025), "AQAB")], "key \"r\": an RSA key of 8193 bits"),
        (vec![&rsa(&[], "AQAB")], "key \"r\": an RSA key of 0 bits"),
        (vec![&rsa(&bytes(0x80, 256), "")], "key \"r\": its \"e\""),
        (vec![&rsa(&bytes(0x80, 256), "AQ")], "key \"r\": its \"e\""),
        (vec![&rsa(&bytes(0x80, 256), "BA")], "key \"r\": its \"e\""),
        (vec![&rsa(&bytes(0x80, 256), "AgAAAAE")], "key \"r\": its \"e\""),
        (vec![&rsa(&bytes(0x80, 256), "AQAAAAAAAAAAAAAB")], "key \"r\": its \"e\""),
        (vec![r#"{"kty":"OKP","crv":"Ed25519"}"#], "key 0: there is no \"x\""),
        (vec![r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#], "key 0: an Ed25519 key has 32 bytes"),
        (vec![r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#], "key 0: the coordinates"),
        (vec![r#"{"kty":"OKP","crv":"Ed25519","x":"?"}"#], "key 0: \"x\" is no base64url"),
    ] {
        let refusal = load(&keys).map(|_| ()).expect_err(reason);
        assert!(refusal.starts_with(reason), "{refusal}");
        assert!(!refusal.contains('\n'));
    }
    for text in ["", "[]", "{}", "{\"keys\":7}", "{\"keys\":[],\"keys\":[]}"] {
        assert!(TokenRules::load(ISSUER, "larder", text.as_bytes()).is_err(), "{text:?}");
    }
    assert!(load(&[&rsa(&bytes(0x80, 256), "AQAB")]).is_ok() && load(&[&rsa(&bytes(0x80, 1024), "Aw")]).is_ok());
    // Of two keys that fit, a token has to name one.
    let two = load(&[&good, &key_row(&Signer::new().pair, "other")]).unwrap();
    assert_eq!(two.check(&signer.sign(r#"{"alg":"EdDSA"}"#, &claims("", "")), NOW), Err(TokenFault::UnknownKey));
}

#[test]
fn keys_for_others_are_passed_over_and_told_of() {
    let signer = Signer::new();
    let good = key_row(&signer.pair, "k");
    let other = key_row(&signer.pair, "o\\nther");
    for (row, why) in [
        (r#"{"kty":"EC","crv":"P-521","x":"?"}"#.to_owned(), "key 0: it is not of type"),
        (r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned(), "key 0: it is not of type"),
        ("7".to_owned(), "key 0: it is not of type"),
        (with_member(&other, r#""use":"enc""#), "key \"o\\nther\": its \"use\""),
        (with_member(&other, r#""use":7"#), "key \"o\\nther\": its \"use\""),
        (with_member(&other, r#""alg":"RS256""#), "key \"o\\nther\": its \"alg\""),
        (with_member(&other, r#""alg":"HS256""#), "key \"o\\nther\": its \"alg\""),
        (with_member(&other, r#""alg":null"#), "key \"o\\nther\": its \"alg\""),
        (with_member(&other, r#""key_ops":["sign"]"#), "key \"o\\nther\": its \"key_ops\""),
        (with_member(&other, r#""key_ops":"verify""#), "key \"o\\nther\": its \"key_ops\""),
    ] {
        assert!(load(&[&row]).map(|_| ()).unwrap_err().starts_with("there is no key for"), "{row}");
        let rules = load(&[&row, &good]).unwrap();
        assert!(matches!(rules.passed_over(), [line] if line.starts_with(why)), "{:?}", rules.passed_over());
        assert!(rules.has_key("k") && !rules.has_key("o\nther"));
        assert!(rules.check(&signer.sign(HEADER, &claims("", "")), NOW).is_ok());
        assert!(!format!("{rules:?}").contains("c2VjcmV0"), "what was passed over may be secret");
    }
    let whole = with_member(&good, r#""use":"sig","alg":"EdDSA","key_ops":["verify"]"#);
    assert!(load(&[&whole]).unwrap().passed_over().is_empty());
}

/// RFC 8037 appendix A.3 has the thumbprint of its key.
#[test]
fn keys_without_a_name_are_called_by_their_thumbprint() {
    assert!(load(&[RFC_8037_KEY]).unwrap().has_key("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    let signer = Signer::new();
    let rules = load(&[&nameless(&signer.pair), RFC_7515_KEY]).unwrap();
    let token = signer.sign(r#"{"alg":"EdDSA"}"#, &claims("", ""));
    let key = rules.check(&token, NOW).unwrap().key;
    assert!(rules.has_key(&key) && !rules.has_key(""));
    assert!(!load(&[&nameless(&Signer::new().pair)]).unwrap().has_key(&key), "another key in its place");
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
    assert_eq!(identity("app", "larder:prefix=a:"), Err(TokenFault::NoRights));
    assert_eq!(identity("guest", ""), Err(TokenFault::NoRights));
    assert_eq!(identity("guest", "larder:prefix=a:"), Err(TokenFault::NoRights), "which keys, but not what for");
    assert_eq!(identity("guest", "larder:read"), Ok(Rights { read: true, ..Rights::default() }));
}

#[test]
fn users_whom_only_tokens_know_are_counted_as_one_and_over_a_reload() {
    let signer = Signer::new();
    let counts = |rules: &TokenRules, name: &str| {
        let payload = claims("sub", &format!("\"{name}\",\"scope\":\"larder:read\""));
        let verified = rules.check(&signer.sign(HEADER, &payload), NOW).unwrap();
        rules.identity(&Users::default(), &verified).unwrap().counts
    };
    let first = counts(&signer.rules, "one");
    assert!(Arc::ptr_eq(&first, &counts(&signer.rules, "two")));
    let mut reloaded = load(&[&key_row(&signer.pair, "k")]).unwrap();
    assert!(!Arc::ptr_eq(&first, &counts(&reloaded, "one")));
    reloaded.keep_counts(&signer.rules);
    assert!(Arc::ptr_eq(&first, &counts(&reloaded, "one")));
}

#[test]
fn tokens_are_told_from_passwords() {
    let signer = Signer::new();
    assert!(TokenRules::looks_like_token(&signer.sign(HEADER, &claims("", ""))));
    for password in ["", "hunter2", "eyJ", "eyJ.x", "a.b.c", "eyJ.a.b.c"] {
        assert!(!TokenRules::looks_like_token(password), "{password:?}");
    }
}

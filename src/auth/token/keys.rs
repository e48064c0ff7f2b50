//! A JSON Web Key Set (RFC 7517; RFC 7518 section 6; RFC 8037 section 2).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::strict_json::Object;

/// Keys in a set at most.
const KEYS_MAX: usize = 256;

/// Algorithms that are taken. None of them has a key that a token could bring along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256, 2,048 bits or more.
    Rs256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Algorithm> {
        match name {
            "RS256" => Some(Algorithm::Rs256),
            "ES256" => Some(Algorithm::Es256),
            "EdDSA" => Some(Algorithm::EdDsa),
            _ => None,
        }
    }
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point(Vec<u8>),
}

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    /// `kid`, or the thumbprint of a key that has none.
    pub(super) name: Arc<str>,
    algorithm: Algorithm,
    material: Material,
}

impl Key {
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let result = match (&self.material, self.algorithm) {
            (Material::Rsa { n, e }, _) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            (Material::Point(point), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            (Material::Point(point), _) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        result.is_ok()
    }
}

/// The keys that tokens may be signed with.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    passed_over: Vec<String>,
}

impl KeySet {
    pub(super) fn parse(bytes: &[u8]) -> Result<KeySet, String> {
        let set = Object::parse(bytes).ok_or("this is no JSON object; put a JSON Web Key Set here")?;
        let Some(Value::Array(rows)) = set.0.get("keys") else {
            return Err("there is no list \"keys\"; put a JSON Web Key Set here".to_owned());
        };
        if rows.len() > KEYS_MAX {
            return Err(format!("there are more than {KEYS_MAX} keys; take some away"));
        }
        let (mut keys, mut passed_over) = (Vec::<Key>::new(), Vec::new());
        for (index, row) in rows.iter().enumerate() {
            let label = match row.get("kid").and_then(Value::as_str) {
                Some(name) => format!("key {name:?}"),
                None => format!("key {index}"),
            };
            let algorithm = match purpose(row) {
                Ok(algorithm) => algorithm,
                Err(why) => {
                    passed_over.push(format!("{label}: {why}"));
                    continue;
                }
            };
            let key = Key::parse(row, algorithm).map_err(|why| format!("{label}: {why}"))?;
            if keys.iter().any(|known| known.name == key.name) {
                return Err(format!("two keys are called {:?}; give each a \"kid\" of its own", key.name));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("there is no key for RS256, ES256 or EdDSA; add one".to_owned());
        }
        Ok(KeySet { keys, passed_over })
    }

    /// The keys that no token can be signed with here, and why: a line for each.
    pub(super) fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.iter().any(|key| *key.name == *name)
    }

    /// The key of this name, or the only one that fits the algorithm where the token names none.
    pub(super) fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match name {
            Some(name) => fitting.find(|key| *key.name == *name),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

/// The algorithm that a key is for; or why it is none of ours to use.
fn purpose(row: &Value) -> Result<Algorithm, &'static str> {
    let text = |member: &str| row.get(member).and_then(Value::as_str);
    // A member that is there and is no text says nothing that can be relied on.
    let is_or_absent = |member: &str, fits: &dyn Fn(&str) -> bool| {
        row.get(member).is_none_or(|value| value.as_str().is_some_and(fits))
    };
    let algorithm = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => Algorithm::Rs256,
        (Some("EC"), Some("P-256")) => Algorithm::Es256,
        (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Err("it is not of type RSA, P-256 or Ed25519"),
    };
    if !is_or_absent("use", &|purpose| purpose == "sig") {
        return Err("its \"use\" is not \"sig\"");
    }
    if !is_or_absent("alg", &|name| Algorithm::parse(name) == Some(algorithm)) {
        return Err("its \"alg\" is not RS256, ES256 or EdDSA as its type asks for");
    }
    let verifies = |ops: &Vec<Value>| ops.iter().any(|op| op.as_str() == Some("verify"));
    if !row.get("key_ops").is_none_or(|ops| ops.as_array().is_some_and(verifies)) {
        return Err("its \"key_ops\" has no \"verify\"");
    }
    Ok(algorithm)
}

impl Key {
    fn parse(row: &Value, algorithm: Algorithm) -> Result<Key, String> {
        let name = match row.get("kid") {
            Some(Value::String(name)) => name.clone(),
            Some(_) => return Err("its \"kid\" is no text; write it in quotes".to_owned()),
            None => thumbprint(row, algorithm),
        };
        Ok(Key { name: Arc::from(name), algorithm, material: Material::parse(row, algorithm)? })
    }
}

impl Material {
    fn parse(row: &Value, algorithm: Algorithm) -> Result<Material, String> {
        let bytes = |member: &str| -> Result<Vec<u8>, String> {
            let encoded = row.get(member).and_then(Value::as_str);
            let encoded = encoded.ok_or_else(|| format!("there is no {member:?}; copy the whole key"))?;
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| format!("{member:?} is no base64url; copy the whole key"))
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&bytes("n")?, &bytes("e")?),
            Algorithm::Es256 => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return Err("the coordinates of P-256 have 32 bytes each; copy the whole key".to_owned());
                }
                Ok(Material::Point([&[4], &x[..], &y].concat()))
            }
            Algorithm::EdDsa => {
                let x = bytes("x")?;
                if x.len() != 32 {
                    return Err("an Ed25519 key has 32 bytes; copy the whole key".to_owned());
                }
                Ok(Material::Point(x))
            }
        }
    }
}

/// Refuses here what no signature could ever be checked with. Zeros in front are passed over (RFC 7518 section 6.3.1.1
/// tells of them).
fn rsa(n: &[u8], e: &[u8]) -> Result<Material, String> {
    let without_zeros = |number: &[u8]| number.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<_>>();
    let (n, e) = (without_zeros(n), without_zeros(e));
    let bits = n.len() * 8 - n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err(format!("an RSA key of {bits} bits is not taken; use 2048 to 8192"));
    }
    let exponent = e.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    if e.len() > 5 || exponent % 2 == 0 || !(3..1 << 33).contains(&exponent) {
        return Err("its \"e\" is not an odd number from 3 to 2^33 - 1; copy the whole key".to_owned());
    }
    Ok(Material::Rsa { n, e })
}

/// What a key without a name is called (RFC 7638), so that another key in its place has another name.
fn thumbprint(row: &Value, algorithm: Algorithm) -> String {
    let members: &[&str] = match algorithm {
        Algorithm::Rs256 => &["e", "kty", "n"],
        Algorithm::Es256 => &["crv", "kty", "x", "y"],
        Algorithm::EdDsa => &["crv", "kty", "x"],
    };
    let members: Vec<String> =
        members.iter().map(|name| format!("{name:?}:{}", row.get(name).unwrap_or(&Value::Null))).collect();
    URL_SAFE_NO_PAD.encode(digest(&SHA256, format!("{{{}}}", members.join(",")).as_bytes()))
}

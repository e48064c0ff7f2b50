//! A JSON Web Key Set (RFC 7517; RFC 7518 section 6; RFC 8037 section 2).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
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
    /// `kid`; for the only key of a set it may be empty.
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
pub(super) struct KeySet(Vec<Key>);

impl KeySet {
    pub(super) fn parse(bytes: &[u8]) -> Result<KeySet, String> {
        let set = Object::parse(bytes).ok_or("this is no JSON object; put a JSON Web Key Set here")?;
        let Some(Value::Array(rows)) = set.0.get("keys") else {
            return Err("there is no list \"keys\"; put a JSON Web Key Set here".to_owned());
        };
        if rows.len() > KEYS_MAX {
            return Err(format!("there are more than {KEYS_MAX} keys; take some away"));
        }
        let mut keys: Vec<Key> = Vec::new();
        for (index, row) in rows.iter().enumerate() {
            let name = row.get("kid").and_then(Value::as_str).unwrap_or("");
            let key = key(row, name).map_err(|why| match name {
                "" => format!("key {index}: {why}"),
                name => format!("key {name:?}: {why}"),
            })?;
            let Some(key) = key else { continue };
            if keys.iter().any(|known| known.name == key.name) {
                return Err(format!("two keys are called {name:?}; give each a \"kid\" of its own"));
            }
            keys.push(key);
        }
        if keys.is_empty() {
            return Err("there is no key for RS256, ES256 or EdDSA; add one".to_owned());
        }
        Ok(KeySet(keys))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|key| *key.name == *name)
    }

    /// The key of this name, or the only one that fits the algorithm where the token names none.
    pub(super) fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        match name {
            Some(name) => fitting.find(|key| *key.name == *name),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

/// `Ok(None)` for a key that is none of ours to use.
fn key(row: &Value, name: &str) -> Result<Option<Key>, String> {
    let text = |member: &str| row.get(member).and_then(Value::as_str);
    let algorithm = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => Algorithm::Rs256,
        (Some("EC"), Some("P-256")) => Algorithm::Es256,
        (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
        _ => return Ok(None),
    };
    let is_for_us = text("use").is_none_or(|purpose| purpose == "sig")
        && text("alg").is_none_or(|name| Algorithm::parse(name) == Some(algorithm))
        && row
            .get("key_ops")
            .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op.as_str() == Some("verify"))));
    if !is_for_us {
        return Ok(None);
    }
    let number = |member: &str| -> Result<Vec<u8>, String> {
        let encoded = text(member).ok_or_else(|| format!("there is no {member:?}; copy the whole key"))?;
        URL_SAFE_NO_PAD.decode(encoded).map_err(|_| format!("{member:?} is no base64url; copy the whole key"))
    };
    let material = match algorithm {
        Algorithm::Rs256 => {
            let n = number("n")?;
            let bits = n.iter().skip_while(|byte| **byte == 0).count() * 8;
            if !(2048..=8192).contains(&bits) {
                return Err(format!("an RSA key of about {bits} bits is not taken; use 2048 to 8192"));
            }
            let n = n.into_iter().skip_while(|byte| *byte == 0).collect();
            Material::Rsa { n, e: number("e")? }
        }
        Algorithm::Es256 => {
            let (x, y) = (number("x")?, number("y")?);
            if x.len() != 32 || y.len() != 32 {
                return Err("the coordinates of P-256 have 32 bytes each; copy the whole key".to_owned());
            }
            Material::Point([&[4], &x[..], &y].concat())
        }
        Algorithm::EdDsa => {
            let x = number("x")?;
            if x.len() != 32 {
                return Err("an Ed25519 key has 32 bytes; copy the whole key".to_owned());
            }
            Material::Point(x)
        }
    };
    Ok(Some(Key { name: Arc::from(name), algorithm, material }))
}

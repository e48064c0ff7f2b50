//! A signature around some bytes (JWS in compact form, RFC 7515 section 7.1).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TokenFault;
use super::keys::{Algorithm, KeySet};
use super::strict_json::Object;

/// The payload of a token with a good signature, and the name of the key it is signed with.
pub(super) fn verify(token: &str, keys: &KeySet) -> Result<(Vec<u8>, Arc<str>), TokenFault> {
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed);
    let header = Object::parse(&decode(header)?).ok_or(TokenFault::Malformed)?;
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    // Nothing that must be understood is (RFC 7515 section 4.1.11).
    if header.0.contains_key("crit") {
        return Err(TokenFault::Algorithm);
    }
    let is_token =
        |name: &str| ["JWT", "at+jwt", "application/at+jwt"].iter().any(|known| name.eq_ignore_ascii_case(known));
    if header.0.get("typ").is_some_and(|name| !name.as_str().is_some_and(is_token)) {
        return Err(TokenFault::Malformed);
    }
    let algorithm = header.text("alg").and_then(Algorithm::parse).ok_or(TokenFault::Algorithm)?;
    let name = match header.0.get("kid") {
        None => None,
        Some(name) => Some(name.as_str().ok_or(TokenFault::Malformed)?),
    };
    let key = keys.find(name, algorithm).ok_or(TokenFault::UnknownKey)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(TokenFault::Signature);
    }
    Ok((payload, Arc::clone(&key.name)))
}

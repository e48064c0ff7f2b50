//! The proof of a user who still has the older of two passwords. rsasl checks the newer one; both have the same salt and
//! iterations, so the messages are the same, and the check is that of RFC 5802 section 3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};
use subtle::ConstantTimeEq as _;

use crate::auth::verifier::{Hash, Record};

/// What both sides sign: first message, challenge, and last message without its proof.
pub(super) fn auth_message(
    client_first_bare: &[u8],
    server_first: &[u8],
    client_final_without_proof: &[u8],
) -> Vec<u8> {
    [client_first_bare, server_first, client_final_without_proof].join(&b","[..])
}

/// The server's last message, if the proof is of the password that `record` stands for.
pub(super) fn server_final(hash: Hash, record: &Record, auth_message: &[u8], proof: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, digest) = match hash {
        Hash::Sha1 => (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        Hash::Sha256 => (hmac::HMAC_SHA256, &digest::SHA256),
        Hash::Sha512 => (hmac::HMAC_SHA512, &digest::SHA512),
    };
    let sign = |key: &[u8]| hmac::sign(&hmac::Key::new(algorithm, key), auth_message);
    let proof = STANDARD.decode(proof).ok()?;
    let signature = sign(&record.stored_key);
    if proof.len() != signature.as_ref().len() {
        return None;
    }
    let client_key: Vec<u8> =
        proof.iter().zip(signature.as_ref()).map(|(proof, signature)| proof ^ signature).collect();
    let is_it = digest::digest(digest, &client_key).as_ref().ct_eq(&record.stored_key);
    let server_signature = STANDARD.encode(sign(&record.server_key));
    bool::from(is_it).then(|| [b"v=", server_signature.as_bytes()].concat())
}

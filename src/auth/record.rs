//! What a server keeps of a password for one hash of the SCRAM family (RFC 5802 section 3), in memory and as text.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::prepare::Prepared;

/// The fewest rounds that are accepted: what RFC 5802 section 5.1 and RFC 7677 section 4 ask for at least. Some clients
/// refuse to log in with fewer.
pub const ITERATIONS_MIN: u32 = 4_096;

/// The most rounds that are accepted. A login by PLAIN costs this server that many, half a second at this figure, and a
/// login by SCRAM costs them to the client.
pub const ITERATIONS_MAX: u32 = 1_000_000;

/// Rounds of new passwords: the rule of thumb of RFC 7677 section 4. More would slow down guessing from a stolen users
/// file, but SCRAM clients pay as much at each connection, and so does the server for PLAIN, which is what most
/// clients of memcached speak.
pub const ITERATIONS_DEFAULT: u32 = 15_000;

/// The shortest salt in bytes.
pub const SALT_BYTES_MIN: usize = 8;

/// The longest salt in bytes: no gain beyond the longest hash, and it goes into each challenge.
pub const SALT_BYTES_MAX: usize = 64;

/// A hash of the SCRAM family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
    /// draft-melnikov-scram-sha-512.
    Sha512,
}

impl Hash {
    /// All of them, the weakest first.
    pub const ALL: [Hash; 3] = [Hash::Sha1, Hash::Sha256, Hash::Sha512];

    /// The name of the SASL mechanism, without `-PLUS`; also the key in a users file.
    pub fn mechanism(self) -> &'static str {
        match self {
            Hash::Sha1 => "SCRAM-SHA-1",
            Hash::Sha256 => "SCRAM-SHA-256",
            Hash::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// Length of its keys in bytes.
    pub fn key_bytes(self) -> usize {
        self.digest().output_len()
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha512 => &digest::SHA512,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Hash::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// What a server keeps of a password for one hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// Salt of PBKDF2.
    pub salt: Box<[u8]>,
    /// H(ClientKey).
    pub stored_key: Box<[u8]>,
    /// What the server proves its own knowledge with.
    pub server_key: Box<[u8]>,
}

/// What is kept is worth guessing at, so it is not shown.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

impl Record {
    /// The record of a password. Takes as long as a login: `iterations` rounds of PBKDF2.
    pub fn of(hash: Hash, password: &Prepared, iterations: u32, salt: &[u8]) -> Record {
        let salted = salted(hash, password, iterations, salt);
        Record {
            iterations,
            salt: salt.into(),
            stored_key: stored_key(hash, &salted).as_ref().into(),
            server_key: hmac::sign(&hmac::Key::new(hash.hmac(), &salted), b"Server Key").as_ref().into(),
        }
    }

    /// Whether this is the record of that password, in time that does not depend on how near it is.
    pub fn matches(&self, hash: Hash, password: &Prepared) -> bool {
        let salted = salted(hash, password, self.iterations, &self.salt);
        stored_key(hash, &salted).as_ref().ct_eq(&self.stored_key).into()
    }

    /// The server's signature over the messages of an exchange, if the client's proof over them is right (RFC 5802
    /// section 3). In time that does not depend on how near the proof is.
    pub fn answer_proof(&self, hash: Hash, auth_message: &[u8], proof: &[u8]) -> Option<impl AsRef<[u8]> + use<>> {
        let sign = |key| hmac::sign(&hmac::Key::new(hash.hmac(), key), auth_message);
        let client_signature = sign(&self.stored_key);
        if proof.len() != client_signature.as_ref().len() {
            return None;
        }
        let client_key: Zeroizing<Vec<u8>> =
            Zeroizing::new(proof.iter().zip(client_signature.as_ref()).map(|(proof, sign)| proof ^ sign).collect());
        let right: bool = digest::digest(hash.digest(), &client_key).as_ref().ct_eq(&self.stored_key).into();
        right.then(|| sign(&self.server_key))
    }

    /// Reads `iterations:salt:stored key:server key`, the last three in base64 with its padding.
    ///
    /// # Errors
    /// One phrase that says what is wrong and nothing of what the record holds.
    pub fn parse(hash: Hash, text: &str) -> Result<Record, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let [iterations, salt, stored_key, server_key] = parts[..] else {
            return Err("a record is not iterations:salt:stored:server".into());
        };
        let digits = !iterations.is_empty() && iterations.bytes().all(|byte| byte.is_ascii_digit());
        let iterations = iterations.parse().ok().filter(|_| digits).unwrap_or(0);
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(format!("iterations are not {ITERATIONS_MIN} to {ITERATIONS_MAX}"));
        }
        let decode = |what: &str, text: &str, least: usize, most: usize| match STANDARD.decode(text) {
            Ok(bytes) if (least..=most).contains(&bytes.len()) => Ok(bytes.into_boxed_slice()),
            Ok(_) if least == most => Err(format!("the {what} is not {most} bytes long")),
            Ok(_) => Err(format!("the {what} is not {least} to {most} bytes long")),
            Err(_) => Err(format!("the {what} is no base64")),
        };
        let key = hash.key_bytes();
        Ok(Record {
            iterations,
            salt: decode("salt", salt, SALT_BYTES_MIN, SALT_BYTES_MAX)?,
            stored_key: decode("stored key", stored_key, key, key)?,
            server_key: decode("server key", server_key, key, key)?,
        })
    }

    /// What [`Record::parse`] reads.
    pub fn to_text(&self) -> String {
        let [salt, stored, server] = [&self.salt, &self.stored_key, &self.server_key].map(|part| STANDARD.encode(part));
        format!("{}:{salt}:{stored}:{server}", self.iterations)
    }

    /// Whether one challenge is right for both.
    pub fn has_challenge_of(&self, other: &Record) -> bool {
        self.iterations == other.iterations && self.salt == other.salt
    }
}

/// SaltedPassword of RFC 5802 section 3.
fn salted(hash: Hash, password: &Prepared, iterations: u32, salt: &[u8]) -> Zeroizing<Vec<u8>> {
    let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
    let mut salted = Zeroizing::new(vec![0; hash.key_bytes()]);
    pbkdf2::derive(hash.pbkdf2(), iterations, salt, password.as_bytes(), &mut salted);
    salted
}

/// StoredKey of RFC 5802 section 3.
fn stored_key(hash: Hash, salted: &[u8]) -> digest::Digest {
    let client_key = hmac::sign(&hmac::Key::new(hash.hmac(), salted), b"Client Key");
    digest::digest(hash.digest(), client_key.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(hash: Hash, password: &str, iterations: u32, salt: &[u8]) -> Record {
        Record::of(hash, &Prepared::new(password).unwrap(), iterations, salt)
    }

    /// Checks a whole exchange: the client's proof with our stored key, and our signature.
    fn check_exchange(hash: Hash, salt: &str, auth_message: &str, proof: &str, signature: &str) {
        let salt = STANDARD.decode(salt).unwrap();
        let record = record(hash, "pencil", 4096, &salt);
        let mut proof = STANDARD.decode(proof).unwrap();
        let answer = |proof: &[u8]| record.answer_proof(hash, auth_message.as_bytes(), proof);
        assert_eq!(STANDARD.encode(answer(&proof).unwrap()), signature);
        assert!(answer(&proof[1..]).is_none());
        proof[0] ^= 1;
        assert!(answer(&proof).is_none());
    }

    #[test]
    fn the_example_of_rfc_5802_section_5() {
        check_exchange(
            Hash::Sha1,
            "QSXCR+Q6sek8bf92",
            "n=user,r=fyko+d2lbbFgONRv9qkxdawL,\
             r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096,\
             c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j",
            "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        );
    }

    #[test]
    fn the_example_of_rfc_7677_section_3() {
        check_exchange(
            Hash::Sha256,
            "W22ZaJ0SNY7soEsUEjb6gQ==",
            "n=user,r=rOprNGfwEbeRWgbNEkqO,\
             r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
             c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        );
    }

    #[test]
    fn a_record_matches_its_password_only() {
        for hash in Hash::ALL {
            let record = record(hash, "pencil", 4096, b"salt of sixteen.");
            let matches = |password| record.matches(hash, &Prepared::new(password).unwrap());
            assert!(matches("pencil"), "{hash:?}");
            for wrong in ["pencil ", "Pencil", "penci", "p"] {
                assert!(!matches(wrong), "{hash:?} {wrong:?}");
            }
        }
    }

    #[test]
    fn text_comes_back_as_it_went() {
        for hash in Hash::ALL {
            let record = record(hash, "pencil", 4096, b"12345678");
            assert_eq!(Record::parse(hash, &record.to_text()), Ok(record), "{hash:?}");
        }
    }

    #[test]
    fn records_out_of_bounds_are_refused() {
        let base = |bytes: usize| STANDARD.encode(vec![7; bytes]);
        let check = |iterations: &str, salt: &str, stored: &str, server: &str| {
            Record::parse(Hash::Sha256, &format!("{iterations}:{salt}:{stored}:{server}")).map(|_| ())
        };
        let key = base(32);
        for (iterations, salt) in [("4096", 8), ("1000000", 64)] {
            assert_eq!(check(iterations, &base(salt), &key, &key), Ok(()));
        }
        for (iterations, salt, stored, server, phrase) in [
            ("4095", base(16), key.clone(), key.clone(), "iterations are not 4096 to 1000000"),
            ("1000001", base(16), key.clone(), key.clone(), "iterations are not"),
            ("99999999999", base(16), key.clone(), key.clone(), "iterations are not"),
            ("+4096", base(16), key.clone(), key.clone(), "iterations are not"),
            ("", base(16), key.clone(), key.clone(), "iterations are not"),
            ("4096", base(7), key.clone(), key.clone(), "the salt is not 8 to 64 bytes long"),
            ("4096", base(65), key.clone(), key.clone(), "the salt is not"),
            ("4096", base(16), base(31), key.clone(), "the stored key is not 32 bytes long"),
            ("4096", base(16), key.clone(), base(64), "the server key is not 32 bytes long"),
            ("4096", base(16), key.clone(), "*".into(), "the server key is no base64"),
            ("4096", base(16), key.trim_end_matches('=').into(), key.clone(), "the stored key is no base64"),
            ("4096", base(16), key.clone(), format!("{key}:"), "a record is not"),
        ] {
            let refusal = check(iterations, &salt, &stored, &server).unwrap_err();
            assert!(refusal.starts_with(phrase), "{refusal}");
            assert!(!refusal.contains(&key), "{refusal}");
        }
    }

    #[test]
    fn debugging_shows_no_key() {
        let record = record(Hash::Sha1, "pencil", 4096, b"12345678");
        assert_eq!(format!("{record:?}"), "Record { iterations: 4096, .. }");
    }
}

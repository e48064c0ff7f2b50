//! A password as it is kept: SCRAM verifiers (RFC 5802 section 3), never the password.

use ring::rand::{SecureRandom as _, SystemRandom};
use ring::{digest, hmac};

pub use super::prepare::{NotPrintable, Prepared};
pub use super::record::{Hash, Record};

/// Length of the salts that are made here, in bytes.
const SALT_BYTES: usize = 16;

/// Tells passwords apart without saying anything about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// One password: a record for each hash that it may be used with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verifier {
    /// For SCRAM-SHA-1.
    pub sha1: Option<Record>,
    /// For SCRAM-SHA-256.
    pub sha256: Option<Record>,
    /// For SCRAM-SHA-512.
    pub sha512: Option<Record>,
}

/// A salt for each hash, in the order of [`Hash::ALL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salts([[u8; SALT_BYTES]; 3]);

impl Salts {
    /// New ones.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn random() -> std::io::Result<Salts> {
        let mut salts = Salts([[0; SALT_BYTES]; 3]);
        for salt in &mut salts.0 {
            SystemRandom::new().fill(salt).map_err(|_| std::io::Error::other("no random bytes"))?;
        }
        Ok(salts)
    }

    /// Those that this name always has as long as the secret is the same.
    pub fn derived(secret: &[u8; 32], name: &str) -> Salts {
        Salts(Hash::ALL.map(|hash| prefix(&derived(secret, "salt", hash, name))))
    }
}

impl Verifier {
    /// The verifier of a password, for all hashes. Takes as long as three logins.
    ///
    /// # Errors
    /// [`NotPrintable`] for a password that SASLprep refuses or that is too long.
    pub fn of(password: &str, iterations: u32, salts: &Salts) -> Result<Verifier, NotPrintable> {
        let password = Prepared::new(password)?;
        let record = |hash: Hash| Some(Record::of(hash, &password, iterations, &salts.0[hash as usize]));
        Ok(Verifier::with(record))
    }

    /// The verifier of another password with the hashes, salts and iterations of this one, so that both can be
    /// those of one user.
    ///
    /// # Errors
    /// [`NotPrintable`] for a password that SASLprep refuses or that is too long.
    pub fn beside(&self, password: &str) -> Result<Verifier, NotPrintable> {
        let password = Prepared::new(password)?;
        let record = |hash| self.record(hash).map(|old| Record::of(hash, &password, old.iterations, &old.salt));
        Ok(Verifier::with(record))
    }

    /// What challenges for a user who does not exist are made from. It looks like any other, is the same each time, and
    /// no password matches it.
    pub fn fake(secret: &[u8; 32], name: &str, iterations: u32) -> Verifier {
        let salts = Salts::derived(secret, name);
        Verifier::with(|hash| {
            let key = |label| derived(secret, label, hash, name)[..hash.key_bytes()].into();
            let salt = salts.0[hash as usize].into();
            Some(Record { iterations, salt, stored_key: key("stored key"), server_key: key("server key") })
        })
    }

    /// One record for each hash that has one.
    pub fn with(mut record: impl FnMut(Hash) -> Option<Record>) -> Verifier {
        Verifier { sha1: record(Hash::Sha1), sha256: record(Hash::Sha256), sha512: record(Hash::Sha512) }
    }

    /// Keeps this for the hash from now on.
    pub fn put(&mut self, hash: Hash, record: Record) {
        let place = match hash {
            Hash::Sha1 => &mut self.sha1,
            Hash::Sha256 => &mut self.sha256,
            Hash::Sha512 => &mut self.sha512,
        };
        *place = Some(record);
    }

    /// What is kept for this hash.
    pub fn record(&self, hash: Hash) -> Option<&Record> {
        match hash {
            Hash::Sha1 => self.sha1.as_ref(),
            Hash::Sha256 => self.sha256.as_ref(),
            Hash::Sha512 => self.sha512.as_ref(),
        }
    }

    /// The record that a password in clear is checked against. SHA-256 comes first: processors have instructions for it.
    fn first(&self) -> Option<(Hash, &Record)> {
        [Hash::Sha256, Hash::Sha512, Hash::Sha1].into_iter().find_map(|hash| Some((hash, self.record(hash)?)))
    }

    /// Rounds of PBKDF2 that a password in clear costs; `None` without any record.
    pub fn iterations(&self) -> Option<u32> {
        self.first().map(|(_, record)| record.iterations)
    }

    /// Whether this is the password. One PBKDF2, in time that does not depend on how near the password is. A password
    /// that cannot be one is refused at once, whoever's it is said to be.
    pub fn matches(&self, password: &str) -> bool {
        let Ok(password) = Prepared::new(password) else { return false };
        self.first().is_some_and(|(hash, record)| record.matches(hash, &password))
    }

    /// Whether one challenge is right for both: the same hashes, salts and iterations.
    pub fn has_challenge_of(&self, other: &Verifier) -> bool {
        Hash::ALL.into_iter().all(|hash| match (self.record(hash), other.record(hash)) {
            (Some(mine), Some(theirs)) => mine.has_challenge_of(theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        })
    }

    /// The same for the same stored keys, over reloads and restarts.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut context = digest::Context::new(&digest::SHA256);
        for hash in Hash::ALL {
            context.update(hash.mechanism().as_bytes());
            // Keys of one hash have one length, so no two verifiers feed the same bytes.
            let key = self.record(hash).map_or(&[][..], |record| &record.stored_key);
            context.update(&[u8::from(!key.is_empty())]);
            context.update(key);
        }
        Fingerprint(prefix(context.finish().as_ref()))
    }
}

/// 64 bytes that only the holder of the secret can tell from random ones.
fn derived(secret: &[u8; 32], label: &str, hash: Hash, name: &str) -> [u8; 64] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA512, secret));
    for part in [label, hash.mechanism()] {
        context.update(part.as_bytes());
        context.update(&[0]);
    }
    context.update(name.as_bytes());
    prefix(context.sign().as_ref())
}

/// The first bytes of something longer.
fn prefix<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("no digest is shorter than what is taken of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ITERATIONS: u32 = 4_096;
    const SECRET: [u8; 32] = [7; 32];

    fn verifier(password: &str) -> Verifier {
        Verifier::of(password, ITERATIONS, &Salts::derived(&SECRET, "alice")).unwrap()
    }

    #[test]
    fn the_password_matches_and_no_other() {
        let verifier = verifier("pencil");
        assert!(verifier.matches("pencil"));
        for wrong in ["", "pencil ", "Pencil", "pen\0cil", &"x".repeat(2000)] {
            assert!(!verifier.matches(wrong), "{wrong:?}");
        }
        assert!(!Verifier::default().matches("pencil"));
    }

    #[test]
    fn passwords_are_prepared_on_both_sides() {
        assert!(verifier("I\u{AD}X").matches("\u{2168}"));
        assert_eq!(Verifier::of("a\u{7}", ITERATIONS, &Salts::random().unwrap()), Err(NotPrintable));
    }

    #[test]
    fn any_single_record_is_enough() {
        for hash in Hash::ALL {
            let all = verifier("pencil");
            let one = Verifier::with(|wanted| all.record(wanted).filter(|_| wanted == hash).cloned());
            assert!(one.matches("pencil") && !one.matches("pen"), "{hash:?}");
            assert_eq!(one.iterations(), Some(ITERATIONS));
        }
    }

    #[test]
    fn sha_256_is_what_a_password_in_clear_is_checked_against() {
        let mut mixed = verifier("right");
        let other = verifier("wrong");
        mixed.sha1 = other.sha1;
        mixed.sha512 = other.sha512;
        assert!(mixed.matches("right") && !mixed.matches("wrong"));
        mixed.sha256 = None;
        assert!(mixed.matches("wrong"));
    }

    #[test]
    fn salts_differ_by_hash_and_by_chance() {
        let [one, two, three] = Salts::random().unwrap().0;
        assert!(one != two && two != three && one != three);
        assert_ne!(Salts::random().unwrap(), Salts::random().unwrap());
        let [one, two, three] = Salts::derived(&SECRET, "alice").0;
        assert!(one != two && two != three && one != three);
    }

    #[test]
    fn unknown_names_always_get_the_same_challenge() {
        let fake = Verifier::fake(&SECRET, "nobody", ITERATIONS);
        assert_eq!(fake, Verifier::fake(&SECRET, "nobody", ITERATIONS));
        let real = verifier("pencil");
        for other in [Verifier::fake(&SECRET, "noone", ITERATIONS), Verifier::fake(&[8; 32], "nobody", ITERATIONS)] {
            for hash in Hash::ALL {
                let (fake, other) = (fake.record(hash).unwrap(), other.record(hash).unwrap());
                assert_ne!(fake.salt, other.salt);
                assert_ne!(fake.stored_key, other.stored_key);
                assert_ne!(fake.stored_key, fake.server_key);
                let real = real.record(hash).unwrap();
                assert_eq!(fake.salt.len(), real.salt.len());
                assert_eq!(fake.stored_key.len(), real.stored_key.len());
            }
        }
        assert!(!fake.matches("pencil"));
    }

    #[test]
    fn a_password_beside_another_has_its_challenge() {
        let old = verifier("pencil");
        let new = old.beside("crayon").unwrap();
        assert!(new.has_challenge_of(&old) && new.matches("crayon") && !new.matches("pencil"));
        let mut fewer = new.clone();
        fewer.sha1 = None;
        assert!(!fewer.has_challenge_of(&old) && !old.has_challenge_of(&fewer));
        assert_eq!(fewer.beside("x").unwrap().sha1, None);
        let salted_anew = Verifier::of("pencil", ITERATIONS, &Salts::random().unwrap()).unwrap();
        assert!(!salted_anew.has_challenge_of(&old));
    }

    #[test]
    fn fingerprints_tell_passwords_apart_and_last() {
        let one = verifier("pencil");
        assert_eq!(one.fingerprint(), verifier("pencil").fingerprint());
        assert_ne!(one.fingerprint(), verifier("crayon").fingerprint());
        let without = Verifier { sha1: None, ..one.clone() };
        assert_ne!(one.fingerprint(), without.fingerprint());
        assert_ne!(one.fingerprint(), Verifier::fake(&SECRET, "alice", ITERATIONS).fingerprint());
    }
}

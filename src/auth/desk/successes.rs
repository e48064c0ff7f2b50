//! Passwords that were right a moment ago, so that clients that come back in crowds cost microseconds and not PBKDF2.
//!
//! Nothing of a password is kept: an entry is known by an HMAC-SHA-256, under a key of this process, over the number of
//! the users' table, the name and the password. So no entry outlives a change of the users.

use parking_lot::Mutex;
use ring::hmac;
use subtle::ConstantTimeEq as _;

use crate::clock::Seconds;

/// Seconds that an entry lives.
const LIFE_SECS: Seconds = 300;

/// A power of two.
const SETS: usize = 1024;

const WAYS: usize = 4;

#[derive(Debug)]
struct Entry<T> {
    tag: [u8; 32],
    until: Seconds,
    used: Seconds,
    value: T,
}

type Set<T> = [Option<Entry<T>>; WAYS];

/// See the module.
pub struct Successes<T> {
    key: hmac::Key,
    sets: Box<[Mutex<Set<T>>]>,
}

impl<T> std::fmt::Debug for Successes<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Successes").finish_non_exhaustive()
    }
}

impl<T: Clone> Successes<T> {
    /// Nothing yet, under this key.
    pub fn new(key: &[u8; 32]) -> Successes<T> {
        let sets = (0..SETS).map(|_| Mutex::new(Default::default())).collect();
        Successes { key: hmac::Key::new(hmac::HMAC_SHA256, key), sets }
    }

    /// What was remembered for this name and password while the users were those of `generation`.
    pub fn recall(&self, generation: u64, name: &str, password: &str, now: Seconds) -> Option<T> {
        let tag = self.tag(generation, name, password);
        let mut set = self.set(&tag).lock();
        let entry = set.iter_mut().flatten().find(|entry| bool::from(entry.tag.ct_eq(&tag)))?;
        if entry.until <= now {
            return None;
        }
        entry.used = now;
        Some(entry.value.clone())
    }

    /// Remembers a success, in place of what of its set was not used for longest.
    pub fn remember(&self, generation: u64, name: &str, password: &str, value: T, now: Seconds) {
        let tag = self.tag(generation, name, password);
        let mut set = self.set(&tag).lock();
        let is_it = |entry: &Option<Entry<T>>| entry.as_ref().is_some_and(|entry| bool::from(entry.tag.ct_eq(&tag)));
        let oldest = (0..WAYS).min_by_key(|&at| set[at].as_ref().map(|entry| entry.used)).unwrap_or(0);
        let at = set.iter().position(is_it).unwrap_or(oldest);
        set[at] = Some(Entry { tag, until: now.saturating_add(LIFE_SECS), used: now, value });
    }

    fn tag(&self, generation: u64, name: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&generation.to_le_bytes());
        context.update(&(name.len() as u64).to_le_bytes());
        context.update(name.as_bytes());
        context.update(password.as_bytes());
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn set(&self, tag: &[u8; 32]) -> &Mutex<Set<T>> {
        &self.sets[usize::from(u16::from_le_bytes([tag[0], tag[1]])) % SETS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_login_is_recalled() {
        let successes = Successes::new(&[1; 32]);
        successes.remember(1, "ab", "c", 7, 100);
        assert_eq!(successes.recall(1, "ab", "c", 100), Some(7));
        for (generation, name, password) in
            [(2, "ab", "c"), (1, "a", "bc"), (1, "ab", "C"), (1, "ab", ""), (1, "", "abc")]
        {
            assert_eq!(successes.recall(generation, name, password, 100), None, "{generation} {name} {password}");
        }
    }

    #[test]
    fn entries_die_of_age_and_not_of_use() {
        let successes = Successes::new(&[1; 32]);
        successes.remember(1, "n", "p", 7, 100);
        assert_eq!(successes.recall(1, "n", "p", 100 + LIFE_SECS - 1), Some(7));
        assert_eq!(successes.recall(1, "n", "p", 100 + LIFE_SECS), None, "use does not make it younger");
        successes.remember(1, "n", "p", 8, 1000);
        assert_eq!(successes.recall(1, "n", "p", 1000), Some(8));
    }

    #[test]
    fn a_full_set_gives_up_what_was_not_used_for_longest() {
        let successes = Successes::new(&[1; 32]);
        let count = (SETS * WAYS * 2) as Seconds;
        for number in 0..count {
            successes.remember(1, &number.to_string(), "p", number, 10 + number / 100);
        }
        let held = (0..count).filter(|n| successes.recall(1, &n.to_string(), "p", 100) == Some(*n)).count();
        assert!(held <= SETS * WAYS && held > SETS * WAYS / 2, "{held} held");
        assert_eq!(successes.recall(1, &(count - 1).to_string(), "p", 100), Some(count - 1));
    }

    #[test]
    fn keys_of_two_processes_have_nothing_in_common() {
        let [one, other] = [1, 2].map(|key| Successes::<u8>::new(&[key; 32]));
        assert_ne!(one.tag(1, "n", "p"), other.tag(1, "n", "p"));
    }
}

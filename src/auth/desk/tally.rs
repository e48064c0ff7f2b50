//! How many logins came in, by mechanism, and how many failed, by kind. Each is counted once, when it is decided: whoever
//! leaves before the answer has tried all the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cause::Kind;
use crate::auth::sasl::Mechanism;

/// Counts since the start or the last `stats reset`.
#[derive(Debug, Default)]
pub struct Tally {
    successes: [AtomicU64; Mechanism::ALL.len()],
    failures: [AtomicU64; Kind::ALL.len()],
}

impl Tally {
    /// Counts a success.
    pub fn add_success(&self, mechanism: Mechanism) {
        self.successes[mechanism as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a failure.
    pub fn add_failure(&self, kind: Kind) {
        self.failures[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Logins that came in by this mechanism; memcached's by `set` are PLAIN.
    pub fn successes(&self, mechanism: Mechanism) -> u64 {
        self.successes[mechanism as usize].load(Ordering::Relaxed)
    }

    /// Logins that failed for this.
    pub fn failures(&self, kind: Kind) -> u64 {
        self.failures[kind as usize].load(Ordering::Relaxed)
    }

    /// Logins that failed: memcached's `auth_errors`.
    pub fn all_failures(&self) -> u64 {
        Kind::ALL.iter().map(|kind| self.failures(*kind)).sum()
    }

    /// Logins that came in.
    pub fn all_successes(&self) -> u64 {
        Mechanism::ALL.iter().map(|mechanism| self.successes(*mechanism)).sum()
    }

    /// From 0 again.
    pub fn reset(&self) {
        for count in self.successes.iter().chain(&self.failures) {
            count.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_and_mechanism_has_a_count_of_its_own() {
        let tally = Tally::default();
        for (times, kind) in (1..).zip(Kind::ALL) {
            (0..times).for_each(|_| tally.add_failure(*kind));
        }
        for (times, mechanism) in (1..).zip(Mechanism::ALL) {
            (0..times).for_each(|_| tally.add_success(*mechanism));
        }
        for (times, kind) in (1..).zip(Kind::ALL) {
            assert_eq!(tally.failures(*kind), times, "{kind:?}");
        }
        for (times, mechanism) in (1..).zip(Mechanism::ALL) {
            assert_eq!(tally.successes(*mechanism), times, "{mechanism:?}");
        }
        assert_eq!((tally.all_failures(), tally.all_successes()), (66, 45));
        tally.reset();
        assert_eq!((tally.all_failures(), tally.all_successes()), (0, 0));
    }

    #[test]
    fn names_are_fit_to_be_labels_and_differ() {
        let names: std::collections::HashSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}

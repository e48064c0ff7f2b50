//! Who may log in, as one table that is replaced as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::record::ITERATIONS_DEFAULT;
use super::rights::Rights;
use super::token::TokenRules;
use super::verifier::{Fingerprint, Verifier};

/// Passwords that one user can have at the same time, while one replaces the other.
pub const PASSWORDS_MAX: usize = 2;

/// The longest name in bytes.
pub const NAME_MAX: usize = 255;

/// What is counted for a user. It goes on over a reload.
#[derive(Debug, Default)]
pub struct UserCounts {
    /// Logins.
    pub logins: AtomicU64,
    /// Logins that failed under this name.
    pub failures: AtomicU64,
    /// Requests while logged in.
    pub requests: AtomicU64,
    /// Requests that were refused for want of a right.
    pub refusals: AtomicU64,
}

/// A user of the users file, or of one of memcached's.
#[derive(Debug)]
pub struct User {
    /// As the client gives it.
    pub name: Box<str>,
    /// What this user may do.
    pub rights: Arc<Rights>,
    /// The newest first; all of them let the user in. Those of one user have their salts and iterations in common, so
    /// that one SCRAM challenge is right for each.
    pub passwords: Vec<Verifier>,
    /// Counted for `stats users`.
    pub counts: Arc<UserCounts>,
}

impl User {
    /// This user, who got in by `proof`.
    pub fn identity(&self, proof: Proof) -> Identity {
        let (rights, counts) = (Arc::clone(&self.rights), Arc::clone(&self.counts));
        Identity { name: Arc::from(&*self.name), proof, rights, counts }
    }
}

/// All users.
#[derive(Debug)]
pub struct Users {
    /// By name.
    pub by_name: HashMap<Box<str>, Arc<User>>,
    /// Which tokens are accepted, if any.
    pub tokens: Option<TokenRules>,
    /// Iterations that challenges for unknown users name: those of most users, so that they look alike.
    pub iterations: u32,
}

impl Users {
    /// A table of these users.
    pub fn new(users: impl IntoIterator<Item = User>, tokens: Option<TokenRules>) -> Users {
        let by_name: HashMap<_, _> = users.into_iter().map(|user| (user.name.clone(), Arc::new(user))).collect();
        let iterations = most_common(by_name.values().filter_map(|user| user.passwords.first()?.iterations()));
        Users { by_name, tokens, iterations: iterations.unwrap_or(ITERATIONS_DEFAULT) }
    }
}

/// Nobody.
impl Default for Users {
    fn default() -> Users {
        Users::new([], None)
    }
}

/// The figure that occurs most often, and of several such the highest.
fn most_common(figures: impl Iterator<Item = u32>) -> Option<u32> {
    let mut times: HashMap<u32, usize> = HashMap::new();
    for figure in figures {
        *times.entry(figure).or_default() += 1;
    }
    times.into_iter().max_by_key(|&(figure, times)| (times, figure)).map(|(figure, _)| figure)
}

/// Who a connection belongs to once its login has succeeded.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The user's name.
    pub name: Arc<str>,
    /// By what the user got in.
    pub proof: Proof,
    /// What the connection may do.
    pub rights: Arc<Rights>,
    /// Counted for `stats users`.
    pub counts: Arc<UserCounts>,
}

impl Identity {
    /// Whether the time of what let this user in is over, at this second of the Unix epoch.
    pub fn is_over(&self, unix_secs: u64) -> bool {
        matches!(self.proof, Proof::Token { expires, .. } if expires <= unix_secs)
    }
}

/// By what a user got in. A connection ends when this is no longer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password with this fingerprint.
    Password(Fingerprint),
    /// The word of the transport.
    External,
    /// A token signed with the key of this name; good until this second of the Unix epoch.
    Token {
        /// The key's `kid` in the key set.
        key: Arc<str>,
        /// The token's `exp`.
        expires: u64,
        /// What its scope allows, if it says.
        scope: Option<Rights>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_users_look_like_most() {
        assert_eq!(Users::default().iterations, ITERATIONS_DEFAULT);
        assert_eq!(most_common([5000, 4096, 5000, 9000].into_iter()), Some(5000));
        assert_eq!(most_common([4096, 9000].into_iter()), Some(9000), "the same whatever the order of the map");
        let user = User {
            name: "alice".into(),
            rights: Arc::default(),
            passwords: vec![Verifier::fake(&[0; 32], "alice", 4321)],
            counts: Arc::default(),
        };
        assert_eq!(Users::new([user], None).iterations, 4321);
    }
}

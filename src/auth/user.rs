//! Who may log in, as one table that is replaced as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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

/// All users.
#[derive(Debug, Default)]
pub struct Users {
    /// By name.
    pub by_name: HashMap<Box<str>, Arc<User>>,
    /// Which tokens are accepted, if any.
    pub tokens: Option<TokenRules>,
    /// Iterations that challenges for unknown users name: those of most users, so that they look alike.
    pub iterations: u32,
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

/// By what a user got in. A connection ends when this is no longer good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The password with this fingerprint.
    Password(Fingerprint),
    /// A token signed with the key of this name; good until this second of the Unix epoch.
    Token {
        /// The key's `kid` in the key set.
        key: Arc<str>,
        /// The token's `exp`.
        expires: u64,
    },
}

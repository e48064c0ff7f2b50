//! The server's side of SASL (RFC 4422), message by message, for whatever protocol carries them.
//!
//! rsasl does the exchanges, behind three fences, because its SCRAM server panics on many malformed messages and says
//! "finished" of failed logins: `shape` lets only well-formed messages through, `session` contains panics and takes
//! nothing but a positive verdict for one, and no session outlives an error.

mod handshake;
mod name;
mod session;
mod shape;
#[cfg(test)]
mod tests;

use std::fmt;

use zeroize::Zeroizing;

pub use handshake::Handshake;

use super::user::Identity;
use super::verifier::Hash;

/// The longest message of a client in bytes. memcached's text login has the same limit.
pub const MESSAGE_MAX: usize = 16 << 10;

/// How a client logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 4422 appendix A.
    External,
    /// The next one with channel binding (RFC 5802 section 6), as the following ones.
    ScramSha512Plus,
    /// RFC 7677.
    ScramSha256Plus,
    /// draft-melnikov-scram-sha-512.
    ScramSha512,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7628.
    OAuthBearer,
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login.
    Login,
}

impl Mechanism {
    /// All of them, the strongest first.
    pub const ALL: &[Mechanism] = &[
        Mechanism::External,
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::OAuthBearer,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// Those that are offered unless the operator says otherwise: all but LOGIN, which PLAIN replaces.
    pub const DEFAULT: &[Mechanism] = Mechanism::ALL.split_at(8).0;

    /// The name as it is on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha512 => Hash::Sha512.mechanism(),
            Mechanism::ScramSha256 => Hash::Sha256.mechanism(),
            Mechanism::ScramSha1 => Hash::Sha1.mechanism(),
        }
    }

    /// The mechanism of this name, in upper or lower case as with Cyrus.
    pub fn parse(name: &[u8]) -> Option<Mechanism> {
        Mechanism::ALL.iter().copied().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether a login by it can be a guess that is decided at once, by a proof.
    pub fn is_scram(self) -> bool {
        self.hash().is_some()
    }

    /// Whether the proof is good on this one TLS connection only, so that nobody in the middle can pass it on.
    pub fn binds_channel(self) -> bool {
        matches!(self, Mechanism::ScramSha512Plus | Mechanism::ScramSha256Plus)
    }

    /// The hash of a SCRAM mechanism.
    fn hash(self) -> Option<Hash> {
        match self {
            Mechanism::ScramSha512Plus | Mechanism::ScramSha512 => Some(Hash::Sha512),
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => Some(Hash::Sha256),
            Mechanism::ScramSha1 => Some(Hash::Sha1),
            Mechanism::External | Mechanism::OAuthBearer | Mechanism::Plain | Mechanism::Login => None,
        }
    }
}

/// What follows from one message of the client.
#[derive(Debug)]
pub enum Step {
    /// To be sent; the client's next message is wanted.
    Challenge(Vec<u8>),
    /// The client is who it says it is. By SCRAM, it knows that the server knows the password too.
    Granted(Identity),
    /// A secret, to be checked on another thread: that takes milliseconds.
    Check(Claim),
    /// The login has failed.
    Refused(Why),
}

/// Somebody's word about who they are, not yet checked.
pub enum Claim {
    /// By PLAIN or LOGIN.
    Password {
        /// The user's name, prepared (RFC 4013).
        name: String,
        /// The password, or a signed token in its place. rsasl has prepared PLAIN's already; preparing twice is the same
        /// as once.
        password: Zeroizing<String>,
        /// What it came by.
        mechanism: Mechanism,
    },
    /// By OAUTHBEARER.
    Token {
        /// Whom the client wants to be, prepared, if it says so.
        name: Option<String>,
        /// A bearer token (RFC 6750 section 2.1), without the word `Bearer`.
        token: Zeroizing<String>,
    },
}

/// Without the secret.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Password { name, mechanism, .. } => {
                f.debug_struct("Password").field("name", name).field("mechanism", mechanism).finish_non_exhaustive()
            }
            Claim::Token { name, .. } => f.debug_struct("Token").field("name", name).finish_non_exhaustive(),
        }
    }
}

/// Why a login has failed: for logs, never for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// A message that the mechanism does not know, or a name or password that cannot be one.
    Malformed,
    /// A message longer than [`MESSAGE_MAX`], a first one of SCRAM longer than any needs to be, or a name or password longer than any.
    TooLong,
    /// A message where none, or another, is due.
    OutOfOrder,
    /// The proof is of another password.
    BadProof,
    /// Nobody has this name, or not for this mechanism.
    UnknownUser,
    /// The client wants to be somebody else than it says it is.
    NotAllowed,
    /// The client binds its login to another channel or in another way than we do, or not at all although it could.
    ChannelBinding,
    /// The SASL library has failed.
    Broken,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Malformed => "malformed",
            Why::TooLong => "too_long",
            Why::OutOfOrder => "out_of_order",
            Why::BadProof => "bad_proof",
            Why::UnknownUser => "unknown_user",
            Why::NotAllowed => "not_allowed",
            Why::ChannelBinding => "channel_binding",
            Why::Broken => "broken",
        })
    }
}

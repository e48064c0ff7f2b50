//! SASL (RFC 4422): handshakes of the mechanisms that are offered. The only place that knows rsasl, which panics on
//! messages that are not sound and calls a wrong password a finish; what stands between it and the network is in
//! [`handshake`] and `shape`.

pub mod handshake;
mod rotated;
mod shape;

use std::fmt;

use zeroize::Zeroizing;

use super::user::Identity;
pub use handshake::Handshake;

/// The longest message of a client in bytes.
pub const MESSAGE_MAX: usize = 16 << 10;

/// A way to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 5802 with SHA-512.
    ScramSha512,
    /// RFC 7677.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 7628.
    OAuthBearer,
    /// RFC 4616.
    Plain,
    /// draft-murchison-sasl-login, for clients that know nothing else.
    Login,
}

impl Mechanism {
    /// The strongest first.
    pub const ALL: &[Mechanism] = &[
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::OAuthBearer,
        Mechanism::Plain,
        Mechanism::Login,
    ];

    /// What is offered unless the operator chooses: all but LOGIN, which does nothing that PLAIN does not.
    pub const DEFAULT: &[Mechanism] = Mechanism::ALL.split_at(5).0;

    /// As on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
        }
    }

    /// By its name, in any case, as Cyrus SASL takes it.
    pub fn parse(name: &[u8]) -> Option<Mechanism> {
        Mechanism::ALL.iter().copied().find(|mechanism| name.eq_ignore_ascii_case(mechanism.name().as_bytes()))
    }

    /// Whether what the client sends is the secret itself.
    pub fn sends_secret(self) -> bool {
        matches!(self, Mechanism::OAuthBearer | Mechanism::Plain | Mechanism::Login)
    }
}

/// What comes after a message of the client.
#[derive(Debug)]
pub enum Step {
    /// To be sent; the client's next message follows.
    Challenge(Vec<u8>),
    /// The client has proven who it is.
    Granted(Identity),
    /// The client has said who it is, and its secret, which is to be checked.
    Check(Claim),
    /// It is over.
    Refused(Why),
}

/// A secret, and whose it is said to be.
pub enum Claim {
    /// A password.
    Password {
        /// The user's name.
        name: String,
        /// The password, or a signed token in its place.
        password: Zeroizing<String>,
        /// By which mechanism it came.
        mechanism: Mechanism,
    },
    /// A signed token.
    Token {
        /// The user's name, if the client gave one beside the token.
        name: Option<String>,
        /// The token.
        token: Zeroizing<String>,
    },
}

impl fmt::Debug for Claim {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Claim::Password { name, mechanism, .. } => write!(f, "Password({name:?}, {mechanism:?})"),
            Claim::Token { name, .. } => write!(f, "Token({name:?})"),
        }
    }
}

/// Why a handshake is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Not a message of this mechanism.
    Malformed,
    /// Longer than [`MESSAGE_MAX`].
    TooLong,
    /// Not the message that was next.
    OutOfOrder,
    /// The proof is wrong, or the user is not there.
    BadProof,
    /// The client wants to be somebody else than it is.
    NotAllowed,
    /// No such mechanism is offered.
    NoSuchMechanism,
    /// A secret came over a network in the clear.
    NotEncrypted,
    /// Its address has failed too often.
    TooManyFailures,
    /// rsasl panicked.
    Broken,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Malformed => "malformed message",
            Why::TooLong => "message too long",
            Why::OutOfOrder => "message out of order",
            Why::BadProof => "wrong proof or unknown user",
            Why::NotAllowed => "may not act for another user",
            Why::NoSuchMechanism => "mechanism not offered",
            Why::NotEncrypted => "a secret in the clear over a network; use SCRAM, or give --allow-plain",
            Why::TooManyFailures => "too many failures from this address",
            Why::Broken => "the handshake broke",
        })
    }
}

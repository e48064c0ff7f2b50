//! Why logins fail: in words for the log, and in few kinds for whoever counts.

use std::fmt;

use crate::auth::sasl::Why;
use crate::auth::token::TokenFault;

/// Why a login failed. Clients are never told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The client may not use this mechanism, or there is none of this name.
    NotOffered,
    /// A password or token that others on the network could read.
    NotEncrypted,
    /// Its address has failed too often; nothing was checked.
    TooManyFailures,
    /// The line in front of the login threads is full; nothing was checked.
    LineFull,
    /// Nobody has this name, or the password is another.
    WrongPassword,
    /// A token, where none is taken.
    NoTokens,
    /// It was not decided, by a fault of ours.
    Undecided,
    /// The exchange of messages went wrong.
    Sasl(Why),
    /// The token is not good.
    Token(TokenFault),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::NotOffered => "mechanism not offered",
            Cause::NotEncrypted => "a secret in the clear over a network; use SCRAM, or give --allow-plain",
            Cause::TooManyFailures => "too many failures from this address",
            Cause::LineFull => "too many logins wait to be decided",
            Cause::WrongPassword => "wrong password or unknown user",
            Cause::NoTokens => "tokens are not taken",
            Cause::Undecided => "not decided, by a fault of the server; please report it",
            Cause::Sasl(why) => return why.fmt(f),
            Cause::Token(fault) => return fault.fmt(f),
        })
    }
}

/// What failures are counted by. A wrong password and an unknown user are one kind, as they are for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A wrong password or proof, or an unknown user.
    WrongCredentials,
    /// A token whose time is over: most often its holder should have fetched a new one.
    ExpiredToken,
    /// A token that is not good for another reason.
    BadToken,
    /// A user who wants to be another one.
    NotAllowed,
    /// Bound to another TLS connection: a client that is wrong, or somebody in the middle.
    ChannelBinding,
    /// A mechanism that the client may not use.
    MechanismNotOffered,
    /// A secret in the clear.
    NotEncrypted,
    /// Messages that the mechanism does not know.
    Malformed,
    /// Not checked, because of the address's failures before.
    Throttled,
    /// Not checked, because too many wait.
    Overloaded,
    /// A fault of ours.
    Internal,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: &[Kind] = &[
        Kind::WrongCredentials,
        Kind::ExpiredToken,
        Kind::BadToken,
        Kind::NotAllowed,
        Kind::ChannelBinding,
        Kind::MechanismNotOffered,
        Kind::NotEncrypted,
        Kind::Malformed,
        Kind::Throttled,
        Kind::Overloaded,
        Kind::Internal,
    ];

    /// What it is called where it is counted.
    pub fn name(self) -> &'static str {
        match self {
            Kind::WrongCredentials => "wrong_credentials",
            Kind::ExpiredToken => "expired_token",
            Kind::BadToken => "bad_token",
            Kind::NotAllowed => "not_allowed",
            Kind::ChannelBinding => "channel_binding",
            Kind::MechanismNotOffered => "mechanism_not_offered",
            Kind::NotEncrypted => "not_encrypted",
            Kind::Malformed => "malformed",
            Kind::Throttled => "throttled",
            Kind::Overloaded => "overloaded",
            Kind::Internal => "internal",
        }
    }
}

impl From<Cause> for Kind {
    fn from(cause: Cause) -> Kind {
        match cause {
            Cause::NotOffered => Kind::MechanismNotOffered,
            Cause::NotEncrypted => Kind::NotEncrypted,
            Cause::TooManyFailures => Kind::Throttled,
            Cause::LineFull => Kind::Overloaded,
            Cause::WrongPassword | Cause::Sasl(Why::BadProof | Why::UnknownUser) => Kind::WrongCredentials,
            Cause::Sasl(Why::Malformed | Why::TooLong | Why::OutOfOrder) => Kind::Malformed,
            Cause::Sasl(Why::NotAllowed) => Kind::NotAllowed,
            Cause::Sasl(Why::ChannelBinding) => Kind::ChannelBinding,
            Cause::Undecided | Cause::Sasl(Why::Broken) => Kind::Internal,
            Cause::Token(TokenFault::Expired) => Kind::ExpiredToken,
            Cause::NoTokens | Cause::Token(_) => Kind::BadToken,
        }
    }
}

//! Signed tokens (JWT, RFC 7519) as logins, checked against a key set in a local file (JWKS, RFC 7517). Nothing is
//! looked up over a network. After RFC 8725 the algorithm is the key's, not the token's, to choose.

mod claims;
mod jws;
mod keys;
mod strict_json;

use std::fmt;
use std::sync::Arc;

use super::rights::Rights;
use super::user::{Identity, Proof, UserCounts, Users};
use claims::Claims;
use keys::KeySet;

/// The longest token in bytes.
pub const TOKEN_MAX: usize = 16 << 10;

/// Which tokens are accepted.
#[derive(Debug)]
pub struct TokenRules {
    issuer: Box<str>,
    audience: Box<str>,
    keys: KeySet,
    /// Of all users together whom only tokens know: their names are without number.
    unlisted: Arc<UserCounts>,
}

/// A token that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// `sub`: the user's name.
    pub subject: String,
    /// The rights of the words `larder:...` in `scope`; `None` if there are none.
    pub scope: Option<Rights>,
    /// The key it is signed with.
    pub key: Arc<str>,
    /// `exp`, in seconds of the Unix epoch, a fraction rounded up: from then on the token is not good.
    pub expires: u64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Not a JWS of three parts, or its JSON is not sound.
    Malformed,
    /// An algorithm that is not taken, `none` among them; or an extension that must be understood.
    Algorithm,
    /// No key for it.
    UnknownKey,
    /// The signature is wrong.
    Signature,
    /// `iss` is another.
    Issuer,
    /// `aud` does not name us.
    Audience,
    /// `exp` is over or missing.
    Expired,
    /// `nbf` or `iat` is to come.
    NotYetValid,
    /// `sub` is missing, or not the name that the client gave.
    Subject,
    /// `scope` says what cannot be.
    Scope,
    /// No right is left.
    NoRights,
}

impl TokenFault {
    /// For the log.
    pub fn reason(self) -> &'static str {
        match self {
            TokenFault::Malformed => "malformed token",
            TokenFault::Algorithm => "the token's algorithm is not taken",
            TokenFault::UnknownKey => "the token's key is not in the set",
            TokenFault::Signature => "the token's signature is wrong",
            TokenFault::Issuer => "the token is of another issuer",
            TokenFault::Audience => "the token is for another audience",
            TokenFault::Expired => "the token has expired",
            TokenFault::NotYetValid => "the token is not valid yet",
            TokenFault::Subject => "the token is for another user",
            TokenFault::Scope => "the token's scope is not sound",
            TokenFault::NoRights => "the token gives no right",
        }
    }
}

impl fmt::Display for TokenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl TokenRules {
    /// Rules with the keys of `jwks`, a JSON Web Key Set. Keys that can sign no token that is
    /// taken are passed over, and told of by `passed_over`.
    ///
    /// # Errors
    /// One line that says which key is wrong, and why; or that none is left.
    pub fn load(issuer: &str, audience: &str, jwks: &[u8]) -> Result<TokenRules, String> {
        let keys = KeySet::parse(jwks)?;
        Ok(TokenRules { issuer: issuer.into(), audience: audience.into(), keys, unlisted: Arc::default() })
    }

    /// Checks a token in compact form (RFC 7515 section 7.1) at `unix_secs`.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, token: &str, unix_secs: u64) -> Result<Verified, TokenFault> {
        if token.len() > TOKEN_MAX {
            return Err(TokenFault::Malformed);
        }
        let (payload, key) = jws::verify(token, &self.keys)?;
        let claims = Claims::parse(&payload)?;
        claims.check(&self.issuer, &self.audience, unix_secs)?;
        Ok(Verified { subject: claims.subject()?, scope: claims.rights()?, key, expires: claims.expires()? })
    }

    /// Whether a password may be a token: three parts, of which the first is the base64 of a JSON object.
    pub fn looks_like_token(text: &str) -> bool {
        text.starts_with("eyJ") && text.split('.').count() == 3 && text.len() <= TOKEN_MAX
    }

    /// The keys of the set that no token can be signed with here, and why: a line for each, for the log.
    pub fn passed_over(&self) -> &[String] {
        self.keys.passed_over()
    }

    /// Goes on counting where `previous` stopped.
    pub fn keep_counts(&mut self, previous: &TokenRules) {
        self.unlisted = Arc::clone(&previous.unlisted);
    }

    /// Whether this key is still in the set.
    pub fn has_key(&self, name: &str) -> bool {
        self.keys.has(name)
    }

    /// Who a good token logs in. A user of the table has that user's rights, and of these only what the scope names, if
    /// it names any; whoever is not there has those of the scope.
    ///
    /// # Errors
    /// No right is left.
    pub fn identity(&self, users: &Users, verified: &Verified) -> Result<Identity, TokenFault> {
        let Verified { subject, scope, key, expires } = verified;
        let proof = Proof::Token { key: Arc::clone(key), expires: *expires, scope: scope.clone() };
        match (users.by_name.get(subject.as_str()), scope) {
            (Some(user), None) => Ok(user.identity(proof)),
            (Some(user), Some(scope)) => {
                let rights = user.rights.and(scope).ok_or(TokenFault::NoRights)?;
                Ok(Identity { rights: Arc::new(rights), ..user.identity(proof) })
            }
            (None, Some(scope)) => {
                // A scope of prefixes alone names no right.
                let rights = Rights::ALL.and(scope).ok_or(TokenFault::NoRights)?;
                let (name, counts) = (Arc::from(subject.as_str()), Arc::clone(&self.unlisted));
                Ok(Identity { name, proof, rights: Arc::new(rights), counts })
            }
            (None, None) => Err(TokenFault::NoRights),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a token says (RFC 7519 section 4.1; `scope` of RFC 8693 section 4.2).

use serde_json::Value;

use super::TokenFault;
use super::strict_json::Object;
use crate::auth::rights::Rights;
use crate::auth::user::NAME_MAX;
use crate::auth::users_file::{PREFIX_BYTES_MAX, PREFIXES_MAX};

/// Seconds that another clock may be ahead of ours. None are granted to a token that has expired.
const AHEAD_SECS: f64 = 60.0;

/// Words of a scope that concern us begin like this.
const SCOPE: &str = "larder:";

pub(super) struct Claims(Object);

impl Claims {
    pub(super) fn parse(payload: &[u8]) -> Result<Claims, TokenFault> {
        Object::parse(payload).map(Claims).ok_or(TokenFault::Malformed)
    }

    /// Whether they are of this issuer, for this audience, and hold at `unix_secs`.
    pub(super) fn check(&self, issuer: &str, audience: &str, unix_secs: u64) -> Result<(), TokenFault> {
        if self.0.text("iss") != Some(issuer) {
            return Err(TokenFault::Issuer);
        }
        let is_for_us = match self.0.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if !is_for_us {
            return Err(TokenFault::Audience);
        }
        if self.expires()? <= unix_secs {
            return Err(TokenFault::Expired);
        }
        let now = unix_secs as f64;
        for name in ["nbf", "iat"] {
            if self.date(name)?.is_some_and(|from| from > now + AHEAD_SECS) {
                return Err(TokenFault::NotYetValid);
            }
        }
        Ok(())
    }

    /// The first whole second at which the token is no longer good.
    pub(super) fn expires(&self) -> Result<u64, TokenFault> {
        self.date("exp")?.map(|secs| secs.ceil() as u64).ok_or(TokenFault::Expired)
    }

    pub(super) fn subject(&self) -> Result<String, TokenFault> {
        let is_name = |name: &&str| (1..=NAME_MAX).contains(&name.len()) && !name.contains(char::is_control);
        self.0.text("sub").filter(is_name).map(str::to_owned).ok_or(TokenFault::Subject)
    }

    /// The rights that the scope names; `None` if it has no word for us.
    pub(super) fn rights(&self) -> Result<Option<Rights>, TokenFault> {
        let words: Vec<&str> = match self.0.0.get("scope") {
            None => return Ok(None),
            Some(Value::String(text)) => text.split(' ').collect(),
            Some(Value::Array(list)) => {
                list.iter().map(Value::as_str).collect::<Option<_>>().ok_or(TokenFault::Scope)?
            }
            Some(_) => return Err(TokenFault::Scope),
        };
        let mut ours = words.iter().filter_map(|word| word.strip_prefix(SCOPE)).peekable();
        if ours.peek().is_none() {
            return Ok(None);
        }
        let mut rights = Rights::default();
        let mut prefixes: Vec<Box<[u8]>> = Vec::new();
        for word in ours {
            match word {
                "read" => rights.read = true,
                "write" => rights.write = true,
                "admin" => rights.admin = true,
                word => match word.strip_prefix("prefix=") {
                    Some(prefix) if (1..=PREFIX_BYTES_MAX).contains(&prefix.len()) => {
                        prefixes.push(prefix.as_bytes().into());
                    }
                    _ => return Err(TokenFault::Scope),
                },
            }
        }
        if prefixes.len() > PREFIXES_MAX {
            return Err(TokenFault::Scope);
        }
        if !prefixes.is_empty() {
            rights.prefixes = Some(prefixes.into());
        }
        // An administrator sees all keys.
        if rights.admin && rights.prefixes.is_some() { Err(TokenFault::Scope) } else { Ok(Some(rights)) }
    }

    /// A NumericDate: seconds of the Unix epoch, perhaps with a fraction.
    fn date(&self, name: &str) -> Result<Option<f64>, TokenFault> {
        let Some(value) = self.0.0.get(name) else { return Ok(None) };
        let date = value.as_f64().filter(|secs| secs.is_finite() && *secs >= 0.0);
        date.map(Some).ok_or(TokenFault::Malformed)
    }
}

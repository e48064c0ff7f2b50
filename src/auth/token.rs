//! Signed tokens (JWT, RFC 7519) checked against a local key set (JWKS, RFC 7517).

/// Which tokens are accepted.
#[derive(Debug)]
pub struct TokenRules {
    /// What `iss` must be.
    pub issuer: Box<str>,
    /// What `aud` must be or contain.
    pub audience: Box<str>,
}

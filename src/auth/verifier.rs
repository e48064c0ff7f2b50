//! A password as it is kept: SCRAM verifiers (RFC 5802 section 3), never the password.

/// Tells passwords apart without saying anything about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

/// A hash of the SCRAM family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// RFC 5802.
    Sha1,
    /// RFC 7677.
    Sha256,
    /// draft-melnikov-scram-sha-512.
    Sha512,
}

/// What a server keeps of a password for one hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Rounds of PBKDF2.
    pub iterations: u32,
    /// Salt of PBKDF2.
    pub salt: Box<[u8]>,
    /// H(ClientKey).
    pub stored_key: Box<[u8]>,
    /// What the server proves its own knowledge with.
    pub server_key: Box<[u8]>,
}

/// One password: a record for each hash that it may be used with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// For SCRAM-SHA-1.
    pub sha1: Option<Record>,
    /// For SCRAM-SHA-256.
    pub sha256: Option<Record>,
    /// For SCRAM-SHA-512.
    pub sha512: Option<Record>,
}

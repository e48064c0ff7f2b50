//! Who may do what: users, rights, the SASL handshake. No wire format and no socket: the protocols are thin callers.

pub mod prepare;
pub mod record;
pub mod rights;
pub mod token;
pub mod user;
pub mod verifier;

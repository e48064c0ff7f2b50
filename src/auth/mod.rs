//! Who may do what: users, rights, the SASL handshake. No wire format and no socket: the protocols are thin callers.

pub mod access_list;
pub mod authority;
pub mod client;
pub mod desk;
pub mod memcached_files;
pub mod prepare;
pub mod record;
pub mod rights;
pub mod sasl;
pub mod sources;
pub mod token;
pub mod user;
pub mod users_file;
pub mod verifier;

//! Meta commands, one transcript per promise, each proved against memcached 1.6.45.
//!
//! `LARDER_BIN=/path/to/memcached cargo test --test meta_protocol` plays the same transcripts against a memcached;
//! where Larder does something else on purpose, the line that says so is in the transcript.

mod arithmetic;
mod binary_keys;
#[path = "../common/mod.rs"]
mod common;
mod debug;
mod delete;
mod get;
mod leases;
mod refused;
mod set;

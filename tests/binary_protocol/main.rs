//! The binary protocol over real sockets, each exchange proved against memcached 1.6.45.
//!
//! `LARDER_BIN=/path/to/memcached cargo test --test binary_protocol` plays the same against a memcached.

#[path = "../common/mod.rs"]
mod common;
mod items;
mod refused;
mod server;

//! Larder: a memcached-compatible cache server.

/// The version that clients are told: that of the memcached whose behaviour we follow. They choose what they send by
/// it, and libmemcached refuses a major version of 0. Our own is in `-V` and `-h`.
pub const MEMCACHED_VERSION: &str = "1.6.45";

pub mod cli;
pub mod clock;
pub mod command;
pub mod conn;
pub mod exec;
pub mod net;
pub mod protocol;
pub mod server;
pub mod settings;
pub mod shared;
mod slab;
pub mod stats;
pub mod store;
pub mod sys;

//! Larder: a memcached-compatible cache server.

pub mod cli;
pub mod clock;
pub mod net;
pub mod server;
pub mod settings;
pub mod shared;
mod slab;
pub mod stats;
pub mod store;
pub mod sys;

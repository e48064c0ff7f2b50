//! Larder: a memcached-compatible cache server.

pub mod clock;
pub mod net;
pub mod server;
pub mod settings;
pub mod shared;
pub mod stats;
pub mod sys;

//! Larder: a memcached-compatible cache server.

pub mod settings;

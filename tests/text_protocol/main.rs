//! Classic text commands, one transcript per promise, each proved against memcached 1.6.45.
//!
//! `LARDER_BIN=/path/to/memcached cargo test --test text_protocol` plays the same transcripts against a memcached;
//! where Larder does something else on purpose, the line that says so is in the transcript.

mod administration;
mod arithmetic;
#[path = "../common/mod.rs"]
mod common;
mod crawler;
mod lifetime;
mod lines;
mod refused_storage;
mod retrieval;
mod statistics;
mod storage;

//! Hostile and broken clients against the real binary. In each case the server lives on, a thousand items of a
//! well-behaved client stay right and readable all the time, resident memory stays within `-m` and 64 MiB, and the
//! refusal is the right one. What the others' latency is meanwhile is printed (`--nocapture`), not asserted.

#[path = "../common/mod.rs"]
mod common;
mod connections;
mod contention;
mod idle;
mod idle_timeout;
mod lengths;
mod lines;
mod peers;
mod published_binary;
mod published_text;
mod stand;
mod statistics;
mod stop;
mod store;

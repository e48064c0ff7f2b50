//! Bytes to requests and replies to bytes, without I/O, locks or state.
//!
//! The text protocol, classic and meta, the binary protocol, and the frame that requests have in a datagram.

pub mod binary;
pub mod meta;
pub mod text;
pub mod udp;

//! Bytes to requests and replies to bytes, without I/O, locks or state.
//!
//! Today the classic text protocol and the frame that requests have in a datagram; meta and binary get folders beside
//! them.

pub mod text;
pub mod udp;

//! Bytes to requests and replies to bytes, without I/O, locks or state.
//!
//! Today the classic text protocol, the meta protocol, and the frame that requests have in a datagram; binary gets a
//! folder beside them.

pub mod meta;
pub mod text;
pub mod udp;

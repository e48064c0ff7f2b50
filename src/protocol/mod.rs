//! Bytes to requests and replies to bytes, without I/O, locks or state.
//!
//! The text protocol, classic and meta, the binary protocol, the frame that requests have in a datagram, and the header
//! that a load balancer puts in front of a connection.

pub mod binary;
pub mod meta;
pub mod proxy;
pub mod text;
pub mod udp;

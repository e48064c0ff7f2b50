//! Bytes to requests and replies to bytes, without I/O, locks or state.
//!
//! Today the classic text protocol; meta and binary get folders beside it.

pub mod text;

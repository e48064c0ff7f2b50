//! The binary protocol (protocol_binary.txt): a header of 24 bytes, then extras, key and value.

pub mod reply;
pub mod request;

/// First byte of a request.
pub const REQUEST_MAGIC: u8 = 0x80;

/// First byte of a reply.
pub const REPLY_MAGIC: u8 = 0x81;

/// Bytes of a header.
pub const HEADER_BYTES: usize = 24;

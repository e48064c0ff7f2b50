//! The binary protocol. A packet is a header, extras, a key and a value:
//!
//! ```text
//! 0 magic   1 opcode   2-3 key length   4 extras length   5 data type   6-7 status (replies)
//! 8-11 body length (extras + key + value)   12-15 opaque   16-23 cas
//! ```
//! The opaque of a get is the position of its key in the read.

use super::{Head, HeadRead, KeySeen, Store, Unreadable};
use crate::load::keyspace::{Keyspace, NameBuffer};
use crate::load::values::Values;

pub(super) fn append_fetch(keys: &[u64], keyspace: Keyspace, out: &mut Vec<u8>) {
    let mut buffer: NameBuffer = [0; _];
    let quiet = keys.len() > 1;
    for (position, key) in (0u32..).zip(keys) {
        let name = keyspace.name(*key, &mut buffer);
        append_header(if quiet { GETQ } else { GET }, name, 0, name.len(), position, out);
        out.extend_from_slice(name);
    }
    if quiet {
        append_header(NOOP, b"", 0, 0, 0, out);
    }
}

pub(super) fn append_store(name: &[u8], store: &Store, values: &Values, out: &mut Vec<u8>) {
    let body_bytes = STORE_EXTRAS_BYTES + name.len() + values.bytes_of(store.key);
    append_header(SET, name, STORE_EXTRAS_BYTES as u8, body_bytes, 0, out);
    out.extend_from_slice(&0u32.to_be_bytes());
    out.extend_from_slice(&store.ttl_secs.to_be_bytes());
    out.extend_from_slice(name);
    values.append(store.key, store.version, out);
}

pub(super) fn read_head(input: &[u8]) -> HeadRead<'_> {
    let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Ok(None) };
    let &[magic, opcode, k0, k1, extras_bytes, _, s0, s1, b0, b1, b2, b3, o0, o1, o2, o3, ..] = header;
    if magic != REPLY_MAGIC {
        return Err(Unreadable);
    }
    let key_bytes = usize::from(u16::from_be_bytes([k0, k1]));
    let body_bytes = u32::from_be_bytes([b0, b1, b2, b3]) as usize;
    let before_value = key_bytes + usize::from(extras_bytes);
    let value_bytes = body_bytes.checked_sub(before_value).ok_or(Unreadable)?;
    match (opcode, u16::from_be_bytes([s0, s1])) {
        (GET | GETQ, 0) => {
            let Some(prefix) = input.get(HEADER_BYTES..HEADER_BYTES + before_value) else { return Ok(None) };
            let flags = u32::from_be_bytes(*prefix.first_chunk().ok_or(Unreadable)?);
            let key = KeySeen::Position(u32::from_be_bytes([o0, o1, o2, o3]));
            Ok(Some((Head::Value { key, flags, value_bytes }, HEADER_BYTES + before_value)))
        }
        (opcode, status) => {
            let Some(body) = input.get(HEADER_BYTES..HEADER_BYTES + body_bytes) else { return Ok(None) };
            let head = match (opcode, status) {
                (NOOP, 0) => Head::End,
                (SET, 0) => Head::Stored,
                (GET, STATUS_NOT_FOUND) => Head::Miss,
                _ => Head::Refused(body),
            };
            Ok(Some((head, HEADER_BYTES + body_bytes)))
        }
    }
}

fn append_header(opcode: u8, name: &[u8], extras_bytes: u8, body_bytes: usize, opaque: u32, out: &mut Vec<u8>) {
    let mut header = [0; HEADER_BYTES];
    header[0] = REQUEST_MAGIC;
    header[1] = opcode;
    header[2..4].copy_from_slice(&(name.len() as u16).to_be_bytes());
    header[4] = extras_bytes;
    header[8..12].copy_from_slice(&(body_bytes as u32).to_be_bytes());
    header[12..16].copy_from_slice(&opaque.to_be_bytes());
    out.extend_from_slice(&header);
}

const REQUEST_MAGIC: u8 = 0x80;
const REPLY_MAGIC: u8 = 0x81;
const HEADER_BYTES: usize = 24;
const STORE_EXTRAS_BYTES: usize = 8;
const GET: u8 = 0x00;
const SET: u8 = 0x01;
const GETQ: u8 = 0x09;
const NOOP: u8 = 0x0a;
const STATUS_NOT_FOUND: u16 = 1;

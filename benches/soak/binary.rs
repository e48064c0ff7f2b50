//! The binary protocol on the wire.

use std::io;

use super::dialect::unexpected;
use super::lane::Lane;
use super::request::{Left, Reply, Request, Side, Verb};
use super::values::{Content, Pool};

/// Appends a request.
pub(crate) fn write(pool: &Pool, key: &[u8], request: &Request, opaque: u32, out: &mut Vec<u8>) {
    let mut extras = Vec::new();
    let mut unique = 0;
    let mut content = Content::default();
    match request {
        Request::Get | Request::Delete => {}
        Request::GetAndTouch(ttl) | Request::Touch(ttl) => extras.extend(ttl.to_be_bytes()),
        Request::Store { verb, content: stored, flags, ttl } => {
            extras.extend(flags.to_be_bytes());
            extras.extend(ttl.to_be_bytes());
            content = stored.clone();
            if let Verb::Cas(number) = verb {
                unique = *number;
            }
        }
        Request::Join { piece, .. } => content = Content::of(*piece),
        Request::Count { delta, .. } => {
            extras.extend(delta.to_be_bytes());
            extras.extend(0u64.to_be_bytes());
            extras.extend(NOT_WHERE_NONE_IS.to_be_bytes());
        }
    }
    let body = extras.len() + key.len() + content.bytes();
    out.extend([REQUEST, opcode(request)]);
    out.extend((key.len() as u16).to_be_bytes());
    out.extend([extras.len() as u8, 0, 0, 0]);
    out.extend((body as u32).to_be_bytes());
    out.extend(opaque.to_be_bytes());
    out.extend(unique.to_be_bytes());
    out.extend(&extras);
    out.extend(key);
    pool.write(&content, out);
}

/// Takes the reply to a request.
pub(crate) fn read(lane: &mut Lane, request: &Request, opaque: u32) -> io::Result<Reply> {
    let head = lane.bytes(HEAD_BYTES)?;
    let head = lane.seen(head).to_vec();
    let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if head[..2] != [RESPONSE, opcode(request)] || word(12) != opaque {
        return Err(unexpected(&format!("{head:?}")));
    }
    let (extras, key_bytes) = (usize::from(head[4]), usize::from(u16::from_be_bytes([head[2], head[3]])));
    let body = lane.bytes(word(8) as usize)?;
    let cas = u64::from(word(16)) << 32 | u64::from(word(20));
    let body_at = |from: usize| body.start + from..body.end;
    match (u16::from_be_bytes([head[6], head[7]]), request) {
        (0, Request::Get | Request::GetAndTouch(_)) if extras == 4 && key_bytes == 0 => {
            let flags = lane.seen(body_at(0)).first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            Ok(Reply::Value { flags, cas, ttl: Left::Untold, at: body_at(extras) })
        }
        (0, Request::Count { .. }) => {
            let number = lane.seen(body_at(extras)).try_into().map(u64::from_be_bytes);
            let number = number.map_err(|_| unexpected(&format!("{head:?}")))?;
            Ok(Reply::Number { number, cas: Some(cas) })
        }
        // Deleting and touching tell no number that could be relied on.
        (0, Request::Delete | Request::Touch(_)) => Ok(Reply::Done { cas: None }),
        (0, _) => Ok(Reply::Done { cas: Some(cas) }),
        (1, _) => Ok(Reply::Missing),
        (2, _) => Ok(Reply::Exists),
        (5, _) => Ok(Reply::NotStored),
        (0x82, _) => Ok(Reply::Refused),
        _ => Err(unexpected(&format!("{head:?}"))),
    }
}

fn opcode(request: &Request) -> u8 {
    match request {
        Request::Get => 0x00,
        Request::GetAndTouch(_) => 0x1d,
        Request::Store { verb: Verb::Set | Verb::Cas(_), .. } => 0x01,
        Request::Store { verb: Verb::Add, .. } => 0x02,
        Request::Store { verb: Verb::Replace, .. } => 0x03,
        Request::Join { side: Side::Append, .. } => 0x0e,
        Request::Join { side: Side::Prepend, .. } => 0x0f,
        Request::Delete => 0x04,
        Request::Touch(_) => 0x1c,
        Request::Count { down: false, .. } => 0x05,
        Request::Count { down: true, .. } => 0x06,
    }
}

const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;
const HEAD_BYTES: usize = 24;
/// The time to live with which counting does not make an item.
const NOT_WHERE_NONE_IS: u32 = u32::MAX;

//! The classic text protocol.

use super::{Head, HeadRead, KeySeen, Store, Unreadable, append_number, first_line, number};
use crate::load::keyspace::{Keyspace, NameBuffer};
use crate::load::values::Values;

pub(super) fn append_fetch(verb: &[u8], keys: &[u64], keyspace: Keyspace, out: &mut Vec<u8>) {
    let mut buffer: NameBuffer = [0; _];
    out.extend_from_slice(verb);
    for key in keys {
        out.push(b' ');
        out.extend_from_slice(keyspace.name(*key, &mut buffer));
    }
    out.extend_from_slice(b"\r\n");
}

pub(super) fn append_store(name: &[u8], store: &Store, values: &Values, out: &mut Vec<u8>) {
    out.extend_from_slice(b"set ");
    out.extend_from_slice(name);
    out.extend_from_slice(b" 0 ");
    append_number(store.ttl_secs.into(), out);
    out.push(b' ');
    append_number(values.bytes_of(store.key) as u64, out);
    out.extend_from_slice(b"\r\n");
    values.append(store.key, store.version, out);
    out.extend_from_slice(b"\r\n");
}

/// `VALUE <key> <flags> <bytes>[ <cas>]`, `END`, `STORED`, or words of refusal.
pub(super) fn read_head(input: &[u8]) -> HeadRead<'_> {
    let Some((line, taken)) = first_line(input)? else { return Ok(None) };
    let head = match line {
        b"END" => Head::End,
        b"STORED" => Head::Stored,
        _ => match line.strip_prefix(b"VALUE ") {
            Some(fields) => value(fields)?,
            None => Head::Refused(line),
        },
    };
    Ok(Some((head, taken)))
}

fn value(fields: &[u8]) -> Result<Head<'_>, Unreadable> {
    let mut fields = fields.split(|byte| *byte == b' ');
    let mut field = || fields.next().ok_or(Unreadable);
    let key = KeySeen::Name(field()?);
    let flags = u32::try_from(number(field()?)?).map_err(|_| Unreadable)?;
    let value_bytes = number(field()?)?;
    Ok(Head::Value { key, flags, value_bytes })
}

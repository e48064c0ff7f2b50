//! The meta protocol: `mg <key> v`, and quietly `mg <key> v q k` closed by `mn`.

use super::{Head, HeadRead, KeySeen, Store, Unreadable, append_number, first_line, number};
use crate::load::keyspace::{Keyspace, NameBuffer};
use crate::load::values::Values;

pub(super) fn append_fetch(keys: &[u64], keyspace: Keyspace, out: &mut Vec<u8>) {
    let mut buffer: NameBuffer = [0; _];
    let (flags, close): (&[u8], &[u8]) = match keys.len() {
        1 => (b" v\r\n", b""),
        _ => (b" v q k\r\n", b"mn\r\n"),
    };
    for key in keys {
        out.extend_from_slice(b"mg ");
        out.extend_from_slice(keyspace.name(*key, &mut buffer));
        out.extend_from_slice(flags);
    }
    out.extend_from_slice(close);
}

pub(super) fn append_store(name: &[u8], store: &Store, values: &Values, out: &mut Vec<u8>) {
    out.extend_from_slice(b"ms ");
    out.extend_from_slice(name);
    out.push(b' ');
    append_number(values.bytes_of(store.key) as u64, out);
    if store.ttl_secs != 0 {
        out.extend_from_slice(b" T");
        append_number(store.ttl_secs.into(), out);
    }
    out.extend_from_slice(b"\r\n");
    values.append(store.key, store.version, out);
    out.extend_from_slice(b"\r\n");
}

/// `VA <bytes>[ k<key>]`, `EN`, `MN`, `HD`, or words of refusal.
pub(super) fn read_head(input: &[u8]) -> HeadRead<'_> {
    let Some((line, taken)) = first_line(input)? else { return Ok(None) };
    let head = match line {
        b"MN" => Head::End,
        b"EN" => Head::Miss,
        b"HD" => Head::Stored,
        _ => match line.strip_prefix(b"VA ") {
            Some(fields) => value(fields)?,
            None => Head::Refused(line),
        },
    };
    Ok(Some((head, taken)))
}

fn value(fields: &[u8]) -> Result<Head<'_>, Unreadable> {
    let mut fields = fields.split(|byte| *byte == b' ');
    let value_bytes = number(fields.next().ok_or(Unreadable)?)?;
    let name = fields.find_map(|field| field.strip_prefix(b"k"));
    Ok(Head::Value { key: name.map_or(KeySeen::Unsaid, KeySeen::Name), flags: 0, value_bytes })
}

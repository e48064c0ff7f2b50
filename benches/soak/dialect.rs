//! Text and meta on the wire, and the choice between the three protocols.

use std::io::{self, Write};

use super::binary;
use super::lane::Lane;
use super::request::{Left, Reply, Request, Side, Verb};
use super::values::{Content, Pool};

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Text,
    Meta,
    Binary,
}

impl Dialect {
    pub(crate) const ALL: [Dialect; 3] = [Dialect::Text, Dialect::Meta, Dialect::Binary];

    /// Appends a request. Meta and binary carry `opaque` to the reply.
    pub(crate) fn write(self, pool: &Pool, key: &[u8], request: &Request, opaque: u32, out: &mut Vec<u8>) {
        match self {
            Dialect::Text => write_text(pool, key, request, out),
            Dialect::Meta => write_meta(pool, key, request, opaque, out),
            Dialect::Binary => binary::write(pool, key, request, opaque, out),
        }
    }

    /// Takes the reply to a request.
    ///
    /// # Errors
    /// When the connection fails, or the reply is none to this request.
    pub(crate) fn read(self, lane: &mut Lane, key: &[u8], request: &Request, opaque: u32) -> io::Result<Reply> {
        match self {
            Dialect::Text => read_text(lane, key),
            Dialect::Meta => read_meta(lane, request, opaque),
            Dialect::Binary => binary::read(lane, request, opaque),
        }
    }
}

fn write_text(pool: &Pool, key: &[u8], request: &Request, out: &mut Vec<u8>) {
    let key_text = String::from_utf8_lossy(key);
    let line = match request {
        Request::Get => format!("gets {key_text}"),
        Request::GetAndTouch(ttl) => format!("gats {ttl} {key_text}"),
        Request::Delete => format!("delete {key_text}"),
        Request::Touch(ttl) => format!("touch {key_text} {ttl}"),
        Request::Count { delta, down } => format!("{} {key_text} {delta}", if *down { "decr" } else { "incr" }),
        Request::Store { verb, content, flags, ttl } => {
            let (verb, unique) = match verb {
                Verb::Set => ("set", String::new()),
                Verb::Add => ("add", String::new()),
                Verb::Replace => ("replace", String::new()),
                Verb::Cas(unique) => ("cas", format!(" {unique}")),
            };
            let head = format!("{verb} {key_text} {flags} {ttl} {}{unique}", content.bytes());
            return write_with_value(pool, &head, content, out);
        }
        Request::Join { side, piece } => {
            let verb = if *side == Side::Append { "append" } else { "prepend" };
            let content = Content::of(*piece);
            return write_with_value(pool, &format!("{verb} {key_text} 0 0 {}", content.bytes()), &content, out);
        }
    };
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_with_value(pool: &Pool, head: &str, content: &Content, out: &mut Vec<u8>) {
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(b"\r\n");
    pool.write(content, out);
    out.extend_from_slice(b"\r\n");
}

fn read_text(lane: &mut Lane, key: &[u8]) -> io::Result<Reply> {
    let line = lane.line()?;
    if line.starts_with("SERVER_ERROR out of memory") {
        return Ok(Reply::Refused);
    }
    if let Ok(number) = line.trim_end().parse() {
        return Ok(Reply::Number { number, cas: None });
    }
    let mut words = line.split(' ');
    match words.next() {
        Some("STORED" | "DELETED" | "TOUCHED") => Ok(Reply::Done { cas: None }),
        Some("END" | "NOT_FOUND") => Ok(Reply::Missing),
        Some("NOT_STORED") => Ok(Reply::NotStored),
        Some("EXISTS") => Ok(Reply::Exists),
        Some("VALUE") if words.next().map(str::as_bytes) == Some(key) => {
            let mut number = || words.next()?.parse::<u64>().ok();
            let (Some(flags), Some(bytes), Some(cas)) = (number(), number(), number()) else {
                return Err(unexpected(&line));
            };
            let at = value(lane, bytes as usize)?;
            match lane.line()?.as_str() {
                "END" => Ok(Reply::Value { flags: flags as u32, cas, ttl: Left::Untold, at }),
                other => Err(unexpected(other)),
            }
        }
        _ => Err(unexpected(&line)),
    }
}

fn write_meta(pool: &Pool, key: &[u8], request: &Request, opaque: u32, out: &mut Vec<u8>) {
    let key_text = String::from_utf8_lossy(key);
    let line = match request {
        Request::Get => format!("mg {key_text} v f c t"),
        Request::GetAndTouch(ttl) => format!("mg {key_text} v f c T{ttl}"),
        Request::Delete => format!("md {key_text}"),
        Request::Touch(ttl) => format!("mg {key_text} T{ttl}"),
        Request::Count { delta, down } => format!("ma {key_text} v c D{delta} M{}", if *down { 'D' } else { 'I' }),
        Request::Store { verb, content, flags, ttl } => {
            let mode = match verb {
                Verb::Set => String::new(),
                Verb::Add => " ME".to_owned(),
                Verb::Replace => " MR".to_owned(),
                Verb::Cas(unique) => format!(" C{unique}"),
            };
            let head = format!("ms {key_text} {} F{flags} T{ttl} c O{opaque}{mode}", content.bytes());
            return write_with_value(pool, &head, content, out);
        }
        Request::Join { side, piece } => {
            let mode = if *side == Side::Append { 'A' } else { 'P' };
            let content = Content::of(*piece);
            let head = format!("ms {key_text} {} M{mode} c O{opaque}", content.bytes());
            return write_with_value(pool, &head, &content, out);
        }
    };
    // A Vec takes whatever is written.
    let _ = write!(out, "{line} O{opaque}\r\n");
}

fn read_meta(lane: &mut Lane, request: &Request, opaque: u32) -> io::Result<Reply> {
    let line = lane.line()?;
    if line.starts_with("SERVER_ERROR out of memory") {
        return Ok(Reply::Refused);
    }
    let mut words = line.split(' ');
    let code = words.next().unwrap_or_default();
    let bytes = match code {
        "VA" => words.next().and_then(|word| word.parse::<usize>().ok()),
        _ => None,
    };
    let (mut flags, mut cas, mut ttl, mut told) = (0, None, Left::Untold, None);
    for word in words.filter(|word| !word.is_empty()) {
        let number = word[1..].parse::<u64>().ok();
        match (&word[..1], number) {
            ("f", Some(number)) => flags = number as u32,
            ("c", Some(number)) => cas = Some(number),
            ("O", Some(number)) => told = Some(number),
            ("t", Some(number)) => ttl = Left::Seconds(number as u32),
            ("t", None) if word == "t-1" => ttl = Left::Forever,
            _ => return Err(unexpected(&line)),
        }
    }
    // A miss of mg comes alone.
    if code != "EN" && told != Some(u64::from(opaque)) {
        return Err(unexpected(&line));
    }
    match (code, bytes, cas) {
        ("HD", ..) => Ok(Reply::Done { cas }),
        ("EN" | "NF", ..) => Ok(Reply::Missing),
        ("NS", ..) => Ok(Reply::NotStored),
        ("EX", ..) => Ok(Reply::Exists),
        ("VA", Some(bytes), _) if matches!(request, Request::Count { .. }) => {
            let at = value(lane, bytes)?;
            let number = std::str::from_utf8(lane.seen(at)).ok().and_then(|word| word.parse().ok());
            number.map(|number| Reply::Number { number, cas }).ok_or_else(|| unexpected(&line))
        }
        ("VA", Some(bytes), Some(cas)) => Ok(Reply::Value { flags, cas, ttl, at: value(lane, bytes)? }),
        _ => Err(unexpected(&line)),
    }
}

/// A value and the line end behind it.
fn value(lane: &mut Lane, bytes: usize) -> io::Result<std::ops::Range<usize>> {
    let at = lane.bytes(bytes + 2)?;
    match lane.seen(at.clone()).ends_with(b"\r\n") {
        true => Ok(at.start..at.end - 2),
        false => Err(unexpected("a value without its end")),
    }
}

/// An error that shows what came.
pub(crate) fn unexpected(words: &str) -> io::Error {
    io::Error::other(format!("an unexpected reply: {words:.100}"))
}

//! The lines of dumps.

use std::io::Write as _;

use crate::command::KeyForm;
use crate::protocol::meta::key::encode;
use crate::uri::Encoded;

/// What a line of metadump tells of an item.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// The key.
    pub key: &'a [u8],
    /// When it dies, as Unix time.
    pub expiry: Option<i64>,
    /// When it was last used, as Unix time.
    pub accessed: i64,
    /// CAS number.
    pub cas: u64,
    /// Whether it was fetched since it was stored.
    pub fetched: bool,
    /// Its size class, counted from 1.
    pub class: usize,
    /// Its bytes.
    pub bytes: usize,
    /// Opaque to the server.
    pub client_flags: u32,
}

/// Appends a line of metadump: names and values, with a blank and a bare LF at its end, as 1.6.45 writes it.
pub fn fields_line(out: &mut Vec<u8>, item: &Fields<'_>) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"key=");
    write!(out, "{}", Encoded(item.key)).expect("a vector takes everything");
    out.extend_from_slice(b" exp=");
    out.extend_from_slice(number.format(item.expiry.unwrap_or(-1)).as_bytes());
    out.extend_from_slice(b" la=");
    out.extend_from_slice(number.format(item.accessed).as_bytes());
    out.extend_from_slice(b" cas=");
    out.extend_from_slice(number.format(item.cas).as_bytes());
    out.extend_from_slice(if item.fetched { b" fetch=yes cls=" } else { b" fetch=no cls=" });
    out.extend_from_slice(number.format(item.class).as_bytes());
    out.extend_from_slice(b" size=");
    out.extend_from_slice(number.format(item.bytes).as_bytes());
    out.extend_from_slice(b" flags=");
    out.extend_from_slice(number.format(item.client_flags).as_bytes());
    out.extend_from_slice(b" \n");
}

/// Appends a line of mgdump: a meta get of the key, encoded with flag `b` where it is no text.
pub fn meta_get_line(out: &mut Vec<u8>, key: &[u8], form: KeyForm) {
    out.extend_from_slice(b"mg ");
    match form {
        KeyForm::Text => out.extend_from_slice(key),
        KeyForm::Binary => {
            encode(key, out);
            out.extend_from_slice(b" b");
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let item = Fields {
            key: b"a-b_c.d~e:\x00\xff%",
            client_flags: 7,
            expiry: None,
            accessed: 1005,
            cas: 9,
            fetched: false,
            class: 3,
            bytes: 60,
        };
        let kept = Fields { key: b"k", expiry: Some(1020), fetched: true, ..item };
        let mut out = Vec::new();
        fields_line(&mut out, &item);
        fields_line(&mut out, &kept);
        meta_get_line(&mut out, kept.key, KeyForm::Text);
        meta_get_line(&mut out, b"\x00\xff", KeyForm::Binary);
        let expected = "key=a-b_c.d~e%3A%00%FF%25 exp=-1 la=1005 cas=9 fetch=no cls=3 size=60 flags=7 \n\
                        key=k exp=1020 la=1005 cas=9 fetch=yes cls=3 size=60 flags=7 \nmg k\r\nmg AP8= b\r\n";
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }
}

//! Names as mechanisms carry them, made comparable.

use super::Why;
use crate::auth::user::NAME_MAX;

/// A name in the form in which users are kept (SASLprep, RFC 4013). Control characters, NUL among them, are refused.
pub(super) fn prepare(name: &[u8]) -> Result<String, Why> {
    if name.len() > NAME_MAX {
        return Err(Why::TooLong);
    }
    let name = std::str::from_utf8(name).map_err(|_| Why::Malformed)?;
    let name = stringprep::saslprep(name).map_err(|_| Why::Malformed)?;
    // Normalization can make a name shorter, to nothing, or longer.
    match name.len() {
        0 => Err(Why::Malformed),
        1..=NAME_MAX => Ok(name.into_owned()),
        _ => Err(Why::TooLong),
    }
}

/// Undoes the escapes of `saslname` (RFC 5802 section 5.1), where `=2C` and `=3D` stand for comma and equals sign.
pub(super) fn unescape(name: &[u8]) -> Result<Vec<u8>, Why> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        (plain, rest) = match (byte, after) {
            (b'=', [b'2', b'C', after @ ..]) => (with(plain, b','), after),
            (b'=', [b'3', b'D', after @ ..]) => (with(plain, b'='), after),
            (b'=' | b',', _) => return Err(Why::Malformed),
            _ => (with(plain, byte), after),
        };
    }
    Ok(plain)
}

fn with(mut bytes: Vec<u8>, byte: u8) -> Vec<u8> {
    bytes.push(byte);
    bytes
}

/// Refuses an authorization identity that is neither empty nor the user's own: nobody may be somebody else.
pub(super) fn check_authzid(authzid: Option<&[u8]>, name: &str) -> Result<(), Why> {
    match authzid {
        None | Some(b"") => Ok(()),
        Some(other) if prepare(other)? == name => Ok(()),
        Some(_) => Err(Why::NotAllowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_prepared_or_refused() {
        for (name, prepared) in [("alice", Ok("alice")), ("I\u{AD}X", Ok("IX")), ("J\u{FC}rgen", Ok("J\u{FC}rgen"))] {
            assert_eq!(prepare(name.as_bytes()), prepared.map(str::to_owned), "{name:?}");
        }
        for name in ["", "\u{AD}", "a\0b", "a\tb", "a\n", "a\u{7F}", "\u{85}", "\u{627}1"] {
            assert_eq!(prepare(name.as_bytes()), Err(Why::Malformed), "{name:?}");
        }
        assert_eq!(prepare(b"\xFF"), Err(Why::Malformed));
        assert!(prepare(&[b'n'; NAME_MAX]).is_ok());
        assert_eq!(prepare(&[b'n'; NAME_MAX + 1]), Err(Why::TooLong));
        // One character that NFKC makes eighteen of.
        assert_eq!(prepare("\u{FDFA}".repeat(NAME_MAX / 3).as_bytes()), Err(Why::TooLong));
    }

    #[test]
    fn only_two_escapes_exist() {
        for (escaped, plain) in
            [("a", "a"), ("a=2Cb", "a,b"), ("=3D=3D2C", "==2C"), ("=2C", ","), ("=3D2C", "=2C"), ("", "")]
        {
            assert_eq!(unescape(escaped.as_bytes()).as_deref(), Ok(plain.as_bytes()), "{escaped}");
        }
        for escaped in ["=", "=2", "a=2c", "=3d", "=00", "a,b", "=2C=", "=4C"] {
            assert_eq!(unescape(escaped.as_bytes()), Err(Why::Malformed), "{escaped}");
        }
    }

    #[test]
    fn nobody_may_be_somebody_else() {
        assert_eq!(check_authzid(None, "alice"), Ok(()));
        assert_eq!(check_authzid(Some(b""), "alice"), Ok(()));
        assert_eq!(check_authzid(Some(b"alice"), "alice"), Ok(()));
        assert_eq!(check_authzid(Some(b"Alice"), "alice"), Err(Why::NotAllowed));
        assert_eq!(check_authzid(Some(b"a\0"), "alice"), Err(Why::Malformed));
    }
}

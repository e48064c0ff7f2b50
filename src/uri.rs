//! Keys as the percent-encoding of URIs shows them (RFC 3986), so that any bytes fit between two blanks.

use std::fmt::{self, Display, Formatter};

/// A key that shows with every byte but letters, digits and `-._~` as `%XX`, as memcached does it.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a>(pub &'a [u8]);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let mut rest = self.0;
        while !rest.is_empty() {
            let (plain, behind) = rest.split_at(rest.iter().position(|byte| !is_plain(byte)).unwrap_or(rest.len()));
            f.write_str(str::from_utf8(plain).unwrap_or_default())?;
            rest = behind;
            if let [byte, behind @ ..] = rest {
                write!(f, "%{byte:02X}")?;
                rest = behind;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Encoded;

    #[test]
    fn every_byte_is_encoded_as_memcached_does() {
        for byte in 0..=u8::MAX {
            let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            let expected = if plain { (byte as char).to_string() } else { format!("%{byte:02X}") };
            assert_eq!(Encoded(&[byte]).to_string(), expected);
        }
    }

    #[test]
    fn only_unreserved_bytes_stay_as_they_are() {
        assert_eq!(Encoded(b"user:42/~a-b_c.d").to_string(), "user%3A42%2F~a-b_c.d");
        assert_eq!(Encoded(b"% \0\xff\r\n\x80@[`{").to_string(), "%25%20%00%FF%0D%0A%80%40%5B%60%7B");
    }
}

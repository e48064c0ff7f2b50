//! Lines of a login over text: memcached's (`-Y`), which looks like a `set`, and SASL in the words of arcus-memcached.

use super::number::unsigned_32;
use super::parse::without_end;
use super::words::Words;

/// memcached closes the connection at a shorter first line, its LF not counted.
const LINE_BYTES_MIN: usize = 6;

/// A line before the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginLine<'a> {
    /// `set` or `ms`: `user password` follows, of so many bytes.
    Token {
        /// Bytes without the line end.
        len: u32,
        /// ms.
        is_meta: bool,
    },
    /// `sasl`.
    Sasl(SaslLine<'a>),
    /// Too short to be anything; memcached closes.
    Short,
    /// HTTP on our port: closed without a word. What a browser has been made to send could log in further down, by the
    /// browser's own certificate.
    Http,
    /// Anything else.
    Other,
}

/// A line that begins with `sasl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslLine<'a> {
    /// `sasl mech`: which mechanisms there are.
    Mechanisms,
    /// `sasl auth <mechanism> <len>`: the first message follows.
    Start {
        /// Its name as sent.
        mechanism: &'a [u8],
        /// Bytes without the line end.
        len: u32,
    },
    /// `sasl auth <len>`: a further message follows.
    Step {
        /// Bytes without the line end.
        len: u32,
    },
    /// No such words.
    Bad,
}

/// Reads a line before the login. Of a `set` only the length matters (emcache sends `set _ _ _ <len>`), and whatever
/// stands behind it does not (memcached 1.6.45).
pub fn parse(line: &[u8]) -> LoginLine<'_> {
    if line.len() <= LINE_BYTES_MIN {
        return LoginLine::Short;
    }
    let mut words = Words::of(without_end(line));
    let (len_at, is_meta) = match words.next() {
        Some(b"sasl") => return LoginLine::Sasl(parse_sasl(words)),
        Some(b"set") => (3, false),
        Some(b"ms") => (1, true),
        _ if words.end_in_http() => return LoginLine::Http,
        _ => return LoginLine::Other,
    };
    match words.nth(len_at).and_then(unsigned_32) {
        Some(len) => LoginLine::Token { len, is_meta },
        None => LoginLine::Other,
    }
}

/// Reads what stands behind `sasl`.
pub fn parse_sasl(mut words: Words<'_>) -> SaslLine<'_> {
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(b"mech"), None, ..) => SaslLine::Mechanisms,
        (Some(b"auth"), Some(len), None, _) => unsigned_32(len).map_or(SaslLine::Bad, |len| SaslLine::Step { len }),
        (Some(b"auth"), Some(mechanism), Some(len), None) => {
            unsigned_32(len).map_or(SaslLine::Bad, |len| SaslLine::Start { mechanism, len })
        }
        _ => SaslLine::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let token = |len, is_meta| LoginLine::Token { len, is_meta };
        let start = |mechanism, len| LoginLine::Sasl(SaslLine::Start { mechanism, len });
        let cases: [(&str, LoginLine<'_>); 24] = [
            ("set _ _ _ 9\r\n", token(9, false)),
            ("set auth 0 0 7\n", token(7, false)),
            ("set a 0 0 7 noreply\r\n", token(7, false)),
            ("set a 0 0 4294967295\r\n", token(u32::MAX, false)),
            ("ms any 7\r\n", token(7, true)),
            ("ms any 7 T0 q\r\n", token(7, true)),
            ("set a 0 0\r\n", LoginLine::Other),
            ("set a 0 0 -1\r\n", LoginLine::Other),
            ("set a 0 0 x\r\n", LoginLine::Other),
            ("settle a 0 0 7\r\n", LoginLine::Other),
            ("add a 0 0 7\r\n", LoginLine::Other),
            ("version\r\n", LoginLine::Other),
            ("POST / HTTP/1.1\r\n", LoginLine::Http),
            ("GET /?set HTTP/1.0\n", LoginLine::Http),
            ("HTTP/1.1 200\r\n", LoginLine::Other),
            ("quit\r\n", LoginLine::Short),
            ("mn\r\n", LoginLine::Short),
            ("\r\n", LoginLine::Short),
            ("sasl mech\r\n", LoginLine::Sasl(SaslLine::Mechanisms)),
            ("sasl auth PLAIN 5\r\n", start(b"PLAIN", 5)),
            ("sasl auth 12\r\n", LoginLine::Sasl(SaslLine::Step { len: 12 })),
            ("sasl auth PLAIN x\r\n", LoginLine::Sasl(SaslLine::Bad)),
            ("sasl auth PLAIN 5 6\r\n", LoginLine::Sasl(SaslLine::Bad)),
            ("sasl mech x\r\n", LoginLine::Sasl(SaslLine::Bad)),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line.as_bytes()), expected, "{line:?}");
        }
    }
}

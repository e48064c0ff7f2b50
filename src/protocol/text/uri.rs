//! Keys as the percent-encoding of URIs shows them (RFC 3986), so that any bytes fit between two blanks.

/// `key` with every byte but letters, digits and `-._~` as `%XX`.
pub fn encoded(key: &[u8]) -> String {
    let mut text = String::with_capacity(key.len());
    for &byte in key {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn only_unreserved_bytes_stay_as_they_are() {
        assert_eq!(encoded(b"user:42/~a-b_c.d"), "user%3A42%2F~a-b_c.d");
        assert_eq!(encoded(b"% \0\xff\r\n"), "%25%20%00%FF%0D%0A");
    }
}

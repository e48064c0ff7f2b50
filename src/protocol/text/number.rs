//! Decimal numbers with memcached's rules for what overflows and what is refused.

/// An unsigned number of at most 64 bits: digits only, at most 22 of them.
pub fn unsigned_64(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 22 {
        return None;
    }
    word.iter().try_fold(0u64, |number, &digit| number.checked_mul(10)?.checked_add(u64::from(value_of(digit)?)))
}

/// An unsigned number of at most 32 bits: digits only, at most 11 of them.
#[inline]
pub fn unsigned_32(word: &[u8]) -> Option<u32> {
    if word.is_empty() || word.len() > 11 {
        return None;
    }
    let mut number = 0u64;
    for &digit in word {
        number = number * 10 + u64::from(value_of(digit)?);
    }
    u32::try_from(number).ok()
}

/// A signed number of 32 bits: perhaps a `-`, then digits, 11 bytes at most.
#[inline]
pub fn signed_32(word: &[u8]) -> Option<i32> {
    if word.is_empty() || word.len() > 11 {
        return None;
    }
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let mut number = 0i64;
    for &digit in digits {
        number = number * 10 + i64::from(value_of(digit)?);
    }
    i32::try_from(if negative { -number } else { number }).ok()
}

#[inline]
fn value_of(digit: u8) -> Option<u8> {
    let value = digit.wrapping_sub(b'0');
    (value < 10).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_exact() {
        assert_eq!(unsigned_64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(unsigned_64(b"0018446744073709551615"), Some(u64::MAX));
        assert_eq!(unsigned_32(b"4294967295"), Some(u32::MAX));
        assert_eq!(signed_32(b"2147483647"), Some(i32::MAX));
        assert_eq!(signed_32(b"-2147483648"), Some(i32::MIN));
        assert_eq!(signed_32(b"-0"), Some(0));
        for word in [&b""[..], b"18446744073709551616", b"-1", b"+1", b"1 ", b"x", b"00000000000000000000001"] {
            assert_eq!(unsigned_64(word), None, "{}", String::from_utf8_lossy(word));
        }
        for word in [&b""[..], b"4294967296", b"-1", b"000000000001", b"99999999999"] {
            assert_eq!(unsigned_32(word), None, "{}", String::from_utf8_lossy(word));
        }
        for word in [&b""[..], b"2147483648", b"-2147483649", b"1-", b"99999999999", b"000000000001"] {
            assert_eq!(signed_32(word), None, "{}", String::from_utf8_lossy(word));
        }
    }
}

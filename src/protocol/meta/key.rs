//! Keys of any bytes, which travel encoded in base64 (flag `b`).

use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, encoded_len};

use crate::command::KEY_MAX;

/// As memcached's decoder: padding is wanted, bits that the last letter has too many are ignored.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The longest encoded key in bytes.
pub const ENCODED_KEY_MAX: usize = KEY_MAX.div_ceil(3) * 4;

/// A decoded key.
#[derive(Clone, Copy, Debug)]
pub struct DecodedKey {
    bytes: [u8; KEY_MAX + 2],
    len: usize,
}

impl DecodedKey {
    /// The key that `encoded` stands for. `None` when it is no base64, or of 0 or more than [`KEY_MAX`] bytes.
    pub fn of(encoded: &[u8]) -> Option<DecodedKey> {
        if encoded.len() > ENCODED_KEY_MAX {
            return None;
        }
        let mut bytes = [0; KEY_MAX + 2];
        let len = BASE64.decode_slice_unchecked(encoded, &mut bytes).ok()?;
        (1..=KEY_MAX).contains(&len).then_some(DecodedKey { bytes, len })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Appends `key` encoded.
pub fn encode(key: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + encoded_len(key.len(), true).unwrap_or(0), 0);
    let written = BASE64.encode_slice(key, &mut out[start..]).unwrap_or(0);
    out.truncate(start + written);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_any_length_make_the_round_trip() {
        let bytes: Vec<u8> = (0..KEY_MAX + 1).map(|n| n as u8).collect();
        for len in 1..=KEY_MAX {
            let mut encoded = b"x".to_vec();
            encode(&bytes[..len], &mut encoded);
            let decoded = DecodedKey::of(&encoded[1..]).expect("what was encoded");
            assert_eq!(decoded.bytes(), &bytes[..len]);
        }
        let mut encoded = Vec::new();
        encode(&bytes, &mut encoded);
        assert_eq!(encoded.len(), ENCODED_KEY_MAX);
        assert!(DecodedKey::of(&encoded).is_none(), "251 bytes");
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for encoded in [&b""[..], b"a", b"Zm9", b"Zm9v!", b"====", b"Zm=v", b"Zm9v\n", b"Zm9vYg="] {
            assert!(DecodedKey::of(encoded).is_none(), "{}", String::from_utf8_lossy(encoded));
        }
        // Bits too many in the last letter.
        assert_eq!(DecodedKey::of(b"Zh==").expect("lenient").bytes(), b"f");
    }
}

//! The name of key number N: hexadecimal digits of a mixed N, repeated to the wanted length.
//!
//! Neighbouring numbers get unrelated names, and no two numbers share one, because the mixing is a bijection and the
//! first 16 digits hold all of it. That is also why a key has at least 16 bytes.

use crate::load::random::mixed;

/// How keys are named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyspace {
    key_bytes: usize,
}

/// Room for the longest name.
pub(crate) type NameBuffer = [u8; KEY_BYTES_MAX];

impl Keyspace {
    /// Names of exactly `key_bytes` bytes.
    pub(crate) fn with_key_bytes(key_bytes: usize) -> Self {
        assert!(
            (KEY_BYTES_MIN..=KEY_BYTES_MAX).contains(&key_bytes),
            "a key has {KEY_BYTES_MIN} to {KEY_BYTES_MAX} bytes"
        );
        Keyspace { key_bytes }
    }

    /// Length of every name.
    pub(crate) fn key_bytes(self) -> usize {
        self.key_bytes
    }

    /// Writes the name of key `number` and returns it.
    pub(crate) fn name(self, number: u64, buffer: &mut NameBuffer) -> &[u8] {
        let digits = mixed(number);
        for (position, byte) in buffer[..KEY_BYTES_MIN].iter_mut().enumerate() {
            *byte = HEX[(digits >> (60 - 4 * position)) as usize & 15];
        }
        let mut written = KEY_BYTES_MIN;
        while written < self.key_bytes {
            let more = KEY_BYTES_MIN.min(self.key_bytes - written);
            buffer.copy_within(..more, written);
            written += more;
        }
        &buffer[..self.key_bytes]
    }
}

/// Fewer would not hold all 64 bits.
pub(crate) const KEY_BYTES_MIN: usize = 16;
/// memcached's limit.
pub(crate) const KEY_BYTES_MAX: usize = 250;
const HEX: &[u8; 16] = b"0123456789abcdef";

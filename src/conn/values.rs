//! Values on their way out: small ones copied, large ones sent from where they are in the store.

use super::{COPIED_VALUE_BYTES_MAX, Outbox, PINNED_VALUE_BYTES};
use crate::store::{End, Found};

/// Whether a found value is in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Whole,
    /// There is no memory for it, and nothing was said.
    Not,
}

/// Appends what `head` writes, of about `head_bytes`, and the value.
#[inline]
pub(super) fn give(
    out: &mut Outbox,
    found: &mut Found<'_>,
    end: End,
    head_bytes: usize,
    head: impl FnOnce(&mut Vec<u8>, &Found<'_>),
) -> Given {
    let value_len = found.value_len();
    match found.value() {
        Some(value) if value_len < PINNED_VALUE_BYTES => {
            let bytes = out.bytes();
            bytes.reserve(head_bytes + value.len());
            head(bytes, found);
            bytes.extend_from_slice(&value[..value_len + end.bytes()]);
        }
        _ => match found.pin(end) {
            Some(pinned) => {
                head(out.bytes(), found);
                out.say_pinned(pinned);
            }
            None if value_len <= COPIED_VALUE_BYTES_MAX => {
                head(out.bytes(), found);
                found.copy_to(out.bytes(), end);
            }
            None => return Given::Not,
        },
    }
    Given::Whole
}

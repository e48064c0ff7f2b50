//! Values on their way out: small ones copied, large ones sent from where they are in the store.

use super::{COPIED_VALUE_BYTES_MAX, Outbox, PINNED_VALUE_BYTES};
use crate::store::{End, Found, Parts};

/// Whether a found value is in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Whole,
    /// There is no memory for it, and nothing was said.
    Not,
}

/// Appends a found value. `say` appends what stands before it and, where it is handed the value, that with `end`'s text;
/// else the value is sent from the store.
#[inline(always)] // As `Found::parts`.
pub(super) fn give(
    out: &mut Outbox,
    found: &mut Found<'_>,
    end: End,
    say: impl FnOnce(&mut Vec<u8>, &Found<'_>, &Parts<'_>, Option<&[u8]>),
) -> Given {
    let parts = found.parts();
    match parts.value {
        Some(value) if parts.value_len < PINNED_VALUE_BYTES => {
            say(out.bytes(), found, &parts, Some(value));
            Given::Whole
        }
        _ => give_large(out, found, end, say),
    }
}

fn give_large(
    out: &mut Outbox,
    found: &mut Found<'_>,
    end: End,
    say: impl FnOnce(&mut Vec<u8>, &Found<'_>, &Parts<'_>, Option<&[u8]>),
) -> Given {
    let pinned = found.pin();
    let parts = found.parts();
    match pinned {
        Some(pinned) => {
            say(out.bytes(), found, &parts, None);
            out.say_pinned(pinned);
        }
        None if parts.value_len <= COPIED_VALUE_BYTES_MAX => {
            say(out.bytes(), found, &parts, None);
            found.copy_to(out.bytes());
        }
        None => return Given::Not,
    }
    out.say(end.text());
    Given::Whole
}

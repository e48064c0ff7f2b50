//! What a change may ask beyond its mode, and the marks that an item carries.
//!
//! An item may be marked stale: its value is still given out, and the first reader is told to renew it. That reader
//! has claimed it; a claim also protects an item that was created empty for a missing key, or that is about to expire.
//! Storing a value takes both marks away, unless it is itself older than the item.

use super::Outcome;
use super::shard::Shard;
use crate::clock::Seconds;
use crate::command::KeyForm;
use crate::slab::items::{Handle, state};

/// What becomes of a value whose CAS number is lower than the item's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// It is refused.
    Refuse,
    /// It is stored and marked stale; the item's expiry and claim stay.
    Stale,
}

/// What append and prepend do where nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is stored.
    Refuse,
    /// The value is stored by itself.
    Create,
}

/// What becomes of the item when a value that was to replace it is too large or finds no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It stays, unless the mode is set.
    Keep,
    /// It goes.
    Discard,
}

/// What a put asks beyond its mode.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// append and prepend: only to an item with this CAS number.
    pub compare: Option<u64>,
    /// The CAS number that the item gets, if not the next one.
    pub next_cas: Option<u64>,
    /// cas: what to do with a lower number than the item's.
    pub older: Older,
    /// append and prepend: what to do where nothing is.
    pub missing: Missing,
    /// Of a value that cannot be stored.
    pub on_failure: OnFailure,
    /// How the key is shown.
    pub key_form: KeyForm,
}

impl Terms {
    /// Nothing further.
    pub const PLAIN: Terms = Terms {
        compare: None,
        next_cas: None,
        older: Older::Refuse,
        missing: Missing::Refuse,
        on_failure: OnFailure::Keep,
        key_form: KeyForm::Text,
    };
}

/// What incr and decr ask beyond the delta.
#[derive(Clone, Copy, Debug)]
pub struct DeltaTerms {
    /// Only an item with this CAS number.
    pub compare: Option<u64>,
    /// The CAS number that the item gets, if not the next one.
    pub next_cas: Option<u64>,
    /// A new expiry for an item that is there.
    pub touch: Option<Seconds>,
    /// What to store where nothing is.
    pub create: Option<CreateNumber>,
    /// How the key is shown.
    pub key_form: KeyForm,
}

impl DeltaTerms {
    /// Nothing further.
    pub const PLAIN: DeltaTerms =
        DeltaTerms { compare: None, next_cas: None, touch: None, create: None, key_form: KeyForm::Text };
}

/// A number for a missing key.
#[derive(Clone, Copy, Debug)]
pub struct CreateNumber {
    /// The number.
    pub initial: u64,
    /// When the new item dies.
    pub expiry: Seconds,
}

/// What a stale item's successor takes over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heritage {
    pub(super) expiry: Seconds,
    pub(super) marks: u8,
}

impl KeyForm {
    /// The bit that an item with such a key carries.
    pub(super) fn mark(self) -> u8 {
        match self {
            KeyForm::Text => 0,
            KeyForm::Binary => state::BINARY_KEY,
        }
    }
}

impl Shard {
    /// What is left to a value that is older than the item.
    pub(super) fn heritage(&self, old: Handle) -> Heritage {
        let items = self.items();
        Heritage { expiry: items.expiry(old), marks: items.state(old) & state::CLAIMED | state::STALE }
    }

    pub(super) fn mark(&mut self, item: Handle, marks: u8) {
        let items = self.items_mut();
        let marked = items.state(item) | marks;
        items.set_state(item, marked);
    }

    /// Marks the item that was just stored, if it was.
    #[inline]
    pub(super) fn mark_stored(&mut self, hash: u64, key: &[u8], marks: u8, outcome: Outcome) -> Outcome {
        if marks != 0
            && matches!(outcome, Outcome::Stored { .. })
            && let Some(item) = self.find(hash, key)
        {
            self.mark(item, marks);
        }
        outcome
    }
}

//! One key as a model: what each operation with its answer makes of it.

use crate::checker::Object;

/// What a key holds; CAS numbers are the real ones, as the answers tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Item {
    held: Option<(Vec<u8>, u64)>,
    /// That of the last item, though it may be gone since. The next must be above it.
    last_cas: u64,
}

/// What to do. Values are digits, so that most are numbers too.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Get,
    Set(Vec<u8>),
    Add(Vec<u8>),
    Replace(Vec<u8>),
    Append(Vec<u8>),
    Prepend(Vec<u8>),
    /// Of the CAS number.
    Cas(u64, Vec<u8>),
    Increment(u64),
    Decrement(u64),
    Delete,
}

/// What came of it. Numbers beside values are CAS numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Found(Vec<u8>, u64),
    Missing,
    Stored(u64),
    NotStored,
    Exists,
    Number(u64, u64),
    NoNumber,
    Deleted,
}

impl Item {
    fn holds(&self, value: Vec<u8>, cas: u64) -> Option<Item> {
        (cas > self.last_cas).then_some(Item { held: Some((value, cas)), last_cas: cas })
    }

    /// As `incr` reads it: digits, and what stands behind a blank does not count.
    fn number(&self) -> Option<u64> {
        let word = self.held.as_ref()?.0.split(|byte| *byte == b' ').next()?;
        std::str::from_utf8(word).ok()?.parse().ok()
    }

    /// A number that became shorter is filled up with blanks.
    fn counted(&self, number: u64, cas: u64) -> Option<Item> {
        let length = self.held.as_ref()?.0.len();
        self.holds(format!("{number:<length$}").into_bytes(), cas)
    }
}

impl Object for Item {
    type Operation = (Act, Answer);

    fn step(&self, (act, answer): &(Act, Answer)) -> Option<Item> {
        let unchanged = |is_right: bool| is_right.then(|| self.clone());
        let is_there = self.held.is_some();
        match (act, answer) {
            (Act::Get, Answer::Found(value, cas)) => {
                unchanged(self.held.as_ref().is_some_and(|(held, of)| held == value && of == cas))
            }
            (Act::Get | Act::Cas(..) | Act::Increment(_) | Act::Decrement(_) | Act::Delete, Answer::Missing)
            | (Act::Replace(_) | Act::Append(_) | Act::Prepend(_), Answer::NotStored) => unchanged(!is_there),
            (Act::Add(_), Answer::NotStored) => unchanged(is_there),
            (Act::Set(value), Answer::Stored(cas)) => self.holds(value.clone(), *cas),
            (Act::Add(value), Answer::Stored(cas)) if !is_there => self.holds(value.clone(), *cas),
            (Act::Replace(value), Answer::Stored(cas)) if is_there => self.holds(value.clone(), *cas),
            (Act::Append(piece), Answer::Stored(cas)) => self.holds([&self.held.as_ref()?.0[..], piece].concat(), *cas),
            (Act::Prepend(piece), Answer::Stored(cas)) => {
                self.holds([piece, &self.held.as_ref()?.0[..]].concat(), *cas)
            }
            (Act::Cas(unique, value), Answer::Stored(cas)) if self.held.as_ref()?.1 == *unique => {
                self.holds(value.clone(), *cas)
            }
            (Act::Cas(unique, _), Answer::Exists) => unchanged(self.held.as_ref()?.1 != *unique),
            (Act::Increment(delta), Answer::Number(number, cas)) if self.number()?.wrapping_add(*delta) == *number => {
                self.counted(*number, *cas)
            }
            (Act::Decrement(delta), Answer::Number(number, cas))
                if self.number()?.saturating_sub(*delta) == *number =>
            {
                self.counted(*number, *cas)
            }
            (Act::Increment(_) | Act::Decrement(_), Answer::NoNumber) => unchanged(is_there && self.number().is_none()),
            (Act::Delete, Answer::Deleted) if is_there => Some(Item { held: None, ..self.clone() }),
            _ => None,
        }
    }
}

//! Values that are numbers: incr and decr.

use super::shard::Shard;
use super::terms::DeltaTerms;
use super::{DeltaOutcome, Outcome, Put, Store};
use crate::clock::{NEVER, Seconds};
use crate::command::{Delta, Mode};

/// The longest value in bytes that can be a number, blanks included.
const LARGE_NUMBER_MAX: usize = (512 << 10) - 512;

impl Store {
    /// incr and decr.
    pub fn add_delta(&self, key: &[u8], delta: Delta, now: Seconds) -> DeltaOutcome {
        self.add_delta_on(&DeltaTerms::PLAIN, key, delta, now)
    }

    /// The same on further terms.
    pub fn add_delta_on(&self, terms: &DeltaTerms, key: &[u8], delta: Delta, now: Seconds) -> DeltaOutcome {
        let hash = self.hash(key);
        let mut shard = self.lock(hash);
        let cas = self.cas_for(terms.next_cas);
        shard.add_delta(hash, key, delta, terms, now, cas)
    }
}

impl Shard {
    fn add_delta(
        &mut self,
        hash: u64,
        key: &[u8],
        delta: Delta,
        terms: &DeltaTerms,
        now: Seconds,
        cas: u64,
    ) -> DeltaOutcome {
        self.begin_with(hash, key, now);
        let Some(item) = self.live(hash, key, now) else { return self.create_number(hash, key, terms, now, cas) };
        let items = self.items();
        let (value_len, expiry) = (items.value_len(item), items.expiry(item));
        // memcached chains values above half a MiB and takes none of them for a number.
        if value_len == 0 || items.is_large(item) && value_len > LARGE_NUMBER_MAX {
            return DeltaOutcome::NonNumeric;
        }
        if terms.compare.is_some_and(|cas| cas != items.cas(item)) {
            return DeltaOutcome::Exists;
        }
        let span = items.first_span(item);
        let Some(old) = parse_number(items.arena.bytes(span.at, span.len)) else { return DeltaOutcome::NonNumeric };
        let counters = self.counters(item);
        let number = match delta {
            Delta::Incr(n) => {
                counters.incr_hits += 1;
                old.wrapping_add(n)
            }
            Delta::Decr(n) => {
                counters.decr_hits += 1;
                old.saturating_sub(n)
            }
        };
        match self.rewrite_number(hash, item, itoa::Buffer::new().format(number).as_bytes(), now, cas) {
            Outcome::Stored { cas, .. } => {
                self.touch_number(hash, key, terms.touch);
                DeltaOutcome::Value { number, cas, expiry, created: false }
            }
            _ => DeltaOutcome::NoMemory,
        }
    }

    fn touch_number(&mut self, hash: u64, key: &[u8], touch: Option<Seconds>) {
        if let Some(expiry) = touch
            && let Some(item) = self.find(hash, key)
        {
            self.set_expiry(item, expiry);
        }
    }

    fn create_number(&mut self, hash: u64, key: &[u8], terms: &DeltaTerms, now: Seconds, cas: u64) -> DeltaOutcome {
        let Some(create) = terms.create else { return DeltaOutcome::NotFound };
        let put = Put { key, client_flags: 0, expiry: create.expiry, mode: Mode::Add };
        let number = create.initial;
        let outcome = self.write(hash, None, &put, itoa::Buffer::new().format(number).as_bytes(), now, cas);
        match self.mark_stored(hash, key, terms.key_form.mark(), outcome) {
            Outcome::Stored { cas, .. } => DeltaOutcome::Value { number, cas, expiry: NEVER, created: true },
            _ => DeltaOutcome::NoMemoryForNew,
        }
    }
}

/// The number that a value holds, by C's `strtoull`, as memcached reads it: blanks before it, digits, and then a
/// blank, a NUL or nothing.
fn parse_number(value: &[u8]) -> Option<u64> {
    let is_blank = |byte: u8| byte == b' ' || (b'\t'..=b'\r').contains(&byte);
    let start = value.iter().position(|&byte| !is_blank(byte))?;
    let digits = value[start..].strip_prefix(b"+").unwrap_or(&value[start..]);
    let count = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if count == 0 || digits.get(count).is_some_and(|&byte| !is_blank(byte) && byte != 0) {
        return None;
    }
    digits[..count].iter().try_fold(0u64, |number, &digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_strtoull_does() {
        let cases: [(&[u8], Option<u64>); 16] = [
            (b"0", Some(0)),
            (b"10", Some(10)),
            (b"10  ", Some(10)),
            (b"  10", Some(10)),
            (b"\t7", Some(7)),
            (b"+7", Some(7)),
            (b"12 abc", Some(12)),
            (b"12\0abc", Some(12)),
            (b"18446744073709551615", Some(u64::MAX)),
            (b"18446744073709551616", None),
            (b"", None),
            (b"   ", None),
            (b"-1", None),
            (b"12a", None),
            (b"a", None),
            (b"+", None),
        ];
        for (value, expected) in cases {
            assert_eq!(parse_number(value), expected, "{}", String::from_utf8_lossy(value));
        }
    }
}

//! What each party owes for what it did, in a table of fixed size.
//!
//! A debt is a time, which shrinks as time goes by (GCRA, the leaky bucket as a meter): who owes a second owes nothing
//! a second later. What a deed costs and how much debt is too much is the caller's to say.
//!
//! The table has [`SETS`] sets of [`WAYS`] entries, and a hash under a secret picks the set. Where a set is full the
//! entry with the least debt gives way to a newcomer. What a flood of other addresses can forgive:
//! * Parties that do a little now and then push out each other, never who owes more than they do.
//! * A debt is forgotten only when all others of its set owe at least as much, which each of them had to run up by as
//!   many deeds, and a newcomer comes on top. Nobody can choose addresses that share a set.
//! * Who has more heavy debtors than there are entries gets some of them forgiven. No table of fixed size can help that.

use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use parking_lot::Mutex;

use crate::party::Party;

/// A power of two.
const SETS: usize = 2048;

const WAYS: usize = 4;

/// 8,192 entries of 32 bytes, and a lock for each four, padded to 8 bytes: 272 KiB for good, whoever comes.
const TABLE_BYTES: usize = SETS * size_of::<Set>();

const _: () = assert!(TABLE_BYTES == 272 * 1024);

#[derive(Clone, Copy, Debug)]
struct Entry {
    party: Party,
    /// When the debt will be paid.
    paid_at: Instant,
}

type Set = Mutex<[Option<Entry>; WAYS]>;

/// See the module.
#[derive(Debug)]
pub struct Debts {
    hasher: RandomState,
    sets: Box<[Set]>,
}

impl Default for Debts {
    fn default() -> Debts {
        Debts { hasher: RandomState::default(), sets: (0..SETS).map(|_| Mutex::default()).collect() }
    }
}

impl Debts {
    /// Adds `cost` to what a party owes and returns what that was before. Nothing is added, and nothing returned, where
    /// it is more than `most` already.
    pub fn charge(&self, party: Party, cost: Duration, most: Duration, now: Instant) -> Option<Duration> {
        let mut set = self.set(party).lock();
        let slot = slot(&mut set, party);
        let owes_until = slot.filter(|entry| entry.party == party).map_or(now, |entry| entry.paid_at.max(now));
        let debt = owes_until.duration_since(now);
        if debt > most {
            return None;
        }
        *slot = Some(Entry { party, paid_at: owes_until + cost });
        Some(debt)
    }

    /// Gives back what a party was charged.
    pub fn refund(&self, party: Party, cost: Duration) {
        let mut set = self.set(party).lock();
        if let Some(entry) = set.iter_mut().flatten().find(|entry| entry.party == party)
            && let Some(paid_at) = entry.paid_at.checked_sub(cost)
        {
            entry.paid_at = paid_at;
        }
    }

    fn set(&self, party: Party) -> &Set {
        &self.sets[self.hasher.hash_one(party) as usize % SETS]
    }
}

/// Where a party is, or else where it goes.
fn slot(set: &mut [Option<Entry>; WAYS], party: Party) -> &mut Option<Entry> {
    let known = set.iter().position(|slot| slot.is_some_and(|entry| entry.party == party));
    let at = known.unwrap_or_else(|| {
        let least = (0..WAYS).min_by_key(|&at| set[at].map(|entry| entry.paid_at));
        least.unwrap_or(0)
    });
    &mut set[at]
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const COST: Duration = Duration::from_millis(10);
    const MOST: Duration = Duration::from_secs(2);

    fn party(last: u32) -> Party {
        Party::from(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last)))
    }

    fn charge(debts: &Debts, last: u32, now: Instant) -> Option<Duration> {
        debts.charge(party(last), COST, MOST, now)
    }

    #[test]
    fn a_debt_grows_to_its_bound_and_shrinks_with_time() {
        let (debts, now) = (Debts::default(), Instant::now());
        for number in 0..=200 {
            assert_eq!(charge(&debts, 1, now), Some(COST * number));
        }
        assert_eq!(charge(&debts, 1, now), None);
        assert_eq!(charge(&debts, 2, now), Some(Duration::ZERO), "others are not concerned");
        assert_eq!(charge(&debts, 1, now + COST), Some(MOST));
        debts.refund(party(1), COST);
        assert_eq!(charge(&debts, 1, now + COST), Some(MOST));
        assert_eq!(charge(&debts, 1, now + MOST * 2), Some(Duration::ZERO));
        debts.refund(party(77), COST);
    }

    #[test]
    fn who_owes_most_of_a_set_stays_and_who_owes_least_goes() {
        let (debts, now) = (Debts::default(), Instant::now());
        let set = |last| std::ptr::from_ref(debts.set(party(last)));
        let neighbours: Vec<u32> = (0..).filter(|&last| set(last) == set(0)).take(WAYS + 1).collect();
        for (debt, &last) in neighbours[..WAYS].iter().enumerate() {
            for _ in 0..100 + debt {
                charge(&debts, last, now);
            }
        }
        assert_eq!(charge(&debts, neighbours[WAYS], now), Some(Duration::ZERO));
        for (debt, &last) in neighbours[..WAYS].iter().enumerate().skip(1) {
            assert_eq!(charge(&debts, last, now), Some(COST * (100 + debt as u32)));
        }
        assert_eq!(charge(&debts, neighbours[0], now), Some(Duration::ZERO), "forgotten");
    }

    /// Four times as many addresses as there are entries, each of which came once, forgive nothing to who came often.
    #[test]
    fn a_flood_of_addresses_does_not_forgive() {
        let (debts, now) = (Debts::default(), Instant::now());
        while charge(&debts, 0, now).is_some() {}
        for last in 1..(SETS * WAYS * 4) as u32 {
            charge(&debts, last, now);
        }
        assert_eq!(charge(&debts, 0, now), None);
    }
}

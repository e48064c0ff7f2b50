//! Attempts to log in, charged to the address they come from, in a table of fixed size.
//!
//! Each address has a debt in time, which shrinks as time goes by (GCRA, the leaky bucket as a meter): an attempt costs
//! [`COST`], a success gives it back, and up to [`BURST`] of debt are free. Beyond that attempts wait for their turn, and
//! beyond [`WAIT_MAX`] of waiting they are refused.
//!
//! The table has [`SETS`] sets of [`WAYS`] entries, and a hash under a secret picks the set. Where a set is full the
//! entry with the least debt gives way to a newcomer. What a flood of other addresses can forgive:
//! * Addresses that fail now and then push out each other, never who owes more than they do.
//! * A guesser's debt is forgotten only when all others of its set owe at least as much, which each of them had to run
//!   up by as many attempts, and a newcomer comes on top. Nobody can choose addresses that share a set.
//! * Who has more heavy guessers than there are entries gets some of them forgiven, a burst each time. No table of fixed
//!   size can help that, and a larger one little: so many addresses have more bursts of their own than the login
//!   threads can hash. The bound of the line is what holds then.

use std::hash::BuildHasher;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use parking_lot::Mutex;

/// What an attempt costs: so many go on in the long run.
const COST: Duration = Duration::from_millis(10);

/// Debt that has no consequence: a hundred attempts at once.
const BURST: Duration = Duration::from_secs(1);

/// The longest that an attempt waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A power of two.
const SETS: usize = 2048;

const WAYS: usize = 4;

/// 8,192 entries of 32 bytes, and a lock for each four, padded to 16 bytes: 288 KiB for good, whoever comes.
const TABLE_BYTES: usize = SETS * size_of::<Set>();

const _: () = assert!(TABLE_BYTES == 288 * 1024);

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may be decided now.
    Now,
    /// It may be decided then.
    At(Instant),
    /// Its address has failed too often.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    address: u128,
    /// When the debt will be paid.
    paid_at: Instant,
}

type Set = Mutex<[Option<Entry>; WAYS]>;

/// See the module.
#[derive(Debug)]
pub struct Throttle {
    hasher: RandomState,
    sets: Box<[Set]>,
}

impl Default for Throttle {
    fn default() -> Throttle {
        Throttle { hasher: RandomState::default(), sets: (0..SETS).map(|_| Mutex::default()).collect() }
    }
}

impl Throttle {
    /// Charges an attempt. `None` is every client of Unix sockets.
    pub fn charge(&self, address: Option<IpAddr>, now: Instant) -> Admission {
        let address = key(address);
        let mut set = self.set(address).lock();
        let slot = slot(&mut set, address);
        let owes_until = slot.filter(|entry| entry.address == address).map_or(now, |entry| entry.paid_at.max(now));
        let wait = owes_until.duration_since(now).saturating_sub(BURST - COST);
        if wait > WAIT_MAX {
            return Admission::Refused;
        }
        *slot = Some(Entry { address, paid_at: owes_until + COST });
        if wait.is_zero() { Admission::Now } else { Admission::At(now + wait) }
    }

    /// Gives back what a successful attempt was charged.
    pub fn refund(&self, address: Option<IpAddr>) {
        let address = key(address);
        let mut set = self.set(address).lock();
        if let Some(entry) = set.iter_mut().flatten().find(|entry| entry.address == address)
            && let Some(paid_at) = entry.paid_at.checked_sub(COST)
        {
            entry.paid_at = paid_at;
        }
    }

    fn set(&self, address: u128) -> &Set {
        &self.sets[self.hasher.hash_one(address) as usize % SETS]
    }
}

/// Where an address is, or else where it goes.
fn slot(set: &mut [Option<Entry>; WAYS], address: u128) -> &mut Option<Entry> {
    let known = set.iter().position(|slot| slot.is_some_and(|entry| entry.address == address));
    let at = known.unwrap_or_else(|| {
        let least = (0..WAYS).min_by_key(|&at| set[at].map(|entry| entry.paid_at));
        least.unwrap_or(0)
    });
    &mut set[at]
}

/// Whom an address stands for: of IPv6 the /64, which is what one customer has.
fn key(address: Option<IpAddr>) -> u128 {
    match address.map(|address| address.to_canonical()) {
        None => 0,
        Some(IpAddr::V4(address)) => 0xffff << 32 | u128::from(u32::from(address)),
        Some(IpAddr::V6(address)) => u128::from(address) >> 64 << 64 | 1,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn v4(last: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last)))
    }

    #[test]
    fn a_burst_is_free_then_attempts_wait_then_they_are_refused() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for number in 0..100 {
            assert_eq!(throttle.charge(v4(1), now), Admission::Now, "attempt {number}");
        }
        for number in 1..=100 {
            assert_eq!(throttle.charge(v4(1), now), Admission::At(now + COST * number));
        }
        assert_eq!(throttle.charge(v4(1), now), Admission::Refused);
        assert_eq!(throttle.charge(v4(2), now), Admission::Now, "others are not concerned");
        assert_eq!(throttle.charge(None, now), Admission::Now);
    }

    #[test]
    fn time_and_success_pay_back() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(throttle.charge(v4(1), now), Admission::Now);
            throttle.refund(v4(1));
        }
        while throttle.charge(v4(1), now) != Admission::Refused {}
        assert_eq!(throttle.charge(v4(1), now + COST), Admission::At(now + COST + WAIT_MAX));
        assert_eq!(throttle.charge(v4(1), now + WAIT_MAX + BURST + COST), Admission::Now);
        throttle.refund(v4(77));
    }

    #[test]
    fn networks_of_ipv6_and_mapped_addresses_are_one() {
        let parse = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        assert_eq!(key(parse("2001:db8:1:2::1")), key(parse("2001:db8:1:2:ffff::9")));
        assert_ne!(key(parse("2001:db8:1:2::1")), key(parse("2001:db8:1:3::1")));
        assert_eq!(key(parse("::ffff:10.0.0.1")), key(v4(1)));
        assert_ne!(key(parse("::")), key(None));
    }

    #[test]
    fn who_owes_most_of_a_set_stays_and_who_owes_least_goes() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let set = |last| std::ptr::from_ref(throttle.set(key(v4(last))));
        let neighbours: Vec<u32> = (0..).filter(|&last| set(last) == set(0)).take(WAYS + 1).collect();
        for (debt, &last) in neighbours[..WAYS].iter().enumerate() {
            for _ in 0..100 + debt {
                throttle.charge(v4(last), now);
            }
        }
        assert_eq!(throttle.charge(v4(neighbours[WAYS]), now), Admission::Now);
        for (debt, &last) in neighbours[..WAYS].iter().enumerate().skip(1) {
            let waits = COST * (debt as u32 + 1);
            assert_eq!(throttle.charge(v4(last), now), Admission::At(now + waits), "debt {debt}");
        }
        assert_eq!(throttle.charge(v4(neighbours[0]), now), Admission::Now, "forgotten");
    }

    /// Four times as many addresses as there are entries, each of which failed once, forgive nothing to who failed often.
    #[test]
    fn a_flood_of_addresses_does_not_forgive() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        while throttle.charge(v4(0), now) != Admission::Refused {}
        for last in 1..(SETS * WAYS * 4) as u32 {
            throttle.charge(v4(last), now);
        }
        assert_eq!(throttle.charge(v4(0), now), Admission::Refused);
    }
}

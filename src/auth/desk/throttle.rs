//! Attempts to log in, charged to the address they come from.
//!
//! An attempt costs [`COST`], a success gives it back, and up to [`BURST`] of debt are free. Beyond that attempts wait
//! for their turn, and beyond [`WAIT_MAX`] of waiting they are refused.
//!
//! What a flood of addresses can forgive is in [`crate::debts`]. Who has more heavy guessers than that table has entries
//! gets some of them forgiven, a burst each time; a larger table would help little: so many addresses have more bursts
//! of their own than the login threads can hash. The bound of the line is what holds then.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::debts::Debts;

/// What an attempt costs: so many go on in the long run.
const COST: Duration = Duration::from_millis(10);

/// Debt that has no consequence: a hundred attempts at once.
const BURST: Duration = Duration::from_secs(1);

/// The longest that an attempt waits for its turn.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Debt with which an attempt need not wait.
const FREE: Duration = BURST.saturating_sub(COST);

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

/// See the module.
#[derive(Debug, Default)]
pub struct Throttle {
    debts: Debts,
}

impl Throttle {
    /// Charges an attempt. `None` is every client of Unix sockets.
    pub fn charge(&self, address: Option<IpAddr>, now: Instant) -> Admission {
        match self.debts.charge(address.into(), COST, FREE + WAIT_MAX, now) {
            None => Admission::Refused,
            Some(debt) if debt <= FREE => Admission::Now,
            Some(debt) => Admission::At(now + (debt - FREE)),
        }
    }

    /// Gives back what a successful attempt was charged.
    pub fn refund(&self, address: Option<IpAddr>) {
        self.debts.refund(address.into(), COST);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn v4(last: u8) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)))
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
    }
}

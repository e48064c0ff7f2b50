//! How much one client address may take: connections open at once, and new ones a second.
//!
//! Open connections are counted exactly. As `-c` bounds them, so it bounds the table, whoever comes. How often an
//! address comes is kept in a table of fixed size ([`Debts`]). Clients of Unix sockets are not counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::debts::Debts;
use crate::party::Party;
use crate::settings::Settings;

/// The limits in force.
#[derive(Debug)]
pub struct Limits {
    /// `--max-connections-per-address`.
    open_max: u32,
    open: Arc<Open>,
    rate: Option<Rate>,
}

/// Open connections by who has them.
#[derive(Debug, Default)]
struct Open {
    /// Nobody in it has none.
    counts: Mutex<HashMap<Party, u32, RandomState>>,
}

/// `--max-connection-rate`: what comes costs its part of a second, and a second of debt is too much.
#[derive(Debug)]
struct Rate {
    cost: Duration,
    debts: Debts,
}

/// What an address would take too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// It has as many connections open as it may.
    Open,
    /// It makes new ones too fast.
    Rate,
}

/// A connection that counts among those of its address, until this is dropped: so it travels with the connection.
#[derive(Debug, Default)]
pub struct Counted(Option<(Arc<Open>, Party)>);

impl Limits {
    /// The limits of these settings.
    pub fn new(settings: &Settings) -> Limits {
        let per_sec = settings.max_connection_rate;
        let rate = (per_sec > 0).then(|| Rate { cost: Duration::from_secs(1) / per_sec, debts: Debts::default() });
        Limits { open_max: settings.max_connections_per_address, open: Arc::default(), rate }
    }

    /// Whether there are any.
    pub fn are_set(&self) -> bool {
        self.open_max > 0 || self.rate.is_some()
    }

    /// Counts a new connection from this address.
    ///
    /// # Errors
    /// The limit that it would exceed. It is not counted then.
    pub fn count(&self, address: IpAddr, now: Instant) -> Result<Counted, Excess> {
        let party = Party::from(address);
        let mut counts = (self.open_max > 0).then(|| self.open.counts.lock());
        if counts.as_ref().and_then(|counts| counts.get(&party)).is_some_and(|&count| count >= self.open_max) {
            return Err(Excess::Open);
        }
        if let Some(Rate { cost, debts }) = &self.rate {
            debts.charge(party, *cost, Duration::from_secs(1).saturating_sub(*cost), now).ok_or(Excess::Rate)?;
        }
        Ok(Counted(counts.as_mut().map(|counts| {
            *counts.entry(party).or_insert(0) += 1;
            (Arc::clone(&self.open), party)
        })))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some((open, party)) = self.0.take() else { return };
        let mut counts = open.counts.lock();
        let Some(count) = counts.get_mut(&party) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(&party);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn limits(max_connections_per_address: u32, max_connection_rate: u32) -> Limits {
        Limits::new(&Settings { max_connections_per_address, max_connection_rate, ..Settings::default() })
    }

    fn v4(last: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last))
    }

    #[test]
    fn open_connections_are_counted_until_they_are_dropped() {
        let (limits, now) = (limits(2, 0), Instant::now());
        let first = limits.count(v4(1), now).expect("the first");
        let second = limits.count(v4(1), now).expect("the second");
        assert_eq!(limits.count(v4(1), now).expect_err("the third"), Excess::Open);
        let other = limits.count(v4(2), now).expect("another address");
        drop(first);
        let third = limits.count(v4(1), now).expect("there is room again");
        assert_eq!(limits.count(v4(1), now).expect_err("no more"), Excess::Open);
        drop((second, third, other));
        assert!(limits.open.counts.lock().is_empty());
    }

    /// However many addresses come, none gets past its limit.
    #[test]
    fn a_flood_of_addresses_pushes_no_count_out() {
        let (limits, now) = (limits(1, 0), Instant::now());
        let _held = limits.count(v4(0), now).expect("the first");
        let _flood: Vec<Counted> = (1..50_000).map(|last| limits.count(v4(last), now).expect("its first")).collect();
        assert_eq!(limits.count(v4(0), now).expect_err("the second"), Excess::Open);
    }

    #[test]
    fn networks_of_ipv6_count_as_one() {
        let (limits, now) = (limits(1, 0), Instant::now());
        let count = |text: &str| limits.count(text.parse().expect("an address"), now);
        let _first = count("2001:db8:0:1::1").expect("the first");
        assert_eq!(count("2001:db8:0:1:ffff::2").expect_err("its neighbour"), Excess::Open);
        let _other = count("2001:db8:0:2::1").expect("another network");
        let _v4 = count("10.0.0.1").expect("the first");
        assert_eq!(count("::ffff:10.0.0.1").expect_err("the same"), Excess::Open);
    }

    #[test]
    fn a_second_of_connections_may_come_at_once_and_then_one_by_one() {
        for per_sec in [1, 3, 10, 1000, 1_000_000] {
            let (limits, now) = (limits(0, per_sec), Instant::now());
            for number in 0..per_sec {
                assert!(limits.count(v4(1), now).is_ok(), "number {number} of {per_sec}");
            }
            assert_eq!(limits.count(v4(1), now).expect_err("one more"), Excess::Rate);
            assert!(limits.count(v4(2), now).is_ok(), "others are not concerned");
            let later = now + Duration::from_secs(1) / per_sec;
            assert!(limits.count(v4(1), later).is_ok());
            assert_eq!(limits.count(v4(1), later).expect_err("one more"), Excess::Rate);
        }
    }

    #[test]
    fn what_is_refused_is_not_counted() {
        let (limits, now) = (limits(1, 10), Instant::now());
        let held = limits.count(v4(1), now).expect("the first");
        for _ in 0..100 {
            assert_eq!(limits.count(v4(1), now).expect_err("no second"), Excess::Open);
        }
        drop(held);
        for _ in 0..9 {
            drop(limits.count(v4(1), now).expect("of the ten"));
        }
        for _ in 0..100 {
            assert_eq!(limits.count(v4(1), now).expect_err("too fast"), Excess::Rate);
        }
        assert!(limits.open.counts.lock().is_empty());
        assert!(limits.count(v4(1), now + Duration::from_millis(100)).is_ok());
    }

    #[test]
    fn without_limits_nothing_is_kept() {
        let limits = limits(0, 0);
        assert!(!limits.are_set());
        let _counted: Vec<Counted> =
            (0..1000).map(|_| limits.count(v4(1), Instant::now()).expect("no limit")).collect();
        assert!(limits.open.counts.lock().is_empty());
    }
}

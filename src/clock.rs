//! The server's coarse clock: whole seconds since start, as items and expiry times are kept.
//!
//! Read once per turn of a worker's loop and handed down as an argument, so that nothing below reads a clock and
//! tests never sleep. It counts from [`START`] and not from 0 because 0 means "never expires" and 1 "expired already"
//! (protocol.txt, "Expiration times"). A server that took over the items of another goes on from that one's clock, as
//! the items' times are meant on it, to the part of the second: what is rounded off would add up over many restarts.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Seconds on the server's clock; see the module.
pub type Seconds = u32;

/// What the clock shows when the server starts with an empty cache.
pub const START: Seconds = 2;

/// The largest exptime that counts from now, in seconds (30 days); larger ones are Unix times (protocol.txt).
const RELATIVE_MAX: i64 = 60 * 60 * 24 * 30;

/// An expiry on the server's clock; 0 = never.
pub const NEVER: Seconds = 0;

/// An expiry that has passed at any time.
pub const EXPIRED: Seconds = 1;

/// Monotonic seconds since start, with what is needed to turn them into Unix time.
#[derive(Debug)]
pub struct Clock {
    /// Monotonic time that shows as 0, in nanoseconds.
    origin: i64,
    /// Unix time that shows as 0.
    unix_origin: i64,
    /// What it showed at the start of the server.
    started: Seconds,
    /// Seconds added by `debugtime`; always 0 in normal builds.
    shift: AtomicI64,
}

impl Clock {
    /// A clock that shows [`START`] now.
    pub fn start() -> Clock {
        Clock::showing(Duration::from_secs(START.into()), Moment::now())
    }

    /// A clock that showed `shown` at that moment, [`START`] or later.
    pub fn showing(shown: Duration, moment: Moment) -> Clock {
        let shown = shown.max(Duration::from_secs(START.into()));
        let before = shown.as_nanos() as i64;
        let unix_origin = (moment.unix.as_nanos() as i64 - before).div_euclid(NANOS);
        let started = shown.as_secs() as Seconds;
        Clock { origin: moment.monotonic - before, unix_origin, started, shift: AtomicI64::new(0) }
    }

    /// What it showed at the start of the server.
    pub fn started(&self) -> Seconds {
        self.started
    }

    /// The second it is.
    pub fn now(&self) -> Seconds {
        let secs = (monotonic() - self.origin) / NANOS + self.shift.load(Ordering::Relaxed);
        secs.clamp(i64::from(START), i64::from(u32::MAX)) as Seconds
    }

    /// What it shows with the part of the second, for [`Clock::showing`] of the next server.
    pub fn shown(&self) -> Duration {
        let shift = self.shift.load(Ordering::Relaxed) * NANOS;
        Duration::from_nanos((monotonic() - self.origin + shift).max(0) as u64)
    }

    /// Unix time of the second `at`.
    pub fn unix(&self, at: Seconds) -> i64 {
        self.unix_origin + i64::from(at)
    }

    /// Moves the clock by `secs` (`debugtime`, in test builds).
    #[cfg(feature = "debug-commands")]
    pub fn shift(&self, secs: i64) {
        self.shift.fetch_add(secs, Ordering::Relaxed);
    }

    /// The expiry that a client's `exptime` asks for (protocol.txt, "Expiration times"): 0 never, negative expired,
    /// up to 30 days from `now`, above a Unix time, which is expired when it lies before the server's start.
    pub fn expiry(&self, exptime: impl Into<i64>, now: Seconds) -> Seconds {
        let exptime = exptime.into();
        match exptime {
            0 => NEVER,
            i64::MIN..0 => EXPIRED,
            1..=RELATIVE_MAX => now.saturating_add(exptime as u32),
            _ => (exptime - self.unix_origin).clamp(i64::from(EXPIRED), i64::from(u32::MAX)) as Seconds,
        }
    }
}

/// One moment on the clocks of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Nanoseconds.
    monotonic: i64,
    /// Unix time.
    pub unix: Duration,
}

impl Moment {
    /// This one.
    pub fn now() -> Moment {
        Moment { monotonic: monotonic(), unix: wall_clock() }
    }
}

/// The Unix time now, to the microsecond, for lines of a log.
pub fn wall_clock() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn monotonic() -> i64 {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    time.tv_sec * NANOS + time.tv_nsec
}

/// Nanoseconds in a second.
const NANOS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exptime_follows_protocol_txt() {
        let clock = Clock { origin: 0, unix_origin: 1_700_000_000, started: START, shift: AtomicI64::new(0) };
        let cases = [
            (0, NEVER),
            (-1, EXPIRED),
            (i32::MIN, EXPIRED),
            (1, 101),
            (2_592_000, 2_592_100),
            (2_592_001, EXPIRED),
            (1_700_000_000, EXPIRED),
            (1_700_000_500, 500),
        ];
        for (exptime, expected) in cases {
            assert_eq!(clock.expiry(exptime, 100), expected, "exptime {exptime}");
        }
    }

    #[test]
    fn clock_starts_at_two() {
        assert!((START..START + 2).contains(&Clock::start().now()));
    }

    #[test]
    fn a_clock_goes_on_with_the_part_of_the_second() {
        let now = Moment::now();
        let then = Moment { monotonic: now.monotonic - 5 * NANOS, unix: now.unix - Duration::from_secs(5) };
        let clock = Clock::showing(Duration::from_millis(100_900), then);
        assert_eq!(clock.started(), 100);
        assert!(clock.shown() >= Duration::from_millis(105_900), "{clock:?}");
        assert!(clock.now() >= 105, "{clock:?}");
    }
}

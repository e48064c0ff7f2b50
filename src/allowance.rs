//! Log lines that clients can cause: a few each second, and a count of the others.

use std::time::{Duration, Instant};

/// Lines in each period.
const LINES_MAX: u32 = 5;

const PERIOD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

impl Allowance {
    /// How many lines were left out since the last one, if there may be one now.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (self.since, self.lines) = (Some(now), 0);
        }
        if self.lines == LINES_MAX {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_lines_a_period_and_the_rest_is_counted() {
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        for _ in 0..LINES_MAX {
            assert_eq!(allowance.admit(now), Some(0));
        }
        assert_eq!(allowance.admit(now), None);
        assert_eq!(allowance.admit(now), None);
        assert_eq!(allowance.admit(now + PERIOD), Some(2));
        assert_eq!(allowance.admit(now + PERIOD), Some(0));
    }
}

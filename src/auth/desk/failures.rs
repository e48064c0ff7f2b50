//! What is logged of failed logins: a few lines a second, and never anything of a secret.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Lines in each period.
const LINES_MAX: u32 = 5;

const PERIOD: Duration = Duration::from_secs(1);

/// Characters of a name that are shown; attackers choose them.
const NAME_CHARS_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Failures {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

/// A login that failed.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// `None` for a client of a Unix socket.
    pub address: Option<IpAddr>,
    /// The mechanism's name, if the client got that far.
    pub mechanism: Option<&'a str>,
    /// The user's, if it is known.
    pub user: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
}

impl Failures {
    /// Logs a failure, unless there were many a moment ago.
    pub fn log(&self, failure: &Failure<'_>) {
        if let Some(left_out) = self.admit(Instant::now()) {
            log::warn!("{}", line(failure, left_out));
        }
    }

    /// How many failures were left out since the last line, if there may be one now. The lock is free again when this
    /// returns: who writes no line does not wait for who writes one to a slow standard error.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        if state.since.is_none_or(|since| now.duration_since(since) >= PERIOD) {
            (state.since, state.lines) = (Some(now), 0);
        }
        if state.lines == LINES_MAX {
            state.left_out += 1;
            return None;
        }
        state.lines += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

fn line(failure: &Failure<'_>, left_out: u64) -> String {
    let &Failure { address, mechanism, user, reason } = failure;
    let address = address.map_or_else(|| "unix".to_owned(), |address| address.to_string());
    let mut line = format!("login failed address={address}");
    if let Some(mechanism) = mechanism {
        line += &format!(" mechanism={mechanism}");
    }
    if let Some(user) = user {
        let shown: String = user.chars().take(NAME_CHARS_MAX).collect();
        line += &format!(" user={shown:?}");
    }
    line += &format!(": {reason}");
    if left_out > 0 {
        line += &format!(" (and {left_out} failures before)");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_lines_a_period_and_the_rest_is_counted() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..LINES_MAX {
            assert_eq!(failures.admit(now), Some(0));
        }
        assert_eq!(failures.admit(now), None);
        assert_eq!(failures.admit(now), None);
        assert_eq!(failures.admit(now + PERIOD), Some(2));
        assert_eq!(failures.admit(now + PERIOD), Some(0));
    }

    #[test]
    fn names_are_escaped_and_cut() {
        let name = format!("a\u{1b}[31m\n\"{}", "x".repeat(1000));
        let failure =
            Failure { address: None, mechanism: Some("PLAIN"), user: Some(&name), reason: "wrong password or user" };
        let line = line(&failure, 3);
        assert!(line.starts_with("login failed address=unix mechanism=PLAIN user=\"a\\u{1b}[31m\\n\\\"xxx"), "{line}");
        assert!(line.ends_with("x\": wrong password or user (and 3 failures before)"), "{line}");
        assert!(line.len() < 200 && !line.contains(['\n', '\u{1b}']));
    }
}

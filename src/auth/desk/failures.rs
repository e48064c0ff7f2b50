//! What is logged of failed logins: a few lines a second, and never anything of a secret.

use std::net::IpAddr;
use std::time::Instant;

use parking_lot::Mutex;

use super::cause::Cause;
use crate::allowance::Allowance;

/// Characters of a name that are shown; attackers choose them.
const NAME_CHARS_MAX: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Failures {
    allowance: Mutex<Allowance>,
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
    pub cause: Cause,
}

impl Failures {
    /// Logs a failure, unless there were many a moment ago.
    pub fn log(&self, failure: &Failure<'_>) {
        // The lock is free again when this returns: who writes no line does not wait for who writes one to a slow standard
        // error.
        let left_out = self.allowance.lock().admit(Instant::now());
        if let Some(left_out) = left_out {
            log::warn!("{}", line(failure, left_out));
        }
    }
}

fn line(failure: &Failure<'_>, left_out: u64) -> String {
    let &Failure { address, mechanism, user, cause } = failure;
    let address = address.map_or_else(|| "unix".to_owned(), |address| address.to_string());
    let mut line = format!("login failed address={address}");
    if let Some(mechanism) = mechanism {
        line += &format!(" mechanism={mechanism}");
    }
    if let Some(user) = user {
        let shown: String = user.chars().take(NAME_CHARS_MAX).collect();
        line += &format!(" user={shown:?}");
    }
    line += &format!(": {cause}");
    if left_out > 0 {
        line += &format!(" (and {left_out} failures before)");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_cut() {
        let name = format!("a\u{1b}[31m\n\"{}", "x".repeat(1000));
        let failure =
            Failure { address: None, mechanism: Some("PLAIN"), user: Some(&name), cause: Cause::WrongPassword };
        let line = line(&failure, 3);
        assert!(line.starts_with("login failed address=unix mechanism=PLAIN user=\"a\\u{1b}[31m\\n\\\"xxx"), "{line}");
        assert!(line.ends_with("x\": wrong password or unknown user (and 3 failures before)"), "{line}");
        assert!(line.len() < 200 && !line.contains(['\n', '\u{1b}']));
    }
}

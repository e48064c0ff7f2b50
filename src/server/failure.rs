//! Why the server does not start: one line for people, one exit status for scripts.

use std::fmt;

/// A failed start.
#[derive(Debug)]
pub struct Failure {
    /// What the process exits with.
    pub status: i32,
    message: String,
}

impl Failure {
    /// A failure with a line that says what happened and what to do.
    pub fn new(status: i32, message: impl fmt::Display) -> Failure {
        Failure { status, message: message.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

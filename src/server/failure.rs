//! Why the server does not start: one line for people, one exit status for scripts.

use std::fmt;

/// Exit statuses of sysexits.h that memcached uses.
pub mod status {
    /// Everything else that is wrong.
    pub const FAILURE: i32 = 1;
    /// The command line asks for something impossible.
    pub const USAGE: i32 = 64;
    /// No such user (`-u`).
    pub const NO_USER: i32 = 67;
    /// The operating system refused.
    pub const OS_ERROR: i32 = 71;
}

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

//! The harness of the integration tests: a real server, a blocking client, and transcripts.
//!
//! `server` starts the real binary on a port the kernel chose and kills it by its process id; `client` is a
//! blocking connection with a deadline on every read; `transcript` plays lines of `> sent` and `< expected`.
//!
//! The server under test is the `larder` that cargo built. `LARDER_BIN=/path/to/memcached` puts another binary in
//! its place, which is how a transcript is proved against memcached 1.6.45 before Larder is held to it.

// Each test file compiles its own copy of this module and uses a part of it.
#![allow(dead_code, unused_imports)]

mod client;
pub(crate) mod neighbours;
pub(crate) mod packet;
mod server;
mod transcript;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use client::{Client, Wire};
pub(crate) use server::{Flavour, Server, is_memcached, server_path};
pub(crate) use transcript::{check, check_with};

/// How long anything that should happen at once may take on a loaded machine before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition without an event to wait for is looked at again.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// Raises a flag at its end, also when the test fails: it waits for the threads that look at it.
pub(crate) struct RaisedAtEnd<'a>(pub(crate) &'a AtomicBool);

impl Drop for RaisedAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

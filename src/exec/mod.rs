//! What commands mean, once for every protocol: the store is asked, and what has to be counted is counted.
//!
//! No bytes of any protocol here. Callers pass what they parsed and encode what comes back.

pub mod admin;
pub mod cluster;
pub mod crawler;
pub mod items;
pub mod leases;
pub mod watch;

use crate::clock::Seconds;
use crate::shared::Shared;
use crate::stats::counters::WorkerCounters;

/// What the execution of a request needs: the server, the counters of the worker it runs on, and the time.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The server.
    pub shared: &'a Shared,
    /// This worker's counts.
    pub counters: &'a WorkerCounters,
    /// The second it is.
    pub now: Seconds,
    /// Descriptor of the connection that asks, for `stats conns`.
    pub fd: i32,
}

//! What all threads of one server share: settings, clock, store, counters. Built once, then only read or updated
//! through atomics and the store's own locks.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::clock::Clock;
use crate::net::roster::Roster;
use crate::settings::Settings;
use crate::stats::counters::WorkerCounters;

/// Counts of connections, kept by the accept thread and, for closing, the workers.
#[derive(Debug, Default)]
pub struct Connections {
    /// Clients connected now.
    pub current: AtomicI64,
    /// Clients ever accepted.
    pub total: AtomicU64,
    /// Clients refused because of `-c` (`-o maxconns_fast`).
    pub rejected: AtomicU64,
    /// Times the listeners were switched off because of `-c` or missing descriptors.
    pub listen_disabled: AtomicU64,
    /// Microseconds the listeners were off.
    pub listen_disabled_us: AtomicU64,
    /// Whether connections are being accepted.
    pub accepting: AtomicBool,
}

/// The state of one server.
#[derive(Debug)]
pub struct Shared {
    /// The operator's choices.
    pub settings: Settings,
    /// Seconds since start.
    pub clock: Clock,
    /// One set per worker.
    pub counters: Box<[CachePadded<WorkerCounters>]>,
    /// Connection counts.
    pub connections: Connections,
    /// Who is connected.
    pub roster: Roster,
    /// `-v` level now (`verbosity` changes it).
    pub verbosity: AtomicU8,
    /// Whether statistics per key prefix are kept now.
    pub detail: AtomicBool,
}

impl Shared {
    /// The shared state for `settings`.
    pub fn new(settings: Settings) -> Shared {
        let roster_size = settings.conn_limit as usize + 256;
        Shared {
            clock: Clock::start(),
            counters: (0..settings.threads).map(|_| CachePadded::default()).collect(),
            connections: Connections { accepting: AtomicBool::new(true), ..Connections::default() },
            roster: Roster::new(roster_size),
            verbosity: AtomicU8::new(settings.verbosity),
            detail: AtomicBool::new(settings.detail),
            settings,
        }
    }

    /// The `-v` level now.
    pub fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }
}

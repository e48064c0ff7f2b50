//! What all threads of a run share: where the server is, when the run ends, the last flush, and what was wrong.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::bound::Bound;
use super::model::Outcome;
use super::values::Pool;

/// One run.
pub(crate) struct Course {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) seed: u64,
    pub(crate) pool: Pool,
    pub(crate) bound: Bound,
    /// The limits that `cache_memlimit` is given, and how long each is kept.
    pub(crate) limits_mb: Vec<u64>,
    pub(crate) limit_kept: Duration,
    begun: Instant,
    length: Duration,
    /// Microseconds since the beginning.
    flushed: AtomicU64,
    wrongs: Mutex<Vec<String>>,
}

/// What the replies were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) changes: u64,
    pub(crate) declined: u64,
    pub(crate) refused: u64,
}

impl Course {
    /// A run that begins now, with a server whose `-m` is `memory_mb`.
    pub(crate) fn new(address: SocketAddr, pid: u32, memory_mb: u64, length: Duration) -> Course {
        Course {
            address,
            pid,
            seed: 1,
            pool: Pool::new(),
            bound: Bound::new(memory_mb),
            limits_mb: vec![memory_mb / 4, memory_mb / 2, memory_mb, memory_mb * 2],
            limit_kept: length.min(Duration::from_secs(60)) / 6,
            begun: Instant::now(),
            length,
            flushed: AtomicU64::new(0),
            wrongs: Mutex::new(Vec::new()),
        }
    }

    /// Whether it is time to stop: the time is over, or too much is wrong.
    pub(crate) fn is_over(&self) -> bool {
        self.begun.elapsed() > self.length || self.wrongs.lock().expect("no thread panics with it").len() >= WRONGS_MAX
    }

    /// What was there at this moment, and was not stored since, is gone.
    pub(crate) fn flushed(&self) -> Instant {
        self.begun + Duration::from_micros(self.flushed.load(Ordering::Acquire))
    }

    /// A flush of all that was there at `moment` is over.
    pub(crate) fn flush_is_over(&self, moment: Instant) {
        let micros = moment.saturating_duration_since(self.begun).as_micros() as u64;
        self.flushed.fetch_max(micros, Ordering::AcqRel);
    }

    /// Something that must not be.
    pub(crate) fn wrong(&self, what: String) {
        self.wrongs.lock().expect("no thread panics with it").push(what);
    }

    /// All that was wrong.
    pub(crate) fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("no thread panics with it").clone()
    }
}

impl Tally {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        self.requests += 1;
        match outcome {
            Outcome::Hit => self.hits += 1,
            Outcome::Miss => self.misses += 1,
            Outcome::Changed => self.changes += 1,
            Outcome::Declined => self.declined += 1,
            Outcome::Refused => self.refused += 1,
        }
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.hits += other.hits;
        self.misses += other.misses;
        self.changes += other.changes;
        self.declined += other.declined;
        self.refused += other.refused;
    }
}

/// More of them tell nothing new.
const WRONGS_MAX: usize = 20;

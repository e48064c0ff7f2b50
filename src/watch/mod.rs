//! What `watch` shows: events of all threads as lines of text, on their way to the clients that watch.
//!
//! A thread that has something to tell asks [`Watch::wants`] first: one relaxed load while nobody watches. When
//! somebody does, the line goes into a buffer that is this thread's own (`log`), and when that is full the line is
//! dropped and counted: watching never makes a worker wait. The watch thread (`net::watchers`) takes the buffers'
//! contents, puts them in order and sends them.
//!
//! Locks: one per buffer, held by its thread to write a line and by the watch thread to swap two vectors; one for the
//! list of who watches what, which may be held while the former are taken.

mod doze;
mod event;
mod log;

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

pub use event::{CloseReason, Event, Status};
pub use log::{Batch, Line};

use crate::command::WatchKinds;
use crate::store::{Evicted, Observer};
use doze::Doze;
use log::{Log, Pressure};

/// Clients that may watch at once (1.6.45).
pub const WATCHERS_MAX: usize = 20;

thread_local! {
    /// Which buffer is this thread's. Threads that are no workers share the first.
    static OWN_LOG: Cell<usize> = const { Cell::new(0) };
}

/// What was counted about lines since the start or the last `stats reset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines dropped because a thread's buffer was full.
    pub dropped: u64,
    /// Lines that found room there.
    pub written: u64,
    /// Lines that a watcher missed because it read too slowly.
    pub skipped: u64,
    /// Lines put into watchers' buffers.
    pub sent: u64,
}

/// See the module.
pub struct Watch {
    /// Kinds that somebody watches.
    mask: CachePadded<AtomicU16>,
    /// Number of the last line.
    last_line: CachePadded<AtomicU64>,
    logs: Box<[CachePadded<Mutex<Log>>]>,
    /// What each watcher watches.
    seats: Mutex<Vec<WatchKinds>>,
    /// The watch thread waits to be woken.
    doze: Doze,
    alarm: OnceLock<Box<dyn Fn() + Send + Sync>>,
    skipped: AtomicU64,
    sent: AtomicU64,
}

impl Watch {
    /// Buffers of `log_bytes` for `workers` threads and one for all others. They take memory while somebody watches.
    pub fn new(workers: usize, log_bytes: usize) -> Arc<Watch> {
        Arc::new(Watch {
            mask: CachePadded::default(),
            last_line: CachePadded::default(),
            logs: (0..=workers).map(|_| CachePadded::new(Mutex::new(Log::new(log_bytes)))).collect(),
            seats: Mutex::new(Vec::new()),
            doze: Doze::default(),
            alarm: OnceLock::new(),
            skipped: AtomicU64::new(0),
            sent: AtomicU64::new(0),
        })
    }

    /// Whether somebody watches events of `kind`.
    #[inline]
    pub fn wants(&self, kind: WatchKinds) -> bool {
        self.mask.load(Ordering::Relaxed) & kind.bits() != 0
    }

    /// Tells an event to whom it concerns.
    #[inline]
    pub fn note(&self, event: &Event<'_>) {
        if self.wants(event.kind()) {
            self.record(event);
        }
    }

    #[cold]
    fn record(&self, event: &Event<'_>) {
        let own = OWN_LOG.get().min(self.logs.len() - 1);
        let pressure = self.logs[own].lock().record(event, &self.last_line);
        if pressure == Pressure::Risen || self.doze.must_wake() {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(alarm) = self.alarm.get() {
            alarm();
        }
    }

    /// A place for one more watcher; `None` when all are taken. Its lines are those told from now on.
    pub fn seat(self: &Arc<Self>, kinds: WatchKinds) -> Option<Seat> {
        let mut seats = self.seats.lock();
        if seats.len() >= WATCHERS_MAX {
            return None;
        }
        seats.push(kinds);
        self.set_mask(&seats);
        let first_line = self.last_line.fetch_add(1, Ordering::Relaxed) + 1;
        Some(Seat { watch: Arc::clone(self), kinds, first_line })
    }

    fn leave(&self, kinds: WatchKinds) {
        let mut seats = self.seats.lock();
        if let Some(at) = seats.iter().position(|seat| *seat == kinds) {
            seats.swap_remove(at);
        }
        self.set_mask(&seats);
        if seats.is_empty() {
            self.logs.iter().for_each(|log| log.lock().free());
        }
    }

    fn set_mask(&self, seats: &[WatchKinds]) {
        let all = seats.iter().fold(WatchKinds::NONE, |all, kinds| all.and(*kinds));
        self.mask.store(all.bits(), Ordering::Relaxed);
    }

    /// Clients that watch.
    pub fn watchers(&self) -> usize {
        self.seats.lock().len()
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        let (skipped, sent) = (self.skipped.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed));
        self.logs.iter().fold(Counts { skipped, sent, ..Counts::default() }, |counts, log| log.lock().add_to(counts))
    }

    /// `stats reset`.
    pub fn reset_counts(&self) {
        self.skipped.store(0, Ordering::Relaxed);
        self.sent.store(0, Ordering::Relaxed);
        self.logs.iter().for_each(|log| log.lock().reset_counts());
    }

    /// How threads wake the watch thread. Only the first call counts.
    pub fn set_alarm(&self, alarm: impl Fn() + Send + Sync + 'static) {
        let _ = self.alarm.set(Box::new(alarm));
    }

    /// Takes what all threads have written; `batch` holds it, in order.
    pub fn take(&self, batch: &mut Batch) {
        batch.fill(&self.logs);
    }

    /// Whether the watch thread may wait without a deadline: nothing is written, and whoever writes next wakes it.
    pub fn may_sleep(&self) -> bool {
        self.doze.may_sleep(|| self.logs.iter().all(|log| log.lock().is_empty()))
    }

    /// The watch thread counts what became of lines.
    pub fn count_delivery(&self, sent: u64, skipped: u64) {
        self.sent.fetch_add(sent, Ordering::Relaxed);
        self.skipped.fetch_add(skipped, Ordering::Relaxed);
    }
}

/// From now on what this thread notes goes to the buffer of worker `index` (0-based).
pub fn begin_worker(index: usize) {
    OWN_LOG.set(index + 1);
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("mask", &self.mask).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Observer for Watch {
    fn evicted(&self, item: &Evicted<'_>) {
        self.note(&Event::Evicted {
            key: item.key,
            fetched: item.fetched,
            ttl: item.secs_left.map_or(-1, i64::from),
            idle_secs: item.idle_secs,
            class: item.class,
            size: item.value_len,
        });
    }

    fn page_moved(&self, from: usize, to: usize) {
        self.note(&Event::PageMoved { from, to });
    }
}

/// The right of one client to watch; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    watch: Arc<Watch>,
    kinds: WatchKinds,
    first_line: u64,
}

impl Seat {
    /// Whether a line is for this watcher.
    pub fn wants(&self, line: &Line<'_>) -> bool {
        self.kinds.meets(line.kind) && line.number >= self.first_line
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.watch.leave(self.kinds);
    }
}

#[cfg(test)]
mod tests;

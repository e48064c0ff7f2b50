//! Who walks over all items at a client's wish: one dump at a time, or one sweep for expired items that the maintenance
//! thread carries out. memcached has one crawler thread for both; here it is a right that one has at a time. Deleting by
//! prefix is a second such right, for which others wait.
//!
//! The sweep that goes on by itself is not counted here; [`Crawler::enable`] and [`Crawler::disable`] switch it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::command::ClassSet;
use crate::settings::Settings;

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Nothing,
    Sweep(ClassSet),
    Dump,
}

/// See the module.
#[derive(Debug)]
pub struct Crawler {
    enabled: AtomicBool,
    run: Mutex<Run>,
    deleting: AtomicBool,
    starts: AtomicU64,
    /// `lru_crawler sleep` in microseconds, shown only.
    pub sleep_us: AtomicU32,
    /// `lru_crawler tocrawl`, shown only.
    pub tocrawl: AtomicU32,
}

impl Crawler {
    /// As the operator wants it to start.
    pub fn new(settings: &Settings) -> Crawler {
        Crawler {
            enabled: AtomicBool::new(settings.lru_crawler),
            run: Mutex::new(Run::Nothing),
            deleting: AtomicBool::new(false),
            starts: AtomicU64::new(0),
            sleep_us: AtomicU32::new(settings.lru_crawler_sleep_us),
            tocrawl: AtomicU32::new(settings.lru_crawler_tocrawl),
        }
    }

    /// Whether expired items are looked for in the background, and whether dumps are to be had.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// False when it was enabled already.
    pub fn enable(&self) -> bool {
        !self.enabled.swap(true, Ordering::Relaxed)
    }

    /// What is under way goes on to its end.
    pub fn disable(&self) {
        self.enabled.store(false, Ordering::Relaxed);
    }

    /// Whether a dump or a sweep that was asked for is under way.
    pub fn is_running(&self) -> bool {
        *self.run.lock() != Run::Nothing
    }

    /// Dumps and sweeps that were asked for.
    pub fn starts(&self) -> u64 {
        self.starts.load(Ordering::Relaxed)
    }

    /// Counts from 0 again.
    pub fn reset_starts(&self) {
        self.starts.store(0, Ordering::Relaxed);
    }

    /// Asks for a sweep over these classes. False when something is under way.
    pub fn ask_for_sweep(&self, classes: ClassSet) -> bool {
        self.begin(Run::Sweep(classes))
    }

    /// Carries out a sweep that was asked for.
    pub fn sweep(&self, carry_out: impl FnOnce(ClassSet)) {
        let run = *self.run.lock();
        if let Run::Sweep(classes) = run {
            carry_out(classes);
            *self.run.lock() = Run::Nothing;
        }
    }

    /// The right to dump, until it is dropped. `None` when something is under way.
    pub fn begin_dump(self: &Arc<Self>) -> Option<DumpRight> {
        self.begin(Run::Dump).then(|| DumpRight(Arc::clone(self)))
    }

    /// The right to delete by prefix, until it is dropped. `None` when somebody has it: many such walks at once would
    /// take the time of everybody else.
    pub fn begin_delete(self: &Arc<Self>) -> Option<DeleteRight> {
        let taken = self.deleting.swap(true, Ordering::Relaxed);
        (!taken).then(|| DeleteRight(Arc::clone(self)))
    }

    fn begin(&self, wanted: Run) -> bool {
        let mut run = self.run.lock();
        if *run != Run::Nothing {
            return false;
        }
        *run = wanted;
        self.starts.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// See [`Crawler::begin_dump`].
#[derive(Debug)]
pub struct DumpRight(Arc<Crawler>);

impl Drop for DumpRight {
    fn drop(&mut self) {
        *self.0.run.lock() = Run::Nothing;
    }
}

/// See [`Crawler::begin_delete`].
#[derive(Debug)]
pub struct DeleteRight(Arc<Crawler>);

impl Drop for DeleteRight {
    fn drop(&mut self) {
        self.0.deleting.store(false, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_walk_at_a_time() {
        let crawler = Arc::new(Crawler::new(&Settings::default()));
        let right = crawler.begin_dump().expect("nothing is under way");
        assert!(crawler.is_running());
        assert!(crawler.begin_dump().is_none());
        assert!(!crawler.ask_for_sweep(ClassSet::ALL));
        crawler.sweep(|_| panic!("nobody asked for a sweep"));
        drop(right);
        assert!(!crawler.is_running());
        assert!(crawler.ask_for_sweep(ClassSet::ALL));
        assert!(crawler.begin_dump().is_none());
        let mut swept = None;
        crawler.sweep(|classes| {
            assert!(crawler.is_running(), "until it is done");
            swept = Some(classes);
        });
        assert_eq!(swept, Some(ClassSet::ALL));
        assert!(crawler.begin_dump().is_some());
        assert_eq!(crawler.starts(), 3);
    }

    #[test]
    fn one_deletes_at_a_time() {
        let crawler = Arc::new(Crawler::new(&Settings::default()));
        let right = crawler.begin_delete().expect("nobody has it");
        assert!(crawler.begin_delete().is_none());
        assert!(crawler.begin_dump().is_some(), "dumps go on");
        drop(right);
        assert!(crawler.begin_delete().is_some());
    }
}

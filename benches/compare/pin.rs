//! Keeps the server and the load on processors of their own, when asked.
//!
//! A child inherits the affinity of the thread that starts it, so we move to the server's processor, start it, and
//! move on to ours: no thread of the server is ever elsewhere.

use rustix::thread::{CpuSet, sched_setaffinity};

/// Whether to pin.
#[derive(Clone, Copy)]
pub(crate) enum Pin {
    /// Server on processor 0, load on processor 1.
    Apart,
    /// As the scheduler likes.
    Free,
}

impl Pin {
    /// From the flag.
    pub(crate) fn wanted(wanted: bool) -> Self {
        if wanted { Pin::Apart } else { Pin::Free }
    }

    /// Starts a server by `start` on its processor.
    pub(crate) fn on_server<T>(self, start: impl FnOnce() -> T) -> T {
        self.move_to(0);
        let started = start();
        self.move_to(1);
        started
    }

    fn move_to(self, processor: usize) {
        if let Pin::Apart = self {
            let mut set = CpuSet::new();
            set.set(processor);
            if let Err(error) = sched_setaffinity(None, &set) {
                eprintln!("warning: cannot move to processor={processor}: {error}; measuring unpinned");
            }
        }
    }
}

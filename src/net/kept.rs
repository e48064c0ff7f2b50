//! Memory of all connections' own buffers, counted for one worker and for all workers together.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::shared::Shared;

/// Bytes of all connections' own buffers together, when `-o read_buf_mem_limit` sets no other bound.
const KEPT_BYTES_MAX: u64 = 32 << 20;

/// What the connections of one worker keep.
#[derive(Debug)]
pub(super) struct Kept {
    shared: Arc<Shared>,
    bytes: u64,
    /// Bound for all workers together.
    bytes_max: u64,
}

impl Kept {
    pub(super) fn new(shared: Arc<Shared>) -> Kept {
        let bytes_max = match shared.settings.read_buf_mem_limit_bytes {
            0 => KEPT_BYTES_MAX,
            limit => limit,
        };
        Kept { shared, bytes: 0, bytes_max }
    }

    /// Counts memory in.
    pub(super) fn add(&mut self, bytes: u64) {
        if bytes > 0 {
            self.bytes += bytes;
            self.shared.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Counts memory out.
    pub(super) fn sub(&mut self, bytes: u64) {
        if bytes > 0 {
            self.bytes -= bytes;
            self.shared.kept_bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
    }

    /// Bytes of this worker's connections.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the bound is near, so that replies should be answered in smaller parts.
    pub(super) fn is_tight(&self) -> bool {
        self.shared.kept_bytes.load(Ordering::Relaxed) > self.bytes_max / 2
    }

    /// Whether this worker has more than its equal part of the bound.
    pub(super) fn is_greedy(&self) -> bool {
        self.bytes > self.bytes_max / self.shared.settings.threads as u64
    }

    /// Whether all workers together are beyond the bound and this one is among those that have to give.
    pub(super) fn must_shed(&self) -> bool {
        self.is_greedy() && self.shared.kept_bytes.load(Ordering::Relaxed) > self.bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_bound_is_common_and_the_greedy_give() {
        let settings = Settings { threads: 4, read_buf_mem_limit_bytes: 1000, ..Settings::default() };
        let shared = Arc::new(Shared::new(settings).expect("memory"));
        let [mut greedy, mut modest] = [Kept::new(Arc::clone(&shared)), Kept::new(Arc::clone(&shared))];
        greedy.add(500);
        assert!(greedy.is_greedy() && !greedy.is_tight() && !modest.is_tight());
        modest.add(200);
        assert!(greedy.is_tight() && modest.is_tight());
        assert!(!greedy.must_shed(), "what others leave is free to take");
        greedy.add(350);
        assert!(greedy.must_shed() && !modest.must_shed());
        greedy.sub(850);
        assert!(!greedy.must_shed() && !modest.is_tight());
        assert_eq!((greedy.bytes(), modest.bytes()), (0, 200));
    }
}

//! Commands on the server.

use std::sync::atomic::Ordering;

use super::Context;
use crate::clock::{EXPIRED, Seconds};
use crate::command::LruShares;

/// The highest verbosity that a client can set.
const VERBOSITY_MAX: u32 = 2;

/// The lowest memory limit that a client can set, in MiB.
const LIMIT_MIN_MIB: u32 = 8;

/// A larger number must have been meant as bytes.
const LIMIT_MAX_MIB: u32 = 1_000_000_000;

/// Percent that HOT and WARM may have together.
const LRU_SHARES_MAX: u32 = 80;

/// What became of cache_memlimit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOutcome {
    /// In force; memory above it is given back in the background.
    Changed,
    /// Below 8 MiB.
    TooSmall,
    /// Not megabytes.
    NotMegabytes,
    /// More than the address space that was reserved at start, or the memory is locked.
    Refused,
}

impl Context<'_> {
    /// flush_all: everything stored before dies at `exptime`, or now when that is 0 or negative.
    /// False when `-F` forbids it.
    pub fn flush_all(&self, exptime: impl FnOnce() -> Option<i64>) -> FlushOutcome {
        self.counters.cmd_flush.add(1);
        if !self.shared.settings.flush_all {
            return FlushOutcome::Refused;
        }
        let Some(exptime) = exptime() else { return FlushOutcome::InvalidExptime };
        let at = if exptime > 0 { self.shared.clock.expiry(exptime, self.now) } else { self.now };
        if at == EXPIRED {
            // A time before the server's start: nothing is that old. Only a flush that is still to come is replaced.
            self.shared.store.flush(Seconds::MAX, self.now);
        } else {
            self.shared.store.flush(at, self.now);
        }
        FlushOutcome::Done
    }

    /// verbosity.
    pub fn set_verbosity(&self, level: u32) {
        let level = level.min(VERBOSITY_MAX) as u8;
        self.shared.verbosity.store(level, Ordering::Relaxed);
    }

    /// refresh_certs: certificates and keys are read again, here and now, as in memcached: their files are small, and who
    /// asks wants to know what became of it.
    ///
    /// # Errors
    /// Why they stay as they were, in one line.
    pub fn refresh_certificates(&self) -> Result<(), String> {
        let tls = self.shared.tls.as_ref().ok_or_else(|| "Error TLS not enabled".to_owned())?;
        tls.reload(self.now).map_err(|error| error.to_string())
    }

    /// slabs automove: whether pages move between classes (0 no; 1 and 2 yes).
    pub fn set_automove(&self, level: u8) {
        self.shared.automove.store(level, Ordering::Relaxed);
        self.shared.store.set_page_moves(self.shared.settings.slab_reassign && level > 0);
    }

    /// stats detail.
    pub fn detail(&self, order: DetailOrder) -> DetailOutcome {
        if !self.shared.settings.dumping {
            return DetailOutcome::Refused;
        }
        if order == DetailOrder::Dump {
            let mut lines = Vec::new();
            self.shared.prefixes.dump(&mut lines);
            return DetailOutcome::Lines(lines);
        }
        self.shared.detail.store(order == DetailOrder::On, Ordering::Relaxed);
        DetailOutcome::Switched
    }

    /// lru tune, which is shown and changes nothing.
    pub fn tune_lru(&self, shares: LruShares) -> TuneOutcome {
        if shares.hot_pct.saturating_add(shares.warm_pct) > LRU_SHARES_MAX {
            return TuneOutcome::TooLargeShares;
        }
        if shares.hot_max_factor <= 0.0 || shares.warm_max_factor <= 0.0 {
            return TuneOutcome::FactorNotPositive;
        }
        self.shared.lru.lock().shares = shares;
        TuneOutcome::Done
    }

    /// lru mode, which is shown and changes nothing. False when there is no maintainer to obey.
    pub fn set_lru_mode(&self, segmented: bool) -> bool {
        if self.shared.settings.lru_maintainer {
            self.shared.lru.lock().segmented = segmented;
        }
        self.shared.settings.lru_maintainer
    }

    /// lru temp_ttl, which is shown and changes nothing; negative is off. False when there is no maintainer to obey.
    pub fn set_temporary_ttl(&self, secs: i32) -> bool {
        if self.shared.settings.lru_maintainer {
            let mut lru = self.shared.lru.lock();
            lru.temporary = secs >= 0;
            lru.temporary_ttl_secs = u32::try_from(secs).unwrap_or(lru.temporary_ttl_secs);
        }
        self.shared.settings.lru_maintainer
    }

    /// cache_memlimit.
    pub fn set_memory_limit(&self, mebibytes: u32) -> LimitOutcome {
        if mebibytes < LIMIT_MIN_MIB {
            return LimitOutcome::TooSmall;
        }
        if mebibytes > LIMIT_MAX_MIB {
            return LimitOutcome::NotMegabytes;
        }
        let bytes = u64::from(mebibytes) << 20;
        if !self.shared.store.set_memory_limit(bytes) {
            return LimitOutcome::Refused;
        }
        self.shared.memory_limit_bytes.store(bytes, Ordering::Relaxed);
        log::info!("memory limit changed mebibytes={mebibytes}");
        LimitOutcome::Changed
    }
}

/// What stats detail is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetailOrder {
    /// Count by key prefix from now on.
    On,
    /// Count no more.
    Off,
    /// Tell what was counted.
    Dump,
}

/// What became of stats detail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetailOutcome {
    /// It is on or off now.
    Switched,
    /// These lines, the end included.
    Lines(Vec<u8>),
    /// `-X`.
    Refused,
}

/// What became of lru tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TuneOutcome {
    /// It is shown from now on.
    Done,
    /// HOT and WARM together are more than 80 percent.
    TooLargeShares,
    /// A factor is 0 or less.
    FactorNotPositive,
}

/// What became of flush_all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushOutcome {
    /// Done, or noted for later.
    Done,
    /// `-F`.
    Refused,
    /// The exptime was not a number.
    InvalidExptime,
}

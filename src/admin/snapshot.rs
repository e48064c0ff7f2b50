//! All numbers at one moment, from which metrics and page are rendered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::auth::authority::{Authority, Kind};
use crate::auth::sasl::Mechanism;
use crate::clock::Seconds;
use crate::net::pulse::Pulse;
use crate::shared::Shared;
use crate::stats::latency::Histograms;
use crate::stats::prefixes::PrefixCounts;
use crate::stats::{self, Stats};
use crate::store::{ClassReport, HotKey, ShardReport};

/// How long the numbers of one moment do. Taking them asks for each shard's lock in turn, so nobody may have it done as
/// often as he can ask.
const FRESH_FOR: Duration = Duration::from_millis(50);

/// Keys and prefixes shown at most.
const TOP: usize = 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) general: Stats,
    /// `stats settings`.
    pub(super) settings: Stats,
    /// Size classes that have a page or had a value.
    pub(super) classes: Vec<ClassReport>,
    pub(super) latency: Histograms,
    pub(super) hot_keys: Vec<HotKey>,
    pub(super) prefixes: Vec<PrefixCounts>,
    /// Whether prefixes are counted.
    pub(super) counts_prefixes: bool,
    pub(super) own: Own,
}

/// What `stats` has no row for.
#[derive(Debug)]
pub(super) struct Own {
    /// Workers that have not answered in time.
    pub(super) silent_workers: usize,
    pub(super) shards: Vec<ShardReport>,
    pub(super) connection_buffer_bytes: u64,
    pub(super) refused_conn_limit: u64,
    pub(super) refused_per_address: u64,
    pub(super) idle_kicks: u64,
    pub(super) uses_tls: bool,
    /// In seconds of the Unix epoch; absent where nothing is served by TLS.
    pub(super) certificate_expires: Option<i64>,
    /// Absent where no login is asked for.
    pub(super) logins: Option<Logins>,
}

/// What came of logins.
#[derive(Debug)]
pub(super) struct Logins {
    /// Those that came in, by mechanism: those that are offered, and others that were.
    pub(super) successes: Vec<(&'static str, u64)>,
    /// Those that failed, by kind: all there are.
    pub(super) failures: Vec<(&'static str, u64)>,
}

impl Logins {
    fn of(authority: &Authority) -> Logins {
        let tally = authority.tally();
        let mechanisms = Mechanism::ALL.iter().map(|mechanism| (*mechanism, tally.successes(*mechanism)));
        let shown = mechanisms.filter(|(mechanism, count)| *count > 0 || authority.mechanisms().contains(mechanism));
        Logins {
            successes: shown.map(|(mechanism, count)| (mechanism.name(), count)).collect(),
            failures: Kind::ALL.iter().map(|kind| (kind.name(), tally.failures(*kind))).collect(),
        }
    }
}

/// The last one taken.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    last: Mutex<Option<(Instant, Arc<Snapshot>)>>,
}

impl Snapshots {
    /// The numbers now, or a moment ago.
    pub(super) fn take(&self, shared: &Shared, pulse: &Mutex<Pulse>, now: Instant) -> Arc<Snapshot> {
        let mut last = self.last.lock();
        if let Some((taken, snapshot)) = &*last
            && now.saturating_duration_since(*taken) < FRESH_FOR
        {
            return Arc::clone(snapshot);
        }
        let silent_workers = pulse.lock().silent_workers(now).len();
        let snapshot = Arc::new(Snapshot::take(shared, silent_workers, shared.clock.now()));
        *last = Some((now, Arc::clone(&snapshot)));
        snapshot
    }
}

impl Snapshot {
    fn take(shared: &Shared, silent_workers: usize, now: Seconds) -> Snapshot {
        use std::sync::atomic::Ordering::Relaxed;
        let mut classes = shared.store.classes(now);
        classes.retain(|report| report.gauges.total_pages > 0 || report.counters.cmd_set > 0);
        let mut latency = Histograms::default();
        for of_worker in &shared.latency {
            latency.add(of_worker);
        }
        Snapshot {
            general: stats::general(shared, now),
            settings: stats::settings::all(shared),
            classes,
            latency,
            hot_keys: shared.store.hot_keys(TOP, now),
            prefixes: shared.prefixes.top(TOP),
            counts_prefixes: shared.detail.load(Relaxed),
            own: Own {
                silent_workers,
                shards: shared.store.shard_reports(),
                connection_buffer_bytes: shared.kept_bytes.load(Relaxed),
                refused_conn_limit: shared.connections.rejected.load(Relaxed),
                refused_per_address: shared.connections.rejected_per_address.load(Relaxed),
                idle_kicks: shared.counters.iter().map(|counters| counters.idle_kicks.value()).sum(),
                uses_tls: shared.settings.tls.enabled,
                certificate_expires: shared.tls.as_ref().map(|tls| tls.certificate_expires()),
                logins: shared.authority.as_ref().map(Logins::of),
            },
        }
    }

    /// The number in the row `name` of `stats`.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.general.get(name)?.parse().ok()
    }
}

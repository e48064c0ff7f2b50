//! What all threads of one server share: settings, clock, store, counters. Built once, then only read or updated
//! through atomics and the store's own locks.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use crate::auth::access_list::Access;
use crate::auth::authority::Authority;
use crate::clock::Clock;
use crate::command::LruShares;
use crate::crawler::Crawler;
use crate::discovery::Discovery;
use crate::net::limits::Limits;
use crate::net::roster::Roster;
use crate::settings::Settings;
use crate::stats::counters::WorkerCounters;
use crate::stats::latency::Latency;
use crate::stats::prefixes::Prefixes;
use crate::store::{Config, Store, Sweep};
use crate::tls::Tls;
use crate::watch::Watch;

/// Calls of [`Shared::maintain`] for one sweep over all memory.
const SWEEP_TICKS: usize = 300;

/// Counts of connections, kept by the accept thread and, for closing, the workers.
#[derive(Debug, Default)]
pub struct Connections {
    /// Clients connected now.
    pub current: AtomicI64,
    /// Clients ever accepted.
    pub total: AtomicU64,
    /// Clients refused because of `-c` (`-o maxconns_fast`).
    pub rejected: AtomicU64,
    /// Clients refused because of a limit per address.
    pub rejected_per_address: AtomicU64,
    /// Times the listeners were switched off because of `-c` or missing descriptors.
    pub listen_disabled: AtomicU64,
    /// Microseconds the listeners were off.
    pub listen_disabled_us: AtomicU64,
    /// Whether connections are being accepted.
    pub accepting: AtomicBool,
}

/// What `lru` changes. It is shown in `stats settings` and has no effect: there are no such queues here.
#[derive(Clone, Copy, Debug)]
pub struct LruTuning {
    /// `lru tune`.
    pub shares: LruShares,
    /// `lru mode`: segmented, not flat.
    pub segmented: bool,
    /// Whether there is a queue for items of short life.
    pub temporary: bool,
    /// `lru temp_ttl`: how short; memcached shows 61 while it was not set.
    pub temporary_ttl_secs: u32,
}

impl LruTuning {
    fn new(settings: &Settings) -> LruTuning {
        LruTuning {
            shares: LruShares {
                hot_pct: settings.hot_lru_pct,
                warm_pct: settings.warm_lru_pct,
                hot_max_factor: settings.hot_max_factor,
                warm_max_factor: settings.warm_max_factor,
            },
            segmented: settings.lru_maintainer,
            temporary: settings.temporary_ttl_secs.is_some(),
            temporary_ttl_secs: settings.temporary_ttl_secs.unwrap_or(61),
        }
    }
}

/// What stands between the network and the cache.
#[derive(Debug)]
pub struct Doors {
    /// Who may connect.
    pub access: Access,
    /// Certificates and keys; `None` where nobody is served by TLS.
    pub tls: Option<Arc<Tls>>,
    /// Who may log in; `None` where no login is asked for.
    pub authority: Option<Authority>,
}

/// The state of one server.
#[derive(Debug)]
pub struct Shared {
    /// The operator's choices.
    pub settings: Settings,
    /// Who may log in; `None` where no login is asked for.
    pub authority: Option<Authority>,
    /// Who may connect.
    pub access: Access,
    /// How much one client address may take.
    pub limits: Limits,
    /// Certificates and keys; `None` where nobody is served by TLS: without `-Z` the admin port alone may be.
    pub tls: Option<Arc<Tls>>,
    /// The list of nodes; `None` without `--cluster`.
    pub discovery: Option<Discovery>,
    /// The cache.
    pub store: Store,
    /// Seconds since start.
    pub clock: Clock,
    /// One set per worker.
    pub counters: Box<[CachePadded<WorkerCounters>]>,
    /// How long batches took: one for each worker.
    pub latency: Box<[CachePadded<Latency>]>,
    /// What the workers had counted, all together, at the last `stats reset`.
    pub reset_baseline: Mutex<[u64; WorkerCounters::FIELDS.len()]>,
    /// Connection counts.
    pub connections: Connections,
    /// Bytes in the connections' own buffers.
    pub kept_bytes: AtomicU64,
    /// Who is connected.
    pub roster: Roster,
    /// Who watches, and what they are told.
    pub watch: Arc<Watch>,
    /// `-v` level now (`verbosity` changes it).
    pub verbosity: AtomicU8,
    /// Whether statistics per key prefix are kept now.
    pub detail: AtomicBool,
    /// These statistics.
    pub prefixes: Prefixes,
    /// The level of `slabs automove` now.
    pub automove: AtomicU8,
    /// What `lru` changes.
    pub lru: Mutex<LruTuning>,
    /// Dumps and sweeps that clients ask for.
    pub crawler: Arc<Crawler>,
    /// The memory limit in bytes now (`cache_memlimit` changes it).
    pub memory_limit_bytes: AtomicU64,
}

impl Shared {
    /// The shared state for `settings`, with an empty store and without logins.
    ///
    /// # Errors
    /// When the store's memory cannot be reserved.
    pub fn new(settings: Settings) -> io::Result<Shared> {
        let access = Access::of_flags(settings.access.clone());
        let doors = Doors { access, tls: None, authority: None };
        Shared::with_doors(settings, doors)
    }

    /// The same with what stands before it.
    ///
    /// # Errors
    /// When the store's memory cannot be reserved.
    pub fn with_doors(settings: Settings, doors: Doors) -> io::Result<Shared> {
        Shared::with_store(settings, doors, |config| Ok((Store::new(config)?, Clock::start())))
    }

    /// The same with the store and clock that `make` makes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn with_store<E>(
        settings: Settings,
        doors: Doors,
        make: impl FnOnce(Config) -> Result<(Store, Clock), E>,
    ) -> Result<Shared, E> {
        let Doors { access, tls, authority } = doors;
        let roster_size = settings.descriptors() as usize;
        let watch = Watch::new(settings.threads, settings.worker_logbuf_bytes as usize);
        let (store, clock) = make(Config {
            observer: Some(Arc::<Watch>::clone(&watch)),
            item_max_bytes: settings.item_size_max_bytes,
            cas: settings.cas,
            evictions: settings.evictions,
            page_moves: settings.slab_reassign && settings.slab_automove > 0,
            huge_pages: settings.large_pages,
            locked: settings.lock_memory,
            track_sizes: settings.track_sizes,
            ..Config::new(settings.memory_limit_bytes, settings.threads)
        })?;
        Ok(Shared {
            store,
            clock,
            counters: (0..settings.threads).map(|_| CachePadded::default()).collect(),
            latency: (0..settings.threads).map(|_| CachePadded::default()).collect(),
            reset_baseline: Mutex::new([0; WorkerCounters::FIELDS.len()]),
            connections: Connections { accepting: AtomicBool::new(true), ..Connections::default() },
            kept_bytes: AtomicU64::new(0),
            roster: Roster::new(roster_size),
            watch,
            verbosity: AtomicU8::new(settings.verbosity),
            detail: AtomicBool::new(settings.detail),
            prefixes: Prefixes::new(settings.prefix_delimiter),
            automove: AtomicU8::new(settings.slab_automove),
            lru: Mutex::new(LruTuning::new(&settings)),
            crawler: Arc::new(Crawler::new(&settings)),
            memory_limit_bytes: AtomicU64::new(settings.memory_limit_bytes),
            limits: Limits::new(&settings),
            authority,
            access,
            tls,
            discovery: None,
            settings,
        })
    }

    /// Background work of a tenth of a second: a part of the expiry sweep, which goes over all memory twice a minute, a
    /// flush that has come due; and a whole sweep where a client asked for one. It calls `rest` after each step that held
    /// a lock for a noticeable time.
    pub fn maintain(&self, mut rest: impl FnMut()) {
        let sweep = if self.crawler.is_enabled() { Sweep::On } else { Sweep::Off };
        self.store.maintain(SWEEP_TICKS, sweep, self.clock.now(), &mut rest);
        self.crawler.sweep(|classes| self.store.sweep_classes(classes, self.clock.now(), &mut rest));
    }

    /// Gives back some of the memory above a lowered limit. True when there is more; see [`Store::shrink`].
    pub fn shrink(&self) -> bool {
        self.store.shrink(self.clock.now())
    }

    /// The `-v` level now.
    pub fn verbosity(&self) -> u8 {
        self.verbosity.load(Ordering::Relaxed)
    }
}

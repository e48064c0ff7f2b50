//! `stats`: the 93 lines that memcached 1.6.45 sends by default, with its names and in its order. Lines of our own come
//! behind them, and only where a flag of our own asks for what they count.
//!
//! Where we have nothing of the kind (response objects, LRU juggling), the line is there and stays 0.

use std::sync::atomic::Ordering;

use super::Stats;
use super::counters::WorkerCounters;
use crate::auth::authority::Authority;
use crate::auth::desk::tally::Tally;
use crate::clock::Seconds;
use crate::shared::Shared;
use crate::store::{ClassCounters, StoreTotals};
use crate::tls::Counters;

/// Everything that is summed up for one `stats`.
struct Sums {
    workers: [u64; WorkerCounters::FIELDS.len()],
    classes: ClassCounters,
    totals: StoreTotals,
}

impl Sums {
    fn take(shared: &Shared, now: Seconds) -> Sums {
        let mut workers = [0; WorkerCounters::FIELDS.len()];
        for counters in &shared.counters {
            counters.sum_into(&mut workers);
        }
        let baseline = shared.reset_baseline.lock();
        for (sum, before) in workers.iter_mut().zip(baseline.iter()) {
            *sum = sum.saturating_sub(*before);
        }
        let mut classes = ClassCounters::default();
        for class in shared.store.classes(now) {
            classes.add(&class.counters);
        }
        Sums { workers, classes, totals: shared.store.totals() }
    }

    fn of(&self, field: &str) -> u64 {
        let at = WorkerCounters::FIELDS.iter().position(|name| *name == field);
        debug_assert!(at.is_some(), "no worker counts {field}");
        at.map_or(0, |at| self.workers[at])
    }
}

/// `stats reset`: what was counted starts from 0; gauges stay. The workers' counters have one writer each, so they are
/// left alone and their present values subtracted from now on.
pub fn reset(shared: &Shared) {
    let mut sums = [0; WorkerCounters::FIELDS.len()];
    for counters in &shared.counters {
        counters.sum_into(&mut sums);
    }
    *shared.reset_baseline.lock() = sums;
    let connections = &shared.connections;
    if let Some(tls) = &shared.tls {
        let Counters { new_sessions, handshake_errors, proto_errors } = &tls.counters;
        for count in [new_sessions, handshake_errors, proto_errors] {
            count.store(0, Ordering::Relaxed);
        }
    }
    if let Some(authority) = &shared.authority {
        authority.tally().reset();
    }
    for count in [
        &connections.total,
        &connections.rejected,
        &connections.rejected_per_address,
        &connections.listen_disabled,
        &connections.listen_disabled_us,
    ] {
        count.store(0, Ordering::Relaxed);
    }
    shared.crawler.reset_starts();
    shared.store.reset_counters();
    shared.prefixes.reset();
    shared.watch.reset_counts();
}

/// `stats`.
pub fn general(shared: &Shared, now: Seconds) -> Stats {
    let sums = Sums::take(shared, now);
    let mut stats = Stats::default();
    process(&mut stats, shared, now);
    connections(&mut stats, shared, &sums);
    commands(&mut stats, shared, &sums);
    traffic(&mut stats, shared, &sums);
    memory(&mut stats, shared, &sums);
    items(&mut stats, shared, &sums);
    tls(&mut stats, shared, now);
    ours(&mut stats, shared, &sums);
    stats
}

fn process(stats: &mut Stats, shared: &Shared, now: Seconds) {
    stats.add("pid", std::process::id());
    stats.add("uptime", now - shared.clock.started());
    stats.add("time", shared.clock.unix(now));
    stats.add("version", crate::MEMCACHED_VERSION);
    stats.add("libevent", "none (mio)");
    stats.add("pointer_size", usize::BITS);
    let usage = crate::sys::usage::cpu_times();
    stats.add("rusage_user", usage.user);
    stats.add("rusage_system", usage.system);
}

fn connections(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    let connections = &shared.connections;
    let current = connections.current.load(Ordering::Relaxed);
    stats.add("max_connections", shared.settings.conn_limit);
    stats.add("curr_connections", current);
    stats.add("total_connections", connections.total.load(Ordering::Relaxed));
    if shared.settings.maxconns_fast {
        stats.add("rejected_connections", connections.rejected.load(Ordering::Relaxed));
    }
    stats.add("connection_structures", current);
    stats.add("response_obj_oom", sums.of("response_obj_oom"));
    stats.add("response_obj_count", 0);
    stats.add("response_obj_bytes", 0);
    stats.add("read_buf_count", shared.settings.threads);
    stats.add("read_buf_bytes", shared.settings.threads * crate::net::worker::READ_BUFFER_BYTES);
    stats.add("read_buf_bytes_free", 0);
    stats.add("read_buf_oom", sums.of("read_buf_oom"));
    stats.add("reserved_fds", shared.settings.threads * 5);
}

fn commands(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    let classes = &sums.classes;
    stats.add("cmd_get", sums.of("cmd_get"));
    stats.add("cmd_set", classes.cmd_set);
    for name in ["cmd_flush", "cmd_touch", "cmd_meta"] {
        stats.add(name, sums.of(name));
    }
    stats.add("get_hits", classes.get_hits);
    for name in ["get_misses", "get_expired", "get_flushed", "delete_misses"] {
        stats.add(name, sums.of(name));
    }
    stats.add("delete_hits", classes.delete_hits);
    stats.add("incr_misses", sums.of("incr_misses"));
    stats.add("incr_hits", classes.incr_hits);
    stats.add("decr_misses", sums.of("decr_misses"));
    stats.add("decr_hits", classes.decr_hits);
    stats.add("cas_misses", sums.of("cas_misses"));
    stats.add("cas_hits", classes.cas_hits);
    stats.add("cas_badval", classes.cas_badval);
    stats.add("touch_hits", classes.touch_hits);
    for name in ["touch_misses", "store_too_large", "store_no_memory"] {
        stats.add(name, sums.of(name));
    }
    let tally = shared.authority.as_ref().map(Authority::tally);
    let failures = tally.map_or(0, Tally::all_failures);
    stats.add("auth_cmds", tally.map_or(0, Tally::all_successes) + failures);
    stats.add("auth_errors", failures);
}

fn traffic(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    if shared.settings.idle_timeout_secs > 0 {
        stats.add("idle_kicks", sums.of("idle_kicks"));
    }
    stats.add("bytes_read", sums.of("bytes_read"));
    stats.add("bytes_written", sums.of("bytes_written"));
    stats.add("limit_maxbytes", shared.memory_limit_bytes.load(Ordering::Relaxed));
    stats.add("accepting_conns", u8::from(shared.connections.accepting.load(Ordering::Relaxed)));
    stats.add("listen_disabled_num", shared.connections.listen_disabled.load(Ordering::Relaxed));
    stats.add("time_in_listen_disabled_us", shared.connections.listen_disabled_us.load(Ordering::Relaxed));
    stats.add("threads", shared.settings.threads);
    stats.add("conn_yields", sums.of("conn_yields"));
}

fn memory(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    stats.add("hash_power_level", sums.totals.index_buckets.max(1).ilog2());
    stats.add("hash_bytes", sums.totals.index_bytes);
    stats.add("hash_is_expanding", 0);
    if shared.settings.slab_reassign {
        stats.add("slab_reassign_rescues", sums.classes.rescued);
        for name in ["slab_reassign_chunk_rescues", "slab_reassign_inline_reclaim"] {
            stats.add(name, 0);
        }
        stats.add("slab_reassign_busy_items", sums.totals.pages_busy);
        for name in ["slab_reassign_busy_deletes", "slab_reassign_busy_nomem"] {
            stats.add(name, 0);
        }
        stats.add("slab_reassign_last_busy_status", "none");
        stats.add("slab_reassign_running", 0);
        stats.add("slabs_moved", sums.totals.slabs_moved);
    }
    if shared.crawler.is_enabled() {
        stats.add("lru_crawler_running", u8::from(shared.crawler.is_running()));
        stats.add("lru_crawler_starts", sums.totals.sweeps + shared.crawler.starts());
    }
    if shared.settings.lru_maintainer {
        stats.add("lru_maintainer_juggles", 0);
    }
    stats.add("malloc_fails", 0);
    let lines = shared.watch.counts();
    stats.add("log_worker_dropped", lines.dropped);
    stats.add("log_worker_written", lines.written);
    stats.add("log_watcher_skipped", lines.skipped);
    stats.add("log_watcher_sent", lines.sent);
    stats.add("log_watchers", shared.watch.watchers());
    for name in ["unexpected_napi_ids", "round_robin_fallback"] {
        stats.add(name, 0);
    }
}

fn tls(stats: &mut Stats, shared: &Shared, now: Seconds) {
    let Some(tls) = &shared.tls else { return };
    if tls.resumes() {
        stats.add("ssl_new_sessions", tls.counters.new_sessions.load(Ordering::Relaxed));
    }
    stats.add("ssl_handshake_errors", tls.counters.handshake_errors.load(Ordering::Relaxed));
    stats.add("ssl_proto_errors", tls.counters.proto_errors.load(Ordering::Relaxed));
    stats.add("time_since_server_cert_refresh", now.saturating_sub(tls.refreshed().max(shared.clock.started())));
}

fn items(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    let Sums { classes, totals, .. } = sums;
    stats.add("bytes", totals.bytes);
    stats.add("curr_items", totals.curr_items);
    stats.add("total_items", totals.total_items);
    stats.add("slab_global_page_pool", totals.free_pages);
    stats.add("expired_unfetched", classes.expired_unfetched);
    stats.add("evicted_unfetched", classes.evicted_unfetched);
    if shared.settings.lru_maintainer {
        stats.add("evicted_active", classes.evicted_active);
    }
    stats.add("evictions", classes.evicted);
    stats.add("reclaimed", classes.reclaimed);
    stats.add("crawler_reclaimed", classes.crawler_reclaimed);
    stats.add("crawler_items_checked", classes.crawler_items_checked);
    stats.add("lrutail_reflocked", 0);
    if shared.settings.lru_maintainer {
        for name in ["moves_to_cold", "moves_to_warm"] {
            stats.add(name, 0);
        }
        stats.add("moves_within_lru", classes.moves_within_lru);
        for name in ["direct_reclaims", "lru_bumps_dropped"] {
            stats.add(name, 0);
        }
    }
}

fn ours(stats: &mut Stats, shared: &Shared, sums: &Sums) {
    if shared.limits.are_set() {
        stats.add("rejected_per_address", shared.connections.rejected_per_address.load(Ordering::Relaxed));
    }
    if let Some(discovery) = &shared.discovery {
        let list = discovery.announced();
        stats.add("cmd_config_get", sums.of("cmd_config_get"));
        stats.add("cluster_version", list.as_ref().map_or(0, |list| list.version));
        stats.add("cluster_nodes", list.as_ref().map_or(0, |list| list.nodes.len()));
        stats.add("cluster_failures", discovery.failures());
    }
}

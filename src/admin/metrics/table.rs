//! What there is: names, types and help, and where each number comes from. First memcached_exporter's.

use super::Kind::{self, Counter, Gauge, Untyped};
use super::ours::OURS;
use super::samples::Samples;
use crate::admin::snapshot::Snapshot;
use crate::slab::classes::PAGE;
use crate::store::{ClassReport, ShardReport};

/// Metrics of one name.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Names of labels, where the source does not imply them.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) source: Source,
}

/// Where numbers come from.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// A row of `stats`; none where it has no such row.
    Row(&'static str),
    /// A row of `stats settings`, `yes` and `no` as 1 and 0.
    Setting(&'static str),
    /// A number of each size class that has a page or had a value; the label is `slab`.
    Class(fn(&ClassReport) -> u64),
    /// A number of each shard; the label is `shard`, from 0.
    Shard(fn(&ShardReport) -> u64),
    /// Whatever this adds.
    Each(fn(&Snapshot, &mut Samples)),
}

/// All families, in the order in which they are shown.
pub(super) fn all() -> impl Iterator<Item = &'static Family> {
    MEMCACHED.iter().chain(OURS)
}

pub(super) const fn row(name: &'static str, kind: Kind, row: &'static str, help: &'static str) -> Family {
    Family { name, kind, labels: &[], help, source: Source::Row(row) }
}

const fn setting(name: &'static str, row: &'static str, help: &'static str) -> Family {
    Family { name, kind: Gauge, labels: &[], help, source: Source::Setting(row) }
}

pub(super) const fn class(name: &'static str, kind: Kind, help: &'static str, read: fn(&ClassReport) -> u64) -> Family {
    Family { name, kind, labels: &[], help, source: Source::Class(read) }
}

pub(super) const fn shard(name: &'static str, kind: Kind, help: &'static str, read: fn(&ShardReport) -> u64) -> Family {
    Family { name, kind, labels: &[], help, source: Source::Shard(read) }
}

pub(super) const fn each(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Snapshot, &mut Samples),
) -> Family {
    Family { name, kind, labels, help, source: Source::Each(read) }
}

static MEMCACHED: &[Family] = &[
    each("memcached_up", Gauge, &[], "1: who answers is up.", |_, samples| samples.add(&[], 1.0)),
    row("memcached_uptime_seconds", Gauge, "uptime", "Seconds since the start."),
    row("memcached_time_seconds", Gauge, "time", "The server's clock, in seconds of the Unix epoch."),
    each(
        "memcached_version",
        Gauge,
        &["version"],
        "1; the label is the version that clients are told.",
        |_, samples| {
            samples.add(&[("version", crate::MEMCACHED_VERSION)], 1.0);
        },
    ),
    row("memcached_process_user_cpu_seconds_total", Counter, "rusage_user", "Processor time in user space."),
    row("memcached_process_system_cpu_seconds_total", Counter, "rusage_system", "Processor time in the kernel."),
    row("memcached_read_bytes_total", Counter, "bytes_read", "Bytes received from clients."),
    row("memcached_written_bytes_total", Counter, "bytes_written", "Bytes sent to clients."),
    row("memcached_current_connections", Gauge, "curr_connections", "Connections that are open."),
    row("memcached_max_connections", Gauge, "max_connections", "Connections that may be open (-c)."),
    row("memcached_connections_total", Counter, "total_connections", "Connections accepted."),
    row("memcached_connections_rejected_total", Counter, "rejected_connections", "Connections refused because of -c."),
    row(
        "memcached_connections_yielded_total",
        Counter,
        "conn_yields",
        "Times a connection was put back after -R requests.",
    ),
    row(
        "memcached_connections_listener_disabled_total",
        Counter,
        "listen_disabled_num",
        "Times nothing was accepted for a while because of -c or missing descriptors.",
    ),
    row("memcached_accepting_connections", Gauge, "accepting_conns", "Whether connections are accepted."),
    row("memcached_current_bytes", Gauge, "bytes", "Bytes of the items."),
    row("memcached_limit_bytes", Gauge, "limit_maxbytes", "Bytes for items and index (-m)."),
    each(
        "memcached_malloced_bytes",
        Gauge,
        &[],
        "Bytes of the pages that belong to size classes.",
        |snapshot, samples| {
            let pages: u64 = snapshot.classes.iter().map(|of| of.gauges.total_pages).sum();
            samples.add(&[], (pages * PAGE as u64) as f64);
        },
    ),
    each(
        "memcached_commands_total",
        Counter,
        &["command", "status"],
        "Requests by command and outcome. A set that stored nothing counts as hit, too, as in memcached_exporter.",
        commands,
    ),
    row("memcached_current_items", Gauge, "curr_items", "Items."),
    row("memcached_items_total", Counter, "total_items", "Items ever stored."),
    row("memcached_items_evicted_total", Counter, "evictions", "Items that had to go for new ones before their time."),
    row("memcached_items_reclaimed_total", Counter, "reclaimed", "Items stored in the memory of expired ones."),
    row("memcached_item_too_large_total", Counter, "store_too_large", "Values refused because of -I."),
    row("memcached_item_no_memory_total", Counter, "store_no_memory", "Values refused for lack of memory."),
    setting("memcached_lru_crawler_enabled", "lru_crawler", "Whether expired items are looked for in the background."),
    row("memcached_lru_crawler_starts_total", Counter, "lru_crawler_starts", "Sweeps over all items."),
    row("memcached_lru_crawler_reclaimed_total", Counter, "crawler_reclaimed", "Expired items that sweeps freed."),
    row("memcached_lru_crawler_items_checked_total", Counter, "crawler_items_checked", "Items that sweeps looked at."),
    row(
        "memcached_lru_crawler_moves_within_lru_total",
        Counter,
        "moves_within_lru",
        "Second chances that items in use got instead of eviction.",
    ),
    class("memcached_slab_current_items", Gauge, "Items of the size class.", |of| of.gauges.number),
    class("memcached_slab_items_age_seconds", Gauge, "Seconds since the item next to be evicted was used.", |of| {
        of.gauges.age
    }),
    class("memcached_slab_items_crawler_reclaimed_total", Counter, "Expired items that sweeps freed.", |of| {
        of.counters.crawler_reclaimed
    }),
    class(
        "memcached_slab_items_evicted_total",
        Counter,
        "Items that had to go for new ones before their time.",
        |of| of.counters.evicted,
    ),
    class("memcached_slab_items_evicted_nonzero_total", Counter, "Of these, those with an expiry.", |of| {
        of.counters.evicted_nonzero
    }),
    class(
        "memcached_slab_items_evicted_time_seconds",
        Gauge,
        "Seconds since the item evicted last had been used.",
        |of| of.gauges.evicted_time,
    ),
    class("memcached_slab_items_evicted_unfetched_total", Counter, "Evicted items that were never asked for.", |of| {
        of.counters.evicted_unfetched
    }),
    class("memcached_slab_items_expired_unfetched_total", Counter, "Expired items that were never asked for.", |of| {
        of.counters.expired_unfetched
    }),
    class("memcached_slab_items_outofmemory_total", Counter, "Values refused for lack of memory.", |of| {
        of.counters.outofmemory
    }),
    class("memcached_slab_items_reclaimed_total", Counter, "Items stored in the memory of expired ones.", |of| {
        of.counters.reclaimed
    }),
    class(
        "memcached_slab_items_moves_within_lru",
        Untyped,
        "Second chances that items in use got instead of eviction.",
        |of| of.counters.moves_within_lru,
    ),
    class("memcached_slab_cold_items", Gauge, "Items of the size class; there are no LRU segments.", |of| {
        of.gauges.number
    }),
    each(
        "memcached_slab_lru_hits_total",
        Counter,
        &["slab", "lru"],
        "Hits; there are no LRU segments, so all are cold.",
        |snapshot, samples| {
            for of in &snapshot.classes {
                samples.add(&[("slab", &of.class.to_string()), ("lru", "cold")], of.counters.get_hits as f64);
            }
        },
    ),
    class("memcached_slab_chunk_size_bytes", Gauge, "Bytes of a chunk.", |of| of.gauges.chunk_size),
    class("memcached_slab_chunks_per_page", Gauge, "Chunks in a page.", |of| of.gauges.chunks_per_page),
    class("memcached_slab_current_pages", Gauge, "Pages of the size class.", |of| of.gauges.total_pages),
    class("memcached_slab_current_chunks", Gauge, "Chunks in these.", |of| {
        of.gauges.total_pages * of.gauges.chunks_per_page
    }),
    class("memcached_slab_chunks_used", Gauge, "Chunks that hold something.", |of| of.gauges.used_chunks),
    class("memcached_slab_chunks_free", Gauge, "Chunks that hold nothing.", |of| {
        (of.gauges.total_pages * of.gauges.chunks_per_page).saturating_sub(of.gauges.used_chunks)
    }),
    class("memcached_slab_mem_requested_bytes", Gauge, "Bytes of the items.", |of| of.gauges.mem_requested),
    each(
        "memcached_slab_commands_total",
        Counter,
        &["slab", "command", "status"],
        "Requests by size class, command and outcome.",
        slab_commands,
    ),
];

fn commands(snapshot: &Snapshot, samples: &mut Samples) {
    let mut add = |command: &str, status: &str, row: &str| {
        let value = snapshot.number(row).unwrap_or_default();
        samples.add(&[("command", command), ("status", status)], value);
        value
    };
    let mut cas = 0.0;
    for command in ["get", "delete", "incr", "decr", "cas", "touch"] {
        let hits = add(command, "hit", &format!("{command}_hits"));
        let misses = add(command, "miss", &format!("{command}_misses"));
        if command == "cas" {
            cas = hits + misses + add(command, "badval", "cas_badval");
        }
    }
    add("flush", "hit", "cmd_flush");
    // cas requests are among cmd_set. Taken one after another, the numbers may be a few requests apart.
    let set = (snapshot.number("cmd_set").unwrap_or_default() - cas).max(0.0);
    samples.add(&[("command", "set"), ("status", "hit")], set);
}

fn slab_commands(snapshot: &Snapshot, samples: &mut Samples) {
    for of in &snapshot.classes {
        let (slab, counters) = (of.class.to_string(), &of.counters);
        let set = counters.cmd_set.saturating_sub(counters.cas_hits + counters.cas_badval);
        for (command, status, value) in [
            ("get", "hit", counters.get_hits),
            ("set", "hit", set),
            ("delete", "hit", counters.delete_hits),
            ("incr", "hit", counters.incr_hits),
            ("decr", "hit", counters.decr_hits),
            ("cas", "hit", counters.cas_hits),
            ("cas", "badval", counters.cas_badval),
            ("touch", "hit", counters.touch_hits),
        ] {
            samples.add(&[("slab", &slab), ("command", command), ("status", status)], value as f64);
        }
    }
}

//! Metrics that memcached_exporter does not have.

use super::Kind::{Counter, Gauge, Histogram};
use super::samples::Samples;
use super::table::{Family, class, each, row, shard};
use crate::admin::snapshot::Snapshot;
use crate::stats::latency::{BUCKETS, KINDS, bound_secs};

pub(super) static OURS: &[Family] = &[
    each(
        "larder_build_info",
        Gauge,
        &["version", "memcached"],
        "1; the labels are the version and that of the memcached whose behaviour it has.",
        |_, samples| {
            samples.add(&[("version", env!("CARGO_PKG_VERSION")), ("memcached", crate::MEMCACHED_VERSION)], 1.0);
        },
    ),
    row("larder_workers", Gauge, "threads", "Threads that serve requests (-t)."),
    each(
        "larder_workers_silent",
        Gauge,
        &[],
        "Of these, those that have not answered for five seconds, seen from one question to the next; /healthz is 503 then.",
        |snapshot, samples| samples.add(&[], snapshot.own.silent_workers as f64),
    ),
    each("larder_shards", Gauge, &[], "Parts of the store, each with a lock of its own.", |snapshot, samples| {
        samples.add(&[], snapshot.own.shards.len() as f64);
    }),
    shard(
        "larder_shard_items",
        Gauge,
        "Items of the shard. Keys are spread by their hashes, so shards differ little; large items make them differ.",
        |of| of.totals.curr_items,
    ),
    shard("larder_shard_bytes", Gauge, "Bytes of its items.", |of| of.totals.bytes),
    shard("larder_shard_limit_bytes", Gauge, "Bytes for its items and index: its share of -m.", |of| of.limit_bytes),
    shard("larder_shard_pages_resident", Gauge, "Its pages of 64 KiB that take memory.", |of| of.totals.resident_pages),
    shard(
        "larder_shard_hits_total",
        Counter,
        "Keys found in it; where one shard has far more than others, so has its lock: look for a hot key.",
        |of| of.get_hits,
    ),
    shard("larder_shard_items_evicted_total", Counter, "Its items that had to go before their time.", |of| of.evicted),
    each(
        "larder_batch_duration_seconds",
        Histogram,
        &["command"],
        "From reading a batch of requests of one connection to sending its replies, by the kind of its first request; \
         one batch in 61 is timed, and each with --slow-request-us.",
        latency,
    ),
    row("larder_get_expired_total", Counter, "get_expired", "Misses whose item was found expired."),
    row("larder_get_flushed_total", Counter, "get_flushed", "Misses whose item was found flushed."),
    row("larder_auth_attempts_total", Counter, "auth_cmds", "Logins that were tried."),
    each(
        "larder_auth_successes_total",
        Counter,
        &["mechanism"],
        "Of these, those that came in; memcached's by `set` are PLAIN.",
        |snapshot, samples| {
            for (mechanism, count) in snapshot.own.logins.iter().flat_map(|logins| &logins.successes) {
                samples.add(&[("mechanism", mechanism)], *count as f64);
            }
        },
    ),
    each(
        "larder_auth_failures_total",
        Counter,
        &["reason"],
        "Those that failed: wrong_credentials (a password or proof, or an unknown user), expired_token, bad_token, \
         not_allowed (to be another user), channel_binding (of another TLS connection), mechanism_not_offered, \
         not_encrypted, malformed, throttled (its address failed too often), overloaded (too many wait), internal.",
        |snapshot, samples| {
            for (reason, count) in snapshot.own.logins.iter().flat_map(|logins| &logins.failures) {
                samples.add(&[("reason", reason)], *count as f64);
            }
        },
    ),
    row(
        "larder_tls_new_sessions_total",
        Counter,
        "ssl_new_sessions",
        "TLS handshakes that resumed no session; only where sessions can be resumed.",
    ),
    row(
        "larder_tls_handshake_errors_total",
        Counter,
        "ssl_handshake_errors",
        "TLS handshakes that failed or took too long, of clients and at the admin port.",
    ),
    row(
        "larder_tls_protocol_errors_total",
        Counter,
        "ssl_proto_errors",
        "TLS connections that failed after their handshake, of clients and at the admin port.",
    ),
    row(
        "larder_tls_certificate_age_seconds",
        Gauge,
        "time_since_server_cert_refresh",
        "Seconds since certificates were read.",
    ),
    each(
        "larder_tls_certificate_expiry_timestamp_seconds",
        Gauge,
        &[],
        "When the certificate that is shown ends, in seconds of the Unix epoch; of a chain the server's own.",
        |snapshot, samples| {
            snapshot.own.certificate_expires.into_iter().for_each(|when| samples.add(&[], when as f64));
        },
    ),
    each(
        "larder_connections_refused_total",
        Counter,
        &["limit"],
        "Connections refused: because of -c, or of a limit per address.",
        |snapshot, samples| {
            samples.add(&[("limit", "conn_limit")], snapshot.own.refused_conn_limit as f64);
            samples.add(&[("limit", "per_address")], snapshot.own.refused_per_address as f64);
        },
    ),
    each(
        "larder_connections_closed_total",
        Counter,
        &["reason"],
        "Connections closed by the server: idle for too long, or for lack of memory for their requests or replies.",
        |snapshot, samples| {
            let number = |row| snapshot.number(row).unwrap_or_default();
            samples.add(&[("reason", "idle")], snapshot.own.idle_kicks as f64);
            samples.add(&[("reason", "request_memory")], number("read_buf_oom"));
            samples.add(&[("reason", "reply_memory")], number("response_obj_oom"));
        },
    ),
    each(
        "larder_connection_buffer_bytes",
        Gauge,
        &[],
        "Bytes that connections keep of incomplete requests and unsent replies.",
        |snapshot, samples| {
            samples.add(&[], snapshot.own.connection_buffer_bytes as f64);
        },
    ),
    row("larder_index_bytes", Gauge, "hash_bytes", "Bytes of the index."),
    row("larder_pages_free", Gauge, "slab_global_page_pool", "Pages of 64 KiB that belong to no size class."),
    each("larder_pages_resident", Gauge, &[], "Pages of 64 KiB that take memory.", |snapshot, samples| {
        let pages: u64 = snapshot.own.shards.iter().map(|of| of.totals.resident_pages).sum();
        samples.add(&[], pages as f64);
    }),
    row("larder_pages_moved_total", Counter, "slabs_moved", "Pages that moved to another size class."),
    row(
        "larder_page_moves_failed_total",
        Counter,
        "slab_reassign_busy_items",
        "Pages that could not move because something in them was in use.",
    ),
    row("larder_items_evicted_active_total", Counter, "evicted_active", "Evicted items that had been used lately."),
    class("larder_slab_items_evicted_active_total", Counter, "Evicted items that had been used lately.", |of| {
        of.counters.evicted_active
    }),
    class("larder_slab_items_rescued_total", Counter, "Items that were copied out of a page that moved.", |of| {
        of.counters.rescued
    }),
    row(
        "larder_cluster_requests_total",
        Counter,
        "cmd_config_get",
        "Times the list of nodes was asked for (--cluster).",
    ),
    row("larder_cluster_nodes", Gauge, "cluster_nodes", "Nodes in the list."),
    row("larder_cluster_version", Gauge, "cluster_version", "The version of the list; 0 while there is none."),
    row(
        "larder_cluster_failures_total",
        Counter,
        "cluster_failures",
        "Times the source of the list could not be read, and the last good list stayed.",
    ),
    row("larder_watchers", Gauge, "log_watchers", "Clients that watch."),
    row(
        "larder_watch_lines_skipped_total",
        Counter,
        "log_watcher_skipped",
        "Lines that watchers missed, as they read too slowly.",
    ),
];

fn latency(snapshot: &Snapshot, samples: &mut Samples) {
    for (kind, histogram) in KINDS.iter().zip(&snapshot.latency.of_kinds) {
        let command = ("command", kind.name());
        let mut sum = 0;
        for (bucket, count) in histogram.counts.iter().enumerate() {
            sum += count;
            let bound = if bucket < BUCKETS - 1 { bound_secs(bucket).to_string() } else { "+Inf".to_owned() };
            samples.add_part("_bucket", &[command, ("le", &bound)], sum as f64);
        }
        samples.add_part("_sum", &[command], histogram.nanos as f64 / 1e9);
        samples.add_part("_count", &[command], sum as f64);
    }
}

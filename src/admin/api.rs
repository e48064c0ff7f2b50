//! `/api/stats`: the numbers as JSON, for the page and for scripts.

use serde_json::{Map, Value, json};

use super::snapshot::Snapshot;
use crate::stats::Stats;
use crate::stats::latency::{BUCKETS, KINDS, bound_secs};
use crate::uri::Encoded;

/// Renders `snapshot`; keys and prefixes only if `shows_keys`.
pub(super) fn render(snapshot: &Snapshot, shows_keys: bool) -> Vec<u8> {
    let own = &snapshot.own;
    let classes: Vec<Value> = snapshot
        .classes
        .iter()
        .map(|report| {
            let (counters, gauges) = (&report.counters, &report.gauges);
            json!({
                "class": report.class, "chunk_size": gauges.chunk_size, "pages": gauges.total_pages,
                "chunks": gauges.total_pages * gauges.chunks_per_page, "used_chunks": gauges.used_chunks,
                "items": gauges.number, "bytes": gauges.mem_requested, "age": gauges.age,
                "get_hits": counters.get_hits, "cmd_set": counters.cmd_set, "evicted": counters.evicted,
                "reclaimed": counters.reclaimed, "crawler_reclaimed": counters.crawler_reclaimed,
                "outofmemory": counters.outofmemory,
            })
        })
        .collect();
    let latency: Map<String, Value> = KINDS
        .iter()
        .zip(&snapshot.latency.of_kinds)
        .map(|(kind, histogram)| (kind.name().to_owned(), json!(histogram.counts)))
        .collect();
    let hot_keys =
        snapshot.hot_keys.iter().filter(|_| shows_keys).map(
            |hot| json!({ "key": Encoded(&hot.key).to_string(), "per_second": hot.per_second, "share": hot.share }),
        );
    let prefixes = snapshot.prefixes.iter().filter(|_| shows_keys).map(|of| {
        json!({
            "prefix": Encoded(&of.prefix).to_string(), "gets": of.gets, "hits": of.hits, "sets": of.sets,
            "deletes": of.deletes,
        })
    });
    let shards: Vec<Value> = own
        .shards
        .iter()
        .map(|of| {
            json!({
                "items": of.totals.curr_items, "bytes": of.totals.bytes, "pages_resident": of.totals.resident_pages,
                "limit_bytes": of.limit_bytes, "get_hits": of.get_hits, "evicted": of.evicted,
            })
        })
        .collect();
    let logins = own.logins.as_ref().map(|logins| {
        let counts = |of: &[(&str, u64)]| -> Map<String, Value> {
            of.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect()
        };
        json!({ "successes": counts(&logins.successes), "failures": counts(&logins.failures) })
    });
    let all = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "stats": object(&snapshot.general),
        "classes": classes,
        "latency": { "bounds_secs": (0..BUCKETS - 1).map(bound_secs).collect::<Vec<f64>>(), "counts": latency },
        "shows_keys": shows_keys,
        "hot_keys": hot_keys.collect::<Vec<Value>>(),
        "counts_prefixes": snapshot.counts_prefixes,
        "prefixes": prefixes.collect::<Vec<Value>>(),
        "silent_workers": own.silent_workers,
        "shards": own.shards.len(),
        "by_shard": shards,
        "refused": { "conn_limit": own.refused_conn_limit, "per_address": own.refused_per_address },
        "idle_kicks": own.idle_kicks,
        "uses_tls": own.uses_tls,
        "certificate_expires": own.certificate_expires,
        "asks_for_logins": own.logins.is_some(),
        "logins": logins,
    });
    all.to_string().into_bytes()
}

/// Rows as numbers where they are.
fn object(stats: &Stats) -> Map<String, Value> {
    let value = |text: &str| {
        let number = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from));
        number.unwrap_or_else(|_| Value::from(text))
    };
    // A version such as 1.6 would pass for a number.
    stats
        .iter()
        .map(|(name, text)| (name.to_owned(), if name == "version" { Value::from(text) } else { value(text) }))
        .collect()
}

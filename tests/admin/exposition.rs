//! `/metrics` in Prometheus' text format: well formed, consistent, and counters only rise.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{Read, Write};

use crate::stand::{get, start};
use crate::support::Server;

/// A sample by its name and labels as written.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Reads the text, and fails at whatever is not of the format.
fn parse(text: &str) -> (Samples, HashMap<String, String>) {
    let (mut samples, mut types, mut helped) = (Samples::new(), HashMap::new(), HashSet::new());
    let mut family = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(!help.is_empty() && !help.contains('\\'), "{line}");
            assert!(helped.insert(name.to_owned()), "twice: {line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(["counter", "gauge", "histogram", "untyped"].contains(&kind), "{line}");
            assert!(helped.contains(name), "help comes first: {line}");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
            family = name.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("not of {family}: {line}"));
            let is_part = types[&family] == "histogram" && ["_bucket", "_sum", "_count"].contains(&suffix);
            assert!(suffix.is_empty() != is_part, "{line}");
            let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            assert!(is_word(name), "{line}");
            let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
                assert!(is_word(label), "{line}");
                let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
                assert!(value.is_some_and(|value| !value.contains(['"', '\\'])), "{line}");
            }
            assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {line}");
        }
    }
    (samples, types)
}

pub(crate) fn scrape(server: &Server) -> (Samples, HashMap<String, String>) {
    let answer = get(server, "/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    parse(&answer.content)
}

/// Sends requests one by one, so that each is a batch, and reads their replies.
fn load(server: &Server, rounds: usize) {
    let mut stream = server.connect();
    for round in 0..rounds {
        for (request, reply) in [
            (format!("set k{round} 0 0 5\r\nhello\r\n"), "STORED\r\n".to_owned()),
            (format!("get k{round}\r\n"), format!("VALUE k{round} 0 5\r\nhello\r\nEND\r\n")),
            ("get none\r\n".to_owned(), "END\r\n".to_owned()),
            ("delete none\r\n".to_owned(), "NOT_FOUND\r\n".to_owned()),
            ("mg none v\r\n".to_owned(), "EN\r\n".to_owned()),
        ] {
            stream.write_all(request.as_bytes()).unwrap();
            let mut found = vec![0; reply.len()];
            stream.read_exact(&mut found).unwrap();
            assert_eq!(String::from_utf8_lossy(&found), reply);
        }
    }
}

#[test]
fn numbers_are_well_formed_and_counters_only_rise() {
    let server = start(&["-t", "2"]);
    let (mut before, _) = scrape(&server);
    for _ in 0..3 {
        load(&server, 200);
        // An answer may be a moment old.
        let (after, types) = loop {
            let (after, types) = scrape(&server);
            if after["memcached_items_total"] >= before["memcached_items_total"] + 200.0 {
                break (after, types);
            }
        };
        for (series, value) in &before {
            let name = series.split('{').next().unwrap();
            let rises = types.get(name).is_none_or(|kind| kind == "counter");
            assert!(!rises || after[series] >= *value, "{series} fell from {value} to {}", after[series]);
        }
        before = after;
    }
    let gets = |status: &str| before[&format!("memcached_commands_total{{command=\"get\",status=\"{status}\"}}")];
    assert_eq!((gets("hit"), gets("miss")), (600.0, 1200.0));
    assert_eq!(before["memcached_commands_total{command=\"set\",status=\"hit\"}"], 600.0);
    assert_eq!(before["memcached_current_items"], 200.0);
    let of_shards = |name: &str| -> f64 {
        let shards = 0..before["larder_shards"] as usize;
        shards.map(|shard| before[&format!("{name}{{shard=\"{shard}\"}}")]).sum()
    };
    assert_eq!(of_shards("larder_shard_items"), 200.0);
    assert_eq!(of_shards("larder_shard_hits_total"), 600.0);
    assert_eq!(of_shards("larder_shard_bytes"), before["memcached_current_bytes"]);
    assert_eq!(of_shards("larder_shard_pages_resident"), before["larder_pages_resident"]);
    assert!(of_shards("larder_shard_limit_bytes") <= before["memcached_limit_bytes"]);
    assert_eq!(before["memcached_up"], 1.0);
    assert_eq!(before["larder_workers"], 2.0);
}

#[test]
fn latency_is_a_histogram_of_a_sample() {
    let server = start(&["-t", "1"]);
    load(&server, 640);
    let (samples, _) = scrape(&server);
    let mut timed = 0.0;
    for command in ["get", "set", "delete"] {
        let part = |part: &str, le: &str| {
            samples[&format!("larder_batch_duration_seconds{part}{{command=\"{command}\"{le}}}")]
        };
        let count = part("_count", "");
        assert_eq!(part("_bucket", ",le=\"+Inf\""), count, "{command}");
        assert!((part("_sum", "") > 0.0) == (count > 0.0), "{command}");
        let prefix = format!("larder_batch_duration_seconds_bucket{{command=\"{command}\",le=\"");
        let mut buckets: Vec<(f64, f64)> = samples
            .iter()
            .filter_map(|(series, value)| {
                let bound = series.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                Some((bound.replace("+Inf", "inf").parse().unwrap(), *value))
            })
            .collect();
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        assert!(buckets.len() > 10 && buckets.is_sorted_by(|one, other| one.1 <= other.1), "{command}: {buckets:?}");
        timed += count;
    }
    // 3,200 batches and what the connection's beginning and end may add.
    assert!((40.0..=60.0).contains(&timed), "{timed} batches were timed");
}

#[test]
fn what_is_not_there_is_left_out() {
    let (samples, _) = scrape(&start(&[]));
    for absent in ["larder_tls_", "larder_auth_failures_total", "larder_auth_successes_total"] {
        assert!(!samples.keys().any(|series| series.starts_with(absent)), "{absent}");
    }
    assert!(samples.contains_key("larder_connections_refused_total{limit=\"per_address\"}"));
    assert!(samples.contains_key("memcached_lru_crawler_enabled"));
}

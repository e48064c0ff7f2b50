//! `/metrics` in Prometheus' text format, version 0.0.4.
//!
//! Names and labels that begin with `memcached_` are those of Prometheus' memcached_exporter, so that dashboards made
//! for it work; what begins with `larder_` is ours. One table says what there is ([`table`]); `docs/metrics.md` is
//! rendered from it.

mod ours;
mod samples;
mod table;

use samples::Samples;
use table::Source;

use super::snapshot::Snapshot;

/// How a family's numbers behave, in Prometheus' words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Untyped,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Untyped => "untyped",
        }
    }
}

/// Renders all families that have a sample.
pub(super) fn render(snapshot: &Snapshot) -> String {
    let mut text = String::with_capacity(64 << 10);
    for family in table::all() {
        let mut samples = Samples::new(family.name);
        match family.source {
            Source::Row(row) => snapshot.number(row).into_iter().for_each(|value| samples.add(&[], value)),
            Source::Setting(row) => {
                let value = snapshot.settings.get(row).and_then(|text| match text {
                    "yes" => Some(1.0),
                    "no" => Some(0.0),
                    number => number.parse().ok(),
                });
                value.into_iter().for_each(|value| samples.add(&[], value));
            }
            Source::Class(read) => {
                for report in &snapshot.classes {
                    samples.add(&[("slab", &report.class.to_string())], read(report) as f64);
                }
            }
            Source::Shard(read) => {
                for (shard, report) in snapshot.own.shards.iter().enumerate() {
                    samples.add(&[("shard", &shard.to_string())], read(report) as f64);
                }
            }
            Source::Each(read) => read(snapshot, &mut samples),
        }
        if let Some(lines) = samples.lines() {
            let (name, help, kind) = (family.name, family.help, family.kind.name());
            text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}"));
        }
    }
    text
}

/// What `docs/metrics.md` begins with.
const PREFACE: &str = "# Metrics
What `/metrics` of the admin port (`--admin`, [monitoring.md](monitoring.md#the-admin-port)) tells, in Prometheus' text
format. Names that begin with `memcached_` are those of Prometheus' memcached_exporter, so dashboards and alerts made
for it work; of its names those are missing that tell of hot and warm queues, flash storage and memcached's proxy, which
are not here. A family without a value is left out: TLS where nothing is served by it, for one. This page is rendered
from the table in `src/admin/metrics/`; do not edit it.

Counting costs nothing more, as `stats` counts all the same. Batches are timed only with `--admin`: counted by callgrind
that adds 9 instructions to a batch on average, 0.5 % of the 1,750 of a get that is a batch of its own, and nothing that
shows where requests are pipelined.

| name | type | labels | what it is |
|---|---|---|---|
";

/// `docs/metrics.md`.
pub fn docs_page() -> String {
    let mut page = String::from(PREFACE);
    for family in table::all() {
        let labels = match family.source {
            Source::Class(_) => "`slab`".to_owned(),
            Source::Shard(_) => "`shard`".to_owned(),
            _ => family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", "),
        };
        page.push_str(&format!("| `{}` | {} | {labels} | {} |\n", family.name, family.kind.name(), family.help));
    }
    page
}

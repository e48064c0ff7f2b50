//! The rows of the memory table.

use crate::contestant::arguments::Named;
use crate::contestant::process::Contestant;
use crate::contestant::table::Target;
use crate::idle;
use crate::items;
use crate::load::values::Sizes;

/// One row.
pub(crate) struct Row {
    /// Its name, for `--rows`.
    pub(crate) name: &'static str,
    /// What is measured, with its unit.
    pub(crate) question: &'static str,
    /// How.
    pub(crate) probe: Probe,
    /// In the unit of the figure.
    pub(crate) target: Target,
}

impl Named for Row {
    fn name(&self) -> &'static str {
        self.name
    }

    fn question(&self) -> &'static str {
        self.question
    }
}

/// A way to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// Resident bytes per item, up to this many items.
    PerItem(Sizes, u64),
    /// Items held at `-m 64` when the first is evicted.
    BeforeEviction(Sizes),
    /// Resident mebibytes at `-m 256`, full.
    WhenFull(Sizes),
    /// Resident bytes per idle connection.
    Idle,
}

impl Probe {
    /// Measures one server.
    pub(crate) fn measure(self, contestant: &Contestant, threads: usize) -> Result<f64, String> {
        match self {
            Probe::PerItem(sizes, count_max) => items::bytes_per_item(contestant, threads, sizes, count_max),
            Probe::BeforeEviction(sizes) => items::items_before_eviction(contestant, threads, 64, sizes),
            Probe::WhenFull(sizes) => items::resident_when_full(contestant, threads, 256, sizes),
            Probe::Idle => idle::bytes_per_connection(contestant, threads),
        }
    }
}

/// All rows, in the order of the table. The numbers of items keep every server below `-m 1024`.
pub(crate) fn all() -> Vec<Row> {
    let fixed = Sizes::Fixed;
    let steady = Target { must: Some(256.0 * 1.05 + 16.0), goal: Some(256.0 + 8.0) };
    vec![
        row("item-10", "bytes per item, 10-byte values", Probe::PerItem(fixed(10), 2_000_000), bounds(75.0, 65.0)),
        row("item-100", "bytes per item, 100-byte values", Probe::PerItem(fixed(100), 2_000_000), bounds(170.0, 155.0)),
        row("item-1000", "bytes per item, 1,000-byte values", Probe::PerItem(fixed(1000), 700_000), goal(1090.0)),
        row("item-web", "bytes per item, mixed sizes", Probe::PerItem(Sizes::Web, 1_200_000), goal(560.0)),
        row("held-10", "items held at -m 64, 10-byte values", Probe::BeforeEviction(fixed(10)), Target::default()),
        row("held-100", "items held at -m 64, 100-byte values", Probe::BeforeEviction(fixed(100)), Target::default()),
        row("full-10", "resident MiB at -m 256, 10-byte values", Probe::WhenFull(fixed(10)), steady),
        row("full-web", "resident MiB at -m 256, mixed sizes", Probe::WhenFull(Sizes::Web), steady),
        row("idle", "bytes per idle connection, 10,000 of them", Probe::Idle, goal(350.0)),
    ]
}

fn row(name: &'static str, question: &'static str, probe: Probe, target: Target) -> Row {
    Row { name, question, probe, target }
}

fn bounds(must: f64, goal: f64) -> Target {
    Target { must: Some(must), goal: Some(goal) }
}

fn goal(goal: f64) -> Target {
    Target { must: None, goal: Some(goal) }
}

//! The rows of the speed table: which load each one is, and what we owe in it.

use crate::contestant::arguments::Named;
use crate::contestant::table::Target;
use crate::load::popularity::Popularity;
use crate::load::protocol::Dialect;
use crate::load::values::Sizes;
use crate::load::workload::{Losses, Mix, Workload};

/// One row.
pub(crate) struct Row {
    /// Its name, for `--rows`.
    pub(crate) name: &'static str,
    /// The question it answers.
    pub(crate) question: &'static str,
    /// Connections held open.
    pub(crate) connections: usize,
    /// `-m` of the servers.
    pub(crate) memory_mb: u64,
    /// The load.
    pub(crate) workload: Workload,
    /// Server processor time per key, as a ratio to memcached's.
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

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let mut rows = single_rows();
    rows.extend(pipelined_rows());
    rows.extend(large_rows());
    rows.push(evicting_row());
    rows
}

fn single_rows() -> Vec<Row> {
    let gets = Workload::plain_gets();
    let sets = Workload { mix: Mix::SETS, ..gets.clone() };
    vec![
        row("get-50", "get, 50 connections, one at a time", 50, gets.clone(), (0.90, 0.80)),
        row("get-500", "get, 500 connections, one at a time", 500, gets, (0.90, 0.78)),
        row("set-50", "set, 50 connections, one at a time", 50, sets, (0.90, 0.80)),
    ]
}

fn pipelined_rows() -> Vec<Row> {
    let gets = Workload { depth: 32, ..Workload::plain_gets() };
    let sets = Workload { mix: Mix::SETS, ..gets.clone() };
    let many = |workload: &Workload| Workload { key_count: 1_000_000, ..workload.clone() };
    let runs_of = |dialect, keys_per_fetch| Workload { dialect, keys_per_fetch, ..Workload::plain_gets() };
    let meta = Workload { dialect: Dialect::Meta, ..gets.clone() };
    vec![
        row("get-pipeline", "get, pipeline of 32", PIPELINES, gets.clone(), (0.45, 0.28)),
        row("set-pipeline", "set, pipeline of 32", PIPELINES, sets.clone(), (0.50, 0.33)),
        row("get-pipeline-1m", "get, pipeline of 32, 1 million keys", PIPELINES, many(&gets), (0.45, 0.32)),
        row("set-pipeline-1m", "set, pipeline of 32, 1 million keys", PIPELINES, many(&sets), (0.55, 0.40)),
        row("multiget", "get of 100 keys in one line, per key", PIPELINES, runs_of(Dialect::Text, 100), (0.65, 0.40)),
        row("mg-pipeline", "mg, pipeline of 32", PIPELINES, meta, (0.50, 0.32)),
        row("mg-quiet", "mg q, runs of 32 closed by mn", PIPELINES, runs_of(Dialect::Meta, 32), (0.50, 0.32)),
        row("binary-getq", "getq, runs of 32 closed by noop", PIPELINES, runs_of(Dialect::Binary, 32), (0.50, 0.32)),
    ]
}

fn large_rows() -> Vec<Row> {
    let gets =
        |value_bytes, key_count| Workload { sizes: Sizes::Fixed(value_bytes), key_count, ..Workload::plain_gets() };
    let sets = |value_bytes, key_count| Workload { mix: Mix::SETS, ..gets(value_bytes, key_count) };
    vec![
        row("get-16k", "get of 16 KB values", LARGE, gets(16 * 1024, 2_000), (1.0, 0.85)),
        row("get-256k", "get of 256 KB values", LARGE, gets(256 * 1024, 200), (1.0, 0.90)),
        row("set-16k", "set of 16 KB values", LARGE, sets(16 * 1024, 2_000), (1.0, 0.90)),
        // One million, not 2^20: the item with its header stays within memcached's default -I of 1 MiB.
        row("set-1m", "set of 1 MB values", LARGE, sets(1_000_000, 100), (1.0, 0.90)),
    ]
}

/// About 400 MB of items in 64 MB.
fn evicting_row() -> Row {
    let workload = Workload {
        mix: Mix { gets: 90, sets: 10 },
        depth: 32,
        key_count: 2_000_000,
        popularity: Popularity::Zipf { exponent: 0.99 },
        losses: Losses::Allowed,
        ..Workload::plain_gets()
    };
    let question = "90:10 get:set, pipeline of 32, zipf, evicting";
    Row { memory_mb: 64, ..row("zipf-evicting", question, PIPELINES, workload, (0.75, 0.55)) }
}

fn row(
    name: &'static str,
    question: &'static str,
    connections: usize,
    workload: Workload,
    (must, goal): (f64, f64),
) -> Row {
    let target = Target { must: Some(must), goal: Some(goal) };
    Row { name, question, connections, memory_mb: 1024, workload, target }
}

/// Connections of pipelined rows: one would leave the server waiting for us at the end of each batch.
const PIPELINES: usize = 8;
/// Connections of rows with large values: few, so that what is under way stays in the processor's cache.
const LARGE: usize = 8;

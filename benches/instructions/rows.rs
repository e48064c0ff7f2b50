//! The rows: steps inside of the crate, and requests to a server.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Resource, getrlimit};

use crate::arguments::Arguments;
use crate::callgrind;
use crate::contestant::arguments::Named;
use crate::contestant::process::Contestant;
use crate::load::fleet::{Fleet, Until};
use crate::load::protocol::Dialect;
use crate::load::traffic::Traffic;
use crate::load::workload::{Mix, Workload};

/// One row.
pub(crate) struct Row {
    /// Its name, for `--rows`.
    pub(crate) name: &'static str,
    question: &'static str,
    probe: Probe,
}

enum Probe {
    /// A step of `steps`.
    Step,
    /// Requests to a server of one thread, over one connection.
    Server(Workload),
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
    let gets = Workload { depth: 32, key_count: 1000, ..Workload::plain_gets() };
    let of = |dialect| Workload { dialect, ..gets.clone() };
    let many = |dialect, keys_per_fetch| Workload { depth: 1, keys_per_fetch, ..of(dialect) };
    let step = |name, question| Row { name, question, probe: Probe::Step };
    let server = |name, question, workload| Row { name, question, probe: Probe::Server(workload) };
    vec![
        step("parse-get", "a line with get is read"),
        step("parse-set", "a line with set is read"),
        step("parse-mg", "a line with mg and four flags is read"),
        step("parse-binary", "a binary header is read"),
        step("store-get", "the store finds an item"),
        step("store-set", "the store overwrites an item"),
        step("store-add-delete", "the store takes a new item in and deletes it"),
        step("store-evict", "the store takes a new item in for another one"),
        server("get", "get, pipeline of 32", gets.clone()),
        server("set", "set, pipeline of 32", Workload { mix: Mix::SETS, ..gets.clone() }),
        server("mg", "mg, pipeline of 32", of(Dialect::Meta)),
        server("multiget", "get of 100 keys in one line, per key", many(Dialect::Text, 100)),
        server("mg-quiet", "mg q, runs of 32 closed by mn", many(Dialect::Meta, 32)),
        server("binary-getq", "getq, runs of 32 closed by noop", many(Dialect::Binary, 32)),
        server("get-unpipelined", "get, one at a time", Workload { depth: 1, ..gets.clone() }),
    ]
}

impl Row {
    /// Whether memcached can be asked the same.
    pub(crate) fn is_server(&self) -> bool {
        matches!(self.probe, Probe::Server(_))
    }

    /// Instructions for each key.
    pub(crate) fn measure(&self, arguments: &Arguments, contestant: &Contestant) -> Result<f64, String> {
        let keys_each = match &self.probe {
            Probe::Step => 1,
            Probe::Server(workload) => workload.keys_per_fetch as u64,
        };
        let few = FEW_KEYS / keys_each;
        let many = few + MANY_KEYS / keys_each;
        let count = |requests| match &self.probe {
            Probe::Step => self.count_step(requests),
            Probe::Server(workload) => count_requests(workload, contestant, arguments.common.threads, requests),
        };
        let (many_counts, few_counts) = (count(many)?, count(few)?);
        if many_counts.is_empty() || many_counts.len() != few_counts.len() {
            return Err(format!("{}: {} threads and then {}", self.name, few_counts.len(), many_counts.len()));
        }
        // The worker is the one that does more for more requests. Others of memcached's turn all the time, which under
        // callgrind is a long time.
        let more = |(many, few): (u64, u64)| many.saturating_sub(few);
        let difference = many_counts.into_iter().zip(few_counts).map(more).max().unwrap_or_default();
        Ok(difference as f64 / ((many - few) * keys_each) as f64)
    }

    fn count_step(&self, times: u64) -> Result<Vec<u64>, String> {
        under_callgrind(|words| {
            let own = std::env::current_exe().map_err(|error| error.to_string())?;
            let status = Command::new(&words[0])
                .args(&words[1..])
                .arg(own)
                .args(["--step", self.name, "--count", &times.to_string()])
                .stdin(Stdio::null())
                .status()
                .map_err(|error| format!("cannot start {}: {error}; install valgrind", words[0]))?;
            if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.name)) }
        })
    }
}

fn count_requests(
    workload: &Workload,
    contestant: &Contestant,
    threads: usize,
    requests: u64,
) -> Result<Vec<u64>, String> {
    under_callgrind(|words| {
        let contestant = Contestant { wrapper: words, ..contestant.clone() };
        let connections_max = if contestant.is_judged() { CONNECTIONS_MAX } else { anchors_connections_max() };
        let server = contestant.start(threads, MEMORY_MB, connections_max)?;
        let ask = |workload: &Workload, requests| {
            let mut fleet = Fleet::connect(server.address(), 1).map_err(|error| error.to_string())?;
            let mut traffic = Traffic::of(workload, SEED);
            fleet.run(&mut traffic, Until::Requests(requests)).map_err(|failure| failure.to_string())
        };
        ask(&workload.filling(), workload.key_count)?;
        ask(workload, requests)?;
        Ok(())
    })
}

/// The one `-c` with which memcached starts under Valgrind: it sets the hard limit of descriptors to that number, and
/// Valgrind, which keeps some for itself, lets nobody change what is left.
fn anchors_connections_max() -> usize {
    let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(1 << 20);
    usize::try_from(hard).unwrap_or(1 << 20).saturating_sub(VALGRIND_DESCRIPTORS)
}

/// Runs `act` with the words that put callgrind in front; it must end what it started.
fn under_callgrind(act: impl FnOnce(Vec<String>) -> Result<(), String>) -> Result<Vec<u64>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let output: &Path = &folder.path().join("callgrind.out");
    act(callgrind::words(output))?;
    callgrind::of_threads(output)
}

const SEED: u64 = 11211;
const MEMORY_MB: u64 = 64;
const CONNECTIONS_MAX: usize = 64;
const VALGRIND_DESCRIPTORS: usize = 12;
const FEW_KEYS: u64 = 6_400;
const MANY_KEYS: u64 = 32_000;

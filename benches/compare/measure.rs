//! Measures one row: starts the servers, fills them, and asks each in turn.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::contestant::accounting::own_cpu_time;
use crate::contestant::process::{Contestant, Server};
use crate::floor;
use crate::load::fleet::{Fleet, Until};
use crate::load::traffic::Traffic;
use crate::load::workload::Workload;
use crate::pin::Pin;
use crate::rows::Row;

/// One measurement of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Keys answered per second.
    pub(crate) keys_per_second: f64,
    /// Server processor time per key, in microseconds.
    pub(crate) cpu_micros: f64,
    /// The part of it in user mode.
    pub(crate) user_micros: f64,
    /// Processor time of the load generator per key, in microseconds. If it is the larger one, the server waits for us.
    pub(crate) load_micros: f64,
    /// Batch latency, in microseconds.
    pub(crate) p50_micros: f64,
    /// Batch latency, in microseconds.
    pub(crate) p99_micros: f64,
    /// Batch latency, in microseconds.
    pub(crate) p999_micros: f64,
    /// Share of reads that found their key.
    pub(crate) hit_share: f64,
    /// Writes refused.
    pub(crate) refused: u64,
}

/// All samples of one server in one row.
#[derive(Default)]
pub(crate) struct Series {
    /// Its name in the tables.
    pub(crate) name: String,
    /// What the server calls its version.
    pub(crate) version: String,
    /// One sample a round.
    pub(crate) samples: Vec<Sample>,
    /// Why it was left out of the row, which only those may be that are neither the anchor nor judged.
    pub(crate) absent: Option<String>,
}

/// A started server with its connections.
struct Rig {
    server: Server,
    fleet: Fleet,
    traffic: Traffic,
}

/// Measures every contestant in this row, round by round.
///
/// Each round starts fresh servers: where the kernel happens to place a server's memory is worth up to a quarter with
/// large values, and would else look like a difference between the servers. The order turns, so that a drift of the
/// machine falls on all alike.
pub(crate) fn row(row: &Row, contestants: &[Contestant], arguments: &Arguments) -> Result<Vec<Series>, String> {
    let folder = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
    let mut entrants: Vec<Entrant> = contestants.iter().map(|one| Entrant::of(one, &row.workload)).collect();
    if arguments.floor {
        entrants.push(Entrant::floor(row, arguments, folder.path())?);
    }
    for round in 0..arguments.rounds() as usize {
        let mut rigs = Vec::new();
        for turn in 0..entrants.len() {
            let at = (round + turn) % entrants.len();
            let entrant = &mut entrants[at];
            if let Some(rig) = entrant.unless_optional(|one| Rig::set_up(row, one, arguments))? {
                rigs.push((at, rig));
            }
        }
        for (at, mut rig) in rigs {
            let version = rig.server.version().to_owned();
            let sample = entrants[at].unless_optional(|_| rig.sample(arguments.seconds()))?;
            entrants[at].series.version = version;
            entrants[at].series.samples.extend(sample);
        }
    }
    Ok(entrants.into_iter().map(|entrant| entrant.series).collect())
}

/// A server with the load that it gets in this row, and what was measured.
struct Entrant {
    contestant: Contestant,
    workload: Workload,
    /// Whether the keys are stored in it first.
    is_filled: bool,
    series: Series,
}

impl Entrant {
    fn of(contestant: &Contestant, workload: &Workload) -> Self {
        let series = Series { name: contestant.name.clone(), ..Series::default() };
        Entrant { contestant: contestant.clone(), workload: workload.clone(), is_filled: true, series }
    }

    fn floor(row: &Row, arguments: &Arguments, folder: &Path) -> Result<Self, String> {
        let larder = arguments.common.larder();
        let Some(workload) = floor::workload(row) else {
            let mut entrant = Entrant::of(&Contestant { name: "floor".into(), ..larder }, &row.workload);
            entrant.series.absent = Some("its answers to mixed requests are not alike".to_owned());
            return Ok(entrant);
        };
        let contestant = floor::contestant(&workload, &larder, folder)?;
        Ok(Entrant { is_filled: false, ..Entrant::of(&contestant, &workload) })
    }

    /// Does this unless the server is left out. The failure of a server that need not take part leaves it out.
    fn unless_optional<T>(&mut self, step: impl FnOnce(&Self) -> Result<T, String>) -> Result<Option<T>, String> {
        if self.series.absent.is_some() {
            return Ok(None);
        }
        match step(self) {
            Ok(outcome) => Ok(Some(outcome)),
            Err(why) if self.contestant.is_optional() => {
                self.series.absent = Some(why);
                self.series.samples.clear();
                Ok(None)
            }
            Err(why) => Err(format!("{}: {why}", self.contestant.name)),
        }
    }
}

impl Rig {
    fn set_up(row: &Row, entrant: &Entrant, arguments: &Arguments) -> Result<Self, String> {
        let pin = Pin::wanted(arguments.pin);
        let (threads, memory_mb) = (arguments.common.threads, row.memory_mb);
        let server = pin.on_server(|| entrant.contestant.start(threads, memory_mb, CONNECTIONS_MAX))?;
        if entrant.is_filled {
            fill(&entrant.workload, server.address())?;
        }
        server.settle().map_err(|error| error.to_string())?;
        let fleet = Fleet::connect(server.address(), row.connections).map_err(|error| error.to_string())?;
        let traffic = Traffic::of(&entrant.workload, SEED);
        Ok(Rig { server, fleet, traffic })
    }

    fn sample(&mut self, seconds: f64) -> Result<Sample, String> {
        let warm_up = Duration::from_secs_f64((seconds / 5.0).min(0.3));
        self.fleet.run(&mut self.traffic, Until::Elapsed(warm_up)).map_err(|failure| failure.to_string())?;
        let before = self.server.cpu_time().map_err(|error| error.to_string())?;
        let started = own_cpu_time();
        let outcome = self
            .fleet
            .run(&mut self.traffic, Until::Elapsed(Duration::from_secs_f64(seconds)))
            .map_err(|failure| failure.to_string())?;
        let used = self.server.cpu_time().map_err(|error| error.to_string())? - before;
        let spent = own_cpu_time() - started;
        let keys = outcome.tally.keys() as f64;
        let cpu_micros = used.total_nanos as f64 / 1000.0 / keys;
        Ok(Sample {
            keys_per_second: keys / outcome.elapsed.as_secs_f64(),
            cpu_micros,
            user_micros: cpu_micros * used.user_share(),
            load_micros: spent.as_secs_f64() * 1e6 / keys,
            p50_micros: outcome.latencies.micros_at(0.5),
            p99_micros: outcome.latencies.micros_at(0.99),
            p999_micros: outcome.latencies.micros_at(0.999),
            hit_share: outcome.tally.hit_share(),
            refused: outcome.tally.refused,
        })
    }
}

/// Stores every key of the load once, or fills an evicting cache with the keys that are popular.
pub(crate) fn fill(workload: &Workload, address: SocketAddr) -> Result<(), String> {
    let filling = workload.filling();
    let mut fleet = Fleet::connect(address, FILLING_CONNECTIONS).map_err(|error| error.to_string())?;
    let mut traffic = Traffic::of(&filling, FILLING_SEED);
    fleet
        .run(&mut traffic, Until::Requests(filling.key_count))
        .map(|_| ())
        .map_err(|failure| format!("while it was filled, {failure}"))
}

/// Of all choices of keys while measuring.
pub(crate) const SEED: u64 = 11211;
/// Of those while filling: another, or what is measured would ask for the keys of the filling in their order.
const FILLING_SEED: u64 = 21211;
/// memcached's default, said aloud.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
const FILLING_CONNECTIONS: usize = 4;

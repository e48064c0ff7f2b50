//! Measures one row: starts the servers, fills them, and asks each in turn.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::contestant::accounting::own_cpu_time;
use crate::contestant::process::{Contestant, Server};
use crate::load::fleet::{Fleet, Until};
use crate::load::traffic::Traffic;
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
    /// What the server calls its version.
    pub(crate) version: String,
    /// One sample a round.
    pub(crate) samples: Vec<Sample>,
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
    let mut series: Vec<Series> = contestants.iter().map(|_| Series::default()).collect();
    for round in 0..arguments.rounds() as usize {
        let order = (0..contestants.len()).map(|turn| (round + turn) % contestants.len());
        let mut rigs = Vec::new();
        for at in order {
            let contestant = &contestants[at];
            let rig = Rig::set_up(row, contestant, arguments).map_err(|why| format!("{}: {why}", contestant.name))?;
            rigs.push((at, rig));
        }
        for (at, rig) in &mut rigs {
            let sample = rig.sample(arguments.seconds()).map_err(|why| format!("{}: {why}", contestants[*at].name))?;
            series[*at].version = rig.server.version().to_owned();
            series[*at].samples.push(sample);
        }
    }
    Ok(series)
}

impl Rig {
    fn set_up(row: &Row, contestant: &Contestant, arguments: &Arguments) -> Result<Self, String> {
        let pin = Pin::wanted(arguments.pin);
        let server = pin.on_server(|| contestant.start(arguments.common.threads, row.memory_mb, CONNECTIONS_MAX))?;
        fill(row, &server)?;
        server.settle().map_err(|error| error.to_string())?;
        let fleet = Fleet::connect(server.address(), row.connections).map_err(|error| error.to_string())?;
        let traffic = Traffic::of(&row.workload, SEED);
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

/// Stores every key of the row once, or fills an evicting cache with the keys that are popular.
fn fill(row: &Row, server: &Server) -> Result<(), String> {
    let filling = row.workload.filling();
    let mut fleet = Fleet::connect(server.address(), FILLING_CONNECTIONS).map_err(|error| error.to_string())?;
    let mut traffic = Traffic::of(&filling, SEED);
    fleet
        .run(&mut traffic, Until::Requests(filling.key_count))
        .map(|_| ())
        .map_err(|failure| format!("while it was filled, {failure}"))
}

const SEED: u64 = 11211;
const FILLING_CONNECTIONS: usize = 4;
/// memcached's default, said aloud.
const CONNECTIONS_MAX: usize = 1024;

//! How many requests miss in Larder and in memcached at equal memory? Run `cargo bench --bench replay -- --help`.
//!
//! Each row is a trace, recorded or made by rule, and is played to fresh servers with the same flags, as an application
//! with a look-aside cache would: get, and on a miss set. What each row means stands in `docs/benchmarks.md`. Exit
//! status 1 means that an answer was wrong or a server failed.

mod arguments;
mod client;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
mod generate;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod replay;
mod request;
mod rows;
mod traces;
mod values;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use arguments::Arguments;
use contestant::arguments::verdict;
use contestant::process::Contestant;
use contestant::table::{Target, figure};
use replay::{Outcome, play};
use request::Request;
use rows::Row;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut rows = rows::all();
    rows.retain(|row| arguments.traces.is_some() || row.is_made());
    arguments.common.run("replay", rows, |rows| measure(&arguments, rows))
}

/// A row that fails does not keep the others from being measured.
fn measure(arguments: &Arguments, rows: &[Row]) -> Result<(), String> {
    let mut contestants = vec![arguments.common.anchor(), arguments.common.larder()];
    if arguments.alone {
        contestants.remove(0);
    }
    for contestant in &contestants {
        let server = contestant.start(arguments.common.threads, 64, 64)?;
        println!("{}: version {}, {}", contestant.name, server.version(), contestant.program.display());
    }
    println!("share of reads that missed, servers with -t {}", arguments.common.threads);
    println!("{:<16}{:>5}{:>12}{:>10}{:>8}", "", "-m", "memcached", "larder", "ratio");
    let mut failed = Vec::new();
    let mut ratios = Vec::new();
    for row in rows {
        match measure_row(row, &contestants, arguments) {
            Ok(of_row) => ratios.extend(of_row),
            Err(why) => {
                println!("{:<16} FAILED: {why}", row.name);
                failed.push(row.name);
            }
        }
    }
    conclude(&ratios);
    verdict(&failed)
}

/// Prints the row's lines and returns its ratios.
fn measure_row(row: &Row, contestants: &[Contestant], arguments: &Arguments) -> Result<Vec<f64>, String> {
    let requests = row.requests(arguments.traces.as_deref(), arguments.divisor())?;
    let object_bytes = rows::object_bytes(&requests);
    let mut ratios = Vec::new();
    for &memory_mb in &arguments.memory {
        let name = row.name;
        if object_bytes < memory_mb << 20 {
            println!("{name:<16}{memory_mb:>5}  all objects fit");
            continue;
        }
        let (mut shares, mut refused) = (Vec::new(), Vec::new());
        for contestant in contestants {
            let outcome = play_to(contestant, row, &requests, memory_mb, arguments)
                .map_err(|why| format!("{}: {why}", contestant.name))?;
            shares.push(outcome.miss_ratio);
            if outcome.refused > 0 {
                refused.push(format!("  {} refused {} values", contestant.name, outcome.refused));
            }
        }
        match shares[..] {
            [theirs, ours] => {
                let ratio = ours / theirs;
                let mark = ROW.mark(ratio);
                println!("{name:<16}{memory_mb:>5}{theirs:>12.4}{ours:>10.4}{ratio:>8.3}  {mark}{}", refused.concat());
                ratios.push(ratio);
            }
            _ => println!("{name:<16}{memory_mb:>5}{:>12}{:>10.4}", "-", shares[0]),
        }
    }
    Ok(ratios)
}

fn play_to(
    contestant: &Contestant,
    row: &Row,
    requests: &[Request],
    memory_mb: u64,
    arguments: &Arguments,
) -> Result<Outcome, String> {
    let server = contestant.start(arguments.common.threads, memory_mb, CONNECTIONS_MAX)?;
    let span = (row.seconds > 0).then(|| Duration::from_secs(row.seconds));
    play(server.address(), requests, requests.len() / WARM_UP_PART, span).map_err(|error| error.to_string())
}

fn conclude(ratios: &[f64]) {
    if ratios.is_empty() {
        return;
    }
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    let worst = ratios.iter().copied().fold(f64::MIN, f64::max);
    for (name, bounds, ratio) in [("geometric mean", MEAN, mean), ("worst row", ROW, worst)] {
        let [must, goal] = bounds.cells();
        println!("{name:<16}{:>27}{ratio:>8.3}  must {must}, goal {goal}  {}", "", bounds.mark(ratio));
    }
    println!(
        "{} of {} rows at or below {}",
        ratios.iter().filter(|&&ratio| ratio <= 1.0).count(),
        ratios.len(),
        figure(1.0)
    );
}

/// Of all rows together, as a ratio to memcached's misses.
const MEAN: Target = Target { must: Some(0.95), goal: Some(0.88) };
/// Of each row.
const ROW: Target = Target { must: Some(1.01), goal: Some(1.0) };
/// One part in so many of the requests fills the cache before misses are counted.
const WARM_UP_PART: usize = 4;
/// memcached's default, said aloud.
const CONNECTIONS_MAX: usize = 1024;

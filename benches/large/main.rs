//! How long do other clients wait while a huge value comes, goes or dies? Run `cargo bench --bench large -- --help`.
//!
//! Each row starts a fresh server with `-I 1024m -m 4096 -t 2`, does one thing with a value of half a gigabyte, and measures
//! meanwhile what small gets and sets take on a connection of the same worker and on one of the other. What each row
//! means stands in `docs/benchmarks.md`. Exit status 1 means that an answer was wrong or a server failed.

mod client;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
#[path = "../load/latency.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod latency;
mod probe;
mod scenes;

use std::process::ExitCode;

use clap::Parser;

use contestant::arguments::{CommonArguments, verdict};
use contestant::process::Contestant;
use scenes::{Scene, Stage};

/// Measure how long small requests wait while a huge value is handled.
#[derive(Debug, Parser)]
#[command(name = "large")]
struct Arguments {
    #[command(flatten)]
    common: CommonArguments,
    /// Mebibytes of the huge value
    #[arg(long, value_name = "N", default_value_t = 512)]
    value_mb: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.common.run("large", scenes::all(), |scenes| measure(&arguments, scenes))
}

/// A row that fails does not keep the others from being measured.
fn measure(arguments: &Arguments, scenes: &[Scene]) -> Result<(), String> {
    println!("-I 1024m -m 4096 -t 2, a value of {} MiB; microseconds of small requests meanwhile", arguments.value_mb);
    println!("{:<10} {:<46} {:<10} {:>9} {:>20} {:>20}", "", "", "", "", "same worker", "other worker");
    println!("{:<10} {:<46} {:<10} {:>9} {:>9} {:>10} {:>9} {:>10}", "", "", "", "took ms", "p99", "max", "p99", "max");
    let mut failed = Vec::new();
    for scene in scenes {
        for contestant in [arguments.common.anchor(), arguments.common.larder()] {
            if scene.larder_only && !contestant.is_judged() {
                continue;
            }
            match line(scene, &contestant, arguments.value_mb << 20) {
                Ok(line) => println!("{:<10} {:<46} {:<10} {line}", scene.name, scene.question, contestant.name),
                Err(why) => {
                    println!("{:<10} {:<46} {:<10} FAILED: {why}", scene.name, scene.question, contestant.name);
                    failed.push(scene.name);
                }
            }
        }
    }
    verdict(&failed)
}

fn line(scene: &Scene, contestant: &Contestant, value_len: usize) -> Result<String, String> {
    let mut contestant = contestant.clone();
    contestant.arguments.extend(["-I", "1024m"].map(str::to_owned));
    let server = contestant.start(2, 4096, 1024)?;
    let stage = Stage::new(server.address(), value_len);
    let seen = stage.measure(scene).map_err(|error| error.to_string())?;
    let took = seen.took.as_secs_f64() * 1000.0;
    let cell = |seen: &probe::Seen| format!("{:>9.0} {:>10.0}", seen.latencies.micros_at(0.99), seen.max_micros());
    Ok(format!("{took:>9.1} {} {}", cell(&seen.same), cell(&seen.other)))
}

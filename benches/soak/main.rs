//! Does a server keep every promise for as long as one likes? Run `cargo bench --bench soak -- --help`.
//!
//! What the clients do and what is checked stands in `docs/benchmarks.md`. Exit status 1 means that an answer was wrong,
//! memory was over its bound, or the server failed.

#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
#[path = "mod.rs"]
mod soak;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use contestant::process::Contestant;
use soak::Report;

/// Let clients and an operator work on a server, and check every answer.
#[derive(Debug, Parser)]
#[command(name = "soak")]
struct Arguments {
    /// Minutes of work
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// The Larder to try; by default the one that cargo has just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_larder"))]
    larder: PathBuf,
    /// More arguments for it, separated by blanks
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    larder_args: String,
    /// Its threads
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Its memory in megabytes; the limit will be between a quarter and twice of it
    #[arg(long, value_name = "N", default_value_t = 128)]
    memory: u64,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => conclude(&report),
        Err(why) => {
            eprintln!("soak: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, String> {
    let own = arguments.larder_args.split_whitespace().map(str::to_owned);
    let contestant = Contestant {
        name: Contestant::LARDER.into(),
        wrapper: vec![],
        program: arguments.larder.clone(),
        arguments: ["-I", "4m"].map(str::to_owned).into_iter().chain(own).collect(),
    };
    let server = contestant.start(arguments.threads, arguments.memory, 1024)?;
    println!("{}: version {}, {} minutes", contestant.program.display(), server.version(), arguments.minutes);
    let length = Duration::from_secs_f64(arguments.minutes * 60.0);
    Ok(soak::run(server.address(), server.pid(), arguments.memory, length))
}

fn conclude(report: &Report) -> ExitCode {
    let Report { tally, done, memory, wrongs } = report;
    let mib = |bytes: i64| format!("{} MiB", bytes >> 20);
    let rows = [
        ("requests", tally.requests.to_string()),
        ("hits", tally.hits.to_string()),
        ("misses", tally.misses.to_string()),
        ("stored, deleted, touched, counted", tally.changes.to_string()),
        ("declined by add, cas or append", tally.declined.to_string()),
        ("refused for want of memory", tally.refused.to_string()),
        ("flushes", done.flushes.to_string()),
        ("changes of the limit", done.limits.to_string()),
        ("page moves asked for", done.moves.to_string()),
        ("dumps and crawls", done.walks.to_string()),
        ("resident memory, peak", mib(memory.peak as i64)),
        ("least left to 1.05 x -m + 16 MiB", mib(memory.margin)),
        ("samples of it", memory.samples.to_string()),
        ("slowest return to a lower limit", format!("{:.1} s", memory.slowest_return.as_secs_f64())),
        ("wrong", wrongs.len().to_string()),
    ];
    for (name, figure) in rows {
        println!("{name:<36}{figure:>14}");
    }
    for wrong in wrongs {
        println!("WRONG: {wrong}");
    }
    if wrongs.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! Is Larder faster than memcached, and by how much? Run `cargo bench --bench compare -- --help`.
//!
//! Per row of the speed table both servers are started with the same flags on loopback, filled, and loaded in turn,
//! round after round. The figure to trust is the server's processor time per key and its ratio to memcached's; what
//! each row means stands in `docs/benchmarks.md`. Exit status 1 means that an answer was wrong or a server failed.

mod arguments;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
mod floor;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod measure;
mod pin;
mod print;
mod rows;

use std::fs;
use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use contestant::arguments::verdict;
use contestant::process::Contestant;
use contestant::stats::OldAnchor;
use rows::Row;

fn main() -> ExitCode {
    if let Some(status) = floor::serve_if_asked() {
        return status;
    }
    let arguments = Arguments::parse();
    arguments.common.run("compare", rows::all(), |rows| compare(&arguments, rows))
}

/// A row that fails does not keep the others from being measured.
fn compare(arguments: &Arguments, rows: &[Row]) -> Result<(), String> {
    let contestants = contestants(arguments);
    announce(arguments, &contestants)?;
    let mut failed = Vec::new();
    let mut figures = String::new();
    println!("{}", print::head());
    for row in rows {
        match measure::row(row, &contestants, arguments) {
            Ok(series) => {
                println!("{}", print::row(row, &series));
                figures += &print::json(row, &series);
            }
            Err(why) => {
                println!("{}: FAILED: {why}\n", row.name);
                failed.push(row.name);
            }
        }
    }
    if let Some(path) = &arguments.json {
        fs::write(path, figures).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    verdict(&failed)
}

/// The anchor first.
fn contestants(arguments: &Arguments) -> Vec<Contestant> {
    let memcached = arguments.common.anchor();
    let tuned =
        Contestant { name: "memcached -R 100".into(), arguments: vec!["-R".into(), "100".into()], ..memcached.clone() };
    let challenger = if arguments.null { memcached.clone() } else { arguments.common.larder() };
    let mut contestants = vec![memcached, challenger];
    if arguments.tuned {
        contestants.insert(1, tuned);
    }
    if let Some(program) = &arguments.rival {
        contestants.push(Contestant {
            name: Contestant::RIVAL.into(),
            wrapper: vec![],
            program: program.clone(),
            arguments: vec![],
        });
    }
    contestants
}

/// Says what is compared with what, and starts each once, so that a missing program is told before the first row.
fn announce(arguments: &Arguments, contestants: &[Contestant]) -> Result<(), String> {
    for contestant in contestants {
        let server = contestant.start(arguments.common.threads, 64, 64)?;
        println!("{}: version {}, {}", contestant.name, server.version(), contestant.program.display());
        if contestant.name == "memcached"
            && let Some(warning) = OldAnchor::of(server.version())
        {
            println!("WARNING: {warning}");
        }
    }
    let (rounds, seconds, threads) = (arguments.rounds(), arguments.seconds(), arguments.common.threads);
    println!(
        "{rounds} rounds of {seconds} s, servers with -t {threads}, medians; ratio: cpu µs per key to memcached's"
    );
    Ok(())
}

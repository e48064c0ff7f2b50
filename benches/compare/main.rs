//! Is Larder faster than memcached, and by how much? Run `cargo bench --bench compare -- --help`.
//!
//! Per row of the speed table both servers are started with the same flags on loopback, filled, and loaded in turn,
//! round after round. The figure to trust is the server's processor time per key and its ratio to memcached's; what
//! each row means stands in `docs/benchmarks.md`. Exit status 1 means that an answer was wrong or a server failed.

mod arguments;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
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
use contestant::process::Contestant;
use contestant::stats::OldAnchor;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for row in rows::all() {
            println!("{:<18} {}", row.name, row.question);
        }
        return ExitCode::SUCCESS;
    }
    match compare(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("compare: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A row that fails does not keep the others from being measured.
fn compare(arguments: &Arguments) -> Result<(), String> {
    let mut rows = rows::all();
    rows.retain(|row| arguments.selects(row.name));
    if rows.is_empty() {
        return Err(format!("no row matches {:?}; see --list", arguments.rows));
    }
    let contestants = contestants(arguments);
    announce(arguments, &contestants)?;
    let mut failed = Vec::new();
    let mut figures = String::new();
    println!("{}", print::head());
    for row in &rows {
        match measure::row(row, &contestants, arguments) {
            Ok(series) => {
                println!("{}", print::row(row, &contestants, &series));
                figures += &print::json(row, &contestants, &series);
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
    if failed.is_empty() { Ok(()) } else { Err(format!("rows failed: {}", failed.join(", "))) }
}

/// The anchor first.
fn contestants(arguments: &Arguments) -> Vec<Contestant> {
    let memcached = Contestant { name: "memcached".into(), program: arguments.memcached.clone(), arguments: vec![] };
    let tuned =
        Contestant { name: "memcached -R 100".into(), arguments: vec!["-R".into(), "100".into()], ..memcached.clone() };
    let challenger = if arguments.null {
        memcached.clone()
    } else {
        Contestant {
            name: Contestant::LARDER.into(),
            program: arguments.larder.clone(),
            arguments: arguments.larder_args.split_whitespace().map(str::to_owned).collect(),
        }
    };
    let mut contestants = vec![memcached, challenger];
    if arguments.tuned {
        contestants.insert(1, tuned);
    }
    contestants
}

/// Says what is compared with what, and starts each once, so that a missing program is told before the first row.
fn announce(arguments: &Arguments, contestants: &[Contestant]) -> Result<(), String> {
    for contestant in contestants {
        let server = contestant.start(arguments.threads, 64, 64)?;
        println!("{}: version {}, {}", contestant.name, server.version(), contestant.program.display());
        if contestant.name == "memcached"
            && let Some(warning) = OldAnchor::of(server.version())
        {
            println!("WARNING: {warning}");
        }
    }
    let (rounds, seconds, threads) = (arguments.rounds(), arguments.seconds(), arguments.threads);
    println!(
        "{rounds} rounds of {seconds} s, servers with -t {threads}, medians; ratio: cpu µs per key to memcached's"
    );
    Ok(())
}

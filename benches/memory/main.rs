//! How much memory does Larder need for the same contents as memcached? Run `cargo bench --bench memory -- --help`.
//!
//! Each row starts a fresh server, fills it, and reads its resident memory from the kernel. What each row means stands
//! in `docs/benchmarks.md`. Exit status 1 means that an answer was wrong or a server failed.

mod arguments;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
mod idle;
mod items;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod rows;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use contestant::process::Contestant;
use contestant::table::figure;
use rows::Row;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for row in rows::all() {
            println!("{:<10} {}", row.name, row.question);
        }
        return ExitCode::SUCCESS;
    }
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("memory: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let mut rows = rows::all();
    rows.retain(|row| arguments.selects(row.name));
    if rows.is_empty() {
        return Err(format!("no row matches {:?}; see --list", arguments.rows));
    }
    let contestants = contestants(arguments);
    for contestant in &contestants {
        let server = contestant.start(arguments.threads, 64, 64)?;
        println!("{}: version {}, {}", contestant.name, server.version(), contestant.program.display());
    }
    println!("16-byte keys, servers with -t {}", arguments.threads);
    println!("{:<10} {:<43}{:>11}{:>11}{:>8}{:>9}{:>9}", "", "", "memcached", "larder", "ratio", "must", "goal");
    let mut failed = Vec::new();
    for row in &rows {
        match line(row, &contestants, arguments.threads) {
            Ok(line) => println!("{line}"),
            Err(why) => {
                println!("{:<10} FAILED: {why}", row.name);
                failed.push(row.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("rows failed: {}", failed.join(", "))) }
}

/// The anchor first.
fn contestants(arguments: &Arguments) -> Vec<Contestant> {
    let memcached = Contestant { name: "memcached".into(), program: arguments.memcached.clone(), arguments: vec![] };
    let larder = Contestant {
        name: Contestant::LARDER.into(),
        program: arguments.larder.clone(),
        arguments: arguments.larder_args.split_whitespace().map(str::to_owned).collect(),
    };
    if arguments.null { vec![memcached] } else { vec![memcached, larder] }
}

fn line(row: &Row, contestants: &[Contestant], threads: usize) -> Result<String, String> {
    let mut figures = Vec::new();
    for contestant in contestants {
        let measured = row.probe.measure(contestant, threads).map_err(|why| format!("{}: {why}", contestant.name))?;
        figures.push(measured);
    }
    let [must, goal] = row.target.cells();
    let (ours, ratio, mark) = match figures[..] {
        [theirs, ours] => (figure(ours), figure(ours / theirs), row.target.mark(ours)),
        _ => ("-".to_owned(), "-".to_owned(), ""),
    };
    let theirs = figure(figures[0]);
    Ok(format!("{:<10} {:<43}{theirs:>11}{ours:>11}{ratio:>8}{must:>9}{goal:>9}  {mark}", row.name, row.question))
}

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
use contestant::arguments::verdict;
use contestant::process::Contestant;
use contestant::table::figure;
use rows::Row;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.common.run("memory", rows::all(), |rows| measure(&arguments, rows))
}

/// A row that fails does not keep the others from being measured.
fn measure(arguments: &Arguments, rows: &[Row]) -> Result<(), String> {
    let threads = arguments.common.threads;
    let contestants = contestants(arguments);
    for contestant in &contestants {
        let server = contestant.start(threads, 64, 64)?;
        println!("{}: version {}, {}", contestant.name, server.version(), contestant.program.display());
    }
    println!("16-byte keys, servers with -t {}", threads);
    println!("{:<10} {:<43}{:>11}{:>11}{:>8}{:>9}{:>9}", "", "", "memcached", "larder", "ratio", "must", "goal");
    let mut failed = Vec::new();
    for row in rows {
        match line(row, &contestants, threads) {
            Ok(line) => println!("{line}"),
            Err(why) => {
                println!("{:<10} FAILED: {why}", row.name);
                failed.push(row.name);
            }
        }
    }
    verdict(&failed)
}

/// The anchor first.
fn contestants(arguments: &Arguments) -> Vec<Contestant> {
    let memcached = arguments.common.anchor();
    if arguments.null { vec![memcached] } else { vec![memcached, arguments.common.larder()] }
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

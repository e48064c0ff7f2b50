//! What do clients notice when millions of items expire or are flushed, and how soon is their memory used again? Run
//! `cargo bench --bench expiry -- --help`.
//!
//! Each row fills a fresh server, reads items that stay while the others go, and then stores items of another size into
//! the memory of those that went. What each figure means stands in `docs/benchmarks.md`. Exit status 1 means that an
//! answer was wrong or a server failed.

mod arguments;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod rows;
mod stage;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use contestant::arguments::verdict;
use contestant::process::Contestant;
use contestant::table::figure;
use load::latency::Latencies;
use rows::Row;
use stage::{Report, perform};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.common.run("expiry", rows::all(), |rows| measure(&arguments, rows))
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
    println!("items={} servers with -t {} -m {}", arguments.items, arguments.common.threads, arguments.memory);
    println!("gets in microseconds: median / 99 of 100 / longest");
    println!(
        "{:<9}{:<11}{:>23}{:>23}{:>23}{:>7}{:>9}{:>11}{:>9}{:>7}",
        "", "", "before", "while", "after", "p99", "secs", "MiB", "evicted", "lost"
    );
    let mut failed = Vec::new();
    for row in rows {
        for contestant in &contestants {
            match perform(row, contestant, arguments) {
                Ok(report) => println!("{}", line(row, contestant, &report)),
                Err(why) => {
                    println!("{:<9}{:<11}FAILED: {why}", row.name, contestant.name);
                    failed.push(row.name);
                }
            }
        }
    }
    verdict(&failed)
}

fn line(row: &Row, contestant: &Contestant, report: &Report) -> String {
    let ratio = report.meanwhile.micros_at(0.99) / report.before.micros_at(0.99);
    let mebibytes = report.class_bytes.map(|bytes| (bytes >> 20).to_string()).join(">");
    let secs = match report.secs_until_gone {
        Some(secs) => figure(secs),
        None => format!("{} left", report.items_left),
    };
    format!(
        "{:<9}{:<11}{:>23}{:>23}{:>23}{:>7}{secs:>9}{mebibytes:>11}{:>9}{:>7}",
        row.name,
        contestant.name,
        cell(&report.before),
        cell(&report.meanwhile),
        cell(&report.after),
        figure(ratio),
        report.evictions,
        report.lost,
    )
}

fn cell(latencies: &Latencies) -> String {
    let [median, most, longest] = [0.5, 0.99, 1.0].map(|share| latencies.micros_at(share));
    format!("{median:.0} / {most:.0} / {longest:.0}")
}

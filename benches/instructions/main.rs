//! How many instructions does a request take? Run `cargo bench --bench instructions -- --help`.
//!
//! Valgrind's callgrind counts them, in the server alone, and counts the same every time; so this is what can be compared
//! between two states of the code. Each row is run with few and with many requests, and the difference is divided: start
//! and end are not in it. Exit status 1 means that a row takes more than `figures.txt` allows, or is not in it.

mod arguments;
mod callgrind;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
mod figures;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;
mod rows;
mod steps;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use contestant::arguments::verdict;
use figures::Figures;
use rows::Row;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(step) = &arguments.step {
        steps::run(step, arguments.count);
        return ExitCode::SUCCESS;
    }
    arguments.common.run("instructions", rows::all(), |rows| measure(&arguments, rows))
}

fn measure(arguments: &Arguments, rows: &[Row]) -> Result<(), String> {
    let mut figures = Figures::read()?;
    let mut failed = Vec::new();
    println!("{:<20} {:>9}{:>9}{:>11}{:>8}", "instructions per key", "larder", "kept", "memcached", "ratio");
    for row in rows {
        let ours = row.measure(arguments, &arguments.common.larder())?;
        let kept = figures.of(row.name);
        let is_fine = arguments.keep || kept.is_some_and(|kept| ours <= kept * (1.0 + figures::TOLERANCE) + 1.0);
        let theirs = match arguments.against_memcached && row.is_server() {
            true => Some(row.measure(arguments, &arguments.common.anchor())?),
            false => None,
        };
        let cell = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| format!("{figure:.0}"));
        let ratio = theirs.map_or_else(|| "-".to_owned(), |theirs| format!("{:.2}", ours / theirs));
        let mark = if is_fine { "" } else { "  MORE THAN KEPT" };
        println!("{:<20} {ours:>9.0}{:>9}{:>11}{ratio:>8}{mark}", row.name, cell(kept), cell(theirs));
        figures.set(row.name, ours);
        if !is_fine {
            failed.push(row.name);
        }
    }
    if arguments.keep {
        figures.write()?;
    }
    verdict(&failed)
}

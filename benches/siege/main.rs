//! Do those who behave notice those who do not? Run `cargo bench --bench siege -- --help`.
//!
//! `docs/testing.md` tells what is done and what must hold. Exit status 1 means that an answer was wrong, a write was
//! lost, memory was over its bound, or the others waited longer than they may.

#[path = "mod.rs"]
mod siege;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use siege::{Report, Stage, Timed};

/// Abuse a server in every way at once, and measure what the others notice.
#[derive(Debug, Parser)]
#[command(name = "siege")]
struct Arguments {
    /// Minutes of it
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// The Larder to try; by default the one that cargo has just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_larder"))]
    larder: PathBuf,
    /// A program that runs it, with arguments of its own, separated by blanks
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    wrapper: String,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let wrapper: Vec<String> = arguments.wrapper.split_whitespace().map(str::to_owned).collect();
    match Stage::start(&arguments.larder, env!("CARGO_BIN_EXE_larder-passwd").as_ref(), &wrapper) {
        Ok(stage) => conclude(&siege::run(&stage, Duration::from_secs_f64(arguments.minutes * 60.0)), &stage),
        Err(why) => {
            eprintln!("siege: {why}");
            ExitCode::FAILURE
        }
    }
}

fn conclude(report: &Report, stage: &Stage) -> ExitCode {
    let friends = &report.friends;
    let rows = [
        ("acknowledged writes", friends.writes),
        ("values read and right", friends.right),
        ("acknowledged and missing", friends.missing),
        ("evictions", report.evictions),
        ("resident memory, peak, MiB", report.resident_peak >> 20),
        ("wrong", report.wrongs.len() as u64),
    ];
    for (name, figure) in rows {
        println!("{name:<46}{figure:>12}");
    }
    for (name, count) in &report.abuses {
        println!("  {name:<44}{count:>12}");
    }
    print("requests of those who behave", &friends.times);
    print("connect, log in and read", &report.newcomers);
    print("oversleep of a thread that only sleeps", &report.machine);
    print("server threads without a processor, of 100 ms", &report.starved);
    for wrong in report.wrongs.iter().take(WRONGS_SHOWN) {
        println!("WRONG: {wrong}");
    }
    let p99_micros = friends.times.all.micros_at(0.99);
    let is_late = p99_micros > P99_MAX_MICROS || friends.times.longest > LONGEST_MAX;
    if is_late {
        println!("LATE: p99 may be {P99_MAX_MICROS} us, the longest {LONGEST_MAX:?}");
    }
    if !report.wrongs.is_empty() {
        println!("{}", stage.log().lines().rev().take(WRONGS_SHOWN).collect::<Vec<_>>().join("\n"));
    }
    if report.wrongs.is_empty() && !is_late { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(name: &str, times: &Timed) {
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| times.all.micros_at(share) / 1000.0);
    let longest = times.longest.as_secs_f64() * 1000.0;
    println!("{name:<46}{:>12} p50={p50:.2} p99={p99:.2} p99.9={p999:.2} max={longest:.2} ms", times.count);
}

const P99_MAX_MICROS: f64 = 20_000.0;
const LONGEST_MAX: Duration = Duration::from_millis(100);
const WRONGS_SHOWN: usize = 20;

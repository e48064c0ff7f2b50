//! What does a running server do under this load? Run `cargo bench --bench drive -- --help`.
//!
//! For profilers and for questions that `compare` does not ask. Exit status 1 means that an answer was wrong.

mod arguments;
#[path = "../contestant/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod contestant;
#[path = "../load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; each uses a part")]
mod load;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use arguments::Arguments;
use contestant::accounting::{CpuTime, own_cpu_time};
use load::fleet::{Failure, Fleet, Outcome, Until};
use load::traffic::Traffic;

fn main() -> ExitCode {
    // A plain `cargo bench` runs every target without words; there is no server to drive then.
    if std::env::args().skip(1).all(|word| word == "--bench") {
        println!("drive: needs the address of a running server; see --help");
        return ExitCode::SUCCESS;
    }
    match drive(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("drive: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn drive(arguments: &Arguments) -> Result<(), Failure> {
    let workload = arguments.workload();
    if !arguments.no_fill {
        let filling = workload.filling();
        Fleet::connect(arguments.address, 1)?
            .run(&mut Traffic::of(&filling, arguments.seed), Until::Requests(filling.key_count))?;
    }
    let until = match arguments.requests {
        Some(count) => Until::Requests(count),
        None => Until::Elapsed(Duration::from_secs_f64(arguments.seconds)),
    };
    let mut fleet = Fleet::connect(arguments.address, arguments.connections)?;
    let (server_before, own_before) = (server_time(arguments)?, own_cpu_time());
    let outcome = fleet.run(&mut Traffic::of(&workload, arguments.seed), until)?;
    let (server_after, own_after) = (server_time(arguments)?, own_cpu_time());
    tell(&outcome);
    let keys = outcome.tally.keys() as f64;
    println!("load: {:.3} cpu µs per key", (own_after - own_before).as_secs_f64() * 1e6 / keys);
    if let (Some(before), Some(after)) = (server_before, server_after) {
        let used = after - before;
        let share = used.user_share() * 100.0;
        println!("server: {:.3} cpu µs per key, {share:.0} % user", used.total_nanos as f64 / 1000.0 / keys);
    }
    Ok(())
}

fn server_time(arguments: &Arguments) -> io::Result<Option<CpuTime>> {
    arguments.pid.map(CpuTime::of).transpose()
}

fn tell(outcome: &Outcome) {
    let tally = outcome.tally;
    let seconds = outcome.elapsed.as_secs_f64();
    println!(
        "hits={} misses={} stored={} refused={} seconds={seconds:.2} keys/s={:.0}",
        tally.hits,
        tally.misses,
        tally.stored,
        tally.refused,
        tally.keys() as f64 / seconds
    );
    let at = |share| outcome.latencies.micros_at(share);
    println!("batch latency: p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs", at(0.5), at(0.99), at(0.999));
}

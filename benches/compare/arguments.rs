//! What the user may ask of `compare`.

use std::path::PathBuf;

use clap::Parser;

use crate::contestant::arguments::CommonArguments;

/// Compare Larder with memcached: the same loads, interleaved, and the server's processor time beside each other.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Measure `memcached -R 100` as well
    #[arg(long)]
    pub(crate) tuned: bool,
    /// Measure another server as well: a program that takes memcached's flags; it is left out of rows it cannot do
    #[arg(long, value_name = "PATH")]
    pub(crate) rival: Option<PathBuf>,
    /// Measure a server as well that only waits, reads and writes
    #[arg(long)]
    pub(crate) floor: bool,
    /// Measure memcached against itself instead: shows the noise of this machine
    #[arg(long)]
    pub(crate) null: bool,
    /// Rounds; each measures every server once, in changing order
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// Length of one measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, value_parser = span)]
    pub(crate) seconds: f64,
    /// Three rounds of half a second
    #[arg(long)]
    pub(crate) quick: bool,
    /// Keep the servers on processor 0 and the load on processor 1
    #[arg(long)]
    pub(crate) pin: bool,
    /// Write the figures of every round to this file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Arguments {
    /// Rounds, after `--quick`.
    pub(crate) fn rounds(&self) -> u32 {
        if self.quick { self.rounds.min(3) } else { self.rounds }
    }

    /// Seconds of one measurement, after `--quick`.
    pub(crate) fn seconds(&self) -> f64 {
        if self.quick { self.seconds.min(0.5) } else { self.seconds }
    }
}

fn span(word: &str) -> Result<f64, String> {
    word.parse().ok().filter(|seconds| (0.05..=600.0).contains(seconds)).ok_or("seconds from 0.05 to 600".to_owned())
}

//! What the user may ask of `replay`.

use std::path::PathBuf;

use clap::Parser;

use crate::contestant::arguments::CommonArguments;

/// Compare the misses of Larder and memcached at equal memory: an application reads, and stores what it missed.
#[derive(Debug, Parser)]
#[command(name = "replay")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// The folder of recorded traces; without it their rows are left out
    #[arg(long, value_name = "DIR")]
    pub(crate) traces: Option<PathBuf>,
    /// Memory limits (`-m`) in MB, separated by commas
    #[arg(long, value_name = "MB,...", value_delimiter = ',', default_values_t = [32, 64, 128])]
    pub(crate) memory: Vec<u64>,
    /// A quarter of the requests in rows made by rule
    #[arg(long)]
    pub(crate) quick: bool,
    /// Measure Larder only
    #[arg(long)]
    pub(crate) alone: bool,
}

impl Arguments {
    /// What the length of rows made by rule is divided by.
    pub(crate) fn divisor(&self) -> usize {
        if self.quick { 4 } else { 1 }
    }
}

//! What the user may ask of `instructions`.

use clap::Parser;

use crate::contestant::arguments::CommonArguments;

/// Count the instructions of requests, and compare them with the figures that are kept.
#[derive(Debug, Parser)]
#[command(name = "instructions")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Count memcached's as well
    #[arg(long)]
    pub(crate) against_memcached: bool,
    /// Keep what is counted as the figures to compare with from now on
    #[arg(long)]
    pub(crate) keep: bool,
    /// Take this step, as often as --count says, and do nothing else: what callgrind looks at
    #[arg(long, hide = true)]
    pub(crate) step: Option<String>,
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) count: u64,
}

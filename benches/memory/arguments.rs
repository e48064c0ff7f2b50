//! What the user may ask of `memory`.

use clap::Parser;

use crate::contestant::arguments::CommonArguments;

/// Compare the memory of Larder and memcached: per item, when full, per idle connection.
#[derive(Debug, Parser)]
#[command(name = "memory")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Measure memcached only
    #[arg(long)]
    pub(crate) null: bool,
}

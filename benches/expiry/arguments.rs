//! What the user may ask of `expiry`.

use clap::Parser;

use crate::contestant::arguments::CommonArguments;

/// Measure how Larder and memcached get over the end of millions of items that nobody touches.
#[derive(Debug, Parser)]
#[command(name = "expiry")]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: CommonArguments,
    /// Items that expire or are flushed
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    pub(crate) items: u64,
    /// Memory limit (`-m`) in MB
    #[arg(long, value_name = "MB", default_value_t = 1024)]
    pub(crate) memory: u64,
    /// Seconds from the first set to the first expiry; filling must be done before
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    pub(crate) lead: u64,
    /// Seconds after the last expiry in which the items must be gone; then the row goes on
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    pub(crate) patience: u64,
    /// Measure Larder only
    #[arg(long)]
    pub(crate) alone: bool,
}

//! What the user may ask of `memory`.

use std::path::PathBuf;

use clap::Parser;

/// Compare the memory of Larder and memcached: per item, when full, per idle connection.
#[derive(Debug, Parser)]
#[command(name = "memory")]
pub(crate) struct Arguments {
    /// The Larder to measure; by default the one that cargo has just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_larder"))]
    pub(crate) larder: PathBuf,
    /// The memcached to compare with
    #[arg(long, value_name = "PATH", default_value = "memcached")]
    pub(crate) memcached: PathBuf,
    /// More arguments for Larder, separated by blanks
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    pub(crate) larder_args: String,
    /// Measure memcached only
    #[arg(long)]
    pub(crate) null: bool,
    /// Threads of the servers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Only rows whose name contains one of these words, separated by commas
    #[arg(long, value_name = "PATTERN", default_value = "")]
    pub(crate) rows: String,
    /// Print the names of the rows and what they ask, and do nothing else
    #[arg(long)]
    pub(crate) list: bool,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

impl Arguments {
    /// Whether `--rows` selects this name.
    pub(crate) fn selects(&self, name: &str) -> bool {
        self.rows.split(',').any(|pattern| name.contains(pattern))
    }
}

//! What the user may ask of `drive`.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};

use crate::load::popularity::Popularity;
use crate::load::protocol::Dialect;
use crate::load::values::Sizes;
use crate::load::workload::{Losses, Mix, Workload};

/// Put one load on a server that runs already, and check every answer.
#[derive(Debug, Parser)]
#[command(name = "drive")]
pub(crate) struct Arguments {
    /// Where the server listens; loopback only
    #[arg(value_name = "ADDRESS", value_parser = loopback)]
    pub(crate) address: SocketAddr,
    /// Connections, each with one batch under way
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) connections: usize,
    /// Requests in a batch
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = counted)]
    pub(crate) depth: usize,
    /// Keys in one read: a multiget, or a run of quiet gets
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = counted)]
    pub(crate) keys_per_get: usize,
    /// Protocol and reading verb
    #[arg(long, value_enum, default_value_t = Verb::Text)]
    pub(crate) dialect: Verb,
    /// Weights of reads and writes
    #[arg(long, value_name = "GETS:SETS", default_value = "1:0", value_parser = mix)]
    pub(crate) mix: Mix,
    /// Length of keys, 16 to 250
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = key_length)]
    pub(crate) key_bytes: usize,
    /// Length of values, or `web` for a mix of sizes
    #[arg(long, value_name = "N|web", default_value = "100", value_parser = sizes)]
    pub(crate) value_bytes: Sizes,
    /// Number of keys
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// `uniform`, `sequential`, `zipf` or `zipf:EXPONENT`
    #[arg(long, value_name = "LAW", default_value = "uniform", value_parser = popularity)]
    pub(crate) popularity: Popularity,
    /// Expiry of what is stored, in seconds; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) ttl: u32,
    /// Keys may be missing: the server evicts, or they expire
    #[arg(long)]
    pub(crate) lossy: bool,
    /// Do not store every key first
    #[arg(long)]
    pub(crate) no_fill: bool,
    /// Seconds to run
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = span)]
    pub(crate) seconds: f64,
    /// Run for this many requests instead
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Seed of the choice of keys
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Tell the processor time of this process, the server, as well
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
}

/// A name for each dialect.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Verb {
    /// get
    Text,
    /// gets
    Gets,
    /// mg
    Meta,
    /// binary get and getq
    Binary,
}

impl Arguments {
    /// The load they describe.
    pub(crate) fn workload(&self) -> Workload {
        Workload {
            dialect: match self.dialect {
                Verb::Text => Dialect::Text,
                Verb::Gets => Dialect::TextGets,
                Verb::Meta => Dialect::Meta,
                Verb::Binary => Dialect::Binary,
            },
            mix: self.mix,
            depth: self.depth,
            keys_per_fetch: self.keys_per_get,
            key_bytes: self.key_bytes,
            sizes: self.value_bytes,
            key_count: self.keys,
            popularity: self.popularity,
            ttl_secs: self.ttl,
            losses: if self.lossy || self.ttl > 0 { Losses::Allowed } else { Losses::Forbidden },
        }
    }
}

fn loopback(word: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = word.parse().map_err(|_| "an address has the form 127.0.0.1:11211".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("only loopback addresses are loaded".to_owned()) }
}

fn counted(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|count| (1..=BATCH_MAX).contains(count)).ok_or(format!("a number from 1 to {BATCH_MAX}"))
}

fn key_length(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|bytes| (16..=250).contains(bytes)).ok_or("a number from 16 to 250".to_owned())
}

fn span(word: &str) -> Result<f64, String> {
    word.parse().ok().filter(|secs| (0.0..=86_400.0).contains(secs)).ok_or("seconds from 0 to a day".to_owned())
}

fn mix(word: &str) -> Result<Mix, String> {
    let parsed = word.split_once(':').and_then(|(gets, sets)| Some((gets.parse().ok()?, sets.parse().ok()?)));
    match parsed {
        Some((gets, sets)) if (gets, sets) != (0, 0) => Ok(Mix { gets, sets }),
        _ => Err("weights have the form 90:10".to_owned()),
    }
}

fn sizes(word: &str) -> Result<Sizes, String> {
    match word {
        "web" => Ok(Sizes::Web),
        _ => word
            .parse()
            .ok()
            .filter(|bytes| *bytes <= VALUE_BYTES_MAX)
            .map(Sizes::Fixed)
            .ok_or(format!("`web` or a number up to {VALUE_BYTES_MAX}")),
    }
}

fn popularity(word: &str) -> Result<Popularity, String> {
    let exponent = match word {
        "uniform" => return Ok(Popularity::Uniform),
        "sequential" => return Ok(Popularity::Sequential),
        "zipf" => Some(0.99),
        _ => word.strip_prefix("zipf:").and_then(|exponent| exponent.parse().ok()),
    };
    match exponent {
        Some(exponent) if (0.01..=10.0).contains(&exponent) => Ok(Popularity::Zipf { exponent }),
        _ => Err("`uniform`, `sequential`, `zipf` or `zipf:EXPONENT` with 0.01 to 10".to_owned()),
    }
}

const BATCH_MAX: usize = 100_000;
const VALUE_BYTES_MAX: usize = 1 << 30;

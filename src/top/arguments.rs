//! What `larder-top` can be asked for.

use std::path::PathBuf;

use clap::Parser;

/// The longest time between two readings, in seconds: an hour.
pub(super) const INTERVAL_SECS_MAX: u64 = 3600;

/// Shows what several nodes of larder or memcached do, live in a terminal or once.
#[derive(Debug, Parser)]
#[command(name = "larder-top", version)]
pub(super) struct Arguments {
    /// HOST, HOST:PORT, [IPv6]:PORT or the path of a Unix socket, for each node
    #[arg(default_value = "127.0.0.1:11211")]
    pub(super) node: Vec<String>,
    /// Seconds between two readings
    #[arg(long, default_value_t = 2, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=INTERVAL_SECS_MAX))]
    pub(super) interval: u64,
    /// Log in as this user; the password comes from --password-file, LARDER_PASSWORD or the terminal
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<String>,
    /// The file whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
    /// Send the password over a network without TLS too
    #[arg(long)]
    pub(super) allow_plain: bool,
    /// Speak TLS to nodes that are not Unix sockets
    #[arg(long, requires = "ca")]
    pub(super) tls: bool,
    /// The authorities that the nodes' certificates come from, as PEM
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(super) ca: Option<PathBuf>,
    /// Our own certificate with its chain, as PEM, for nodes that ask clients for one
    #[arg(long, value_name = "FILE", requires = "tls", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// Its key, as PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Print one table and end; so it is when standard output is no terminal
    #[arg(long)]
    pub(super) once: bool,
    /// Print one JSON object and end
    #[arg(long)]
    pub(super) json: bool,
}

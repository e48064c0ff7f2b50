//! What the user may ask of every bench that compares servers, and the order in which such a bench goes.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::process::Contestant;

/// The common part of the benches' arguments.
#[derive(Debug, Args)]
pub(crate) struct CommonArguments {
    /// The Larder to measure; by default the one that cargo has just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_larder"))]
    larder: PathBuf,
    /// The memcached to compare with
    #[arg(long, value_name = "PATH", default_value = "memcached")]
    memcached: PathBuf,
    /// More arguments for Larder, separated by blanks
    #[arg(long, value_name = "WORDS", default_value = "", allow_hyphen_values = true)]
    larder_args: String,
    /// Threads of the servers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Only rows whose name contains one of these words, separated by commas; `=name` is the whole name
    #[arg(long, value_name = "PATTERN", default_value = "")]
    rows: String,
    /// Print the names of the rows and what they ask, and do nothing else
    #[arg(long)]
    list: bool,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    bench: bool,
}

/// A row of a bench's table, as far as choosing one goes.
pub(crate) trait Named {
    /// Its name, for `--rows`.
    fn name(&self) -> &'static str;
    /// The question it answers.
    fn question(&self) -> &'static str;
}

impl CommonArguments {
    /// The memcached that is the anchor.
    pub(crate) fn anchor(&self) -> Contestant {
        Contestant { name: "memcached".into(), wrapper: vec![], program: self.memcached.clone(), arguments: vec![] }
    }

    /// The Larder that is measured.
    pub(crate) fn larder(&self) -> Contestant {
        Contestant {
            name: Contestant::LARDER.into(),
            wrapper: vec![],
            program: self.larder.clone(),
            arguments: self.larder_args.split_whitespace().map(str::to_owned).collect(),
        }
    }

    /// Lists `rows`, or gives those that `--rows` selects to `measure`. What it says is wrong goes to standard error, after
    /// the bench's name.
    pub(crate) fn run<R: Named>(
        &self,
        bench: &str,
        mut rows: Vec<R>,
        measure: impl FnOnce(&[R]) -> Result<(), String>,
    ) -> ExitCode {
        if self.list {
            for row in rows {
                println!("{:<18} {}", row.name(), row.question());
            }
            return ExitCode::SUCCESS;
        }
        rows.retain(|row| self.selects(row.name()));
        let outcome = match rows.is_empty() {
            true => Err(format!("no row matches {:?}; see --list", self.rows)),
            false => measure(&rows),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{bench}: {why}");
                ExitCode::FAILURE
            }
        }
    }

    fn selects(&self, name: &str) -> bool {
        self.rows.split(',').any(|pattern| match pattern.strip_prefix('=') {
            Some(whole) => whole == name,
            None => name.contains(pattern),
        })
    }
}

/// The end of a bench of which these rows failed.
pub(crate) fn verdict(failed: &[&str]) -> Result<(), String> {
    if failed.is_empty() { Ok(()) } else { Err(format!("rows failed: {}", failed.join(", "))) }
}

//! What `larder-passwd` can be asked for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::auth::record::{ITERATIONS_DEFAULT, ITERATIONS_MAX, ITERATIONS_MIN};

/// Edits the users file of a larder. Passwords are asked for at the terminal, or read as one line of standard input.
#[derive(Debug, Parser)]
#[command(name = "larder-passwd", version, disable_help_subcommand = true)]
pub(super) struct Arguments {
    /// Create the file when it is not there
    #[arg(short = 'c', long)]
    pub(super) create: bool,
    /// The users file
    pub(super) file: PathBuf,
    #[command(subcommand)]
    pub(super) command: Verb,
}

/// What to do with the file.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a user with a password
    Add {
        /// The user's name
        name: String,
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        cost: Cost,
    },
    /// Give a user a new password in place of all there are
    Change {
        /// The user's name
        name: String,
        #[command(flatten)]
        cost: Cost,
    },
    /// Give a user a second password; the one before it stays good until it is retired
    Rotate {
        /// The user's name
        name: String,
    },
    /// Take the older of two passwords away
    Retire {
        /// The user's name
        name: String,
    },
    /// Take a user away
    Delete {
        /// The user's name
        name: String,
    },
    /// Show names, rights, prefixes and numbers of passwords
    List,
    /// Ask for a password and end with 0 if it is the user's, with 1 if not
    Verify {
        /// The user's name
        name: String,
    },
    /// Change what a user may do; what is not named stays
    Rights {
        /// The user's name
        name: String,
        #[command(flatten)]
        access: Access,
        /// All keys, whatever they begin with
        #[arg(long, conflicts_with = "prefix", required_unless_present_any = ["rights", "prefix"])]
        all_keys: bool,
    },
}

/// What a user may do, and with which keys.
#[derive(Debug, Args)]
pub(super) struct Access {
    /// Rights with commas between them [without it: read and write]
    #[arg(long, value_delimiter = ',')]
    pub(super) rights: Vec<Right>,
    /// What keys begin with that the user may touch; may be repeated [without it: all keys]
    #[arg(long, allow_hyphen_values = true)]
    pub(super) prefix: Vec<String>,
}

/// What logging in costs.
#[derive(Debug, Args)]
pub(super) struct Cost {
    /// Rounds of PBKDF2; SCRAM clients pay them as well
    #[arg(
        long,
        default_value_t = ITERATIONS_DEFAULT,
        value_parser = clap::value_parser!(u32).range(i64::from(ITERATIONS_MIN)..=i64::from(ITERATIONS_MAX))
    )]
    pub(super) iterations: u32,
}

/// A right by its name in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Right {
    /// To see items.
    Read,
    /// To change and remove items.
    Write,
    /// To do what concerns everyone.
    Admin,
}

impl Right {
    /// The word in the users file.
    pub(super) fn word(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        }
    }
}

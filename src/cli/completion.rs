//! The command line as shells complete it: the flags that work, with the first words of their help.

use clap::{Command, ValueHint};

use super::arguments;
use super::flags::FLAGS;
use super::row::{Effect, Row};

/// The flags that do something in this version, for generators of completions.
pub fn command() -> Command {
    let rows = FLAGS.iter().filter(|row| row.effect == Effect::Works);
    Command::new("larder").disable_help_flag(true).disable_version_flag(true).args(rows.map(|row| {
        let arg = arguments::argument(row).help(first_words(row));
        match row.argument {
            "file" => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        }
    }))
}

/// The help up to where it goes into details.
fn first_words(row: &Row) -> &'static str {
    let end = [";", ". ", ": ", " ("].iter().filter_map(|mark| row.help.find(mark)).min();
    &row.help[..end.unwrap_or(row.help.len())]
}

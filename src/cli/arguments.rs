//! Words of the command line → rows with values, in the order given. clap cuts the words; it knows no limits, prints
//! nothing and ends nothing.
//!
//! getopt_long's habits that memcached's users rely on: short flags in one word (`-dvA`, `-m64`), long names cut short
//! (`--thr 3`), flags repeated, words that are no flags passed over.

use std::ffi::OsString;

use clap::builder::ValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

use super::Exit;
use super::flags::FLAGS;
use super::row::{Name, Row, Takes};
use crate::exit_status;

/// Cuts the command line; the first word is the program's name.
///
/// # Errors
/// An unknown flag, an ambiguous one, a value too many or missing: exit status 1 as in memcached.
pub(super) fn read<I: IntoIterator<Item = OsString>>(args: I) -> Result<Vec<(&'static Row, Option<OsString>)>, Exit> {
    let matches =
        command().try_get_matches_from(args).map_err(|error| Exit::refusal(exit_status::FAILURE, reason(&error)))?;
    let mut given: Vec<(usize, &'static Row, Option<OsString>)> = Vec::new();
    for row in FLAGS {
        let id = id(row);
        let places = matches.indices_of(&id).into_iter().flatten();
        match row.takes() {
            Takes::Nothing => {
                let times = usize::from(matches.get_count(&id));
                given.extend(places.take(times).map(|place| (place, row, None)));
            }
            Takes::Value | Takes::MaybeValue => {
                let values = matches.get_many::<OsString>(&id).into_iter().flatten();
                given.extend(places.zip(values).map(|(at, value)| (at, row, Some(value.clone()))));
            }
        }
    }
    given.sort_by_key(|&(place, ..)| place);
    Ok(given.into_iter().map(|(_, row, value)| (row, value)).collect())
}

fn command() -> Command {
    Command::new("larder")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .infer_long_args(true)
        .args(FLAGS.iter().map(argument))
        .arg(Arg::new("passed over").num_args(0..).action(ArgAction::Append).value_parser(ValueParser::os_string()))
}

pub(super) fn argument(row: &'static Row) -> Arg {
    let (short, long) = match row.name {
        Name::Flag { short, long } => (Some(short), long),
        Name::Long(long) => (None, Some(long)),
        Name::Option(_) => unreachable!("FLAGS holds flags only"),
    };
    // memcached's help says --napi_ids, its parser --napi-ids.
    let other_name = (short == Some('N')).then_some("napi_ids");
    let arg = Arg::new(id(row)).short(short).long(long).aliases(other_name);
    match row.takes() {
        Takes::Nothing => arg.action(ArgAction::Count),
        // Whatever follows is the value, though it begin with a hyphen: `-p -1`.
        Takes::Value => arg
            .action(ArgAction::Append)
            .num_args(1)
            .value_name(row.argument)
            .allow_hyphen_values(true)
            .value_parser(ValueParser::os_string()),
        // `--verbose`, `--verbose=x`, `-v`, `-vvv`, but never `--verbose x`.
        Takes::MaybeValue => arg
            .action(ArgAction::Append)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_name(row.argument)
            .value_parser(ValueParser::os_string()),
    }
}

/// The name clap knows a flag by.
fn id(row: &Row) -> String {
    row.label()
}

/// One line for what clap says in several.
fn reason(error: &clap::Error) -> String {
    let flag = match error.get(ContextKind::InvalidArg) {
        // clap writes `--daemon...` for a flag that may be repeated.
        Some(ContextValue::String(flag)) => flag.trim_end_matches("...").escape_debug().to_string(),
        Some(ContextValue::Strings(flags)) => flags.join(" ").escape_debug().to_string(),
        _ => "a flag".to_owned(),
    };
    match error.kind() {
        ErrorKind::UnknownArgument => match &full_names(&flag)[..] {
            [] | [_] => format!("unknown flag {flag}; larder -h lists them"),
            names => format!("{flag} may be {}; write more of it", names.join(" or ")),
        },
        ErrorKind::InvalidValue | ErrorKind::NoEquals => format!("{flag} needs a value"),
        ErrorKind::TooManyValues => format!("{flag} takes no value; leave it out"),
        kind => format!("{flag}: {kind}; larder -h lists the flags"),
    }
}

/// The long flags that begin like this word.
fn full_names(word: &str) -> Vec<String> {
    let Some(prefix) = word.strip_prefix("--").filter(|prefix| !prefix.is_empty()) else {
        return Vec::new();
    };
    let longs = FLAGS.iter().filter_map(|row| match row.name {
        Name::Flag { long, .. } => long,
        Name::Long(long) => Some(long),
        Name::Option(_) => None,
    });
    longs.filter(|long| long.starts_with(prefix)).map(|long| format!("--{long}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::words;

    /// The rows and values as they would be written one by one.
    fn cut(line: &str) -> String {
        let given = read(words(line)).unwrap_or_else(|exit| panic!("{line}: {exit:?}"));
        let words = given.iter().map(|(row, value)| match value {
            Some(value) => format!("{}({})", row.label(), value.to_string_lossy()),
            None => row.label(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_rows_are_what_clap_accepts() {
        command().debug_assert();
    }

    #[test]
    fn words_are_cut_as_by_getopt() {
        for (line, expected) in [
            ("", ""),
            ("-p 5", "-p(5)"),
            ("-p5", "-p(5)"),
            ("--port 5", "-p(5)"),
            ("--port=5", "-p(5)"),
            ("--port=", "-p()"),
            ("-p -1", "-p(-1)"),
            ("-c -1 -A", "-c(-1) -A"),
            ("-p -v", "-p(-v)"),
            ("-dvA", "-d -v() -A"),
            ("-dp5", "-d -p(5)"),
            ("-vvv", "-v() -v() -v()"),
            ("-vMvv -v", "-v() -M -v() -v() -v()"),
            ("--verbose -A", "-v() -A"),
            ("--verbose=3", "-v(3)"),
            ("-m64 -t2", "-m(64) -t(2)"),
            ("-D :", "-D(:)"),
            ("-D:", "-D(:)"),
            ("-o a,b=1 -oc", "-o(a,b=1) -o(c)"),
            ("-p 1 -p 2", "-p(1) -p(2)"),
            ("-l a -c 5 -l b", "-l(a) -c(5) -l(b)"),
            ("-A -A", "-A"),
            ("--thr 3", "-t(3)"),
            ("--udp=5", "-U(5)"),
            ("--enable-sh", "-A"),
            ("--napi-ids 1", "-N(1)"),
            ("--napi_ids 1", "-N(1)"),
            ("--napi 1", "-N(1)"),
            ("word -p 5 another", "-p(5)"),
            ("- -p 5", "-p(5)"),
            ("-p 5 -- -A", "-p(5)"),
        ] {
            assert_eq!(cut(line), expected, "{line}");
        }
    }

    #[test]
    fn every_long_name_and_every_unique_beginning_is_known() {
        let longs = FLAGS.iter().filter_map(|row| match row.name {
            Name::Flag { long: Some(long), .. } | Name::Long(long) => Some((row, long)),
            _ => None,
        });
        for (row, long) in longs {
            let value = if row.takes() == Takes::Value { "=1" } else { "" };
            for length in 1..=long.len() {
                let word = format!("--{}{value}", &long[..length]);
                let beginning = format!("--{}", &long[..length]);
                let names = full_names(&beginning);
                if names.len() > 1 && names.contains(&beginning) && length < long.len() {
                    continue; // The whole of another flag, such as --listen.
                }
                let label = read(words(&word)).map(|given| given[0].0.label());
                if names.len() == 1 || length == long.len() {
                    assert_eq!(label.expect(&word), row.label(), "{word}");
                } else {
                    assert!(label.expect_err(&word).message.contains(" may be "), "{word}");
                }
            }
        }
    }

    #[test]
    fn what_getopt_refuses_ends_with_1() {
        for (line, message) in [
            ("-q", "unknown flag -q; larder -h lists them"),
            ("-vq", "unknown flag -q; larder -h lists them"),
            ("-5", "unknown flag -5; larder -h lists them"),
            ("--bogus", "unknown flag --bogus; larder -h lists them"),
            ("--bogus=1", "unknown flag --bogus; larder -h lists them"),
            (
                "--max 3",
                "--max may be --max-connections-per-address or --max-connection-rate or --max-reqs-per-event or \
                 --max-item-size; write more of it",
            ),
            ("-p", "--port <num> needs a value"),
            ("-A -l", "--listen <addr> needs a value"),
            ("-D", "-D <char> needs a value"),
            ("--daemon=1", "--daemon takes no value; leave it out"),
        ] {
            let exit = read(words(line)).map(|_| ()).expect_err(line);
            assert_eq!((exit.status, exit.message.as_str()), (1, message), "{line}");
        }
    }

    #[test]
    fn a_terminal_is_not_fooled_by_an_unknown_flag() {
        let exit = read(["larder", "--a\u{1b}[31m\nb"].map(OsString::from)).map(|_| ()).unwrap_err();
        assert!(!exit.message.contains(|c: char| c.is_control()), "{:?}", exit.message);
    }
}

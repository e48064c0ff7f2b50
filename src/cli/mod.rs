//! The command line: what the operator typed → [`Settings`], or a reason to end.
//!
//! Flags and `-o` options are rows of data (`flags`, `options`); `-h`, the man page, `docs/flags.md` and the completions of
//! shells are renderings of the same rows, so none of them can promise what the parser does not do. The steps:
//! `arguments` (clap) turns words into rows with values, each row writes into a `Draft`, `rules` judges the whole.
//!
//! Everything here runs once, before the first thread starts. It opens nothing but the file of `--config`: whether a port
//! is free or a user exists is found out by the server.

pub mod completion;
pub mod flags_page;
pub mod help;
pub mod logging;
pub mod man;

mod admin;
mod arguments;
mod cluster;
mod config;
mod draft;
mod flags;
mod listen;
mod options;
mod row;
mod rules;
mod slab_sizes;
mod word;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use crate::settings::Settings;
use draft::Draft;

/// Why the process ends before it serves anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The process' exit status: 0, 1 or 64.
    pub status: i32,
    /// A page that was asked for, or one line that says what is wrong and what to do.
    pub message: String,
    /// A page goes to standard output; a refusal goes to standard error, after `larder: `.
    pub to_stdout: bool,
}

impl Exit {
    fn page(message: String) -> Exit {
        Exit { status: 0, message, to_stdout: true }
    }

    fn refusal(status: i32, message: String) -> Exit {
        Exit { status, message, to_stdout: false }
    }

    /// Shows the message and gives the exit status to end with.
    ///
    /// A reader that went away is not an error: `larder -h | head -1` is how clients ask for our version.
    pub fn report(&self) -> ExitCode {
        let _ = if self.to_stdout {
            std::io::stdout().write_all(self.message.as_bytes())
        } else {
            writeln!(std::io::stderr(), "larder: {}", self.message)
        };
        ExitCode::from(u8::try_from(self.status).unwrap_or(u8::MAX))
    }
}

/// Reads a command line. The first of `args` is the program's name and is not looked at.
///
/// # Errors
/// An [`Exit`] with status 0 when a page was asked for (`-h`, `-i`, `-V`); with 1 or 64, whichever memcached uses,
/// when a flag or a value is wrong; with 64 when a flag names a feature that this version does not have.
pub fn parse<I: IntoIterator<Item = OsString>>(args: I) -> Result<Settings, Exit> {
    let mut draft = read(args)?;
    rules::refuse_missing_features(&draft)?;
    draft.settings.without_effect = draft.without_effect();
    Ok(draft.settings)
}

/// Everything but the last step: features that this version lacks are still accepted.
fn read<I: IntoIterator<Item = OsString>>(args: I) -> Result<Draft, Exit> {
    let mut draft = Draft::default();
    for (row, value) in arguments::read(args)? {
        row.apply(&mut draft, value.as_deref())?;
    }
    rules::settle(&mut draft);
    rules::judge(&draft)?;
    Ok(draft)
}

/// What the operator should know about settings that were accepted; one log line each.
pub fn notices(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if !settings.without_effect.is_empty() {
        lines.push(format!(
            "accepted without effect: {}; they tune parts of memcached that larder does not have",
            settings.without_effect.join(", ")
        ));
    }
    if settings.threads > THREADS_ADVISED_MAX {
        lines.push(format!("threads={} is a lot; give -t the number of processors or less", settings.threads));
    }
    lines
}

/// memcached warns above this number of workers, too.
const THREADS_ADVISED_MAX: usize = 64;

/// What `-V` prints, and the first line of `-h`.
///
/// It must begin with `memcached` and three numbers: dalli looks for a usable server with `memcached -h | head -1` and
/// `/^memcached (\d\.\d\.\d+)/`, and refuses anything below 1.6; deployment checks match `-V` the same way. memcached's
/// own test library only tests that the line is not `memcached 1.1.x`. So our own name comes second.
fn version_line() -> String {
    format!("memcached {} (larder {})\n", crate::MEMCACHED_VERSION, env!("CARGO_PKG_VERSION"))
}

/// What `-i` prints.
fn license_page() -> String {
    format!("larder {}\n\n{}", env!("CARGO_PKG_VERSION"), include_str!("../../LICENSE"))
}

/// The words of one line, as a shell without quotes would cut them, after a program name.
#[cfg(test)]
fn words(line: &str) -> Vec<OsString> {
    std::iter::once("larder").chain(line.split_whitespace()).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> Exit {
        parse(words(line)).expect_err(line)
    }

    #[test]
    fn nothing_given_is_the_default() {
        let settings = parse(words("")).expect("no words are fine");
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
        assert!(notices(&settings).is_empty());
    }

    #[test]
    fn pages_go_to_stdout_with_status_0() {
        for (line, begins) in [
            ("-h", "memcached 1.6.45 (larder "),
            ("--help", "memcached 1.6.45 (larder "),
            ("-V", "memcached 1.6.45 (larder "),
            ("--version", "memcached 1.6.45 (larder "),
            ("-i", "larder "),
            ("--license", "larder "),
        ] {
            let exit = refusal(line);
            assert_eq!((exit.status, exit.to_stdout), (0, true), "{line}");
            assert!(exit.message.starts_with(begins), "{line}: {}", exit.message);
            assert!(exit.message.ends_with('\n'), "{line}");
        }
        assert!(refusal("-i").message.contains("Permission is hereby granted"));
    }

    /// As in memcached, whatever comes first on the line decides.
    #[test]
    fn the_first_reason_to_end_wins() {
        assert_eq!(refusal("-c 0 -h").status, 1);
        assert_eq!(refusal("-h -c 0").status, 0);
        assert_eq!(refusal("-B http -c 0").status, 64);
    }

    #[test]
    fn a_refusal_is_one_line() {
        for line in ["-c 0", "-B http", "-Z", "--bogus", "-o bogus", "-p", "-l fo[o", "-I 1"] {
            let exit = refusal(line);
            assert!(!exit.to_stdout, "{line}");
            assert!(!exit.message.contains('\n'), "{line}: {}", exit.message);
        }
        let exit = parse(["larder", "-t", "1\n2"].map(OsString::from)).expect_err("not a number");
        assert!(!exit.message.contains('\n'), "{}", exit.message);
    }

    #[test]
    fn each_option_without_effect_is_named_once() {
        let settings = parse(words("-f 1.1 -f 1.2 -o hashpower=20,hashpower=21 -n 64 -m 100")).unwrap();
        assert_eq!(settings.without_effect, ["-f", "-o hashpower", "-n"]);
        assert_eq!(
            notices(&settings),
            ["accepted without effect: -f, -o hashpower, -n; \
              they tune parts of memcached that larder does not have"]
        );
    }

    #[test]
    fn many_threads_are_remarked_on() {
        assert!(notices(&parse(words("-t 64")).unwrap()).is_empty());
        assert!(notices(&parse(words("-t 65")).unwrap())[0].starts_with("threads=65 "));
    }
}

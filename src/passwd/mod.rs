//! `larder-passwd`: makes and edits users files. It serves nothing, and knows of the server only what a users file is.
//!
//! An edit reads the file twice: before it asks for a password, so that a wrong name is told at once, and then again
//! while other edits wait. Nothing is written that the server would refuse.

mod arguments;
mod edit;
mod file;
mod prompt;

use std::ffi::OsString;
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::auth::rights::Rights;
use crate::auth::sources::read_users_file;
use crate::auth::user::User;
use crate::auth::verifier::{Salts, Verifier};
use crate::exit_status;
use arguments::{Arguments, Verb};
use edit::Draft;

/// Why nothing was done: one line.
#[derive(Debug)]
struct Refusal(String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(text: T) -> Refusal {
        Refusal(text.into())
    }
}

/// The command line that is understood, for the test of the manual page.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Does what the command line asks for. The exit status is 0; 1 with one line on standard error when it cannot be done
/// or a password is not the user's; 64 when the command line is wrong.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (status, line) = match Arguments::try_parse_from(args) {
        Ok(arguments) => match run(&arguments) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(refusal) => (exit_status::FAILURE, refusal.to_string()),
        },
        Err(page) if !page.use_stderr() => {
            // A reader that went away is no error.
            let _ = page.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => (exit_status::USAGE, usage_line(&error.to_string())),
    };
    let _ = writeln!(std::io::stderr(), "larder-passwd: {line}");
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

/// The first paragraph as one line.
fn usage_line(text: &str) -> String {
    let paragraph = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
    let line = paragraph.collect::<Vec<_>>().join(" ");
    format!("{}; larder-passwd --help shows the usage", line.trim_start_matches("error: "))
}

fn run(arguments: &Arguments) -> Result<(), Refusal> {
    match &arguments.command {
        Verb::List => list(arguments),
        Verb::Verify { name } => verify(arguments, name),
        Verb::Add { name, access, cost } => {
            open(arguments)?.vacant(name)?;
            let password = new_verifier(name, cost.iterations)?;
            edit(arguments, |draft| {
                draft.vacant(name)?;
                draft.add(name, access, &password)
            })
        }
        Verb::Change { name, cost } => {
            open(arguments)?.user(name)?;
            let password = new_verifier(name, cost.iterations)?;
            edit(arguments, |draft| {
                draft.user(name)?;
                draft.change(name, &password)
            })
        }
        Verb::Rotate { name } => {
            newest(open(arguments)?.user(name)?)?;
            let password = prompt::new_password(name)?;
            edit(arguments, |draft| {
                let user = draft.user(name)?;
                if user.passwords.iter().any(|kept| kept.matches(&password)) {
                    return Err(format!("this is a password of {name:?} already; give another").into());
                }
                let password = newest(user)?.beside(&password).map_err(|refusal| refusal.to_string())?;
                draft.rotate(name, &password)
            })
        }
        Verb::Retire { name } => edit(arguments, |draft| {
            if draft.user(name)?.passwords.len() < 2 {
                return Err(format!("{name:?} has no older password; rotate gives a new one first").into());
            }
            draft.retire(name)
        }),
        Verb::Delete { name } => edit(arguments, |draft| {
            draft.user(name)?;
            draft.delete(name)
        }),
        Verb::Rights { name, access, all_keys } => edit(arguments, |draft| {
            draft.user(name)?;
            draft.set_rights(name, access, *all_keys)
        }),
    }
}

/// Reads the file for an edit.
fn open(arguments: &Arguments) -> Result<Draft, Refusal> {
    Draft::parse(&file::read(&arguments.file, arguments.create)?)
        .map_err(|refusal| format!("users_file={} {refusal}", arguments.file.display()).into())
}

/// Reads, changes and writes the file while other edits wait.
fn edit(arguments: &Arguments, change: impl FnOnce(&mut Draft) -> Result<(), Refusal>) -> Result<(), Refusal> {
    let _lock = file::lock(&arguments.file)?;
    let mut draft = open(arguments)?;
    change(&mut draft)?;
    file::write(&arguments.file, &draft.finish()?)
}

fn new_verifier(name: &str, iterations: u32) -> Result<Verifier, Refusal> {
    let password = prompt::new_password(name)?;
    let salts = Salts::random().map_err(|error| error.to_string())?;
    Verifier::of(&password, iterations, &salts).map_err(|refusal| refusal.to_string().into())
}

fn newest(user: &User) -> Result<&Verifier, Refusal> {
    let none = || format!("{:?} has no password; change gives the first one", user.name);
    user.passwords.first().ok_or_else(|| none().into())
}

fn list(arguments: &Arguments) -> Result<(), Refusal> {
    let file = read_users_file(&arguments.file).map_err(|refusal| refusal.to_string())?;
    let lines: String = file.users.iter().map(|user| format!("{}\n", line_of(user))).collect();
    // A reader that went away is no error.
    let _ = std::io::stdout().write_all(lines.as_bytes());
    Ok(())
}

/// One user on one line, without anything secret.
fn line_of(user: &User) -> String {
    let Rights { read, write, admin, prefixes } = &*user.rights;
    let rights = [(read, "read"), (write, "write"), (admin, "admin")];
    let rights: Vec<&str> = rights.iter().filter(|(has, _)| **has).map(|(_, word)| *word).collect();
    let prefixes = prefixes.as_deref().unwrap_or_default().iter();
    let prefixes: String = prefixes.map(|prefix| format!(" prefix={:?}", String::from_utf8_lossy(prefix))).collect();
    format!("{} rights={} passwords={}{prefixes}", user.name, rights.join(","), user.passwords.len())
}

fn verify(arguments: &Arguments, name: &str) -> Result<(), Refusal> {
    let file = read_users_file(&arguments.file).map_err(|refusal| refusal.to_string())?;
    let user = edit::find(&file.users, name)?;
    let password = prompt::password(name)?;
    if user.passwords.iter().any(|kept| kept.matches(&password)) {
        return Ok(());
    }
    Err(format!("this is no password of {name:?}").into())
}

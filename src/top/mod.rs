//! `larder-top`: what several nodes do, live in a terminal or once as a table or JSON. It is a client of the text
//! protocol and knows nothing of the server, so memcached's nodes show as well.
//!
//! A thread for each node reads its statistics with a deadline; the screen takes what they have left and never waits
//! for one. Nothing that a node said is shown unless it is printable ASCII.

mod address;
mod arguments;
mod node;
mod sample;
mod screen;
mod table;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{CommandFactory as _, Parser as _};
use zeroize::Zeroizing;

use crate::exit_status;
use crate::tls::Client;
use address::Address;
use arguments::Arguments;
use node::{Node, READING_SECS_MAX, State, Terms};
use table::Row;

#[cfg(fuzzing)]
pub use sample::fuzz as fuzz_statistics;

/// The most nodes at once, each of which has a thread.
const NODES_MAX: usize = 256;
/// The longest password, in bytes, as in a users file.
const PASSWORD_BYTES_MAX: usize = 1024;
/// The longest time that the live table waits for its first rates.
const INTERVAL_FIRST_MAX: Duration = Duration::from_secs(1);
/// The width of a table that is printed to no terminal, in columns: all of it.
const COLUMNS_PRINTED: usize = 512;

/// The command line that is understood, for the test of the manual page.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Does what the command line asks for. The exit status is 0; 1 when it cannot be done, or one table was asked for and
/// a node was down; 64 when the command line is wrong.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (status, line) = match Arguments::try_parse_from(args) {
        Ok(arguments) => match run(&arguments) {
            Ok(true) => return ExitCode::SUCCESS,
            Ok(false) => return ExitCode::FAILURE,
            Err(line) => (exit_status::FAILURE, line),
        },
        Err(page) if !page.use_stderr() => {
            // A reader that went away is no error.
            let _ = page.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => (exit_status::USAGE, usage_line(&error.to_string())),
    };
    let _ = writeln!(io::stderr(), "larder-top: {line}");
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

/// The first paragraph as one line.
fn usage_line(text: &str) -> String {
    let paragraph = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
    let line = paragraph.collect::<Vec<_>>().join(" ");
    format!("{}; larder-top --help shows the usage", line.trim_start_matches("error: "))
}

/// False when a node was down that a table was asked of.
fn run(arguments: &Arguments) -> Result<bool, String> {
    if arguments.node.len() > NODES_MAX {
        return Err(format!("too many nodes; give {NODES_MAX} at most"));
    }
    let nodes: Vec<_> =
        arguments.node.iter().map(|word| Ok(Node::new(word, Address::parse(word)?))).collect::<Result<_, String>>()?;
    let own = arguments.cert.as_deref().zip(arguments.key.as_deref());
    let live = !arguments.once && !arguments.json && is_screen();
    let interval = Duration::from_secs(arguments.interval);
    let terms = Arc::new(Terms {
        login: login(arguments)?,
        allow_plain: arguments.allow_plain,
        tls: arguments.ca.as_deref().map(|ca| Client::new(ca, own)).transpose()?,
        interval,
        interval_first: if live { interval.min(INTERVAL_FIRST_MAX) } else { interval },
    });
    for node in &nodes {
        let (node, terms) = (Arc::clone(node), Arc::clone(&terms));
        let thread = std::thread::Builder::new().name("node".to_owned()).spawn(move || node.watch(&terms));
        thread.map_err(|error| format!("cannot start a thread: {error}; give fewer nodes"))?;
    }
    if live {
        return screen::show(&nodes).map(|()| true).map_err(|error| format!("cannot use the terminal: {error}"));
    }
    let deadline = Instant::now() + terms.interval + Duration::from_secs(2 * READING_SECS_MAX);
    let rows = rows(&nodes, |node| node.await_rates(deadline));
    let text = match arguments.json {
        true => format!("{}\n", table::json(&rows)),
        false => table::lines(&rows, COLUMNS_PRINTED, 0).iter().map(|line| format!("{}\n", line.trim_end())).collect(),
    };
    // A reader that went away is no error.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(rows.iter().all(Row::is_up))
}

/// Whether there is a terminal that can be drawn on.
fn is_screen() -> bool {
    io::stdin().is_terminal()
        && io::stdout().is_terminal()
        && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// The nodes in the order of the command line.
fn rows(nodes: &[Arc<Node>], state: impl Fn(&Node) -> State) -> Vec<Row> {
    let nodes = nodes.iter().enumerate();
    nodes.map(|(place, node)| Row { name: node.name.clone(), state: state(node), place }).collect()
}

/// User and password: of the file, of the environment, or asked for at the terminal. Never an argument, which every
/// user of the machine could read.
fn login(arguments: &Arguments) -> Result<Option<(String, Zeroizing<String>)>, String> {
    let Some(name) = &arguments.user else { return Ok(None) };
    let password = match (&arguments.password_file, std::env::var("LARDER_PASSWORD")) {
        (Some(file), _) => first_line(file)?,
        (None, Ok(password)) => Zeroizing::new(password),
        (None, Err(_)) => rpassword::prompt_password(format!("Password of {name}: "))
            .map(Zeroizing::new)
            .map_err(|error| format!("cannot read the password: {error}; give --password-file"))?,
    };
    let unfit = |text: &str| text.is_empty() || text.chars().any(char::is_control);
    if unfit(name) || name.contains(' ') || unfit(&password) || password.len() > PASSWORD_BYTES_MAX {
        return Err("name or password cannot be sent: empty, too long, or with control characters".to_owned());
    }
    Ok(Some((name.clone(), password)))
}

fn first_line(file: &Path) -> Result<Zeroizing<String>, String> {
    let wrong = |error: io::Error| format!("password_file={} cannot be read: {error}", file.display());
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD_BYTES_MAX + 3));
    let opened = std::fs::File::open(file).map_err(wrong)?;
    opened.take(PASSWORD_BYTES_MAX as u64 + 2).read_to_string(&mut text).map_err(wrong)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

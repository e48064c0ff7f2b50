//! The log: one line an event on standard error, `time=... level=... target=... msg=...`.
//!
//! The message comes last and may hold anything but control characters, which are escaped: a key with a line feed in it
//! must not forge a line of its own.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use env_logger::{Env, Target};
use log::Record;

/// Starts the log; the first call wins. `verbosity` counts `-v`; the variable RUST_LOG goes before it.
pub fn start(verbosity: u8) {
    // The only error is that a logger is there already, as in tests that start several servers.
    let _ = env_logger::Builder::from_env(Env::default().default_filter_or(level(verbosity)))
        .target(Target::Stderr)
        .format(|out, record| {
            let time = out.timestamp_millis();
            write_line(out, &time, record)
        })
        .try_init();
}

/// What RUST_LOG would have to say for the same.
fn level(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "warn",
        1 => "info",
        2 => "debug",
        3.. => "trace",
    }
}

fn write_line(out: &mut impl Write, time: &impl Display, record: &Record<'_>) -> io::Result<()> {
    let level = match record.level() {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    };
    let message = one_line(&record.args().to_string());
    writeln!(out, "time={time} level={level} target={} msg={message}", record.target())
}

/// The text with its control characters written as `\n`, `\u{1b}`.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            let _ = write!(line, "{}", c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_v_logs_more() {
        let levels = [0, 1, 2, 3, 255].map(level);
        assert_eq!(levels, ["warn", "info", "debug", "trace", "trace"]);
    }

    #[test]
    fn an_event_is_one_line() {
        for (message, expected) in [
            ("cannot bind addr=[::1]:5: in use", "cannot bind addr=[::1]:5: in use"),
            ("key=a\r\nlevel=error", "key=a\\r\\nlevel=error"),
            ("\u{1b}[31m", "\\u{1b}[31m"),
            ("größer", "größer"),
        ] {
            let mut out = Vec::new();
            write_line(
                &mut out,
                &"T",
                &Record::builder()
                    .level(log::Level::Warn)
                    .target("larder::net")
                    .args(format_args!("{message}"))
                    .build(),
            )
            .expect("a Vec takes everything");
            let line = String::from_utf8(out).expect("text");
            assert_eq!(line, format!("time=T level=warn target=larder::net msg={expected}\n"));
        }
    }
}

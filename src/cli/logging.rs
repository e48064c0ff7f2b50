//! The log: one line an event on standard error, `time=... level=... target=... msg=...`, or a JSON object with the same
//! (`--log-format json`).
//!
//! In text the message comes last and may hold anything but control characters and the like, which are escaped: a key with
//! a line feed in it must not forge a line of its own. Events with fields (slow requests) have those behind it.

use std::fmt::{self, Display, Write as _};
use std::io::Write;

use env_logger::Target;
use log::Record;
use log::kv::{self, Key, Value, VisitSource};

use crate::settings::LogFormat;

/// Starts the log; the first call wins. `verbosity` counts `-v`; the variable RUST_LOG goes before it.
pub fn start(verbosity: u8, format: LogFormat) {
    // The only error is that a logger is there already, as in tests that start several servers.
    // An empty variable, as unit and compose files leave one, says nothing; to env_logger it says `error`.
    let variable = std::env::var(env_logger::DEFAULT_FILTER_ENV).ok().filter(|filter| !filter.trim().is_empty());
    let _ = env_logger::Builder::new()
        .parse_filters(variable.as_deref().unwrap_or_else(|| level(verbosity)))
        .target(Target::Stderr)
        .format(move |out, record| {
            let time = out.timestamp_millis();
            let line = match format {
                LogFormat::Text => text_line(&time, record),
                LogFormat::Json => json_line(&time, record),
            };
            writeln!(out, "{line}")
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

fn level_name(record: &Record<'_>) -> &'static str {
    match record.level() {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}

fn text_line(time: &impl Display, record: &Record<'_>) -> String {
    let message = one_line(&record.args().to_string());
    let mut line = format!("time={time} level={} target={} msg={message}", level_name(record), record.target());
    visit(record, |key, value| {
        let text = value.to_string();
        // What would look like several words or like another field is quoted.
        let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"\"='".contains(c));
        let _ = if is_plain { write!(line, " {key}={text}") } else { write!(line, " {key}={text:?}") };
    });
    line
}

fn json_line(time: &impl Display, record: &Record<'_>) -> String {
    let text = |text: &str| {
        printable(&serde_json::Value::from(text).to_string(), |c, line| {
            // JSON knows no larger ones than those of 16 bits, and none of these is larger.
            write!(line, "\\u{:04x}", u32::from(c))
        })
    };
    let mut line = format!(
        r#"{{"time":{},"level":"{}","target":{},"message":{}"#,
        text(&time.to_string()),
        level_name(record),
        text(record.target()),
        text(&record.args().to_string()),
    );
    visit(record, |key, value| {
        let value = match value.to_u64() {
            Some(number) => number.to_string(),
            None => text(&value.to_string()),
        };
        let _ = write!(line, ",{}:{value}", text(key.as_str()));
    });
    line.push('}');
    line
}

/// Shows each field of the event.
fn visit(record: &Record<'_>, show: impl FnMut(Key<'_>, Value<'_>)) {
    struct Visitor<F>(F);
    impl<'kvs, F: FnMut(Key<'_>, Value<'_>)> VisitSource<'kvs> for Visitor<F> {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), kv::Error> {
            (self.0)(key, value);
            Ok(())
        }
    }
    // The visitor has no errors, and fields of the crate's own events have none.
    let _ = record.key_values().visit(&mut Visitor(show));
}

/// The text with its control characters written as `\n`, `\u{1b}`.
fn one_line(text: &str) -> String {
    printable(text, |c, line| write!(line, "{}", c.escape_default()))
}

/// The text with all that is more than a letter to a terminal or a reader of lines written by `escape`: control
/// characters, separators of lines and paragraphs, and what turns the direction of writing.
fn printable(text: &str, escape: impl Fn(char, &mut String) -> fmt::Result) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        let is_active = c.is_control()
            || matches!(
                c,
                '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            );
        if is_active {
            // Writing to a string does not fail.
            let _ = escape(c, &mut line);
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
            ("\u{9b}31m \u{7f} a\u{2028}level=error", "\\u{9b}31m \\u{7f} a\\u{2028}level=error"),
            ("\u{202e}txet", "\\u{202e}txet"),
            ("größer", "größer"),
        ] {
            let args = format_args!("{message}");
            let record = Record::builder().level(log::Level::Warn).target("larder::net").args(args).build();
            assert_eq!(text_line(&"T", &record), format!("time=T level=warn target=larder::net msg={expected}"));
            let json: serde_json::Value = serde_json::from_str(&json_line(&"T", &record)).expect("an object");
            let object = serde_json::json!({"time": "T", "level": "warn", "target": "larder::net", "message": message});
            assert_eq!(json, object);
            assert!(
                !json_line(&"T", &record).contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c))
            );
        }
    }

    #[test]
    fn fields_stand_behind_the_message() {
        let fields =
            [("us", Value::from(7u32)), ("first", Value::from("get a\nb=\"c\"")), ("peer", Value::from("[::1]:5"))];
        let args = format_args!("slow requests");
        let record = Record::builder().level(log::Level::Warn).target("t").args(args).key_values(&fields).build();
        let text = text_line(&"T", &record);
        assert!(text.ends_with(r#"msg=slow requests us=7 first="get a\nb=\"c\"" peer=[::1]:5"#), "{text}");
        let json = json_line(&"T", &record);
        assert!(json.ends_with(r#""us":7,"first":"get a\nb=\"c\"","peer":"[::1]:5"}"#), "{json}");
    }
}

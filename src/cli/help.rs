//! The page behind `-h`.
//!
//! Programs read it, too: memcached's test library looks for words such as `unix-socket`, `sasl`, `ext_path` and
//! `enable-ssl` to find out what a server can do. So a feature of a later version must not be named here at all.

use super::flags::FLAGS;
use super::options::OPTIONS;
use super::row::{Effect, Group, Row};
use super::version_line;

/// The whole page: the flags and options that work, by topic, and the names of those without effect, each with a semicolon.
pub fn page() -> String {
    let mut page = version_line();
    page.push_str("usage: larder [flag ...]\n");
    for group in Group::ALL {
        page.push_str(&format!("\n{}\n", group.title()));
        for row in rows(group).filter(|row| row.effect == Effect::Works) {
            page.push_str(&entry(&row.usage(), &row.help_and_default()));
        }
    }
    let inert = all_rows().filter(|row| row.effect == Effect::Inert);
    let inert: Vec<String> = inert.map(|row| format!("{};", row.usage())).collect();
    page.push_str("\nAccepted for memcached's sake, without effect\n");
    page.push_str(&indented("  ", &wrap(inert.iter().map(String::as_str), WIDTH - 2)));
    page.push_str("\nlarder(1) says more about each.\n");
    page
}

/// Flags first, then options, in the order of the tables.
pub(super) fn all_rows() -> impl Iterator<Item = &'static Row> {
    FLAGS.iter().chain(OPTIONS)
}

/// The rows under one heading.
pub(super) fn rows(group: Group) -> impl Iterator<Item = &'static Row> {
    all_rows().filter(move |row| row.group == group)
}

/// Names at the left, help at the right; names that are too long stand alone on their line.
fn entry(usage: &str, help: &str) -> String {
    let lines = wrap(help.split_whitespace(), WIDTH - COLUMN);
    let margin = " ".repeat(COLUMN);
    if usage.len() + 4 > COLUMN {
        return format!("  {usage}\n{}", indented(&margin, &lines));
    }
    let text = indented(&margin, &lines);
    format!("  {usage:<width$}{}", &text[COLUMN..], width = COLUMN - 2)
}

fn indented(margin: &str, lines: &[String]) -> String {
    lines.iter().map(|line| format!("{margin}{line}\n")).collect()
}

/// Lines of at most `width` bytes; a word longer than that stays whole.
fn wrap<'a>(words: impl Iterator<Item = &'a str>, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words {
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Columns of the narrowest terminal.
const WIDTH: usize = 80;
/// Where the help of a flag begins.
const COLUMN: usize = 28;

#[cfg(test)]
mod tests {
    use super::*;

    /// What memcached's test library takes for a sign of a feature.
    #[test]
    fn features_of_later_versions_are_not_named() {
        let page = page();
        let lower = page.to_lowercase();
        for word in ["ext_path", "proxy_config"] {
            assert!(!lower.contains(word), "{word}");
        }
        assert!(page.contains("unix-socket"));
        assert!(!page.starts_with("memcached 1.1."));
        for row in all_rows().filter(|row| matches!(row.effect, Effect::Later { .. })) {
            assert!(!page.contains(&format!("  {}", row.usage())), "{}", row.usage());
        }
    }

    #[test]
    fn every_other_row_is_named() {
        let page = page().split_whitespace().collect::<Vec<_>>().join(" ");
        for row in all_rows().filter(|row| !matches!(row.effect, Effect::Later { .. })) {
            assert!(page.contains(&row.usage()), "{}", row.usage());
        }
    }

    #[test]
    fn lines_fit_a_terminal() {
        for line in page().lines() {
            assert!(line.len() <= WIDTH, "{line}");
            assert_eq!(line.trim_end(), line);
        }
    }

    #[test]
    fn text_is_cut_at_spaces() {
        let wrap = |text: &str| wrap(text.split_whitespace(), 5);
        assert_eq!(wrap("aa bb cc"), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaa b"), ["aaaaaaa", "b"]);
        assert_eq!(wrap(""), [""]);
    }
}

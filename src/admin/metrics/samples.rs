//! The lines of one family.

use std::fmt::Write as _;

/// Samples of the family `name`, as text.
pub(super) struct Samples {
    name: &'static str,
    lines: String,
}

impl Samples {
    pub(super) fn new(name: &'static str) -> Samples {
        Samples { name, lines: String::new() }
    }

    /// Adds a sample. Values of labels hold neither quotes, backslashes nor line ends.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.add_part("", labels, value);
    }

    /// The same where the name goes on, as in a histogram.
    pub(super) fn add_part(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        debug_assert!(labels.iter().all(|(_, value)| !value.contains(['"', '\\', '\n'])), "{labels:?}");
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let braces = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        // Writing to a string does not fail.
        let _ = writeln!(self.lines, "{}{suffix}{braces} {value}", self.name);
    }

    /// All of them, if there is any.
    pub(super) fn lines(self) -> Option<String> {
        (!self.lines.is_empty()).then_some(self.lines)
    }
}

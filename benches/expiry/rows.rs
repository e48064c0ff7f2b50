//! The rows of the expiry table.

use crate::contestant::arguments::Named;

/// One row.
pub(crate) struct Row {
    /// Its name, for `--rows`.
    pub(crate) name: &'static str,
    /// What is measured.
    pub(crate) question: &'static str,
    /// How the items end.
    pub(crate) end: End,
    /// Bytes of the values of the items that stay. Those that go have 10.
    pub(crate) living_value_bytes: usize,
}

/// How the items end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They expire within so many seconds, all at once with 1; neighbours in memory at different times.
    Expiry(u64),
    /// `flush_all`, which takes the others as well.
    Flush,
}

impl Named for Row {
    fn name(&self) -> &'static str {
        self.name
    }

    fn question(&self) -> &'static str {
        self.question
    }
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let row = |name, question, end, living_value_bytes| Row { name, question, end, living_value_bytes };
    vec![
        row("at-once", "all expire in the same second", End::Expiry(1), 100),
        row("spread", "they expire within 20 seconds", End::Expiry(20), 100),
        row("among", "all expire in the same second, those that stay lie between them", End::Expiry(1), 9),
        row("flush", "flush_all", End::Flush, 100),
    ]
}

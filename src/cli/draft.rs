//! Settings in the making, with what the rules between flags need to know beside them.

use super::row::{Effect, Row};
use crate::settings::Settings;

/// What the words read so far ask for.
#[derive(Default)]
pub(super) struct Draft {
    /// The result.
    pub(super) settings: Settings,
    /// `-o slab_sizes` as given; it can be checked only when `-n` and `-o slab_chunk_max` are known.
    pub(super) slab_sizes: Option<String>,
    given: Vec<&'static Row>,
}

impl Draft {
    /// Remembers that the operator gave this row.
    pub(super) fn note(&mut self, row: &'static Row) {
        self.given.push(row);
    }

    /// Whether a flag (`-p`) or an option (`-o slab_chunk_max`) was given.
    pub(super) fn has(&self, label: &str) -> bool {
        self.given.iter().any(|row| row.label() == label)
    }

    /// The rows given, in order, repeated ones repeatedly.
    pub(super) fn given(&self) -> &[&'static Row] {
        &self.given
    }

    /// Names of the rows given that change nothing here, each once.
    pub(super) fn without_effect(&self) -> Vec<String> {
        let mut labels = Vec::new();
        for row in self.given.iter().filter(|row| row.effect == Effect::Inert) {
            let label = row.label();
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels
    }
}

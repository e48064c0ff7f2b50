//! The figures that are kept in the repository.

use std::fs;
use std::path::PathBuf;

/// How much more than the kept figure is let through, beside one instruction: figures are kept without fractions.
pub(crate) const TOLERANCE: f64 = 0.03;

/// By row, in the order of the file.
pub(crate) struct Figures {
    rows: Vec<(String, f64)>,
}

impl Figures {
    /// Those of the file.
    pub(crate) fn read() -> Result<Figures, String> {
        let text = fs::read_to_string(path()).map_err(|error| format!("{}: {error}", path().display()))?;
        let rows = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let parse = |line: &str| {
            let (name, figure) = line.rsplit_once(' ')?;
            Some((name.trim().to_owned(), figure.parse().ok()?))
        };
        let rows = rows.map(|line| parse(line).ok_or_else(|| format!("{}: {line:?}", path().display())));
        Ok(Figures { rows: rows.collect::<Result<_, _>>()? })
    }

    /// The figure of a row.
    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.0 == name).map(|row| row.1)
    }

    /// Changes the figure of a row.
    pub(crate) fn set(&mut self, name: &str, figure: f64) {
        match self.rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.1 = figure,
            None => self.rows.push((name.to_owned(), figure)),
        }
    }

    /// Writes the file anew.
    pub(crate) fn write(&self) -> Result<(), String> {
        let mut text = String::from(
            "# Instructions that each row of `cargo bench --bench instructions` takes; `--keep` writes this file. A change\n\
             # that makes one more than 3 % larger says in its message what for.\n",
        );
        for (name, figure) in &self.rows {
            text.push_str(&format!("{name} {figure:.0}\n"));
        }
        fs::write(path(), text).map_err(|error| format!("{}: {error}", path().display()))
    }
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/instructions/figures.txt")
}

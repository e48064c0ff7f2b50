//! The page `docs/flags.md`: every flag and option, and what it does here.

use super::help::{all_rows, rows};
use super::row::{Effect, Group, Row};

/// The whole page, in Markdown.
pub fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for group in Group::ALL {
        page.push_str(&format!("\n## {}\n\n{HEAD}", group.title()));
        for row in rows(group).filter(|row| row.effect == Effect::Works) {
            page.push_str(&line(row, row.help));
        }
    }
    page.push_str(&format!("\n{WITHOUT_EFFECT}\n{HEAD}"));
    for row in all_rows().filter(|row| row.effect == Effect::Inert) {
        page.push_str(&line(row, row.help));
    }
    page.push_str(&format!("\n{NOT_YET}\n{HEAD_NOT_YET}"));
    for row in all_rows() {
        if let Effect::Later { feature, instead } = row.effect {
            page.push_str(&format!(
                "| `{}` | {} | {} | {} |\n",
                escaped(&row.usage()),
                escaped(feature),
                escaped(row.help),
                escaped(instead)
            ));
        }
    }
    page
}

fn line(row: &Row, help: &str) -> String {
    let default = match row.default {
        "" => String::new(),
        default => format!("`{default}`"),
    };
    format!("| `{}` | {default} | {} |\n", escaped(&row.usage()), escaped(help))
}

/// Text for a cell; a bar would end it.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}

const INTRODUCTION: &str = "# Flags

Larder takes the command line of memcached 1.6.45. This page is made from the tables that the parser uses; after a \
change there, `LARDER_WRITE_DOCS=1 cargo test --test flags_pages` writes it and `docs/larder.1` again.

A number that is no number, or outside its limits, is refused with one line on standard error; the exit status is \
memcached's, 1 or 64. Sizes take `k`, `m` or `g` behind the number.
";
const HEAD: &str = "| flag | default | meaning |\n|---|---|---|\n";
const WITHOUT_EFFECT: &str = "## Accepted without effect

These tune parts of memcached that larder does not have. Their values are checked and shown in `stats settings`, and \
one line in the log names those that were given.
";
const NOT_YET: &str = "## Not in this version

These are refused with exit status 64, because serving without them would not be what was asked for.
";
const HEAD_NOT_YET: &str = "| flag | feature | meaning | meanwhile |\n|---|---|---|---|\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_there_once() {
        let page = page();
        for row in all_rows() {
            let cell = format!("\n| `{}` |", escaped(&row.usage()));
            assert_eq!(page.matches(&cell).count(), 1, "{}", row.usage());
        }
    }

    #[test]
    fn a_bar_does_not_end_a_cell() {
        for line in page().lines().filter(|line| line.starts_with('|')) {
            let bars = line.replace("\\|", "").matches('|').count();
            assert!(bars == 4 || bars == 5, "{line}");
        }
    }
}

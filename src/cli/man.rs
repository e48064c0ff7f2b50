//! The manual page `docs/larder.1`, in roff's man macros.

use super::help::{all_rows, rows};
use super::row::{Effect, Group, Row};

/// The whole page.
pub fn page() -> String {
    let mut page = format!(".TH LARDER 1 \"\" \"larder {}\"\n", env!("CARGO_PKG_VERSION"));
    section(&mut page, "NAME", "larder - a memcached-compatible cache server");
    page.push_str(".SH SYNOPSIS\n.B larder\n[\\fIflag\\fR ...]\n");
    section(&mut page, "DESCRIPTION", DESCRIPTION);
    page.push_str(".SH OPTIONS\n");
    for group in Group::ALL {
        page.push_str(&format!(".SS {}\n", escaped(group.title())));
        rows(group).filter(|row| row.effect == Effect::Works).for_each(|row| entry(&mut page, row));
    }
    section(&mut page, "ACCEPTED WITHOUT EFFECT", WITHOUT_EFFECT);
    all_rows().filter(|row| row.effect == Effect::Inert).for_each(|row| entry(&mut page, row));
    section(&mut page, "NOT IN THIS VERSION", NOT_YET);
    all_rows().filter(|row| matches!(row.effect, Effect::Later { .. })).for_each(|row| entry(&mut page, row));
    section(&mut page, "ENVIRONMENT", "");
    page.push_str(".TP\n.B RUST_LOG\n");
    page.push_str(&format!("{}\n", escaped(RUST_LOG)));
    section(&mut page, "EXIT STATUS", EXIT_STATUS);
    page.push_str(".SH SEE ALSO\n.BR memcached (1)\n");
    page
}

fn section(page: &mut String, title: &str, text: &str) {
    page.push_str(&format!(".SH {title}\n"));
    if !text.is_empty() {
        page.push_str(&format!("{}\n", escaped(text)));
    }
}

fn entry(page: &mut String, row: &Row) {
    let more = match row.effect {
        Effect::Later { instead, .. } => format!(" Meanwhile: {instead}."),
        Effect::Works | Effect::Inert => String::new(),
    };
    page.push_str(&format!(
        ".TP\n\\fB{}\\fR\n{}\n",
        escaped(&row.usage()),
        escaped(&format!("{}.{more}", row.help_and_default()))
    ));
}

/// Text that roff shows as it is: hyphens that can be copied into a shell, and no line that is taken for a command.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

const DESCRIPTION: &str = "Larder keeps keys and values in memory and serves them over memcached's \
    text protocol. Its flags are memcached's. Sizes take k, m or g behind the number. Words that are no flags are \
    passed over.";
const WITHOUT_EFFECT: &str = "These tune parts of memcached that larder does not have. Their values are checked, and \
    one line in the log names those that were given.";
const NOT_YET: &str = "These are refused with exit status 64, because serving without them would not be what was \
    asked for.";
const RUST_LOG: &str = "What to log, such as debug or larder=info,warn. It goes before -v.";
const EXIT_STATUS: &str = "0 after an orderly end, or when a page was printed; 1 or 64 when the command line is \
    wrong, whichever memcached uses for the same mistake.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_taken_for_a_command() {
        assert_eq!(escaped("-p"), "\\-p");
        assert_eq!(escaped("a\\b"), "a\\eb");
        assert_eq!(escaped(".TH"), "\\&.TH");
        assert_eq!(escaped("'x"), "\\&'x");
    }

    #[test]
    fn every_row_is_there_once() {
        let page = page();
        for row in all_rows() {
            let head = format!("\n\\fB{}\\fR\n", escaped(&row.usage()));
            assert_eq!(page.matches(&head).count(), 1, "{}", row.usage());
        }
    }
}

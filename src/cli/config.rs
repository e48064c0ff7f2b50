//! A file of flags (`--config`): `memcached.conf` as Debian has it, read as its start scripts read it.
//!
//! One flag and its value in a line; `#` begins a comment. `-d`, `--daemon` and `-h` are passed over, as a service manager
//! wants the server in the foreground, and so is `logfile FILE`, which the log's reader decides. Blanks separate words; quotes
//! `'` `"` and a backslash hold them together, as in a shell.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::draft::Draft;
use super::word::Word;
use super::{Exit, arguments};

/// The flag that names such a file.
const LABEL: &str = "--config";

/// More bytes than that are no file of flags.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the flags of the file that `word` names, as if they stood on the command line in its place.
///
/// # Errors
/// The file cannot be read, or a line of it is wrong; the exit status is that of the flag.
pub(super) fn read(draft: &mut Draft, word: &Word<'_>) -> Result<(), Exit> {
    let path = word.path()?;
    let text = load(&path).map_err(|why| word.refusal(why))?;
    for (line, number) in text.lines().zip(1..) {
        let place = |why: &str| format!("line {number}: {why}");
        let words = words(line).map_err(|why| word.refusal(place(why)))?;
        let Some(first) = words.first() else { continue };
        if first.starts_with("-d") || first.starts_with("-h") || ["--daemon", "logfile"].contains(&first.as_str()) {
            continue;
        }
        if !first.starts_with('-') {
            return Err(word.refusal(place("is no flag; write it as on the command line")));
        }
        let named = |exit: Exit| match exit.to_stdout {
            true => exit,
            false => Exit { message: format!("{} line {number}: {}", path.display(), exit.message), ..exit },
        };
        let program = std::iter::once(OsString::from("larder"));
        for (row, value) in arguments::read(program.chain(words.iter().map(OsString::from))).map_err(named)? {
            if row.label() == LABEL {
                return Err(word.refusal(place("a file of flags names no other one")));
            }
            row.apply(draft, value.as_deref()).map_err(named)?;
        }
    }
    Ok(())
}

fn load(path: &Path) -> Result<String, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let facts = fs::metadata(path).map_err(unreadable)?;
    if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
        return Err(format!("is no file of flags; give a regular file of at most {FILE_BYTES_MAX} bytes"));
    }
    fs::read_to_string(path).map_err(unreadable)
}

/// The words of a line, without its comment.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (end, Some(open)) if end == open => quote = None,
            ('\\', None | Some('"')) => {
                word.get_or_insert_default().push(letters.next().ok_or("ends with a backslash; take it away")?);
            }
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('#', None) => break,
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("has a quote without its end; close it");
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::cli::parse;
    use crate::settings::Settings;

    fn with(text: &str, before: &[&str], after: &[&str]) -> Result<Settings, Exit> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let line = [&["larder"], before, &["--config", path], after].concat();
        parse(line.into_iter().map(OsString::from))
    }

    /// What Debian's package has, with all that it shows switched on.
    const DEBIAN: &str = "# memcached default config file\n-d\n--daemon\n\nlogfile /var/log/memcached.log\n# Be verbose\n-v\n-m 64\n\
        -p 11311   # not the default\n-u memcache\n-l 127.0.0.1\n-c 2048\n-k\n-M\n-r\n\
        -P /var/run/memcached/memcached.pid\n";

    #[test]
    fn debians_file_is_read_as_it_is() {
        let settings = with(DEBIAN, &[], &[]).unwrap();
        let same = "-v -m 64 -p 11311 -u memcache -l 127.0.0.1 -c 2048 -k -M -r -P /var/run/memcached/memcached.pid";
        let expected = parse(crate::cli::words(same)).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{expected:?}"));
        assert!(!settings.daemon);
    }

    #[test]
    fn the_line_and_the_file_come_in_their_order() {
        assert_eq!(with("-m 100", &["-m", "50"], &[]).unwrap().memory_limit_bytes, 100 << 20);
        assert_eq!(with("-m 100\n-c 5", &[], &["-m", "50"]).unwrap().memory_limit_bytes, 50 << 20);
        assert_eq!(format!("{:?}", with("", &[], &[]).unwrap()), format!("{:?}", Settings::default()));
    }

    #[test]
    fn words_are_cut_as_by_a_shell() {
        for (line, expected) in [
            ("", &[][..]),
            (" # -m 5", &[]),
            ("-m 5 # five", &["-m", "5"]),
            ("-m 5#five", &["-m", "5"]),
            (r"-D \#", &["-D", "#"]),
            ("\t-s '/run/a b' ", &["-s", "/run/a b"]),
            (r##"-s "/run/a \"b\"#" -v"##, &["-s", "/run/a \"b\"#", "-v"]),
            (r"-s a\ b''", &["-s", "a b"]),
            ("-s ''", &["-s", ""]),
            (r"-s '\'", &["-s", "\\"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        assert!(words("-s 'a").is_err() && words("-s a\\").is_err());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, status, says) in [
            ("-m 5\n-q", 1, "line 2: unknown flag -q"),
            ("-m x", 64, "line 1: -m \"x\" is not a size"),
            ("-c 0", 1, "line 1: -c \"0\" is out of range"),
            ("\nusers file", 64, "line 2: is no flag"),
            ("-s 'a", 64, "line 1: has a quote without its end"),
            ("--config /etc/memcached.conf", 64, "line 1: a file of flags names no other one"),
        ] {
            let exit = with(text, &[], &[]).expect_err(text);
            assert_eq!(exit.status, status, "{text}");
            assert!(exit.message.contains(says) && !exit.message.contains('\n'), "{text}: {}", exit.message);
        }
        for path in ["/no/such/file", "/", "/dev/zero"] {
            let exit = parse(["larder", "--config", path].map(OsString::from)).expect_err(path);
            assert!(exit.status == 64 && exit.message.starts_with("--config"), "{}", exit.message);
        }
    }
}

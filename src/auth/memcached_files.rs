//! Files that memcached and Cyrus SASL read: passwords in clear (`-Y`, `MEMCACHED_SASL_PWDB`), and which mechanisms
//! Cyrus is to offer (`SASL_CONF_PATH`).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::prepare::check_name;
use super::record::ITERATIONS_MIN;
use super::rights::Rights;
use super::user::{PASSWORDS_MAX, User};
use super::verifier::{Salts, Verifier};
use crate::source_file::Fault;

/// The most lines of such a file. Each user costs three times [`ITERATIONS_MIN`] rounds of PBKDF2 at each load, some
/// milliseconds. memcached reads eight lines of `-Y`.
pub const PLAIN_LINES_MAX: usize = 1_000;

/// Where Cyrus' settings are looked for when `SASL_CONF_PATH` is not set, as memcached does.
const CYRUS_CONF_PATHS: &str = "/etc/sasl:/etc/sasl2";

/// The file in such a directory that belongs to memcached.
const CYRUS_CONF_NAME: &str = "memcached.conf";

/// Which file it is that holds the passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainFormat {
    /// Of `-Y`: each line is `user:password`.
    AuthFile,
    /// Of `MEMCACHED_SASL_PWDB`: lines without a colon mean nothing. memcached lets `user:password:more` in with
    /// `password` too; here what stands behind the first colon is the password, all of it and nothing else.
    Pwdb,
}

/// A user and the line where the name stands first.
pub type PlainUser = (usize, User);

/// Makes users of a file with passwords in clear. They may do everything, as in memcached. A name may stand on two lines
/// with two passwords. The same name and password give the same verifier as long as the secret is the same.
///
/// # Errors
/// The first fault, with its line.
pub fn plain_users(file: &[u8], format: PlainFormat, secret: &[u8; 32]) -> Result<Vec<PlainUser>, Fault> {
    let rights = Arc::new(Rights::ALL);
    let mut users: Vec<PlainUser> = Vec::new();
    let mut places: HashMap<Box<str>, usize> = HashMap::new();
    let lines = file.strip_suffix(b"\n").unwrap_or(file).split(|&byte| byte == b'\n');
    for (index, line) in lines.enumerate().filter(|_| !file.is_empty()) {
        let number = index + 1;
        if number > PLAIN_LINES_MAX {
            let text =
                format!("there are more than {PLAIN_LINES_MAX} lines; larder-passwd keeps more users in its file");
            return Err(Fault::on(number, text));
        }
        let Some((name, verifier)) = plain_line(line, format, secret).map_err(|text| Fault::on(number, text))? else {
            continue;
        };
        let place = *places.entry(name.into()).or_insert(users.len());
        if place == users.len() {
            let user =
                User { name: name.into(), rights: Arc::clone(&rights), passwords: vec![], counts: Arc::default() };
            users.push((number, user));
        }
        let passwords = &mut users[place].1.passwords;
        if passwords.contains(&verifier) {
            continue;
        }
        if passwords.len() == PASSWORDS_MAX {
            let text = format!("this is the third password of one user, {PASSWORDS_MAX} are possible; take one away");
            return Err(Fault::on(number, text));
        }
        passwords.push(verifier);
    }
    Ok(users)
}

/// The user of one line; `None` when the line means nothing.
fn plain_line<'a>(
    line: &'a [u8],
    format: PlainFormat,
    secret: &[u8; 32],
) -> Result<Option<(&'a str, Verifier)>, String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8; save the file as UTF-8")?;
    let Some((name, password)) = line.split_once(':') else {
        return match format {
            PlainFormat::AuthFile => Err("the line has no colon; write user:password".into()),
            PlainFormat::Pwdb => Ok(None),
        };
    };
    check_name(name).map_err(|what| format!("{what}; write user:password"))?;
    let verifier = Verifier::of(password, ITERATIONS_MIN, &Salts::derived(secret, name))
        .map_err(|refusal| format!("{refusal}; give another"))?;
    Ok(Some((name, verifier)))
}

/// The mechanisms that Cyrus' settings name (`mech_list: plain scram-sha-256`), in upper case and in their order; `None`
/// when there are no settings or they name none. `conf_path` is the value of `SASL_CONF_PATH`: directories with colons
/// between them, or settings files themselves, of which the first that is there counts. Without it memcached's places
/// are tried.
///
/// # Errors
/// When the settings are there and cannot be read.
pub fn cyrus_mechanisms(conf_path: Option<&OsStr>) -> io::Result<Option<Vec<String>>> {
    let path = conf_path.unwrap_or(OsStr::new(CYRUS_CONF_PATHS));
    let entries = path.as_bytes().split(|&byte| byte == b':').filter(|entry| !entry.is_empty());
    let Some(file) = entries.map(|entry| Path::new(OsStr::from_bytes(entry))).find_map(cyrus_settings) else {
        return Ok(None);
    };
    let settings = std::fs::read(file)?;
    Ok(mechanisms(&String::from_utf8_lossy(&settings)))
}

/// The settings file of one entry. It may stand one level deeper, in a directory with the file's name.
fn cyrus_settings(entry: &Path) -> Option<PathBuf> {
    let inside = entry.join(CYRUS_CONF_NAME);
    let deeper = inside.join(CYRUS_CONF_NAME);
    [entry.to_owned(), inside, deeper].into_iter().find(|path| path.is_file())
}

/// Cyrus takes the first line with the key.
fn mechanisms(settings: &str) -> Option<Vec<String>> {
    let pairs = settings.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(':'));
    let (_, list) =
        pairs.map(|(key, value)| (key.trim(), value)).find(|(key, _)| key.eq_ignore_ascii_case("mech_list"))?;
    let names: Vec<String> = list.split_whitespace().map(str::to_ascii_uppercase).collect();
    if names.is_empty() { None } else { Some(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = [3; 32];

    fn read(file: &str, format: PlainFormat) -> Result<Vec<PlainUser>, Fault> {
        plain_users(file.as_bytes(), format, &SECRET)
    }

    /// Whether the file lets this user in with this password.
    fn lets_in(file: &str, format: PlainFormat, name: &str, password: &str) -> bool {
        let users = read(file, format).unwrap();
        users.iter().any(|(_, user)| *user.name == *name && user.passwords.iter().any(|kept| kept.matches(password)))
    }

    #[test]
    fn each_line_is_a_user_with_all_rights() {
        for file in ["foo:bar\nbaaaz:quux\n", "foo:bar\nbaaaz:quux", "foo:bar\r\nbaaaz:quux\r\n"] {
            let users = read(file, PlainFormat::AuthFile).unwrap();
            let seen: Vec<_> = users.iter().map(|(line, user)| (*line, &*user.name, user.rights.is_all())).collect();
            assert_eq!(seen, [(1, "foo", true), (2, "baaaz", true)]);
            assert!(lets_in(file, PlainFormat::AuthFile, "baaaz", "quux"));
            assert!(!lets_in(file, PlainFormat::AuthFile, "foo", "quux"));
        }
    }

    #[test]
    fn passwords_match_whole_with_colons_and_blanks() {
        for format in [PlainFormat::AuthFile, PlainFormat::Pwdb] {
            let file = "foo:bar: baz \n";
            assert!(lets_in(file, format, "foo", "bar: baz "), "{format:?}");
            for part in ["bar", "bar:", "bar: baz", "bar: baz  "] {
                assert!(!lets_in(file, format, "foo", part), "{format:?} {part:?}");
            }
        }
    }

    #[test]
    fn a_name_can_stand_on_two_lines() {
        let file = "foo:old\nfoo:new\nfoo:old\n";
        let users = read(file, PlainFormat::AuthFile).unwrap();
        assert_eq!((users.len(), users[0].1.passwords.len()), (1, 2));
        assert!(users[0].1.passwords[0].has_challenge_of(&users[0].1.passwords[1]));
        let fault = read("foo:1\nfoo:2\nfoo:3\n", PlainFormat::AuthFile).unwrap_err();
        assert_eq!(fault.line, Some(3));
    }

    #[test]
    fn faults_name_their_line_and_no_password() {
        for (file, line, phrase) in [
            ("foo:bar\nsecret\n", 2, "the line has no colon"),
            ("foo:bar\n\n", 2, "the line has no colon"),
            (":secret\n", 1, "a name is empty"),
            ("foo:\n", 1, "the password is empty"),
            ("foo:sec\tret\n", 1, "the password is empty, longer"),
            (&format!("foo:{}", "secret".repeat(200)), 1, "the password is empty, longer than 1024 bytes"),
        ] {
            let fault = read(file, PlainFormat::AuthFile).unwrap_err();
            assert_eq!(fault.line, Some(line), "{file:?} {fault:?}");
            assert!(fault.text.starts_with(phrase) && !fault.text.contains("sec"), "{file:?} {fault:?}");
        }
        let fault = plain_users(b"ok:ok\nfoo:b\xE4r\n", PlainFormat::AuthFile, &SECRET).unwrap_err();
        assert_eq!((fault.line, &fault.text[..21]), (Some(2), "the line is not UTF-8"));
        assert_eq!(read("", PlainFormat::AuthFile).unwrap().len(), 0);
    }

    #[test]
    fn the_password_database_may_have_lines_that_mean_nothing() {
        let users = read("# ours\n\nfoo:bar\n", PlainFormat::Pwdb).unwrap();
        assert_eq!((users.len(), users[0].0), (1, 3));
    }

    #[test]
    fn fingerprints_last_over_reloads() {
        let print =
            |file, secret| plain_users(file, PlainFormat::AuthFile, secret).unwrap()[0].1.passwords[0].fingerprint();
        assert_eq!(print(b"foo:bar", &SECRET), print(b"foo:bar\nmore:x", &SECRET));
        assert_ne!(print(b"foo:bar", &SECRET), print(b"foo:baz", &SECRET));
        assert_ne!(print(b"foo:bar", &SECRET), print(b"foo:bar", &[4; 32]));
    }

    #[test]
    fn cyrus_names_mechanisms() {
        for (settings, expected) in [
            ("mech_list: plain cram-md5\nlog_level: 5\n", Some(vec!["PLAIN", "CRAM-MD5"])),
            ("#mech_list: login\nmech_list:  scram-sha-256 \nmech_list: plain", Some(vec!["SCRAM-SHA-256"])),
            ("Mech_List : PLAIN", Some(vec!["PLAIN"])),
            ("log_level: 5\n", None),
            ("mech_list:\n", None),
            ("", None),
        ] {
            let names = mechanisms(settings);
            assert_eq!(names, expected.map(|names| names.into_iter().map(str::to_owned).collect()), "{settings:?}");
        }
    }

    #[test]
    fn cyrus_settings_are_found_in_directories_and_as_files() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(cyrus_mechanisms(Some(path.as_os_str())).unwrap(), None);
        std::fs::write(path.join("memcached.conf"), "mech_list: plain").unwrap();
        let found = Some(vec!["PLAIN".to_owned()]);
        let listed = format!("{}/nowhere:{}", path.display(), path.display());
        for value in [path.as_os_str(), path.join("memcached.conf").as_os_str(), OsStr::new(&listed)] {
            assert_eq!(cyrus_mechanisms(Some(value)).unwrap(), found, "{value:?}");
        }
    }
}

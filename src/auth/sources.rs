//! The files that users come from, read together into one table, and whether they have changed since.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::memcached_files::{PlainFormat, plain_users};
use super::token::TokenRules;
use super::user::{User, Users};
use super::users_file::{TokenSource, UsersFile};
use crate::source_file::Fault;
pub use crate::source_file::LoadError;
use crate::source_file::{FileStamp, Kind, read_file, stamp};

/// The name of the users file among a systemd unit's credentials.
const CREDENTIAL_NAME: &str = "larder.users";

/// Where users come from: any of these files, and the key set that the users file names.
#[derive(Debug, Default)]
pub struct Sources {
    users_file: Option<PathBuf>,
    auth_file: Option<PathBuf>,
    pwdb: Option<PathBuf>,
    /// The key set that the users file named when it was read last.
    keys: Mutex<Option<PathBuf>>,
}

/// What the files were at one time: equal as long as none of them was written, replaced or given other permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<FileStamp>)>);

impl Sources {
    /// Users come from these: the users file, the file of `-Y`, and that of `MEMCACHED_SASL_PWDB`.
    pub fn new(users_file: Option<PathBuf>, auth_file: Option<PathBuf>, pwdb: Option<PathBuf>) -> Sources {
        Sources { users_file, auth_file, pwdb, keys: Mutex::new(None) }
    }

    /// Reads all of them. Users who were in `previous` keep their counts. `secret` gives passwords in clear their salts; with
    /// the same secret, passwords that did not change keep their fingerprints.
    ///
    /// # Errors
    /// The first thing that is wrong with any of the files; the table that is in use should stay in use.
    pub fn load(&self, previous: Option<&Users>, secret: &[u8; 32]) -> Result<Users, LoadError> {
        let mut table = HashMap::new();
        let mut tokens = None;
        if let Some(path) = &self.users_file {
            let file = read_users_file(path)?;
            *self.keys.lock() = file.tokens.as_ref().map(|tokens| keys_path(path, tokens));
            for user in file.users {
                table.insert(user.name.clone(), (Kind::UsersFile, user));
            }
            tokens = file.tokens.map(|tokens| load_keys(&keys_path(path, &tokens), &tokens)).transpose()?;
            if let (Some(rules), Some(known)) = (&mut tokens, previous.and_then(|users| users.tokens.as_ref())) {
                rules.keep_counts(known);
            }
        }
        let plain =
            [(Kind::AuthFile, PlainFormat::AuthFile, &self.auth_file), (Kind::Pwdb, PlainFormat::Pwdb, &self.pwdb)];
        for (kind, format, path) in plain {
            let Some(path) = path else { continue };
            let users = read_file(kind, path).and_then(|bytes| plain_users(&bytes, format, secret));
            for (line, user) in users.map_err(|fault| fault.of(kind, path))? {
                if let Some((first, _)) = table.get(&user.name) {
                    let text = format!("{:?} is in {} too; take one of them away", user.name, first.label());
                    return Err(Fault::on(line, text).of(kind, path));
                }
                table.insert(user.name.clone(), (kind, user));
            }
        }
        let users = table.into_values().map(|(_, user)| with_counts(user, previous));
        Ok(Users::new(users, tokens))
    }

    /// What the files are now. Taken before a load, it differs from a later one if the load may have missed something.
    pub fn stamp(&self) -> Stamp {
        let keys = self.keys.lock().clone();
        let files = [self.users_file.clone(), self.auth_file.clone(), self.pwdb.clone(), keys];
        Stamp(
            files
                .into_iter()
                .flatten()
                .map(|path| {
                    let stamp = stamp(&path);
                    (path, stamp)
                })
                .collect(),
        )
    }
}

/// The users file that systemd hands over (`LoadCredential=larder.users:...`), if it does.
pub fn systemd_users_file() -> Option<PathBuf> {
    credential(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?))
}

fn credential(directory: &Path) -> Option<PathBuf> {
    Some(directory.join(CREDENTIAL_NAME)).filter(|path| path.exists())
}

/// The text of a users file, which still has to be parsed.
///
/// # Errors
/// What is wrong with the file itself, its permissions or its encoding.
pub fn users_text(path: &Path) -> Result<String, LoadError> {
    let text = read_file(Kind::UsersFile, path).and_then(|bytes| match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let lines = bytes[..error.valid_up_to()].split(|&byte| byte == b'\n').count();
            Err(Fault::on(lines, "this is not UTF-8; save the file as UTF-8"))
        }
    });
    text.map_err(|fault| fault.of(Kind::UsersFile, path))
}

/// Reads a users file.
///
/// # Errors
/// The first thing that is wrong: with the file itself, its permissions, its contents.
pub fn read_users_file(path: &Path) -> Result<UsersFile, LoadError> {
    UsersFile::parse(&users_text(path)?).map_err(|fault| fault.of(Kind::UsersFile, path))
}

fn load_keys(path: &Path, source: &TokenSource) -> Result<TokenRules, LoadError> {
    let rules = |bytes: &[u8]| TokenRules::load(&source.issuer, &source.audience, bytes).map_err(Fault::whole);
    let rules = read_file(Kind::TokenKeys, path).and_then(|bytes| rules(&bytes));
    let rules = rules.map_err(|fault| fault.of(Kind::TokenKeys, path))?;
    for line in rules.passed_over() {
        log::warn!("{}={}: {line}; no token signed with it is taken", Kind::TokenKeys.label(), path.display());
    }
    Ok(rules)
}

/// Where the key set is.
fn keys_path(users_file: &Path, tokens: &TokenSource) -> PathBuf {
    users_file.parent().unwrap_or(Path::new("")).join(&tokens.keys_path)
}

fn with_counts(user: User, previous: Option<&Users>) -> User {
    match previous.and_then(|previous| previous.by_name.get(&user.name)) {
        Some(known) => User { counts: Arc::clone(&known.counts), ..user },
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::rights::Rights;
    use crate::auth::token::Verified;
    use crate::source_file::FILE_BYTES_MAX;
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::atomic::Ordering::Relaxed;
    use tempfile::TempDir;

    const SECRET: [u8; 32] = [5; 32];

    /// A directory with these files, which only their owner may touch.
    fn directory(files: &[(&str, &str)]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            write(&directory, name, text);
        }
        directory
    }

    fn write(directory: &TempDir, name: &str, text: &str) {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        allow(&path, 0o600);
    }

    fn allow(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Sources of the files with these names, an empty name for none.
    fn sources(directory: &TempDir, [users, auth, pwdb]: [&str; 3]) -> Sources {
        let path = |name: &str| Some(directory.path().join(name)).filter(|_| !name.is_empty());
        Sources::new(path(users), path(auth), path(pwdb))
    }

    fn refusal(directory: &TempDir, names: [&str; 3]) -> String {
        let line = sources(directory, names).load(None, &SECRET).unwrap_err().to_string();
        line.replace(&format!("{}/", directory.path().display()), "")
    }

    #[test]
    fn users_of_all_files_are_in_one_table() {
        let files = [("u", "[users.alice]\nrights = ['read']"), ("a", "bob:b"), ("p", "carol:c")];
        let directory = directory(&files);
        let users = sources(&directory, ["u", "a", "p"]).load(None, &SECRET).unwrap();
        let mut names: Vec<_> = users.by_name.keys().map(|name| &**name).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice", "bob", "carol"]);
        assert_eq!(users.iterations, 4096, "those of the only passwords");
        assert!(!users.by_name["alice"].rights.is_all() && users.by_name["carol"].rights.is_all());
        assert!(sources(&directory, ["", "", ""]).load(None, &SECRET).unwrap().by_name.is_empty());
    }

    #[test]
    fn refusals_are_one_line_that_says_where_and_what_to_do() {
        let directory = directory(&[
            ("u", "[users.alice]\n\nright = 1"),
            ("good", "[users.alice]"),
            ("a", "bob:b\nalice:a"),
            ("short", "bob"),
            ("p", "x:x\nbob:c"),
            ("t", "[tokens]\nkeys = 'no.json'\nissuer = 'i'\naudience = 'a'"),
        ]);
        for (names, line) in [
            (
                ["u", "", ""],
                "users_file=u line=3: no key is called \"right\" here; the keys are rights, prefixes and passwords",
            ),
            (["good", "a", ""], "auth_file=a line=2: \"alice\" is in users_file too; take one of them away"),
            (["", "a", "p"], "sasl_pwdb=p line=2: \"bob\" is in auth_file too; take one of them away"),
            (["", "short", ""], "auth_file=short line=1: the line has no colon; write user:password"),
            (
                ["none", "", ""],
                "users_file=none: cannot be read: No such file or directory (os error 2); give a file that the \
                 server's user can read",
            ),
            (
                ["t", "", ""],
                "token_keys=no.json: cannot be read: No such file or directory (os error 2); give a file that the \
                 server's user can read",
            ),
        ] {
            assert_eq!(refusal(&directory, names), line);
        }
    }

    #[test]
    fn files_that_strangers_can_touch_are_refused() {
        let directory = directory(&[("u", "[users.alice]"), ("a", "bob:b"), ("p", "carol:c")]);
        for (name, names) in [("u", ["u", "", ""]), ("a", ["", "a", ""]), ("p", ["", "", "p"])] {
            let path = directory.path().join(name);
            for (mode, refused) in
                [(0o400, None), (0o640, None), (0o644, Some("read").filter(|_| name == "u")), (0o602, Some("write"))]
            {
                allow(&path, mode);
                let outcome = sources(&directory, names).load(None, &SECRET).map(|_| ());
                let place = path.display();
                let expected = refused.map(|what| format!("{place}: others may {what} it; chmod o= {place}"));
                let line = outcome.err().map(|error| error.to_string().split_once('=').unwrap().1.to_owned());
                assert_eq!(line, expected, "{name} {mode:o}");
            }
        }
    }

    #[test]
    fn what_is_no_ordinary_file_is_refused() {
        let directory = directory(&[("long", "")]);
        File::options().write(true).open(directory.path().join("long")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        fs::create_dir(directory.path().join("d")).unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from(0o600)).unwrap();
        for (name, what) in [("long", "is longer than"), ("d", "is no regular file"), ("pipe", "is no regular file")] {
            let line = refusal(&directory, [name, "", ""]);
            assert!(line.starts_with(&format!("users_file={name}: {what}")), "{line}");
        }
    }

    #[test]
    fn a_file_that_is_not_utf_8_names_its_line() {
        let directory = directory(&[("u", "")]);
        fs::write(directory.path().join("u"), b"# one\n# two \xFF").unwrap();
        assert_eq!(
            refusal(&directory, ["u", "", ""]),
            "users_file=u line=2: this is not UTF-8; save the file as UTF-8"
        );
    }

    #[test]
    fn counts_of_users_that_stay_go_on() {
        let directory = directory(&[("u", "[users.alice]\n[users.bob]")]);
        let sources = sources(&directory, ["u", "", ""]);
        let before = sources.load(None, &SECRET).unwrap();
        before.by_name["alice"].counts.logins.store(7, Relaxed);
        before.by_name["bob"].counts.logins.store(7, Relaxed);
        write(&directory, "u", "[users.alice]\nrights = ['read']\n[users.carol]");
        let after = sources.load(Some(&before), &SECRET).unwrap();
        assert_eq!(after.by_name["alice"].counts.logins.load(Relaxed), 7);
        assert_eq!(after.by_name["carol"].counts.logins.load(Relaxed), 0);
        assert!(!after.by_name["alice"].rights.write && !after.by_name.contains_key("bob"));
    }

    #[test]
    fn counts_of_users_whom_only_tokens_know_go_on() {
        let key =
            "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
        let directory = directory(&[("u", "[tokens]\nkeys = 'k'\nissuer = 'i'\naudience = 'a'"), ("k", key)]);
        let sources = sources(&directory, ["u", "", ""]);
        let scope = Some(Rights { read: true, ..Rights::default() });
        let verified = Verified { subject: "guest".to_owned(), scope, key: "k".into(), expires: 1 };
        let counts = |users: &Users| users.tokens.as_ref().unwrap().identity(users, &verified).unwrap().counts;
        let before = sources.load(None, &SECRET).unwrap();
        let after = sources.load(Some(&before), &SECRET).unwrap();
        assert!(Arc::ptr_eq(&counts(&before), &counts(&after)));
    }

    #[test]
    fn a_stamp_changes_with_what_a_file_says_is_and_allows() {
        let directory = directory(&[("one", "[users.a]"), ("two", "[users.b]")]);
        let link = directory.path().join("link");
        symlink("one", &link).unwrap();
        let sources = sources(&directory, ["link", "", ""]);
        let mut last = sources.stamp();
        assert_eq!(sources.stamp(), last);
        let mut changed = |what: &str| {
            let now = sources.stamp();
            assert_ne!(std::mem::replace(&mut last, now), last, "{what}");
        };
        fs::write(&link, "[users.abc]").unwrap();
        changed("a write");
        allow(&link, 0o640);
        changed("permissions");
        // How Kubernetes brings a new version: a link beside the old one takes its name.
        symlink("two", directory.path().join("new")).unwrap();
        fs::rename(directory.path().join("new"), &link).unwrap();
        changed("another file behind the link");
        fs::remove_file(&link).unwrap();
        changed("no file");
    }

    #[test]
    fn the_key_set_belongs_to_the_stamp_once_it_is_known() {
        let directory =
            directory(&[("u", "[tokens]\nkeys = 'k.json'\nissuer = 'i'\naudience = 'a'"), ("plain", "[users.a]")]);
        let sources = sources(&directory, ["u", "", ""]);
        assert!(sources.load(None, &SECRET).is_err(), "there is no key set yet");
        let before = sources.stamp();
        write(&directory, "k.json", "{}");
        assert_ne!(sources.stamp(), before, "so that it is read when it comes");
    }

    #[test]
    fn systemd_hands_over_a_file_of_that_name_only() {
        let directory = directory(&[("other", "")]);
        assert_eq!(credential(directory.path()), None);
        write(&directory, "larder.users", "");
        assert_eq!(credential(directory.path()), Some(directory.path().join("larder.users")));
    }
}

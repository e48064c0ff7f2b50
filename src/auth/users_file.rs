//! The users file: TOML, read strictly, because a key that is passed over may be a right that was meant to be taken.

use std::path::PathBuf;
use std::sync::Arc;

use toml_edit::{Array, Document, Item, Key, TableLike, Value};

use super::prepare::check_name;
use super::record::{Hash, Record};
use super::rights::Rights;
use super::user::{PASSWORDS_MAX, User};
use super::verifier::Verifier;
use crate::source_file::Fault;

/// The most users of one file. Each takes less than a kilobyte of memory.
pub const USERS_MAX: usize = 100_000;

/// The most key prefixes of one user; each request is compared with all of them.
pub const PREFIXES_MAX: usize = 64;

/// The longest prefix in bytes: that of the longest key.
pub const PREFIX_BYTES_MAX: usize = 250;

/// What a users file says.
#[derive(Debug, Default)]
pub struct UsersFile {
    /// In the order of the file, with counts that start anew.
    pub users: Vec<User>,
    /// Which tokens are accepted, if any.
    pub tokens: Option<TokenSource>,
}

/// The table `[tokens]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    /// The key set; a relative path starts where the users file is.
    pub keys_path: PathBuf,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
}

impl UsersFile {
    /// Reads the text of a users file.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn parse(text: &str) -> Result<UsersFile, Fault> {
        // The parser's own rendering shows the line, and with it what is kept of a password.
        let document = Document::parse(text).map_err(|error| {
            Fault::at(text, error.span(), format!("this is no TOML ({}); mend the line", error.message()))
        })?;
        let reader = Reader { text };
        let mut file = UsersFile::default();
        for (key, item) in entries(document.as_table()) {
            match key.get() {
                "users" => file.users = reader.users(reader.table(key, item)?)?,
                "tokens" => file.tokens = Some(reader.tokens(key, reader.table(key, item)?)?),
                _ => return Err(reader.unknown(key, "users and tokens")),
            }
        }
        Ok(file)
    }
}

/// Walks over the parsed file and tells where faults are.
struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn users(&self, table: &dyn TableLike) -> Result<Vec<User>, Fault> {
        if table.len() > USERS_MAX {
            return Err(Fault::whole(format!("there are more than {USERS_MAX} users; use fewer")));
        }
        entries(table).map(|(key, item)| self.user(key, self.table(key, item)?)).collect()
    }

    fn user(&self, key: &Key, table: &dyn TableLike) -> Result<User, Fault> {
        check_name(key.get()).map_err(|what| self.fault(key, format!("{what}; give another")))?;
        let mut rights = Rights { read: true, write: true, admin: false, prefixes: None };
        let mut passwords = Vec::new();
        for (key, item) in entries(table) {
            match key.get() {
                "rights" => (rights.read, rights.write, rights.admin) = self.rights(key, item)?,
                "prefixes" => rights.prefixes = Some(self.prefixes(key, item)?),
                "passwords" => passwords = self.passwords(key, item)?,
                _ => return Err(self.unknown(key, "rights, prefixes and passwords")),
            }
        }
        if rights.admin && rights.prefixes.is_some() {
            let text = "admin concerns all keys and does not go with prefixes; take one of them away";
            return Err(self.fault(key, text));
        }
        Ok(User { name: key.get().into(), rights: Arc::new(rights), passwords, counts: Arc::default() })
    }

    /// read, write, admin
    fn rights(&self, key: &Key, item: &Item) -> Result<(bool, bool, bool), Fault> {
        let (mut read, mut write, mut admin) = (false, false, false);
        let words = self.array(key, item)?;
        if words.is_empty() {
            return Err(
                self.fault(key, "rights are empty; name read, write or admin, or leave rights out for read and write")
            );
        }
        for word in words {
            match self.string(key, word)? {
                "read" => read = true,
                "write" => write = true,
                "admin" => admin = true,
                other => {
                    let text = format!("no right is called {other:?}; give read, write or admin");
                    return Err(Fault::at(self.text, word.span(), text));
                }
            }
        }
        Ok((read, write, admin))
    }

    fn prefixes(&self, key: &Key, item: &Item) -> Result<Box<[Box<[u8]>]>, Fault> {
        let list = self.array(key, item)?;
        if list.is_empty() {
            return Err(self.fault(key, "prefixes are empty; name one at least, or leave prefixes out for all keys"));
        }
        if list.len() > PREFIXES_MAX {
            return Err(self.fault(key, format!("there are more than {PREFIXES_MAX} prefixes; use fewer")));
        }
        let prefix = |value| {
            let prefix = self.string(key, value)?.as_bytes();
            if (1..=PREFIX_BYTES_MAX).contains(&prefix.len()) {
                return Ok(prefix.into());
            }
            let text = format!("a prefix is not 1 to {PREFIX_BYTES_MAX} bytes long; give another");
            Err(Fault::at(self.text, value.span(), text))
        };
        list.iter().map(prefix).collect()
    }

    fn passwords(&self, key: &Key, item: &Item) -> Result<Vec<Verifier>, Fault> {
        let list = self.array(key, item)?;
        if list.len() > PASSWORDS_MAX {
            return Err(self.fault(key, format!("there are more than {PASSWORDS_MAX} passwords; take the oldest away")));
        }
        let passwords: Vec<Verifier> = list.iter().map(|value| self.password(key, value)).collect::<Result<_, _>>()?;
        match &passwords[..] {
            [one, other] if !one.has_challenge_of(other) => Err(self.fault(
                key,
                "the passwords differ in hashes, salts or iterations, so no challenge is right for both; \
                 make the second with larder-passwd rotate",
            )),
            _ => Ok(passwords),
        }
    }

    fn password(&self, key: &Key, value: &Value) -> Result<Verifier, Fault> {
        let fault = |text: String| Fault::at(self.text, value.span(), text);
        let Some(table) = value.as_inline_table() else {
            return Err(fault("a password is no table { SCRAM-SHA-256 = \"...\" }; make it with larder-passwd".into()));
        };
        let mut verifier = Verifier::default();
        for (key, item) in entries(table) {
            let Some(hash) = Hash::ALL.into_iter().find(|hash| hash.mechanism() == key.get()) else {
                return Err(self.unknown(key, "SCRAM-SHA-1, SCRAM-SHA-256 and SCRAM-SHA-512"));
            };
            let text = item.as_str().ok_or_else(|| self.wrong(key, "a string"))?;
            let record = Record::parse(hash, text)
                .map_err(|what| self.fault(key, format!("{what}; make the password again with larder-passwd")))?;
            verifier.put(hash, record);
        }
        if verifier.iterations().is_none() {
            return Err(fault(format!("a password in {} is empty; take it away", key.get())));
        }
        Ok(verifier)
    }

    fn tokens(&self, key: &Key, table: &dyn TableLike) -> Result<TokenSource, Fault> {
        let (mut keys, mut issuer, mut audience) = (None, None, None);
        for (key, item) in entries(table) {
            let field = match key.get() {
                "keys" => &mut keys,
                "issuer" => &mut issuer,
                "audience" => &mut audience,
                _ => return Err(self.unknown(key, "keys, issuer and audience")),
            };
            let text = item.as_str().filter(|text| !text.is_empty());
            *field = Some(text.ok_or_else(|| self.wrong(key, "a string that says something"))?.to_owned());
        }
        let missing = |name: &str| self.fault(key, format!("{name} is missing; tokens need keys, issuer and audience"));
        Ok(TokenSource {
            keys_path: keys.ok_or_else(|| missing("keys"))?.into(),
            issuer: issuer.ok_or_else(|| missing("issuer"))?,
            audience: audience.ok_or_else(|| missing("audience"))?,
        })
    }

    fn table<'t>(&self, key: &Key, item: &'t Item) -> Result<&'t dyn TableLike, Fault> {
        item.as_table_like().ok_or_else(|| self.wrong(key, "a table"))
    }

    fn array<'t>(&self, key: &Key, item: &'t Item) -> Result<&'t Array, Fault> {
        item.as_array().ok_or_else(|| self.wrong(key, "a list in brackets"))
    }

    fn string<'t>(&self, key: &Key, value: &'t Value) -> Result<&'t str, Fault> {
        let text = || format!("what {} holds is no string; put it in quotes", key.get());
        value.as_str().ok_or_else(|| Fault::at(self.text, value.span(), text()))
    }

    fn unknown(&self, key: &Key, known: &str) -> Fault {
        self.fault(key, format!("no key is called {:?} here; the keys are {known}", key.get()))
    }

    fn wrong(&self, key: &Key, expected: &str) -> Fault {
        self.fault(key, format!("{} has the wrong type; give {expected}", key.get()))
    }

    fn fault(&self, key: &Key, text: impl Into<String>) -> Fault {
        Fault::at(self.text, key.span(), text)
    }
}

/// What a table holds, in the order of the file, with the keys as they are written.
fn entries(table: &dyn TableLike) -> impl Iterator<Item = (&Key, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::verifier::Salts;

    fn verifier(password: &str) -> Verifier {
        Verifier::of(password, 4096, &Salts::derived(&[1; 32], "salt")).unwrap()
    }

    /// A password as it stands in the file.
    fn entry(verifier: &Verifier, hashes: &[Hash]) -> String {
        let pairs = hashes
            .iter()
            .map(|hash| format!("{} = \"{}\"", hash.mechanism(), verifier.record(*hash).unwrap().to_text()));
        format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_whole_file() {
        let (new, old) = (verifier("new"), verifier("old"));
        let text = format!(
            "# ours\n[users.alice]\nrights = [\"read\"] # only\nprefixes = [\"a:\", \"b:\"]\npasswords = [\n  {},\n  {},\n]\n\
             [users.\"bob@example.com\"]\n[users.root]\nrights = [\"admin\", \"write\"]\n\
             [tokens]\nkeys = \"keys.json\"\nissuer = \"https://issuer.example\"\naudience = \"larder\"\n",
            entry(&new, &Hash::ALL),
            entry(&old, &Hash::ALL)
        );
        let file = UsersFile::parse(&text).unwrap();
        let [alice, bob, root] = &file.users[..] else { panic!("{:?}", file.users) };
        assert_eq!((&*alice.name, &*bob.name, &*root.name), ("alice", "bob@example.com", "root"));
        assert_eq!(alice.passwords, [new, old]);
        assert!(alice.rights.read && !alice.rights.write && !alice.rights.admin);
        assert_eq!(alice.rights.prefixes.as_deref(), Some(&[(*b"a:").into(), (*b"b:").into()][..]));
        assert_eq!(*bob.rights, Rights { read: true, write: true, admin: false, prefixes: None });
        assert!(bob.passwords.is_empty());
        assert_eq!(*root.rights, Rights { read: false, write: true, admin: true, prefixes: None });
        let tokens = TokenSource {
            keys_path: "keys.json".into(),
            issuer: "https://issuer.example".into(),
            audience: "larder".into(),
        };
        assert_eq!(file.tokens, Some(tokens));
    }

    #[test]
    fn an_empty_file_has_no_users() {
        for text in ["", "\n# nobody yet\n", "[users]\n"] {
            let file = UsersFile::parse(text).unwrap();
            assert!(file.users.is_empty() && file.tokens.is_none(), "{text:?}");
        }
    }

    #[test]
    fn other_spellings_of_toml_mean_the_same() {
        for text in [
            "users = { alice = { rights = ['read'] } }",
            "[users]\nalice.rights = ['read']",
            "users.alice.rights = ['read']",
        ] {
            let file = UsersFile::parse(text).unwrap();
            assert_eq!((file.users.len(), file.users[0].rights.write), (1, false), "{text}");
        }
    }

    #[test]
    fn each_fault_names_its_line() {
        let many = |count: usize, word: &str| vec![word; count].join(",");
        for (text, line, phrase) in [
            ("[users.a]\n[user.b]", 2, "no key is called \"user\" here; the keys are users and tokens"),
            ("[users.a]\n\nright = []", 3, "no key is called \"right\" here"),
            ("[users.a]\nrights = 'read'", 2, "rights has the wrong type; give a list"),
            ("[users.a]\nrights = []", 2, "rights are empty; name read"),
            ("[users.a]\nrights = [\n'read',\n'reed']", 4, "no right is called \"reed\""),
            ("[users.a]\nrights = [1]", 2, "what rights holds is no string"),
            (
                "[users.a]\nprefixes = []",
                2,
                "prefixes are empty; name one at least, or leave prefixes out for all keys",
            ),
            ("[users.a]\nprefixes = ['x',\n '']", 3, "a prefix is not 1 to 250 bytes long"),
            (&format!("[users.a]\nprefixes = ['{}']", "p".repeat(251)), 2, "a prefix is not"),
            (&format!("[users.a]\nprefixes = [{}]", many(65, "'p'")), 2, "there are more than 64 prefixes"),
            ("\n[users.a]\nrights = ['admin']\nprefixes = ['x']", 2, "admin concerns all keys"),
            ("[users]\na = 1", 2, "a has the wrong type; give a table"),
            ("users = 1", 1, "users has the wrong type"),
            ("[[users.a]]", 1, "a has the wrong type"),
            ("[users.\"a\\u0007\"]", 1, "a name has control characters"),
            ("[users.\"\"]", 1, "a name is empty"),
            ("[users.a]\npasswords = ['secret']", 2, "a password is no table"),
            ("[users.a]\npasswords = [{}]", 2, "a password in passwords is empty"),
            ("[users.a]\npasswords = [{ MD5 = 'x' }]", 2, "no key is called \"MD5\" here; the keys are SCRAM-SHA-1,"),
            ("[users.a]\npasswords = [{ SCRAM-SHA-1 = 5 }]", 2, "SCRAM-SHA-1 has the wrong type; give a string"),
            (
                "[users.a]\npasswords = [{ SCRAM-SHA-1 = 'x:y' }]",
                2,
                "a record is not iterations:salt:stored:server; make",
            ),
            ("[users.a]\npasswords = [{}, {}, {}]", 2, "there are more than 2 passwords"),
            ("[users.a]\n[users.a]", 2, "this is no TOML"),
            ("[users.a]\nrights = [", 2, "this is no TOML"),
            ("[tokens]\nkeys = 'k'\nissuer = 'i'", 1, "audience is missing"),
            ("[tokens]\nkeys = 'k'\nissuer = ''", 3, "issuer has the wrong type; give a string that says something"),
            ("[tokens]\nurl = 'x'", 2, "no key is called \"url\" here; the keys are keys, issuer and audience"),
        ] {
            let fault = UsersFile::parse(text).unwrap_err();
            assert_eq!(fault.line, Some(line), "{text}: {fault:?}");
            assert!(fault.text.starts_with(phrase), "{text}: {fault:?}");
            assert!(fault.text.contains("; ") && !fault.text.contains('\n'), "{fault:?}");
        }
    }

    #[test]
    fn passwords_of_one_user_share_their_challenge() {
        let file = |one: String, other: String| UsersFile::parse(&format!("[users.a]\npasswords = [{one}, {other}]"));
        let one = verifier("one");
        let beside = one.beside("two").unwrap();
        assert!(file(entry(&one, &Hash::ALL), entry(&beside, &Hash::ALL)).is_ok());
        let salted_anew = Verifier::of("two", 4096, &Salts::random().unwrap()).unwrap();
        let dearer = Verifier::of("two", 4097, &Salts::derived(&[1; 32], "salt")).unwrap();
        for other in [entry(&salted_anew, &Hash::ALL), entry(&dearer, &Hash::ALL), entry(&beside, &[Hash::Sha1])] {
            let fault = file(entry(&one, &Hash::ALL), other).unwrap_err();
            assert!(fault.text.starts_with("the passwords differ"), "{fault:?}");
        }
    }

    #[test]
    fn no_fault_shows_what_is_kept_of_a_password() {
        let entry = entry(&verifier("x"), &[Hash::Sha256]);
        let key = entry.split(':').next_back().unwrap().trim_end_matches([' ', '}', '"', '=']);
        for broken in
            [entry.replace('}', ""), entry.replace(":", "::"), entry.replace("256", "512"), entry.replace("\" }", " }")]
        {
            let fault = UsersFile::parse(&format!("[users.a]\npasswords = [{broken}]")).unwrap_err();
            assert!(!fault.text.contains(key), "{fault:?}");
        }
    }
}

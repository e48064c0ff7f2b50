//! Edits of a users file's text that leave all the rest of it as it is: order, comments, spelling.

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use crate::auth::prepare::check_name;
use crate::auth::record::Hash;
use crate::auth::user::{PASSWORDS_MAX, User};
use crate::auth::users_file::UsersFile;
use crate::auth::verifier::Verifier;

use super::Refusal;
use super::arguments::{Access, Right};

/// A users file that is being edited.
#[derive(Debug)]
pub(super) struct Draft {
    document: DocumentMut,
    users: Vec<User>,
}

impl Draft {
    /// Reads the text, as strictly as the server does.
    ///
    /// # Errors
    /// What the server would say, with the line.
    pub(super) fn parse(text: &str) -> Result<Draft, Refusal> {
        let users = UsersFile::parse(text).map_err(|fault| match fault.line {
            Some(line) => format!("line={line}: {}", fault.text),
            None => fault.text,
        })?;
        let document = text.parse().map_err(|_| "this is no TOML; mend it")?;
        Ok(Draft { document, users: users.users })
    }

    /// The text as edited.
    ///
    /// # Errors
    /// When the server would not take it.
    pub(super) fn finish(self) -> Result<String, Refusal> {
        let text = self.document.to_string();
        UsersFile::parse(&text).map_err(|fault| format!("nothing was changed: {}", fault.text))?;
        Ok(text)
    }

    /// A user who is there.
    ///
    /// # Errors
    /// When there is no such user.
    pub(super) fn user(&self, name: &str) -> Result<&User, Refusal> {
        find(&self.users, name)
    }

    /// Whether a new user can have this name.
    ///
    /// # Errors
    /// When somebody has it already, or nobody can.
    pub(super) fn vacant(&self, name: &str) -> Result<(), Refusal> {
        check_name(name).map_err(|what| format!("{what}; give another"))?;
        match self.user(name) {
            Ok(_) => Err(format!("{name:?} is there already; change gives a new password").into()),
            Err(_) => Ok(()),
        }
    }

    /// Adds a user at the end.
    pub(super) fn add(&mut self, name: &str, access: &Access, password: &Verifier) -> Result<(), Refusal> {
        let mut user = Table::new();
        set_access(&mut user, access);
        put(&mut user, "passwords", passwords(password).into());
        let mut users = Table::new();
        users.set_implicit(true);
        let users = self.document.entry("users").or_insert(Item::Table(users));
        users.as_table_like_mut().ok_or_else(uneditable)?.insert(name, Item::Table(user));
        Ok(())
    }

    /// Gives a user this password in place of all others.
    pub(super) fn change(&mut self, name: &str, password: &Verifier) -> Result<(), Refusal> {
        put(self.table(name)?, "passwords", passwords(password).into());
        Ok(())
    }

    /// Gives a user this password before the others. The oldest goes when there are too many.
    pub(super) fn rotate(&mut self, name: &str, password: &Verifier) -> Result<(), Refusal> {
        let list = self.passwords(name)?;
        list.insert_formatted(0, entry(password));
        while list.len() > PASSWORDS_MAX {
            list.remove(list.len() - 1);
        }
        Ok(())
    }

    /// Takes all passwords but the newest away.
    pub(super) fn retire(&mut self, name: &str) -> Result<(), Refusal> {
        let list = self.passwords(name)?;
        while list.len() > 1 {
            list.remove(list.len() - 1);
        }
        Ok(())
    }

    /// Takes a user away, with the comment right above.
    pub(super) fn delete(&mut self, name: &str) -> Result<(), Refusal> {
        let users = self.document.get_mut("users").and_then(Item::as_table_like_mut).ok_or_else(uneditable)?;
        let next = users.iter().map(|(key, _)| key.to_owned()).skip_while(|key| key != name).nth(1);
        let removed = users.remove(name).ok_or_else(uneditable)?;
        let above = removed.as_table().map_or("", |table| prefix_of(table));
        // What is parted from the user by an empty line belongs to those who stay.
        let Some(end) = above.rfind("\n\n").map(|at| at + 2) else { return Ok(()) };
        let staying = &above[..end];
        match next.and_then(|next| users.get_mut(&next)).and_then(Item::as_table_mut) {
            Some(table) => {
                let prefix = format!("{staying}{}", prefix_of(table));
                table.decor_mut().set_prefix(prefix);
            }
            None => {
                let trailing = self.document.trailing().as_str().unwrap_or_default();
                let trailing = format!("{staying}{trailing}");
                self.document.set_trailing(trailing);
            }
        }
        Ok(())
    }

    /// Changes what a user may do, and leaves what `access` does not name.
    pub(super) fn set_rights(&mut self, name: &str, access: &Access, all_keys: bool) -> Result<(), Refusal> {
        let user = self.table(name)?;
        set_access(user, access);
        if all_keys {
            user.remove("prefixes");
        }
        Ok(())
    }

    fn table(&mut self, name: &str) -> Result<&mut dyn TableLike, Refusal> {
        let user = self.document.get_mut("users").and_then(|users| users.get_mut(name));
        user.and_then(Item::as_table_like_mut).ok_or_else(uneditable)
    }

    fn passwords(&mut self, name: &str) -> Result<&mut Array, Refusal> {
        self.table(name)?.get_mut("passwords").and_then(Item::as_array_mut).ok_or_else(uneditable)
    }
}

/// A user who is there.
///
/// # Errors
/// When there is no such user.
pub(super) fn find<'a>(users: &'a [User], name: &str) -> Result<&'a User, Refusal> {
    let user = users.iter().find(|user| *user.name == *name);
    user.ok_or_else(|| format!("no user is called {name:?}; list shows them all").into())
}

/// Cannot happen to a file that was parsed strictly, so it says what to do if it does.
fn uneditable() -> Refusal {
    "the file's spelling is too unusual; write each user as a table [users.NAME]".into()
}

fn set_access(user: &mut dyn TableLike, access: &Access) {
    if !access.rights.is_empty() {
        let mut rights = access.rights.clone();
        rights.sort_by_key(|right| *right as u8);
        rights.dedup();
        put(user, "rights", rights.into_iter().map(Right::word).collect::<Array>().into());
    }
    if !access.prefix.is_empty() {
        put(user, "prefixes", access.prefix.iter().collect::<Array>().into());
    }
}

/// Sets a value and keeps the comments around an old one.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key) {
        Some(item) => {
            if let Some(old) = item.as_value() {
                *value.decor_mut() = old.decor().clone();
            }
            *item = Item::Value(value);
        }
        None => {
            table.insert(key, Item::Value(value));
        }
    }
}

/// A list of one password, a line for each.
fn passwords(password: &Verifier) -> Array {
    let mut list = Array::new();
    list.push_formatted(entry(password));
    list.set_trailing_comma(true);
    list.set_trailing("\n");
    list
}

fn entry(password: &Verifier) -> Value {
    let mut table = InlineTable::new();
    for hash in Hash::ALL {
        if let Some(record) = password.record(hash) {
            table.insert(hash.mechanism(), record.to_text().into());
        }
    }
    Value::from(table).decorated("\n  ", "")
}

fn prefix_of(table: &Table) -> &str {
    table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::verifier::Salts;

    fn verifier(password: &str) -> Verifier {
        Verifier::of(password, 4096, &Salts::derived(&[1; 32], "salt")).unwrap()
    }

    fn access(rights: &[Right], prefixes: &[&str]) -> Access {
        Access { rights: rights.to_vec(), prefix: prefixes.iter().map(|&prefix| prefix.to_owned()).collect() }
    }

    /// The text after an edit.
    fn edited(text: &str, edit: impl FnOnce(&mut Draft) -> Result<(), Refusal>) -> String {
        let mut draft = Draft::parse(text).unwrap();
        edit(&mut draft).unwrap();
        draft.finish().unwrap()
    }

    const ALICE: &str = "# ours\n\n# since May\n[users.alice] # the first\nrights = [\"read\"] # no more\n";

    #[test]
    fn a_user_is_added_behind_the_others() {
        let text =
            edited(ALICE, |draft| draft.add("bob@x", &access(&[Right::Admin, Right::Read], &[]), &verifier("b")));
        let records = Hash::ALL
            .map(|hash| format!("{} = \"{}\"", hash.mechanism(), verifier("b").record(hash).unwrap().to_text()));
        let added = format!(
            "\n[users.\"bob@x\"]\nrights = [\"read\", \"admin\"]\npasswords = [\n  {{ {} }},\n]\n",
            records.join(", ")
        );
        assert_eq!(text, format!("{ALICE}{added}"));
        assert_eq!(
            edited("", |draft| draft.add("bob@x", &access(&[Right::Admin, Right::Read], &[]), &verifier("b"))),
            added.trim_start()
        );
    }

    #[test]
    fn users_are_added_to_any_spelling() {
        for text in [
            "users = { a = { rights = ['read'] } }\n",
            "users.a.rights = ['read']\n",
            "[users]\na.rights = ['read']\n",
            "[users]\n[tokens]\nkeys='k'\nissuer='i'\naudience='a'\n",
        ] {
            let after = edited(text, |draft| draft.add("b", &access(&[], &["p:"]), &verifier("b")));
            let draft = Draft::parse(&after).unwrap();
            assert_eq!(draft.user("b").unwrap().passwords, [verifier("b")], "{after}");
            let after = edited(&after, |draft| draft.change("b", &verifier("c")));
            assert_eq!(Draft::parse(&after).unwrap().user("b").unwrap().passwords, [verifier("c")], "{after}");
        }
    }

    #[test]
    fn names_that_are_taken_or_none_are_refused() {
        let draft = Draft::parse(ALICE).unwrap();
        assert!(draft.vacant("bob").is_ok());
        for name in ["alice", "", "a\n"] {
            assert!(draft.vacant(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn rotation_keeps_two_and_retirement_one() {
        let [one, two, three] = ["1", "2", "3"].map(verifier);
        let text = edited("", |draft| draft.add("a", &access(&[], &[]), &one));
        let passwords = |text: &str| Draft::parse(text).unwrap().user("a").unwrap().passwords.clone();
        let text = edited(&text, |draft| draft.rotate("a", &two));
        assert_eq!(passwords(&text), [two.clone(), one]);
        let text = edited(&text, |draft| draft.rotate("a", &three));
        assert_eq!(passwords(&text), [three.clone(), two]);
        let text = edited(&text, |draft| draft.retire("a"));
        assert_eq!(passwords(&text), [three]);
        assert!(text.contains("passwords = [\n  {") && text.ends_with("},\n]\n"), "{text}");
    }

    #[test]
    fn rights_change_and_comments_stay() {
        let text = edited(ALICE, |draft| draft.set_rights("alice", &access(&[Right::Write], &["a:", "b:"]), false));
        let expected = ALICE.replace("\"read\"", "\"write\"") + "prefixes = [\"a:\", \"b:\"]\n";
        assert_eq!(text, expected);
        let text = edited(&text, |draft| draft.set_rights("alice", &access(&[Right::Read], &[]), true));
        assert_eq!(text, ALICE);
    }

    #[test]
    fn what_the_server_would_refuse_is_not_written() {
        let mut draft = Draft::parse("[users.a]\nprefixes = ['x']").unwrap();
        draft.set_rights("a", &access(&[Right::Admin], &[]), false).unwrap();
        let refusal = draft.finish().unwrap_err().to_string();
        assert!(refusal.starts_with("nothing was changed: admin concerns all keys"), "{refusal}");
        assert_eq!(Draft::parse("[users.a]\nx = 1").unwrap_err().to_string().split(':').next(), Some("line=2"));
    }

    #[test]
    fn a_user_goes_with_the_comment_right_above() {
        let bob = "# a guest\n[users.bob]\n";
        assert_eq!(edited(&format!("{ALICE}\n{bob}"), |draft| draft.delete("bob")), ALICE);
        assert_eq!(edited(&format!("{ALICE}{bob}"), |draft| draft.delete("alice")), format!("# ours\n\n{bob}"));
        let inline = edited("users = { a = {}, b = {} }\n", |draft| draft.delete("a"));
        assert!(Draft::parse(&inline).unwrap().user("a").is_err() && Draft::parse(&inline).unwrap().user("b").is_ok());
        assert_eq!(edited(ALICE, |draft| draft.delete("alice")), "# ours\n\n");
    }
}

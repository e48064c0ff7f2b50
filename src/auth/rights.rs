//! What a user may do.

/// What one request wants to do, before it does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand<'a> {
    /// Nothing that needs a right: version, noop, quit, the server's own statistics.
    Nothing,
    /// To see the item under this key.
    Read(&'a [u8]),
    /// To change or remove the item under this key.
    Write(&'a [u8]),
    /// Both at once: incr, gat and their kin.
    ReadWrite(&'a [u8]),
    /// To remove every item whose key begins with this.
    WriteAll(&'a [u8]),
    /// To look at or change what belongs to everyone.
    Admin,
}

/// The rights of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// May see items.
    pub read: bool,
    /// May change and remove items.
    pub write: bool,
    /// May do what concerns everyone: flush, dumps, watch, settings. Never together with `prefixes`.
    pub admin: bool,
    /// What keys begin with that may be touched; `None` for all keys.
    pub prefixes: Option<Box<[Box<[u8]>]>>,
}

impl Rights {
    /// Everything.
    pub const ALL: Rights = Rights { read: true, write: true, admin: true, prefixes: None };

    /// Whether all keys may be read and written and everything else be done.
    pub fn is_all(&self) -> bool {
        *self == Rights::ALL
    }

    /// Whether this user may do that.
    pub fn allow(&self, demand: Demand<'_>) -> bool {
        match demand {
            Demand::Nothing => true,
            Demand::Read(key) => self.read && self.cover(key),
            Demand::Write(key) | Demand::WriteAll(key) => self.write && self.cover(key),
            Demand::ReadWrite(key) => self.read && self.write && self.cover(key),
            Demand::Admin => self.admin,
        }
    }

    /// What both allow; `None` if that is nothing.
    pub fn and(&self, other: &Rights) -> Option<Rights> {
        let prefixes = match (&self.prefixes, &other.prefixes) {
            (None, prefixes) | (prefixes, None) => prefixes.clone(),
            (Some(ours), Some(theirs)) => {
                // Of two prefixes the longer one, where it begins with the shorter.
                let within = |one: &[Box<[u8]>], other: &[Box<[u8]>]| {
                    let longer = one.iter().filter(|long| other.iter().any(|short| long.starts_with(short)));
                    longer.cloned().collect::<Vec<_>>()
                };
                let mut both = within(ours, theirs);
                both.extend(within(theirs, ours));
                Some(both.into())
            }
        };
        let both = Rights {
            read: self.read && other.read,
            write: self.write && other.write,
            admin: self.admin && other.admin && prefixes.is_none(),
            prefixes,
        };
        let is_something = (both.read || both.write) && both.prefixes.as_ref().is_none_or(|list| !list.is_empty());
        (is_something || both.admin).then_some(both)
    }

    /// Whether keys that begin like this are among those that may be touched.
    fn cover(&self, key: &[u8]) -> bool {
        self.prefixes.as_deref().is_none_or(|prefixes| prefixes.iter().any(|prefix| key.starts_with(prefix)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(words: &str, prefixes: Option<&[&str]>) -> Rights {
        let prefixes = prefixes.map(|list| list.iter().map(|prefix| prefix.as_bytes().into()).collect());
        let has = |letter| words.contains(letter);
        Rights { read: has('r'), write: has('w'), admin: has('a'), prefixes }
    }

    #[test]
    fn each_demand_needs_its_right() {
        let demands = [
            (Demand::Nothing, ""),
            (Demand::Read(b"k"), "r"),
            (Demand::Write(b"k"), "w"),
            (Demand::WriteAll(b""), "w"),
            (Demand::ReadWrite(b"k"), "rw"),
            (Demand::Admin, "a"),
        ];
        for words in ["", "r", "w", "rw", "a", "ra", "wa", "rwa"] {
            for (demand, needs) in demands {
                let expected = needs.chars().all(|letter| words.contains(letter));
                assert_eq!(rights(words, None).allow(demand), expected, "{words:?} {demand:?}");
            }
        }
    }

    #[test]
    fn two_rights_together_are_what_both_allow() {
        let both = |one: Rights, other: Rights| {
            assert_eq!(
                one.and(&other).map(|both| (both.read, both.write, both.admin)),
                other.and(&one).map(|both| (both.read, both.write, both.admin))
            );
            one.and(&other)
        };
        assert_eq!(both(rights("rwa", None), rights("r", None)), Some(rights("r", None)));
        assert_eq!(both(rights("rw", Some(&["a:"])), rights("rwa", None)), Some(rights("rw", Some(&["a:"]))));
        assert_eq!(
            both(rights("rw", Some(&["a:", "b"])), rights("rw", Some(&["a:x", "c"]))),
            Some(rights("rw", Some(&["a:x"])))
        );
        assert_eq!(both(rights("r", None), rights("w", None)), None);
        assert_eq!(both(rights("r", Some(&["a:"])), rights("r", Some(&["b:"]))), None);
        assert_eq!(both(rights("ra", None), rights("wa", None)), Some(rights("a", None)));
    }

    #[test]
    fn prefixes_hold_for_whole_keys_and_for_what_begins_like_them() {
        let bound = rights("rw", Some(&["a:", "shared/b:"]));
        for (key, allowed) in [
            ("a:", true),
            ("a:1", true),
            ("shared/b:x", true),
            ("a", false),
            ("", false),
            ("b:a:", false),
            ("shared/", false),
        ] {
            assert_eq!(bound.allow(Demand::Read(key.as_bytes())), allowed, "{key}");
            assert_eq!(bound.allow(Demand::WriteAll(key.as_bytes())), allowed, "{key}");
        }
        assert!(!rights("rw", Some(&[])).allow(Demand::Read(b"k")), "no prefix is no key");
    }
}

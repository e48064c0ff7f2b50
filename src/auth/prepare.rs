//! Names and passwords as they are compared: SASLprep (RFC 4013), and what is no name and no password at all.

use std::fmt;

use zeroize::Zeroizing;

use super::user::NAME_MAX;

/// The longest password in bytes, as it is typed. Preparing and hashing a password that a stranger sends takes time
/// that grows with it.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A password in the form that is hashed. Its memory is wiped when it is dropped.
pub struct Prepared(Zeroizing<String>);

impl Prepared {
    /// Prepares a password (RFC 5802 section 2.2, `Normalize`).
    ///
    /// # Errors
    /// [`NotPrintable`] for a password that is empty, longer than [`PASSWORD_BYTES_MAX`] or refused by SASLprep.
    pub fn new(password: &str) -> Result<Prepared, NotPrintable> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(NotPrintable);
        }
        let prepared = Zeroizing::new(stringprep::saslprep(password).map_err(|_| NotPrintable)?.into_owned());
        // Characters that are mapped to nothing can leave nothing.
        if prepared.is_empty() { Err(NotPrintable) } else { Ok(Prepared(prepared)) }
    }

    /// What goes into the hash.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A password that cannot be used: empty, longer than [`PASSWORD_BYTES_MAX`], or with characters that SASLprep refuses,
/// such as control characters. It says no more, because the characters are part of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPrintable;

impl fmt::Display for NotPrintable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the password is empty, longer than {PASSWORD_BYTES_MAX} bytes or has control characters or others that \
             RFC 4013 forbids"
        )
    }
}

impl std::error::Error for NotPrintable {}

/// Checks a user's name.
///
/// # Errors
/// One phrase that says what is wrong: a name is empty, longer than [`NAME_MAX`] bytes, or not in the form that SASLprep
/// gives it, in which clients send it.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("a name is empty");
    }
    if name.len() > NAME_MAX {
        return Err("a name is longer than 255 bytes");
    }
    match stringprep::saslprep(name) {
        Ok(prepared) if prepared == name => Ok(()),
        Ok(_) => Err("a name is not in its SASLprep form (RFC 4013), so no client could send it"),
        Err(_) => Err("a name has control characters or others that RFC 4013 forbids"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(password: &str) -> Option<String> {
        Prepared::new(password).ok().map(|prepared| prepared.0.to_string())
    }

    /// RFC 4013 section 3.
    #[test]
    fn saslprep_examples() {
        for (input, output) in [
            ("I\u{AD}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{AA}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
        ] {
            assert_eq!(prepared(input).as_deref(), output, "{input:?}");
        }
    }

    #[test]
    fn passwords_that_are_none_are_refused() {
        for input in ["", "\u{AD}", "a\0b", "a\tb", "a\u{7F}", "a\r"] {
            assert_eq!(prepared(input), None, "{input:?}");
        }
        assert!(prepared(&"x".repeat(PASSWORD_BYTES_MAX)).is_some());
        assert!(prepared(&"x".repeat(PASSWORD_BYTES_MAX + 1)).is_none());
        assert_eq!(prepared(" a: b ").as_deref(), Some(" a: b "));
    }

    #[test]
    fn names_are_what_clients_send() {
        for name in ["a", "alice@example.com", "a b", "J\u{FC}rgen"] {
            assert_eq!(check_name(name), Ok(()), "{name:?}");
        }
        assert_eq!(check_name(&"n".repeat(NAME_MAX)), Ok(()));
        for name in ["", "a\n", "a\0", "I\u{AD}X", "\u{AA}", "\u{627}1", &"n".repeat(NAME_MAX + 1)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_phrase_about_long_names_names_the_limit() {
        let phrase = check_name(&"n".repeat(NAME_MAX + 1)).unwrap_err();
        assert!(phrase.contains(&NAME_MAX.to_string()), "{phrase}");
    }
}

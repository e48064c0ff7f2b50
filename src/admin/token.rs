//! The bearer token (RFC 6750) that opens the admin port.

use std::fmt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;

use crate::source_file::{Fault, Kind, LoadError, read_file};

/// A shorter token could be guessed.
const BYTES_MIN: usize = 16;

/// A longer one does not fit into a header with room for others.
const BYTES_MAX: usize = 1024;

/// What a request has to show. The token itself is not kept, but its SHA-256.
pub struct Token {
    path: PathBuf,
    digest: Mutex<[u8; 32]>,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token in the file at `path`, without white space around it.
    ///
    /// # Errors
    /// When the file cannot be read, when it holds no token, or one that is too short.
    pub fn read(path: &Path) -> Result<Token, LoadError> {
        // The process may leave its directory before it reads the file again.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let digest = Mutex::new(read_digest(&path)?);
        Ok(Token { path, digest })
    }

    /// Reads the file again. If there is a fault in it, the token stays as it is.
    pub fn reload(&self) {
        match read_digest(&self.path) {
            Ok(digest) => {
                *self.digest.lock() = digest;
                log::info!("admin token read again");
            }
            Err(error) => log::error!("admin token stays as it was: {error}"),
        }
    }

    /// Whether the value of an `Authorization` header shows it. Takes as long for each value of one length.
    pub(super) fn is_shown_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, shown)) = authorization.split_at_checked(b"Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && hash(shown.trim_ascii()).ct_eq(&*self.digest.lock()).into()
    }
}

fn read_digest(path: &Path) -> Result<[u8; 32], LoadError> {
    let bytes = read_file(Kind::AdminToken, path).map_err(|fault| fault.of(Kind::AdminToken, path))?;
    let token = bytes.trim_ascii();
    // Any of these can stand in a header; RFC 6750 allows fewer, and clients send what they are given.
    let is_fit = token.iter().all(u8::is_ascii_graphic) && (BYTES_MIN..=BYTES_MAX).contains(&token.len());
    if !is_fit {
        let text = format!(
            "holds no token; write {BYTES_MIN} to {BYTES_MAX} printable characters without blanks into it, such as \
             those of: openssl rand -hex 32"
        );
        return Err(Fault::whole(text).of(Kind::AdminToken, path));
    }
    Ok(hash(token))
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    fn read(text: &str) -> Result<Token, LoadError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        write(&path, text);
        Token::read(&path)
    }

    #[test]
    fn only_the_token_is_the_token() {
        let token = read(" 0123456789abcdef\n").unwrap();
        for (shown, is_right) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef ", true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer ", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("", false),
        ] {
            assert_eq!(token.is_shown_by(shown.as_bytes()), is_right, "{shown:?}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_old_one_unless_it_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        write(&path, "0123456789abcdef");
        let token = Token::read(&path).unwrap();
        for (text, shown) in [
            ("fedcba9876543210", &b"Bearer fedcba9876543210"[..]),
            ("short", b"Bearer fedcba9876543210"),
            ("0123456789abcdeg", b"Bearer 0123456789abcdeg"),
        ] {
            write(&path, text);
            token.reload();
            assert!(token.is_shown_by(shown), "{text}");
            assert!(!token.is_shown_by(b"Bearer 0123456789abcdef"), "{text}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for text in ["", "\n", "0123456789abcde", "0123456789 abcdef", "0123456789\u{e9}abcdef", &"x".repeat(1025)] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("holds no token"), "{error}");
            assert!(!error.contains("0123456789"), "{error}");
        }
    }
}

//! Where a node is, from the word on the command line.

use std::path::PathBuf;

/// memcached's port.
const PORT_DEFAULT: u16 = 11211;

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A host's name or address without brackets, and a port.
    Tcp(String, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Reads `HOST`, `HOST:PORT`, `[IPv6]`, `[IPv6]:PORT`, a bare IPv6 address, or a path that has a slash.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub(super) fn parse(word: &str) -> Result<Address, String> {
        if word.contains('/') {
            return Ok(Address::Unix(word.into()));
        }
        let wrong = || format!("{word:?} is no node; give HOST, HOST:PORT, [IPv6]:PORT or a path");
        let (host, port) = if let Some(rest) = word.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or_else(wrong)?) })
        } else if word.matches(':').count() == 1 {
            word.split_once(':').map(|(host, port)| (host, Some(port))).ok_or_else(wrong)?
        } else {
            (word, None)
        };
        let port = port.map_or(Ok(PORT_DEFAULT), |port| port.parse().map_err(|_| wrong()))?;
        if host.is_empty() || port == 0 {
            return Err(wrong());
        }
        Ok(Address::Tcp(host.to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_addresses() {
        let tcp = |host: &str, port| Ok(Address::Tcp(host.to_owned(), port));
        assert_eq!(Address::parse("a"), tcp("a", 11211));
        assert_eq!(Address::parse("a:1"), tcp("a", 1));
        assert_eq!(Address::parse("::1"), tcp("::1", 11211));
        assert_eq!(Address::parse("[::1]"), tcp("::1", 11211));
        assert_eq!(Address::parse("[::1]:2"), tcp("::1", 2));
        assert_eq!(Address::parse("/run/s"), Ok(Address::Unix("/run/s".into())));
        for word in ["", ":1", "a:", "a:0", "a:65536", "[::1", "[::1]2", "[]:1"] {
            assert!(Address::parse(word).is_err(), "{word}");
        }
    }
}

//! The address of `--admin`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Exit;
use super::word::Word;
use crate::settings::AdminAddress;

/// `HOST:PORT`, where the host is an address or `localhost`; a path, which has a slash; or `passed`.
///
/// # Errors
/// It is neither.
pub(super) fn address(word: &Word<'_>) -> Result<AdminAddress, Exit> {
    let text = word.text()?;
    if text.contains('/') {
        return Ok(AdminAddress::Unix(PathBuf::from(text)));
    }
    if text == "passed" {
        return Ok(AdminAddress::Passed);
    }
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = local.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).or_else(|| text.parse().ok());
    address.map(AdminAddress::Tcp).ok_or_else(|| {
        word.refusal("is no address with a port; give such as 127.0.0.1:9150, or a path with a slash in it")
    })
}

#[cfg(test)]
mod tests {
    use super::AdminAddress;
    use crate::cli::{read, words};

    #[test]
    fn addresses_and_paths_are_told_apart() {
        let admin = |line| read(words(line)).map(|read| read.settings.admin).ok().flatten();
        assert_eq!(admin("--admin localhost:1"), Some(AdminAddress::Tcp("127.0.0.1:1".parse().unwrap())));
        assert_eq!(admin("--admin [::1]:1"), Some(AdminAddress::Tcp("[::1]:1".parse().unwrap())));
        assert_eq!(admin("--admin passed"), Some(AdminAddress::Passed));
        assert_eq!(admin("--admin ./a:1"), Some(AdminAddress::Unix("./a:1".into())));
        for line in ["--admin 9150", "--admin localhost", "--admin example.org:1", "--admin 127.0.0.1:70000"] {
            assert!(read(words(line)).is_err(), "{line}");
        }
    }
}

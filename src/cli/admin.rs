//! The address of `--admin`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::Exit;
use super::word::Word;
use crate::settings::{AdminAddress, AdminTls};

/// `[tls:|mtls:]HOST:PORT`, where the host is an address or `localhost`; a path, which has a slash; or `passed`.
///
/// # Errors
/// It is none of these.
pub(super) fn address(word: &Word<'_>) -> Result<AdminAddress, Exit> {
    let text = word.text()?;
    let with_tls = [AdminTls::Server, AdminTls::Mutual].into_iter().find(|tls| text.starts_with(tls.prefix()));
    let tls = with_tls.unwrap_or_default();
    let text = &text[tls.prefix().len()..];
    match with_tls {
        Some(_) if text.contains('/') || text == "passed" => {
            return Err(word.refusal(
                "has TLS where there is none to choose: a Unix socket is served without, and what is passed is named \
                 larder-admin-tls or larder-admin-mtls for it; take the prefix away",
            ));
        }
        None if text.contains('/') => return Ok(AdminAddress::Unix(PathBuf::from(text))),
        None if text == "passed" => return Ok(AdminAddress::Passed),
        _ => {}
    }
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let address = local.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).or_else(|| text.parse().ok());
    address.map(|address| AdminAddress::Tcp(address, tls)).ok_or_else(|| {
        word.refusal("is no address with a port; give such as 127.0.0.1:9150, or a path with a slash in it")
    })
}

#[cfg(test)]
mod tests {
    use super::{AdminAddress, AdminTls};
    use crate::cli::{read, words};

    #[test]
    fn addresses_and_paths_are_told_apart() {
        let admin = |line: &str| read(words(line)).map(|read| read.settings.admin).ok().flatten();
        let tcp = |address: &str, tls| Some(AdminAddress::Tcp(address.parse().unwrap(), tls));
        assert_eq!(admin("--admin localhost:1"), tcp("127.0.0.1:1", AdminTls::Off));
        assert_eq!(admin("--admin [::1]:1"), tcp("[::1]:1", AdminTls::Off));
        let certificates = " -o ssl_chain_cert=c,ssl_ca_cert=a";
        for (text, expected) in [
            ("tls:localhost:1", tcp("127.0.0.1:1", AdminTls::Server)),
            ("tls:[::1]:1", tcp("[::1]:1", AdminTls::Server)),
            ("mtls:0.0.0.0:1", tcp("0.0.0.0:1", AdminTls::Mutual)),
        ] {
            assert_eq!(admin(&format!("--admin {text}{certificates}")), expected, "{text}");
        }
        assert_eq!(admin("--admin passed"), Some(AdminAddress::Passed));
        assert_eq!(admin("--admin ./a:1"), Some(AdminAddress::Unix("./a:1".into())));
        for text in [
            "9150",
            "localhost",
            "example.org:1",
            "127.0.0.1:70000",
            "tls:/a",
            "mtls:passed",
            "tls:",
            "tls:tls:127.0.0.1:1",
            "btls:127.0.0.1:1",
            "TLS:127.0.0.1:1",
        ] {
            assert!(read(words(&format!("--admin {text}{certificates}"))).is_err(), "{text}");
        }
    }
}

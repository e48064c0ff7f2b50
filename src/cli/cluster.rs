//! The source of `--cluster`, and the name servers of `--cluster-resolver`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::Exit;
use super::word::Word;
use crate::discovery::{DNS_PORT, is_dns_name};
use crate::settings::ClusterSource;

/// `dns:NAME:PORT`, `srv:NAME`, or a file.
///
/// # Errors
/// What stands behind `dns:` or `srv:` is no name, or has no port.
pub(super) fn source(word: &Word<'_>) -> Result<ClusterSource, Exit> {
    let path = word.path()?;
    let Some(text) = path.to_str() else { return Ok(ClusterSource::File(path)) };
    let name = |text: &str| {
        let name = text.strip_suffix('.').unwrap_or(text);
        is_dns_name(name).then(|| name.to_owned())
    };
    if let Some(rest) = text.strip_prefix("dns:") {
        let parts = rest.rsplit_once(':').and_then(|(host, port)| Some((name(host)?, port.parse().ok()?)));
        return match parts {
            Some((name, port)) if port > 0 => Ok(ClusterSource::Addresses { name, port }),
            _ => Err(word.refusal("is no name with a port; give such as dns:cache.example.com:11211")),
        };
    }
    if let Some(rest) = text.strip_prefix("srv:") {
        let refusal = || word.refusal("is no name; give such as srv:_memcache._tcp.cache.example.com");
        return name(rest).map(|name| ClusterSource::Services { name }).ok_or_else(refusal);
    }
    Ok(ClusterSource::File(PathBuf::from(text)))
}

/// Addresses, with port 53 where they have none.
///
/// # Errors
/// One of them is none.
pub(super) fn resolvers(word: &Word<'_>) -> Result<Vec<SocketAddr>, Exit> {
    let server = |text: &str| {
        let bare = || text.parse().ok().map(|ip: IpAddr| SocketAddr::from((ip, DNS_PORT)));
        text.parse().ok().or_else(bare)
    };
    let servers = word.text()?.split(',').map(|part| server(part.trim())).collect::<Option<Vec<_>>>();
    servers.ok_or_else(|| word.refusal("has what is no address; give such as 10.0.0.2 or 127.0.0.1:8600"))
}

#[cfg(test)]
mod tests {
    use super::ClusterSource;
    use crate::cli::{read, words};

    #[test]
    fn sources_are_told_apart() {
        let source = |line| read(words(line)).map(|read| read.settings.cluster).ok().flatten();
        let addresses = |name: &str, port| Some(ClusterSource::Addresses { name: name.to_owned(), port });
        assert_eq!(source("--cluster nodes"), Some(ClusterSource::File("nodes".into())));
        assert_eq!(source("--cluster /a/srv:b"), Some(ClusterSource::File("/a/srv:b".into())));
        assert_eq!(source("--cluster dns:cache.default.svc:11211"), addresses("cache.default.svc", 11211));
        assert_eq!(source("--cluster dns:cache.:1"), addresses("cache", 1));
        let services = ClusterSource::Services { name: "_memcache._tcp.cache".to_owned() };
        assert_eq!(source("--cluster srv:_memcache._tcp.cache"), Some(services));
        for line in [
            "--cluster dns:cache",
            "--cluster dns::1",
            "--cluster dns:cache:0",
            "--cluster dns:cache:65536",
            "--cluster dns:a..b:1",
            "--cluster dns:::1:1",
            "--cluster srv:",
            "--cluster srv:a|b",
        ] {
            assert!(read(words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn name_servers_have_a_port() {
        let line = "--cluster srv:a --cluster-resolver 10.0.0.1,127.0.0.1:8600 --cluster-resolver ::1,[::1]:54";
        let servers = read(words(line)).expect(line).settings.cluster_resolvers;
        assert_eq!(
            servers.iter().map(|server| server.to_string()).collect::<Vec<_>>(),
            ["10.0.0.1:53", "127.0.0.1:8600", "[::1]:53", "[::1]:54"]
        );
        for line in [
            "--cluster srv:a --cluster-resolver ns.example",
            "--cluster srv:a --cluster-resolver 10.0.0.1,",
            "--cluster nodes --cluster-resolver 10.0.0.1",
            "--cluster-resolver 10.0.0.1",
            "--cluster-before-login",
        ] {
            assert!(read(words(line)).is_err(), "{line}");
        }
    }
}

//! The name servers of this machine: lines `nameserver ADDRESS` of resolv.conf(5). It is read at every lookup, as it
//! changes with the network. Nothing else in it is looked at.

use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PATH: &str = "/etc/resolv.conf";

/// As many as the C library looks at.
const SERVERS_MAX: usize = 3;

/// Where name servers listen.
pub const DNS_PORT: u16 = 53;

/// Whom to ask.
///
/// # Errors
/// The file cannot be read.
pub(super) fn name_servers() -> Result<Vec<SocketAddr>, String> {
    match fs::read(PATH) {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(parse("")),
        Err(error) => Err(format!("cannot read {PATH}: {error}")),
    }
}

/// The first servers, or this machine where none is named (resolv.conf(5)).
fn parse(text: &str) -> Vec<SocketAddr> {
    let server = |line: &str| {
        let mut words = line.split_whitespace();
        let address: Option<IpAddr> = match words.next() {
            Some("nameserver") => words.next().and_then(|word| word.parse().ok()),
            _ => None,
        };
        address.map(|ip| SocketAddr::from((ip, DNS_PORT)))
    };
    let servers: Vec<SocketAddr> = text.lines().filter_map(server).take(SERVERS_MAX).collect();
    if servers.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT))] } else { servers }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_lines() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::from((text.parse::<IpAddr>().unwrap(), 53))).collect()
        };
        for (text, expected) in [
            ("", &["127.0.0.1"][..]),
            ("search a.example\noptions ndots:5\n", &["127.0.0.1"]),
            ("nameserver 10.0.0.1\n", &["10.0.0.1"]),
            ("# nameserver 10.0.0.9\n\tnameserver\t::1 # near\nnameserver 10.0.0.1", &["::1", "10.0.0.1"]),
            ("nameserver ns.example\nnameserver 10.0.0.1\nnameservers 10.0.0.2\n", &["10.0.0.1"]),
            (
                "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n",
                &["10.0.0.1", "10.0.0.2", "10.0.0.3"],
            ),
        ] {
            assert_eq!(parse(text), addresses(expected), "{text:?}");
        }
    }
}

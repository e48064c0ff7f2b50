//! Whom a limit holds for.

use std::net::IpAddr;

/// One to whom an address belongs, as far as can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// Everyone on the Unix sockets.
    Local,
    /// An IPv4 address, be it written as IPv6 (RFC 4291 section 2.5.5.2).
    V4(u32),
    /// The first 64 bits of an IPv6 address: the network that one customer has.
    V6(u64),
}

impl From<IpAddr> for Party {
    fn from(address: IpAddr) -> Party {
        match address.to_canonical() {
            IpAddr::V4(address) => Party::V4(address.to_bits()),
            IpAddr::V6(address) => Party::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl From<Option<IpAddr>> for Party {
    /// `None` is a client of a Unix socket.
    fn from(address: Option<IpAddr>) -> Party {
        address.map_or(Party::Local, Party::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_ipv6_and_mapped_addresses_are_one() {
        let party = |text: &str| Party::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(party("2001:db8:1:2::1"), party("2001:db8:1:2:ffff::9"));
        assert_ne!(party("2001:db8:1:2::1"), party("2001:db8:1:3::1"));
        assert_eq!(party("::ffff:10.0.0.1"), party("10.0.0.1"));
        assert_ne!(party("10.0.0.1"), party("10.0.0.2"));
        assert_ne!(party("::"), Party::from(None));
        assert_ne!(party("::"), party("0.0.0.0"));
    }
}

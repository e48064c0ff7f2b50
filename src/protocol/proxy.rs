//! The header that a load balancer puts in front of a connection to say whose it is (PROXY protocol, version 2:
//! haproxy's proxy-protocol.txt, section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What each header begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a header before its addresses.
pub const FIXED_BYTES: usize = 16;

/// Bytes of addresses and of what else a header may hold. Certificates that a balancer passes on are longer and of no use
/// here.
const REST_BYTES_MAX: usize = 4 << 10;

/// Whose a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The balancer's own: it looks whether we are well. Or it does not know the client's address.
    Balancer,
    /// A client's.
    Client(SocketAddr),
}

/// Why a header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// How many bytes follow the first [`FIXED_BYTES`] of a header.
///
/// # Errors
/// They are not those of a header, or of one that is longer than 4 KiB.
pub fn rest_bytes(fixed: &[u8; FIXED_BYTES]) -> Result<usize, Malformed> {
    let rest_bytes = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let is_header = fixed.starts_with(&SIGNATURE) && fixed[12] >> 4 == 2 && rest_bytes <= REST_BYTES_MAX;
    if is_header { Ok(rest_bytes) } else { Err(Malformed) }
}

/// Reads a whole header. What follows the addresses is of no interest.
///
/// # Errors
/// It names a command or a family that is none, or is too short for its addresses.
pub fn source(fixed: &[u8; FIXED_BYTES], rest: &[u8]) -> Result<Source, Malformed> {
    let (command, family) = (fixed[12] & 0x0f, fixed[13]);
    match (command, family) {
        (0, _) => Ok(Source::Balancer),
        // Unknown, or a Unix socket on the balancer's machine.
        (1, 0x00 | 0x31) => Ok(Source::Balancer),
        (1, 0x11) => {
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *rest.first_chunk().ok_or(Malformed)?;
            Ok(client(Ipv4Addr::new(a, b, c, d), [high, low]))
        }
        (1, 0x21) => {
            let addresses: &[u8; 36] = rest.first_chunk().ok_or(Malformed)?;
            let address: [u8; 16] = *addresses.first_chunk().ok_or(Malformed)?;
            Ok(client(Ipv6Addr::from(address), [addresses[32], addresses[33]]))
        }
        _ => Err(Malformed),
    }
}

fn client(address: impl Into<IpAddr>, port: [u8; 2]) -> Source {
    Source::Client(SocketAddr::new(address.into(), u16::from_be_bytes(port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A header with this command, family and rest.
    fn header(command: u8, family: u8, rest: &[u8]) -> ([u8; FIXED_BYTES], Vec<u8>) {
        let mut fixed = [0; FIXED_BYTES];
        fixed[..12].copy_from_slice(&SIGNATURE);
        fixed[12] = 0x20 | command;
        fixed[13] = family;
        fixed[14..].copy_from_slice(&(rest.len() as u16).to_be_bytes());
        (fixed, rest.to_vec())
    }

    fn read(command: u8, family: u8, rest: &[u8]) -> Result<Source, Malformed> {
        let (fixed, rest) = header(command, family, rest);
        assert_eq!(rest_bytes(&fixed), Ok(rest.len()));
        source(&fixed, &rest)
    }

    #[test]
    fn headers_say_whose_a_connection_is() {
        let v4 = [10, 0, 0, 7, 10, 0, 0, 1, 0x30, 0x39, 0x2b, 0xcb];
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6[32..34].copy_from_slice(&[0x30, 0x39]);
        let client = |text: &str| Ok(Source::Client(text.parse().unwrap()));
        assert_eq!(read(1, 0x11, &v4), client("10.0.0.7:12345"));
        assert_eq!(read(1, 0x11, &[&v4[..], b"\x04\x00\x01x"].concat()), client("10.0.0.7:12345"), "with more behind");
        assert_eq!(read(1, 0x21, &v6), client("[2001:db8::7]:12345"));
        assert_eq!(read(0, 0x00, b""), Ok(Source::Balancer));
        assert_eq!(read(0, 0x11, &v4), Ok(Source::Balancer), "LOCAL, whatever it names");
        assert_eq!(read(1, 0x00, b"anything"), Ok(Source::Balancer));
        assert_eq!(read(1, 0x31, &[0; 216]), Ok(Source::Balancer));
        for (command, family, rest) in [
            (2, 0x11, &v4[..]),
            (15, 0x00, b""),
            (1, 0x12, &v4),
            (1, 0x10, &v4),
            (1, 0x41, &v4),
            (1, 0x11, &v4[..11]),
            (1, 0x21, &v6[..35]),
            (1, 0x11, b""),
        ] {
            assert_eq!(read(command, family, rest), Err(Malformed), "{command} {family:#x} {}", rest.len());
        }
    }

    #[test]
    fn what_does_not_begin_like_a_header_is_none() {
        let (good, _) = header(1, 0x11, &[0; 12]);
        for at in 0..12 {
            let mut fixed = good;
            fixed[at] ^= 1;
            assert_eq!(rest_bytes(&fixed), Err(Malformed), "byte {at}");
        }
        for version in [0x01, 0x11, 0x31, 0xf1] {
            let mut fixed = good;
            fixed[12] = version;
            assert_eq!(rest_bytes(&fixed), Err(Malformed), "{version:#x}");
        }
        assert_eq!(rest_bytes(b"PROXY TCP4 10.0."), Err(Malformed), "version 1");
        assert_eq!(rest_bytes(&header(1, 0, &[0; REST_BYTES_MAX]).0), Ok(REST_BYTES_MAX));
        assert_eq!(rest_bytes(&header(1, 0, &[0; REST_BYTES_MAX + 1]).0), Err(Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(command: u8, family: u8, rest in prop::collection::vec(any::<u8>(), 0..300)) {
            let (fixed, rest) = header(command & 0x0f, family, &rest);
            if let Ok(Source::Client(address)) = source(&fixed, &rest) {
                let at = if address.is_ipv4() { 8 } else { 32 };
                prop_assert_eq!(address.port(), u16::from_be_bytes([rest[at], rest[at + 1]]));
            }
        }
    }
}

//! The header that a load balancer puts in front of a connection to tell whose it is: PROXY protocol, version 2
//! (haproxy's doc/proxy-protocol.txt, section 2.2).
//!
//! ```text
//!   0          12              13             14       16
//!   | signature | version, command | family, transport | length | addresses, then anything ...
//! ```
//!
//! The length counts what follows it, at most [`HEADER_BYTES_MAX`] with all before it. Behind the addresses of a family
//! come vectors of type, length and value; they are skipped, and so is a checksum among them. Version 1, a line of text,
//! is recognised and refused.

use std::net::SocketAddr;

/// Bytes of a header at most: addresses need 232, and what balancers add to them a few hundred.
pub const HEADER_BYTES_MAX: usize = 4096;

/// Bytes up to the length.
const PREFIX_BYTES: usize = 16;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// How a header of version 1 begins.
const TEXT_SIGNATURE: &[u8] = b"PROXY";

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The balancer's own, to see whether the server is well.
    Balancer,
    /// A client's with this address.
    Client(SocketAddr),
    /// A client's whose address the balancer cannot tell, or which has none in TCP.
    Unknown,
}

/// What can be said of the first bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is this, and takes all of these bytes.
    Complete(Source),
    /// There must be so many bytes, counted from the first, before more can be said. The header is no shorter.
    Needs(usize),
}

/// Why this is no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It begins otherwise.
    Signature,
    /// It is one of version 1.
    Text,
    /// It has another version than 2, or a command that is not assigned.
    Command,
    /// It has a family or a transport that is not assigned.
    Family,
    /// It is longer than [`HEADER_BYTES_MAX`].
    Long,
    /// It has no room for the addresses of its family.
    Short,
}

impl Fault {
    /// The fault in words for the log, and what to do.
    pub fn reason(self) -> &'static str {
        match self {
            Fault::Signature => "does not begin with a PROXY header; make the balancer send one (send-proxy-v2)",
            Fault::Text => "begins with a PROXY header of version 1; make the balancer send version 2 (send-proxy-v2)",
            Fault::Command => "begins with a PROXY header of an unknown version or command",
            Fault::Family => "begins with a PROXY header of an unknown address family or transport",
            Fault::Long => "begins with a PROXY header of more than 4096 bytes",
            Fault::Short => "begins with a PROXY header without room for its addresses",
        }
    }
}

impl Header {
    /// Looks at the first bytes of a connection, which must not be more than an earlier look said were needed.
    ///
    /// # Errors
    /// They are no header, and no bytes behind them could make them one.
    pub fn parse(bytes: &[u8]) -> Result<Header, Fault> {
        let begins = |signature: &[u8]| bytes.iter().zip(signature).all(|(byte, expected)| byte == expected);
        if !begins(SIGNATURE) {
            return match begins(TEXT_SIGNATURE) {
                false => Err(Fault::Signature),
                true if bytes.len() < TEXT_SIGNATURE.len() => Ok(Header::Needs(TEXT_SIGNATURE.len())),
                true => Err(Fault::Text),
            };
        }
        let Some((&[.., command, family, high, low], block)) = bytes.split_first_chunk::<PREFIX_BYTES>() else {
            return Ok(Header::Needs(PREFIX_BYTES));
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if PREFIX_BYTES + length > HEADER_BYTES_MAX {
            return Err(Fault::Long);
        }
        if length < addresses_bytes(command, family)? {
            return Err(Fault::Short);
        }
        if block.len() < length {
            return Ok(Header::Needs(PREFIX_BYTES + length));
        }
        Ok(Header::Complete(source(command, family, block)))
    }
}

/// Bytes that the addresses of a family and transport take.
fn addresses_bytes(command: u8, family: u8) -> Result<usize, Fault> {
    match (command, family) {
        // Whatever its family is, it is ignored.
        (LOCAL, _) => Ok(0),
        (PROXY, TCP_OVER_IPV4 | 0x12) => Ok(V4_ADDRESSES_BYTES),
        (PROXY, TCP_OVER_IPV6 | 0x22) => Ok(V6_ADDRESSES_BYTES),
        (PROXY, 0x31 | 0x32) => Ok(UNIX_ADDRESSES_BYTES),
        // Family or transport is not specified.
        (PROXY, 0x00..=0x02 | 0x10 | 0x20 | 0x30) => Ok(0),
        (PROXY, _) => Err(Fault::Family),
        _ => Err(Fault::Command),
    }
}

/// Of the addresses the source comes first, and its port behind both.
fn source(command: u8, family: u8, block: &[u8]) -> Source {
    match (command, family) {
        (LOCAL, _) => Source::Balancer,
        (PROXY, TCP_OVER_IPV4) => match block.first_chunk::<V4_ADDRESSES_BYTES>() {
            Some(&[a, b, c, d, _, _, _, _, high, low, ..]) => {
                Source::Client(SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low]))))
            }
            None => Source::Unknown,
        },
        (PROXY, TCP_OVER_IPV6) => match (block.first_chunk::<16>(), block.get(32..34)) {
            (Some(&address), Some(&[high, low])) => {
                Source::Client(SocketAddr::from((address, u16::from_be_bytes([high, low]))))
            }
            _ => Source::Unknown,
        },
        _ => Source::Unknown,
    }
}

/// Version 2, and the connection is the balancer's own.
const LOCAL: u8 = 0x20;
/// Version 2, and the connection is a client's.
const PROXY: u8 = 0x21;

const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

/// Two addresses and two ports.
const V4_ADDRESSES_BYTES: usize = 2 * 4 + 2 * 2;
const V6_ADDRESSES_BYTES: usize = 2 * 16 + 2 * 2;
/// Two paths.
const UNIX_ADDRESSES_BYTES: usize = 2 * 108;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).expect("a block that can be announced").to_be_bytes();
        [SIGNATURE, &[command, family], &length, block].concat()
    }

    /// What is said of a header, which must be said at every cut of it, too, as far as it is known by then.
    #[track_caller]
    fn check(bytes: &[u8], expected: Result<Source, Fault>) {
        for cut in 0..bytes.len() {
            match Header::parse(&bytes[..cut]) {
                Ok(Header::Needs(needed)) => assert!(cut < needed && needed <= bytes.len(), "{cut}: {needed}"),
                Ok(Header::Complete(source)) => panic!("{cut} bytes are enough for {source:?}"),
                Err(fault) => assert_eq!(Err(fault), expected, "{cut}"),
            }
        }
        assert_eq!(Header::parse(bytes), expected.map(Header::Complete));
    }

    const V4_BLOCK: &[u8] = &[192, 0, 2, 1, 198, 51, 100, 2, 0x30, 0x39, 0x2b, 0xcb];

    fn v4() -> Source {
        Source::Client("192.0.2.1:12345".parse().expect("an address"))
    }

    #[test]
    fn the_clients_address_comes_first_and_its_port_third() {
        check(&header(PROXY, 0x11, V4_BLOCK), Ok(v4()));
        let address: std::net::Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let block = [&address.octets()[..], &[0xff; 16], &[0x30, 0x39, 0x2b, 0xcb]].concat();
        check(&header(PROXY, 0x21, &block), Ok(Source::Client(SocketAddr::from((address, 12345)))));
    }

    #[test]
    fn what_stands_behind_the_addresses_is_skipped() {
        // A checksum that is wrong, the AWS network's endpoint, and what is no vector at all.
        for vectors in [&b"\x03\0\x04\0\0\0\0"[..], b"\xea\0\x05\x01vpce", b"\x04\xff\xff", b"\0"] {
            check(&header(PROXY, 0x11, &[V4_BLOCK, vectors].concat()), Ok(v4()));
            check(&header(LOCAL, 0x00, vectors), Ok(Source::Balancer));
        }
        let room = HEADER_BYTES_MAX - PREFIX_BYTES;
        let mut block = vec![0xff; room];
        block[..V4_BLOCK.len()].copy_from_slice(V4_BLOCK);
        check(&header(PROXY, 0x11, &block), Ok(v4()));
        block.push(0);
        check(&header(PROXY, 0x11, &block), Err(Fault::Long));
        check(&header(LOCAL, 0x00, &block), Err(Fault::Long));
        check(&header(PROXY, 0x11, &[0; 0xffff]), Err(Fault::Long));
    }

    #[test]
    fn a_balancer_that_looks_after_us_needs_no_address() {
        for family in 0..=u8::MAX {
            check(&header(LOCAL, family, b""), Ok(Source::Balancer));
            check(&header(LOCAL, family, V4_BLOCK), Ok(Source::Balancer));
        }
    }

    #[test]
    fn clients_without_an_address_in_tcp_are_unknown() {
        for family in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            check(&header(PROXY, family, b""), Ok(Source::Unknown));
            check(&header(PROXY, family, &[1; 300]), Ok(Source::Unknown));
        }
        for (family, bytes) in [(0x12, 12), (0x22, 36), (0x31, 216), (0x32, 216)] {
            check(&header(PROXY, family, &vec![b'/'; bytes]), Ok(Source::Unknown));
        }
    }

    #[test]
    fn addresses_must_fit() {
        for (family, bytes) in [(0x11, 12), (0x12, 12), (0x21, 36), (0x22, 36), (0x31, 216), (0x32, 216)] {
            for short in [0, 1, bytes - 1] {
                check(&header(PROXY, family, &vec![1; short]), Err(Fault::Short));
            }
        }
    }

    #[test]
    fn what_is_not_assigned_is_refused() {
        for command in (0..=u8::MAX).filter(|command| ![LOCAL, PROXY].contains(command)) {
            check(&header(command, 0x11, V4_BLOCK), Err(Fault::Command));
        }
        let assigned = [0x00, 0x01, 0x02, 0x10, 0x11, 0x12, 0x20, 0x21, 0x22, 0x30, 0x31, 0x32];
        for family in (0..=u8::MAX).filter(|family| !assigned.contains(family)) {
            check(&header(PROXY, family, &[1; 216]), Err(Fault::Family));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_at_its_first_wrong_byte() {
        for (bytes, fault, known_at) in [
            (&b"get greeting\r\n"[..], Fault::Signature, 1),
            (b"\x80\x0b\0\0", Fault::Signature, 1),
            (b"\x16\x03\x01\x02\0\x01", Fault::Signature, 1),
            (b"\r\n\r\n\0\r\nQUIT\r", Fault::Signature, 12),
            (b"\r\nget a\r\n", Fault::Signature, 3),
            (b"PROXY TCP4 192.0.2.1 198.51.100.2 12345 11211\r\n", Fault::Text, 5),
            (b"PROXZ", Fault::Signature, 5),
            (b"Pr", Fault::Signature, 2),
        ] {
            for cut in 0..known_at {
                assert!(matches!(Header::parse(&bytes[..cut]), Ok(Header::Needs(_))), "{bytes:?} {cut}");
            }
            for cut in known_at..=bytes.len() {
                assert_eq!(Header::parse(&bytes[..cut]), Err(fault), "{bytes:?} {cut}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Who reads what is needed, and no more, comes to an end within the bound and never behind the header.
        #[test]
        fn whoever_reads_what_is_needed_reads_the_header_and_no_byte_more(
            is_header in any::<bool>(),
            kind in any::<[u8; 2]>(),
            length in 0_usize..5000,
            rest in proptest::collection::vec(any::<u8>(), 5016),
        ) {
            let [command, family] = kind;
            // Most bytes are not assigned, so a few are made likely.
            let command = if command & 1 == 0 { PROXY ^ (command & 2) >> 1 } else { command };
            let family = if family & 0x80 == 0 { family & 0x33 } else { family };
            let mut stream = rest;
            if is_header {
                stream[..12].copy_from_slice(SIGNATURE);
                stream[12..16].copy_from_slice(&[command, family, (length >> 8) as u8, length as u8]);
            }
            let mut known = 0;
            loop {
                match Header::parse(&stream[..known]) {
                    Ok(Header::Needs(needed)) => {
                        prop_assert!(needed > known && needed <= HEADER_BYTES_MAX);
                        known = needed;
                    }
                    Ok(Header::Complete(source)) => {
                        prop_assert!(is_header && known == PREFIX_BYTES + length);
                        prop_assert_eq!(source == Source::Balancer, command == LOCAL);
                        break;
                    }
                    Err(fault) => {
                        prop_assert!(is_header || matches!(fault, Fault::Signature | Fault::Text));
                        break;
                    }
                }
            }
        }
    }
}

//! One node of the list, and how all of them are told.

use std::net::IpAddr;

/// Nodes in a list at most. ElastiCache has up to 40, or 300 when asked; this keeps an answer below 350 KB.
pub(super) const NODES_MAX: usize = 1024;

/// The longest host name in bytes (RFC 1035 section 3.1, as text).
const HOST_BYTES_MAX: usize = 253;

/// Where clients reach a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// A name, or an address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Its address where that is known; some clients connect to nothing else.
    pub ip: Option<IpAddr>,
}

impl Node {
    /// A node whose host may be an address, which is told in both places then.
    pub(super) fn new(host: &str, port: u16, ip: Option<IpAddr>) -> Node {
        Node { host: host.to_owned(), port, ip: ip.or_else(|| host.parse().ok()) }
    }
}

/// Whether clients can be told this as a host: an address, or letters, digits, hyphens, dots and underscores. Others
/// could look like the bars, blanks and line ends between nodes.
pub(super) fn is_host(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let is_sound = (1..=HOST_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_name);
    is_sound || text.parse::<IpAddr>().is_ok()
}

/// In the order in which they are told.
///
/// # Errors
/// Why it is no list: there is no node, there are too many, or one is there twice.
pub(super) fn in_order(mut nodes: Vec<Node>) -> Result<Vec<Node>, String> {
    nodes.sort();
    if nodes.is_empty() {
        return Err("names no node".to_owned());
    }
    if nodes.len() > NODES_MAX {
        return Err(format!("names more than {NODES_MAX} nodes"));
    }
    let twice = nodes.windows(2).find(|pair| pair[0].host == pair[1].host && pair[0].port == pair[1].port);
    match twice {
        Some(pair) => Err(format!("names {} {} twice", pair[0].host, pair[0].port)),
        None => Ok(nodes),
    }
}

/// What every answer carries: `<version>\n<host>|<ip>|<port> ...\n`.
pub(super) fn payload(version: u64, nodes: &[Node]) -> Vec<u8> {
    let told: Vec<String> = nodes
        .iter()
        .map(|Node { host, port, ip }| match ip {
            Some(ip) => format!("{host}|{ip}|{port}"),
            None => format!("{host}||{port}"),
        })
        .collect();
    format!("{version}\n{}\n", told.join(" ")).into_bytes()
}

/// For the fuzzer: nobody can get anything into the answer but nodes.
#[cfg(fuzzing)]
pub(super) fn assert_told_well(nodes: &[Node]) {
    assert!((1..=NODES_MAX).contains(&nodes.len()));
    let payload = String::from_utf8(payload(7, nodes)).expect("text");
    let told = payload.strip_prefix("7\n").and_then(|rest| rest.strip_suffix('\n')).expect("two lines");
    let told: Vec<&str> = told.split(' ').collect();
    assert_eq!(told.len(), nodes.len(), "{payload:?}");
    for (told, node) in told.iter().zip(nodes) {
        let [host, ip, port] = told.split('|').collect::<Vec<_>>()[..] else { panic!("{payload:?}") };
        assert!(is_host(host) && port.parse() == Ok(node.port), "{payload:?}");
        assert_eq!(ip.parse().ok(), node.ip, "{payload:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_two_lines_with_blanks_between_nodes() {
        let node = |host: &str, ip: &str| Node::new(host, 11211, ip.parse().ok());
        let nodes = [node("mycluster.0001.example", "10.82.235.120"), node("mycluster.0002.example", "10.80.249.27")];
        let expected = "12\nmycluster.0001.example|10.82.235.120|11211 mycluster.0002.example|10.80.249.27|11211\n";
        assert_eq!(String::from_utf8(payload(12, &nodes)).unwrap(), expected);
    }

    #[test]
    fn nodes_are_told_with_or_without_an_address() {
        for (host, ip, expected) in [
            ("a.example", None, "5\na.example||7\n"),
            ("a.example", Some("10.0.0.1"), "5\na.example|10.0.0.1|7\n"),
            ("10.0.0.1", None, "5\n10.0.0.1|10.0.0.1|7\n"),
            ("2001:db8::1", None, "5\n2001:db8::1|2001:db8::1|7\n"),
        ] {
            let node = Node::new(host, 7, ip.map(|ip| ip.parse().unwrap()));
            assert_eq!(payload(5, &[node]), expected.as_bytes());
        }
    }

    #[test]
    fn hosts_hold_nothing_that_separates_nodes() {
        for good in ["a", "a-1.b_2.example.", "10.0.0.1", "::1", "fe80::1"] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "a b", "a|b", "a\n", "é", "a:1", "[::1]", &"x".repeat(254)] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn lists_are_sorted_and_have_each_node_once() {
        let node = |host: &str, port| Node::new(host, port, None);
        let sorted = in_order(vec![node("b", 1), node("a", 2), node("a", 1)]);
        assert_eq!(sorted, Ok(vec![node("a", 1), node("a", 2), node("b", 1)]));
        assert_eq!(in_order(Vec::new()), Err("names no node".to_owned()));
        assert_eq!(in_order(vec![node("a", 1), node("a", 1)]), Err("names a 1 twice".to_owned()));
        let many = (0..=NODES_MAX).map(|number| node(&format!("n{number}"), 1)).collect();
        assert_eq!(in_order(many), Err("names more than 1024 nodes".to_owned()));
    }
}

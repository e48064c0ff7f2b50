//! The list by name: addresses of one name with a port of ours, or services (SRV), asked for again when the answer's time
//! is over.
//!
//! A thread of its own waits for name servers, and nobody waits for it. A lookup counts as a whole: where one question of
//! it fails, nothing changes. A name without a record is a failure as well: an empty list would leave clients nobody to
//! ask. Names are taken as they stand; the search list of resolv.conf is not applied, so that all nodes ask the same.

mod exchange;
mod message;
mod resolv_conf;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::Node;
use super::node::{NODES_MAX, in_order, is_host};
use crate::settings::ClusterSource;
use message::{Answer, Question, Service};

pub use resolv_conf::DNS_PORT;

/// How long an answer is believed at least: a name may say 0.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// And at most: clients ask for the list once a minute.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Until the next try after a failure.
const RETRY: Duration = Duration::from_secs(5);

/// Of a pause, this part more or less: a hundred nodes that started together do not ask together.
const JITTER: f64 = 0.1;

/// Whether this can be asked for: labels of letters, digits, hyphens and underscores, 253 bytes at most (RFC 1035 section
/// 2.3.4).
pub fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// What is asked for again and again.
#[derive(Debug)]
pub(super) struct Follower {
    wanted: Wanted,
    /// Name servers in the place of those of resolv.conf.
    resolvers: Vec<SocketAddr>,
}

#[derive(Debug)]
enum Wanted {
    Addresses { name: String, port: u16 },
    Services { name: String },
}

/// A list and how long it is to be believed.
type Found = (Vec<Node>, Duration);

impl Follower {
    pub(super) fn new(source: &ClusterSource, resolvers: Vec<SocketAddr>) -> Follower {
        let wanted = match source {
            ClusterSource::Addresses { name, port } => Wanted::Addresses { name: name.clone(), port: *port },
            ClusterSource::Services { name } => Wanted::Services { name: name.clone() },
            ClusterSource::File(_) => unreachable!("a file is not followed"),
        };
        Follower { wanted, resolvers }
    }

    /// Asks and tells until the sender of `wake` is gone; a message asks at once. The first of several failures in a row
    /// goes into the log, and so does their end.
    pub(super) fn run(&self, wake: &mpsc::Receiver<()>, tell: impl Fn(Result<Vec<Node>, ()>)) {
        let name = self.name();
        let mut is_failing = false;
        loop {
            let pause = match self.look_up() {
                Ok((nodes, pause)) => {
                    if std::mem::take(&mut is_failing) {
                        log::info!("cluster name={name} is answered again");
                    }
                    tell(Ok(nodes));
                    pause.clamp(PAUSE_MIN, PAUSE_MAX)
                }
                Err(why) => {
                    if !std::mem::replace(&mut is_failing, true) {
                        log::warn!("cluster list stays as it was: name={name}: {why}");
                    }
                    tell(Err(()));
                    RETRY
                }
            };
            match wake.recv_timeout(jittered(pause)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn name(&self) -> &str {
        let (Wanted::Addresses { name, .. } | Wanted::Services { name }) = &self.wanted;
        name
    }

    fn look_up(&self) -> Result<Found, String> {
        let servers = if self.resolvers.is_empty() { resolv_conf::name_servers()? } else { self.resolvers.clone() };
        let ask = |name: &str, question: Question| exchange::ask(&servers, name, question);
        let (nodes, ttl) = match &self.wanted {
            Wanted::Addresses { name, port } => addresses(name, *port, ask)?,
            Wanted::Services { name } => services(name, ask)?,
        };
        Ok((in_order(nodes).map_err(|why| format!("the answer {why}"))?, ttl))
    }
}

/// A node for each address of the name.
fn addresses(name: &str, port: u16, ask: impl Fn(&str, Question) -> Result<Answer, String>) -> Result<Found, String> {
    let (found, ttl) = all_addresses(name, ask)?;
    let node = |ip: IpAddr| Node::new(&ip.to_string(), port, Some(ip));
    Ok((found.into_iter().map(node).collect(), ttl))
}

/// A node for each service. Its address is in the answer, or is asked for; a target that has none is told without.
fn services(name: &str, ask: impl Fn(&str, Question) -> Result<Answer, String>) -> Result<Found, String> {
    let Answer { services, addresses: given, mut ttl } = ask(name, Question::Services)?;
    if services.len() > NODES_MAX {
        return Err(format!("the answer names more than {NODES_MAX} nodes"));
    }
    let mut known: BTreeMap<&str, Option<IpAddr>> = BTreeMap::new();
    let mut nodes = Vec::with_capacity(services.len());
    for Service { target, port } in &services {
        if !is_host(target) || *port == 0 {
            // Some clients take nothing of a list that has such a node.
            return Err(format!("the answer has {target:?} {port} as a node, which is none"));
        }
        let ip = match known.get(target.as_str()) {
            Some(ip) => *ip,
            None => {
                // What comes along may be a part of what there is: IPv6 alone does not say that there is no IPv4.
                let mut of_target: Vec<IpAddr> =
                    given.iter().filter(|(owner, ip)| owner == target && ip.is_ipv4()).map(|(_, ip)| *ip).collect();
                if of_target.is_empty() {
                    let (found, until) = all_addresses(target, &ask)?;
                    ttl = ttl.min(until);
                    of_target = found;
                }
                // The same one on all nodes, and an IPv4 address where there is one.
                let ip = of_target.into_iter().min();
                known.insert(target, ip);
                ip
            }
        };
        nodes.push(Node::new(target, *port, ip));
    }
    // Two records that differ in priority or weight alone are one node.
    nodes.sort();
    nodes.dedup();
    Ok((nodes, ttl))
}

/// IPv4 and IPv6 addresses of a name, maybe none.
fn all_addresses(
    name: &str,
    ask: impl Fn(&str, Question) -> Result<Answer, String>,
) -> Result<(Vec<IpAddr>, Duration), String> {
    let (four, six) = (ask(name, Question::Ipv4)?, ask(name, Question::Ipv6)?);
    let mut found: Vec<IpAddr> = four.addresses.into_iter().chain(six.addresses).map(|(_, ip)| ip).collect();
    found.sort();
    found.dedup();
    Ok((found, four.ttl.min(six.ttl)))
}

fn jittered(pause: Duration) -> Duration {
    let mut bytes = [0; 2];
    // Without random numbers it is no jitter, and no reason not to ask.
    let _ = SystemRandom::new().fill(&mut bytes);
    let part = f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX);
    pause.mul_f64(1.0 + JITTER * (2.0 * part - 1.0))
}

/// For the fuzzer: messages of a name server, each behind two bytes of its length, as replies to one look-up after the
/// other. Whatever they say, what comes of it is a list that can be told, or a reason.
#[cfg(fuzzing)]
pub fn fuzz(bytes: &[u8]) {
    const NAME: &str = "nodes.example";
    let rest = std::cell::Cell::new(bytes);
    let ask = |name: &str, question: Question| {
        let (length, behind) = rest.get().split_first_chunk::<2>().ok_or("no more messages")?;
        let (reply, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)).min(behind.len()));
        rest.set(behind);
        let id = reply.first_chunk::<2>().map_or(0, |id| u16::from_be_bytes(*id));
        match message::read(reply, id, name, question) {
            message::Reply::Answer(answer) => Ok(answer),
            message::Reply::Truncated => Err("truncated".to_owned()),
            message::Reply::Failure(why) => Err(why),
            message::Reply::Other => Err("no reply".to_owned()),
        }
    };
    let of_services = services(NAME, ask);
    rest.set(bytes);
    for (nodes, _) in [of_services, addresses(NAME, 11211, ask)].into_iter().flatten() {
        if let Ok(nodes) = in_order(nodes) {
            super::node::assert_told_well(&nodes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_labels() {
        for good in ["a", "_memcache._tcp.larder-0.example", "cache.default.svc.cluster.local"] {
            assert!(is_dns_name(good), "{good}");
        }
        for bad in ["", ".", "a.", "a..b", "a b", "a|b", &"x".repeat(64), &["x"; 128].join(".")] {
            assert!(!is_dns_name(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_of_both_kinds_are_nodes() {
        let ask = |name: &str, question| {
            assert_eq!(name, "cache.example");
            let (text, secs) = if question == Question::Ipv4 { ("10.0.0.2", 30) } else { ("::2", 20) };
            let addresses = vec![(name.to_owned(), ip(text))];
            Ok(Answer { addresses, ttl: Duration::from_secs(secs), ..Answer::default() })
        };
        let (nodes, ttl) = addresses("cache.example", 7, ask).unwrap();
        assert_eq!(nodes, [Node::new("10.0.0.2", 7, None), Node::new("::2", 7, None)]);
        assert_eq!(ttl, Duration::from_secs(20));
    }

    #[test]
    fn one_failed_question_fails_the_lookup() {
        let ask = |name: &str, question| match question {
            Question::Ipv4 => Ok(Answer { addresses: vec![(name.to_owned(), ip("10.0.0.2"))], ..Answer::default() }),
            _ => Err("no answer".to_owned()),
        };
        assert_eq!(addresses("cache.example", 7, ask), Err("no answer".to_owned()));
    }

    #[test]
    fn services_have_the_address_that_came_along_or_is_asked_for() {
        let service = |target: &str, port| Service { target: target.to_owned(), port };
        let ask = |name: &str, question| {
            Ok(match (name, question) {
                ("_memcache._tcp.example", Question::Services) => Answer {
                    services: vec![service("b", 2), service("a", 1), service("c", 3), service("a", 1)],
                    addresses: vec![("a".to_owned(), ip("::1")), ("a".to_owned(), ip("10.0.0.1"))],
                    ttl: DAY,
                },
                ("b", Question::Ipv6) => Answer { addresses: vec![("b".to_owned(), ip("::2"))], ..Answer::none() },
                _ => Answer::none(),
            })
        };
        let (nodes, _) = services("_memcache._tcp.example", ask).unwrap();
        let expected =
            [Node::new("a", 1, Some(ip("10.0.0.1"))), Node::new("b", 2, Some(ip("::2"))), Node::new("c", 3, None)];
        assert_eq!(nodes, expected);
        for (target, port) in [("a|b", 1), ("a", 0)] {
            let evil = |_: &str, _| Ok(Answer { services: vec![service(target, port)], ..Answer::default() });
            services("_memcache._tcp.example", evil).expect_err(target);
        }
    }

    #[test]
    fn an_ipv6_address_that_came_along_does_not_hide_an_ipv4_one() {
        let ask = |name: &str, question| {
            let of_name = |text: &str| vec![(name.to_owned(), ip(text))];
            Ok(match question {
                Question::Services => Answer {
                    services: vec![Service { target: "a".to_owned(), port: 1 }],
                    addresses: vec![("a".to_owned(), ip("::1"))],
                    ttl: DAY,
                },
                Question::Ipv4 => Answer { addresses: of_name("10.0.0.1"), ..Answer::none() },
                Question::Ipv6 => Answer { addresses: of_name("::1"), ..Answer::none() },
            })
        };
        let (nodes, _) = services("_memcache._tcp.example", ask).unwrap();
        assert_eq!(nodes, [Node::new("a", 1, Some(ip("10.0.0.1")))]);
    }

    #[test]
    fn jitter_stays_within_its_bounds() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_secs(10));
            assert!((Duration::from_secs(9)..=Duration::from_secs(11)).contains(&pause), "{pause:?}");
        }
    }
}

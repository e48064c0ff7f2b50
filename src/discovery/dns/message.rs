//! One question to a name server as bytes, and what its reply says. The packets are `simple-dns`'s.

use std::net::IpAddr;
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, RCODE, TYPE, header_buffer};

use crate::panics;

/// Aliases that are followed at most.
const ALIASES_MAX: usize = 16;

/// What is asked about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// A.
    Ipv4,
    /// AAAA.
    Ipv6,
    /// SRV.
    Services,
}

impl Question {
    fn kind(self) -> QTYPE {
        QTYPE::TYPE(match self {
            Question::Ipv4 => TYPE::A,
            Question::Ipv6 => TYPE::AAAA,
            Question::Services => TYPE::SRV,
        })
    }
}

/// Where a service is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// In lower case, without a dot at its end.
    pub(super) target: String,
    pub(super) port: u16,
}

/// What a name server knows; names are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) services: Vec<Service>,
    /// With the names that have them. Of an answer about services, those that came along.
    pub(super) addresses: Vec<(String, IpAddr)>,
    /// How long this holds.
    pub(super) ttl: Duration,
}

impl Answer {
    /// There is nothing of the kind. How long that holds is left to what else is asked.
    pub(super) fn none() -> Answer {
        Answer { ttl: Duration::MAX, ..Answer::default() }
    }
}

/// What some bytes from a name server are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// The answer; it may be that there is nothing.
    Answer(Answer),
    /// Too long for a datagram: to be asked over TCP.
    Truncated,
    /// The server cannot say; with its reason.
    Failure(String),
    /// No reply to this question: late, forged or broken.
    Other,
}

/// The bytes of a question.
///
/// # Errors
/// The name is none.
pub(super) fn question(id: u16, name: &str, question: Question) -> Result<Vec<u8>, String> {
    let bad = |error: simple_dns::SimpleDnsError| format!("cannot ask: {error}");
    let name = Name::new(name).map_err(bad)?;
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    packet.questions.push(simple_dns::Question::new(name, question.kind(), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(bad)
}

/// Reads the reply to a question. A panic of the library on what a stranger sent is a broken reply.
pub(super) fn read(bytes: &[u8], id: u16, name: &str, question: Question) -> Reply {
    panics::contain(|| read_packet(bytes, id, name, question)).unwrap_or(Reply::Other)
}

fn read_packet(bytes: &[u8], id: u16, name: &str, question: Question) -> Reply {
    let is_reply =
        header_buffer::id(bytes) == Ok(id) && header_buffer::has_flags(bytes, PacketFlag::RESPONSE) == Ok(true);
    if !is_reply {
        return Reply::Other;
    }
    // What is cut off may end in the middle of a record.
    if header_buffer::has_flags(bytes, PacketFlag::TRUNCATION) == Ok(true) {
        return Reply::Truncated;
    }
    let Ok(packet) = Packet::parse(bytes) else { return Reply::Other };
    let [asked] = &packet.questions[..] else { return Reply::Other };
    if lower(&asked.qname) != name.to_ascii_lowercase() || asked.qtype != question.kind() {
        return Reply::Other;
    }
    match packet.rcode() {
        RCODE::NoError => Reply::Answer(answer(&packet, name, question)),
        RCODE::NameError => Reply::Answer(Answer::none()),
        other => Reply::Failure(format!("the name server says {other:?}")),
    }
}

/// What a sound reply says of the name, or of what it is an alias of.
fn answer(packet: &Packet<'_>, name: &str, question: Question) -> Answer {
    let mut answer = Answer::none();
    let mut owner = name.to_ascii_lowercase();
    let records = || packet.answers.iter().filter(|record| record.class == CLASS::IN);
    for _ in 0..ALIASES_MAX {
        let alias = records().find_map(|record| match &record.rdata {
            RData::CNAME(alias) if lower(&record.name) == owner => Some((lower(&alias.0), record.ttl)),
            _ => None,
        });
        let Some((target, ttl)) = alias else { break };
        answer.ttl = answer.ttl.min(secs(ttl));
        owner = target;
    }
    for record in records().filter(|record| lower(&record.name) == owner) {
        match (&record.rdata, question) {
            (RData::A(_), Question::Ipv4) | (RData::AAAA(_), Question::Ipv6) => {
                answer.addresses.extend(address(&record.rdata).map(|ip| (owner.clone(), ip)));
            }
            // A single dot says that there is no such service (RFC 2782).
            (RData::SRV(service), Question::Services) if !lower(&service.target).is_empty() => {
                answer.services.push(Service { target: lower(&service.target), port: service.port });
            }
            _ => continue,
        }
        answer.ttl = answer.ttl.min(secs(record.ttl));
    }
    if question == Question::Services {
        for record in packet.additional_records.iter().filter(|record| record.class == CLASS::IN) {
            if let Some(ip) = address(&record.rdata) {
                answer.addresses.push((lower(&record.name), ip));
                answer.ttl = answer.ttl.min(secs(record.ttl));
            }
        }
    }
    answer
}

fn address(data: &RData<'_>) -> Option<IpAddr> {
    match data {
        RData::A(a) => Some(IpAddr::V4(a.address.into())),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
        _ => None,
    }
}

fn lower(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

/// A time to live; one with the highest bit is none (RFC 2181 section 8).
fn secs(ttl: u32) -> Duration {
    Duration::from_secs(if ttl > i32::MAX as u32 { 0 } else { u64::from(ttl) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, CNAME, SRV};

    use super::*;

    const NAME: &str = "cache.example";

    fn record(name: &'static str, ttl: u32, data: RData<'static>) -> ResourceRecord<'static> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, ttl, data)
    }

    fn a(last: u8) -> RData<'static> {
        RData::A(A { address: u32::from_be_bytes([10, 0, 0, last]) })
    }

    fn reply(question: Question, answers: Vec<ResourceRecord<'static>>) -> Packet<'static> {
        let mut packet = Packet::new_reply(7);
        let asked = simple_dns::Question::new(
            Name::new("Cache.Example").unwrap(),
            question.kind(),
            QCLASS::CLASS(CLASS::IN),
            false,
        );
        packet.questions.push(asked);
        packet.answers = answers;
        packet
    }

    fn read_back(packet: &Packet<'_>, asked: Question) -> Reply {
        read(&packet.build_bytes_vec_compressed().unwrap(), 7, NAME, asked)
    }

    #[test]
    fn a_question_is_what_rfc_1035_draws() {
        let bytes = question(0x0102, "a.bc", Question::Services).unwrap();
        assert_eq!(bytes, b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x21\0\x01");
        question(1, &"a".repeat(64), Question::Ipv4).unwrap_err();
    }

    #[test]
    fn addresses_are_those_of_the_name_and_of_its_aliases() {
        let alias = RData::CNAME(CNAME(Name::new("other.example").unwrap()));
        let packet = reply(
            Question::Ipv4,
            vec![
                record("cache.example", 9, alias),
                record("OTHER.example", 30, a(1)),
                record("other.example", 40, a(2)),
                record("evil.example", 1, a(3)),
            ],
        );
        let ip = |last| ("other.example".to_owned(), IpAddr::from([10, 0, 0, last]));
        let expected = Answer { addresses: vec![ip(1), ip(2)], ttl: Duration::from_secs(9), ..Answer::default() };
        assert_eq!(read_back(&packet, Question::Ipv4), Reply::Answer(expected));
    }

    #[test]
    fn services_come_with_addresses() {
        let srv = |port, target| RData::SRV(SRV { priority: 1, weight: 1, port, target: Name::new(target).unwrap() });
        let mut packet = reply(
            Question::Services,
            vec![record("cache.example", 30, srv(5, "n1.example")), record("cache.example", 30, srv(6, "N2.example"))],
        );
        packet.additional_records.push(record("n1.example", 20, a(1)));
        let service = |target: &str, port| Service { target: target.to_owned(), port };
        let expected = Answer {
            services: vec![service("n1.example", 5), service("n2.example", 6)],
            addresses: vec![("n1.example".to_owned(), IpAddr::from([10, 0, 0, 1]))],
            ttl: Duration::from_secs(20),
        };
        assert_eq!(read_back(&packet, Question::Services), Reply::Answer(expected));
    }

    #[test]
    fn what_is_no_answer_is_told_apart() {
        let mut packet = reply(Question::Ipv4, vec![record("cache.example", 30, a(1))]);
        let bytes = packet.build_bytes_vec().unwrap();
        assert_eq!(read(&bytes, 8, NAME, Question::Ipv4), Reply::Other, "another number");
        assert_eq!(read(&bytes, 7, "b.example", Question::Ipv4), Reply::Other, "another name");
        assert_eq!(read(&bytes, 7, NAME, Question::Ipv6), Reply::Other, "another question");
        assert_eq!(read(&bytes[..bytes.len() - 1], 7, NAME, Question::Ipv4), Reply::Other, "cut off");
        *packet.rcode_mut() = RCODE::NameError;
        assert_eq!(read_back(&packet, Question::Ipv4), Reply::Answer(Answer::none()));
        *packet.rcode_mut() = RCODE::ServerFailure;
        assert!(matches!(read_back(&packet, Question::Ipv4), Reply::Failure(_)));
        packet.set_flags(PacketFlag::TRUNCATION);
        assert_eq!(read_back(&packet, Question::Ipv4), Reply::Truncated);
        let query = question(7, NAME, Question::Ipv4).unwrap();
        assert_eq!(read(&query, 7, NAME, Question::Ipv4), Reply::Other, "our own question");
    }

    #[test]
    fn aliases_in_a_circle_end() {
        let alias = |to| RData::CNAME(CNAME(Name::new(to).unwrap()));
        let packet = reply(
            Question::Ipv4,
            vec![record("cache.example", 9, alias("b.example")), record("b.example", 9, alias("cache.example"))],
        );
        assert!(matches!(read_back(&packet, Question::Ipv4), Reply::Answer(answer) if answer.addresses.is_empty()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let srv = RData::SRV(SRV { priority: 1, weight: 1, port: 5, target: Name::new("n1.example").unwrap() });
            let mut packet = reply(Question::Services, vec![record("cache.example", 30, srv)]);
            packet.additional_records.push(record("n1.example", 20, a(1)));
            let mut bytes = packet.build_bytes_vec_compressed().unwrap();
            for (at, byte) in noise {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            // Not `read`, which would contain it.
            read_packet(&bytes, 7, NAME, Question::Services);
        }
    }
}

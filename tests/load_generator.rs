//! Can the benchmarks be believed? The generator's own logic, without a server: what it asks, what it accepts, and that
//! no wrong answer slips through.

#[path = "../benches/load/mod.rs"]
#[allow(dead_code, reason = "shared by the bench targets; this test uses a part")]
mod load;

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use load::checker::{Checker, Mismatch, Tally};
use load::fleet::{Failure, Fleet, Until};
use load::keyspace::{KEY_BYTES_MAX, Keyspace, NameBuffer};
use load::latency::Latencies;
use load::popularity::{Picker, Popularity};
use load::protocol::Dialect;
use load::random::Random;
use load::traffic::{Corpus, Traffic};
use load::values::{Sizes, Values};
use load::workload::{Losses, Mix, Workload};

const DIALECTS: [Dialect; 4] = [Dialect::Text, Dialect::TextGets, Dialect::Meta, Dialect::Binary];

/// A batch under way on a connection that has no socket, and the right answer to it.
struct Exchange {
    traffic: Traffic,
    checker: Checker,
    keys: Vec<u64>,
}

impl Exchange {
    fn begin(workload: &Workload) -> Self {
        let mut traffic = Traffic::of(workload, 7);
        let mut checker = Checker::default();
        let asked = checker.next_batch();
        traffic.write_batch(u64::MAX, asked, &mut Vec::new());
        let keys = asked.keys.clone();
        Exchange { traffic, checker, keys }
    }

    fn feed(&mut self, reply: &[u8]) -> Result<(usize, Tally), Mismatch> {
        let mut tally = Tally::default();
        let taken = self.checker.feed(self.traffic.corpus(), &mut tally, reply)?;
        Ok((taken, tally))
    }
}

fn fetches(dialect: Dialect, depth: usize, keys_per_fetch: usize) -> Workload {
    Workload { dialect, depth, keys_per_fetch, sizes: Sizes::Web, key_count: 1000, ..Workload::plain_gets() }
}

/// What a good server answers to one read of these keys. A key with no value is a miss.
fn fetch_reply(corpus: &Corpus, asked: &[(u64, Option<Vec<u8>>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (position, (key, value)) in asked.iter().enumerate() {
        match value {
            Some(value) => out.extend(hit_reply(corpus, asked.len(), position, *key, value)),
            None if asked.len() > 1 => {}
            None => match corpus.dialect {
                Dialect::Text | Dialect::TextGets => {}
                Dialect::Meta => out.extend_from_slice(b"EN\r\n"),
                Dialect::Binary => out.extend(binary_packet(0x00, 1, 0, b"", b"Not found")),
            },
        }
    }
    match corpus.dialect {
        Dialect::Text | Dialect::TextGets => out.extend_from_slice(b"END\r\n"),
        Dialect::Meta if asked.len() > 1 => out.extend_from_slice(b"MN\r\n"),
        Dialect::Binary if asked.len() > 1 => out.extend(binary_packet(0x0a, 0, 0, b"", b"")),
        Dialect::Meta | Dialect::Binary => {}
    }
    out
}

fn hit_reply(corpus: &Corpus, asked: usize, position: usize, key: u64, value: &[u8]) -> Vec<u8> {
    let mut buffer: NameBuffer = [0; _];
    let name = String::from_utf8_lossy(corpus.keyspace.name(key, &mut buffer)).into_owned();
    let bytes = value.len();
    let head = match (corpus.dialect, asked) {
        (Dialect::Text, _) => format!("VALUE {name} 0 {bytes}\r\n"),
        (Dialect::TextGets, _) => format!("VALUE {name} 0 {bytes} 18446744073709551615\r\n"),
        (Dialect::Meta, 1) => format!("VA {bytes}\r\n"),
        (Dialect::Meta, _) => format!("VA {bytes} k{name}\r\n"),
        (Dialect::Binary, 1) => return binary_packet(0x00, 0, position, &[0; 4], value),
        (Dialect::Binary, _) => return binary_packet(0x09, 0, position, &[0; 4], value),
    };
    [head.as_bytes(), value, b"\r\n"].concat()
}

fn binary_packet(opcode: u8, status: u16, opaque: usize, extras: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = vec![0x81, opcode, 0, 0, extras.len() as u8, 0];
    out.extend(status.to_be_bytes());
    out.extend((extras.len() as u32 + value.len() as u32).to_be_bytes());
    out.extend((opaque as u32).to_be_bytes());
    out.extend([0; 8]);
    out.extend_from_slice(extras);
    out.extend_from_slice(value);
    out
}

fn value_of(corpus: &Corpus, key: u64, version: u8) -> Vec<u8> {
    let mut out = Vec::new();
    corpus.values.append(key, version, &mut out);
    out
}

/// The right reply to all reads of an exchange.
fn right_reply(exchange: &Exchange, keys_per_fetch: usize) -> Vec<u8> {
    let corpus = exchange.traffic.corpus();
    let hits = exchange.keys.iter().map(|key| (*key, Some(value_of(corpus, *key, *key as u8)))).collect::<Vec<_>>();
    hits.chunks(keys_per_fetch).flat_map(|asked| fetch_reply(corpus, asked)).collect()
}

#[test]
fn right_replies_are_accepted_wherever_they_are_cut() {
    for dialect in DIALECTS {
        for (depth, keys_per_fetch) in [(1, 1), (3, 1), (1, 3), (2, 2)] {
            let workload = Workload { sizes: Sizes::Fixed(30), ..fetches(dialect, depth, keys_per_fetch) };
            let reply = right_reply(&Exchange::begin(&workload), keys_per_fetch);
            for cut in 0..=reply.len() {
                let mut exchange = Exchange::begin(&workload);
                let (taken, first) = exchange.feed(&reply[..cut]).expect("a right reply, first part");
                assert!(cut == reply.len() || !exchange.checker.is_done(), "{dialect:?} done early at {cut}");
                let (rest, second) = exchange.feed(&reply[taken..]).expect("a right reply, second part");
                assert_eq!(taken + rest, reply.len(), "{dialect:?} cut at {cut}");
                assert!(exchange.checker.is_done());
                assert_eq!(first.hits + second.hits, (depth * keys_per_fetch) as u64);
            }
        }
    }
}

#[test]
fn right_replies_are_accepted_one_byte_at_a_time() {
    for dialect in DIALECTS {
        let workload = fetches(dialect, 2, 3);
        let mut exchange = Exchange::begin(&workload);
        let reply = right_reply(&exchange, 3);
        let mut waiting = Vec::new();
        for byte in reply {
            waiting.push(byte);
            let (taken, _) = exchange.feed(&waiting).expect("a right reply");
            waiting.drain(..taken);
        }
        assert!(waiting.is_empty() && exchange.checker.is_done());
    }
}

#[test]
fn a_changed_byte_is_caught_anywhere_in_the_reply() {
    // `gets` and the binary protocol carry fields that nobody can foretell (cas) and are left out here.
    for dialect in [Dialect::Text, Dialect::Meta] {
        let workload = Workload { sizes: Sizes::Fixed(40), ..fetches(dialect, 1, 2) };
        let reply = right_reply(&Exchange::begin(&workload), 2);
        for at in 0..reply.len() {
            let mut wrong = reply.clone();
            wrong[at] ^= 0x01;
            let mut exchange = Exchange::begin(&workload);
            let outcome = exchange.feed(&wrong);
            assert!(outcome.is_err() || !exchange.checker.is_done(), "{dialect:?} byte {at} changed unnoticed");
        }
    }
}

#[test]
fn a_value_torn_between_two_versions_is_caught_at_every_offset() {
    for dialect in DIALECTS {
        let workload = Workload { sizes: Sizes::Fixed(100), ..fetches(dialect, 1, 1) };
        for tear in 1..100 {
            let mut exchange = Exchange::begin(&workload);
            let key = exchange.keys[0];
            let corpus = exchange.traffic.corpus();
            let (old, new) = (value_of(corpus, key, 1), value_of(corpus, key, 2));
            // At the last byte, versions may happen to agree: then there is nothing to see.
            if old[tear..] == new[tear..] {
                continue;
            }
            let torn = [&new[..tear], &old[tear..]].concat();
            let reply = fetch_reply(corpus, &[(key, Some(torn))]);
            assert!(matches!(exchange.feed(&reply), Err(Mismatch::TornValue { .. })), "{dialect:?} torn at {tear}");
        }
    }
}

#[test]
fn a_value_of_another_key_is_caught() {
    for dialect in DIALECTS {
        let workload = Workload { sizes: Sizes::Fixed(10), ..fetches(dialect, 1, 1) };
        for other in 0..1000 {
            let mut exchange = Exchange::begin(&workload);
            let key = exchange.keys[0];
            let corpus = exchange.traffic.corpus();
            let reply = fetch_reply(corpus, &[(key, Some(value_of(corpus, other, 5)))]);
            assert_eq!(exchange.feed(&reply).is_ok(), other == key, "{dialect:?} value of {other} for {key}");
        }
    }
}

#[test]
fn wrong_answers_are_named() {
    let text = |reply: &str| {
        let workload = Workload { sizes: Sizes::Fixed(4), ..fetches(Dialect::Text, 1, 1) };
        Exchange::begin(&workload).feed(reply.as_bytes()).expect_err("a wrong answer")
    };
    let workload = Workload { sizes: Sizes::Fixed(4), ..fetches(Dialect::Text, 1, 1) };
    let exchange = Exchange::begin(&workload);
    let key = exchange.keys[0];
    let mut buffer: NameBuffer = [0; _];
    let name = exchange.traffic.corpus().keyspace.name(key, &mut buffer);
    let name = String::from_utf8_lossy(name);
    assert_eq!(text("END\r\n"), Mismatch::ForbiddenMiss { key });
    assert_eq!(text("STORED\r\n"), Mismatch::OutOfStep);
    assert_eq!(text("ERROR\r\n"), Mismatch::Refused { words: "ERROR".into() });
    assert_eq!(text("VALUE somebody 0 4\r\n"), Mismatch::ForeignKey { wanted: name.clone().into_owned() });
    assert_eq!(text(&format!("VALUE {name} 7 4\r\n")), Mismatch::ForeignFlags { key, flags: 7 });
    assert_eq!(text(&format!("VALUE {name} 0 3\r\n")), Mismatch::WrongLength { key, wanted: 4, found: 3 });
    assert_eq!(text(&format!("VALUE {name} 0 -4\r\n")), Mismatch::Unreadable);
    assert_eq!(text("END\n"), Mismatch::Unreadable);
    assert_eq!(text(&"x".repeat(2000)), Mismatch::Unreadable);
}

#[test]
fn bytes_nobody_asked_for_are_caught() {
    let mut exchange = Exchange::begin(&fetches(Dialect::Text, 1, 1));
    let reply = [right_reply(&exchange, 1), b"E".to_vec()].concat();
    assert_eq!(exchange.feed(&reply), Err(Mismatch::Unasked));
}

#[test]
fn allowed_misses_are_counted_and_forbidden_ones_are_not_overlooked() {
    for dialect in DIALECTS {
        for missing in 0..8u32 {
            let workload = Workload { losses: Losses::Allowed, ..fetches(dialect, 1, 3) };
            let mut exchange = Exchange::begin(&workload);
            let corpus = exchange.traffic.corpus();
            let answer = |position: usize, key: u64| {
                let held = missing >> position & 1 == 0;
                (key, held.then(|| value_of(corpus, key, 9)))
            };
            let asked: Vec<_> = exchange.keys.iter().enumerate().map(|(at, key)| answer(at, *key)).collect();
            let reply = fetch_reply(corpus, &asked);
            let (taken, tally) = exchange.feed(&reply).expect("misses are allowed");
            assert_eq!((taken, tally.misses), (reply.len(), u64::from(missing.count_ones())), "{dialect:?}");
            assert!(exchange.checker.is_done());

            let strict = Workload { losses: Losses::Forbidden, ..workload };
            let outcome = Exchange::begin(&strict).feed(&reply);
            assert_eq!(outcome.is_ok(), missing == 0, "{dialect:?} missing {missing:03b}");
        }
    }
}

#[test]
fn a_refused_write_fails_unless_the_cache_may_lose_keys() {
    let sets = Workload { mix: Mix::SETS, ..fetches(Dialect::Text, 1, 1) };
    let reply = b"SERVER_ERROR out of memory storing object\r\n";
    assert!(matches!(Exchange::begin(&sets).feed(reply), Err(Mismatch::Refused { .. })));
    let (_, tally) = Exchange::begin(&Workload { losses: Losses::Allowed, ..sets }).feed(reply).expect("it is allowed");
    assert_eq!(tally, Tally { refused: 1, ..Tally::default() });
}

#[test]
fn requests_read_as_the_protocols_demand() {
    let asked = |dialect, mix, keys_per_fetch| {
        let workload = Workload {
            mix,
            key_bytes: 16,
            sizes: Sizes::Fixed(3),
            ttl_secs: 60,
            popularity: Popularity::Sequential,
            ..fetches(dialect, 1, keys_per_fetch)
        };
        let mut out = Vec::new();
        Traffic::of(&workload, 1).write_batch(1, Checker::default().next_batch(), &mut out);
        out
    };
    // Key 0 is mixed to itself: sixteen zeros.
    let (zero, one) = ("0000000000000000", "5692161d100b05e5");
    let text = |dialect, mix, count| String::from_utf8_lossy(&asked(dialect, mix, count)).into_owned();
    assert_eq!(text(Dialect::Text, Mix::GETS, 2), format!("get {zero} {one}\r\n"));
    assert_eq!(text(Dialect::TextGets, Mix::GETS, 1), format!("gets {zero}\r\n"));
    assert_eq!(text(Dialect::Meta, Mix::GETS, 1), format!("mg {zero} v\r\n"));
    assert_eq!(text(Dialect::Meta, Mix::GETS, 2), format!("mg {zero} v q k\r\nmg {one} v q k\r\nmn\r\n"));
    assert!(text(Dialect::Text, Mix::SETS, 1).starts_with(&format!("set {zero} 0 60 3\r\n")));
    assert!(text(Dialect::Meta, Mix::SETS, 1).starts_with(&format!("ms {zero} 3 T60\r\n")));
    let set = asked(Dialect::Binary, Mix::SETS, 1);
    assert_eq!(&set[..12], &[0x80, 1, 0, 16, 8, 0, 0, 0, 0, 0, 0, 27]);
    assert_eq!(set.len(), 24 + 27);
    assert_eq!(asked(Dialect::Binary, Mix::GETS, 2).len(), 24 + 16 + 24 + 16 + 24);
}

#[test]
fn names_have_their_length_and_no_two_keys_share_one() {
    for key_bytes in [16, 17, 32, 100, KEY_BYTES_MAX] {
        let keyspace = Keyspace::with_key_bytes(key_bytes);
        let mut seen = HashSet::new();
        let mut buffer: NameBuffer = [0; _];
        for key in 0..10_000 {
            let name = keyspace.name(key, &mut buffer);
            assert_eq!(name.len(), key_bytes);
            assert!(name.iter().all(u8::is_ascii_alphanumeric));
            assert!(seen.insert(name.to_vec()), "key {key} has the name of another");
        }
    }
}

#[test]
fn values_have_the_length_their_key_demands() {
    for sizes in [Sizes::Fixed(0), Sizes::Fixed(1), Sizes::Fixed(100_000), Sizes::Web] {
        let values = Values::of(sizes);
        for key in 0..300 {
            let mut out = Vec::new();
            values.append(key, 255, &mut out);
            assert_eq!(out.len(), sizes.bytes_of(key));
            assert!(out.len() <= sizes.bytes_max());
            let mut check = values.check_of(key);
            assert_eq!(check.take(&values, &out), Ok(out.len()));
            assert!(check.is_done());
        }
    }
}

#[test]
fn web_sizes_have_the_mean_that_the_documents_tell() {
    let count = 200_000;
    let mean = (0..count).map(|key| Sizes::Web.bytes_of(key) as f64).sum::<f64>() / count as f64;
    assert!((mean - 502.0).abs() < 10.0, "mean {mean}");
}

#[test]
fn zipf_draws_follow_the_law() {
    for exponent in [0.5, 0.99, 1.0, 1.3] {
        let (count, draws) = (1000u64, 400_000);
        let mut picker = Picker::among(count, Popularity::Zipf { exponent });
        let mut random = Random::seeded(3);
        let mut drawn = vec![0u32; count as usize];
        for _ in 0..draws {
            drawn[picker.pick(&mut random) as usize] += 1;
        }
        let weight = |rank: u64| (rank as f64).powf(-exponent);
        let total: f64 = (1..=count).map(weight).sum();
        for rank in [1, 2, 3, 10, 100] {
            let expected = weight(rank) / total * f64::from(draws);
            let found = f64::from(drawn[rank as usize - 1]);
            assert!((found - expected).abs() < 6.0 * expected.sqrt(), "{exponent} rank {rank}: {found} for {expected}");
        }
        let tail: f64 = (501..=count).map(weight).sum::<f64>() / total * f64::from(draws);
        let found: f64 = drawn[500..].iter().map(|draws| f64::from(*draws)).sum();
        assert!((found - tail).abs() < 6.0 * tail.sqrt(), "{exponent} tail: {found} for {tail}");
    }
}

#[test]
fn uniform_draws_reach_every_key_alike_and_sequential_ones_each_once() {
    let mut random = Random::seeded(5);
    let mut uniform = Picker::among(100, Popularity::Uniform);
    let mut drawn = [0i32; 100];
    for _ in 0..100_000 {
        drawn[uniform.pick(&mut random) as usize] += 1;
    }
    assert!(drawn.iter().all(|draws| (draws - 1000).abs() < 200), "{drawn:?}");
    let mut sequential = Picker::among(3, Popularity::Sequential);
    let order: Vec<_> = (0..7).map(|_| sequential.pick(&mut random)).collect();
    assert_eq!(order, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn latencies_keep_three_percent() {
    let mut latencies = Latencies::none();
    assert_eq!(latencies.micros_at(0.99), 0.0);
    for micros in 1..=10_000 {
        latencies.count(Duration::from_micros(micros));
    }
    latencies.count(Duration::from_secs(100_000));
    for (share, wanted) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.00005, 1.0)] {
        let found = latencies.micros_at(share);
        assert!((found / wanted - 1.0).abs() < 0.035, "{share}: {found}");
    }
}

/// A server that answers each request of a known length with the same words, and then closes.
fn parrot(request_bytes: usize, requests: usize, reply: Vec<u8>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the fleet connects");
        let mut request = vec![0; request_bytes];
        for _ in 0..requests {
            stream.read_exact(&mut request).expect("the fleet asks");
            stream.write_all(&reply).expect("the fleet listens");
        }
    });
    address
}

#[test]
fn a_fleet_counts_what_it_asked_and_fails_on_a_lie_or_a_close() {
    let workload = Workload { key_count: 1, ..Workload::plain_gets() };
    let right = {
        let exchange = Exchange::begin(&workload);
        right_reply(&exchange, 1)
    };
    let request_bytes = "get \r\n".len() + workload.key_bytes;
    let run = |answers, reply: &[u8], requests| {
        let address = parrot(request_bytes, answers, reply.to_vec());
        let mut fleet = Fleet::connect(address, 1).expect("the parrot listens");
        fleet.run(&mut Traffic::of(&workload, 7), Until::Requests(requests))
    };
    assert_eq!(run(5, &right, 5).expect("right answers").tally.hits, 5);
    let mut lie = right.clone();
    lie[right.len() - 20] ^= 0x20;
    assert!(matches!(run(5, &lie, 5), Err(Failure::Mismatch(Mismatch::TornValue { key: 0, .. }))));
    assert!(matches!(run(3, &right, 5), Err(Failure::Closed | Failure::Io(_))));
}

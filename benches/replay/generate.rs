//! Traces made by rule, the same for the same seed.

use crate::load::popularity::Zipf;
use crate::load::random::{Random, mixed};
use crate::request::{Action, Request, between, log_normal};

/// A law of requests.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Law {
    /// 600,000 objects, as popular as Zipf's law with this exponent says, of this median length.
    Zipf(f64, f64),
    /// Objects of about 344 bytes; each 20 requests a new object becomes the most popular one and all others step down.
    Drift,
    /// Zipf with scans over 100,000 of 400,000 further objects, a third of all requests.
    Scans,
    /// Short-lived sessions beside objects that live for ever: half of the requests each.
    Sessions,
    /// Four parts of the objects live 2 s, 5 s, 15 s and for ever.
    Lifetimes,
    /// 100-byte objects, and from the middle on others of 1 to 8 KB.
    Growth,
    /// 100-byte objects, and from the middle on others of 50 to 150 KB.
    Jump,
    /// Counters of 1 to 8 bytes, pages of 1 KB, fragments of 20 KB.
    Classes,
    /// Large objects of 60 to 400 KB now and then among small ones.
    Mixed,
    /// Zipf in which one request of thirty changes an object.
    Changes,
}

/// The first `count` requests of the law.
pub(crate) fn requests(law: Law, count: usize) -> Vec<Request> {
    let mut generator = Generator { law, count, random: Random::seeded(SEED), draws: draws(law) };
    (0..count).map(|at| generator.request(at)).collect()
}

struct Generator {
    law: Law,
    count: usize,
    random: Random,
    draws: Vec<Zipf>,
}

/// The laws that a generator draws from.
fn draws(law: Law) -> Vec<Zipf> {
    let zipfs: &[(u64, f64)] = match law {
        Law::Zipf(exponent, _) => &[(OBJECTS, exponent)],
        Law::Drift | Law::Changes => &[(OBJECTS, 0.9)],
        Law::Scans => &[(300_000, 1.0)],
        Law::Sessions => &[(SESSIONS, 0.6), (OBJECTS, 0.9)],
        Law::Lifetimes => &[(OBJECTS, 0.9)],
        Law::Growth => &[(OBJECTS, 0.9), (100_000, 0.9)],
        Law::Jump => &[(OBJECTS, 0.9), (3_000, 0.9)],
        Law::Classes => &[(1_000_000, 0.9), (200_000, 0.9), (10_000, 0.9)],
        Law::Mixed => &[(OBJECTS, 1.0), (2_000, 0.8)],
    };
    zipfs.iter().map(|&(keys, exponent)| Zipf::among(keys, exponent)).collect()
}

impl Generator {
    fn request(&mut self, at: usize) -> Request {
        let is_late = at >= self.count / 2;
        match self.law {
            Law::Zipf(_, median) => {
                let key = self.pick(0);
                Request::read(key, log_normal(key, median, 0.8))
            }
            Law::Drift => small(OBJECTS + at as u64 / 20 - self.pick(0)),
            Law::Scans => self.scan(at),
            Law::Sessions => self.session(at),
            Law::Lifetimes => {
                let request = small(self.pick(0));
                Request { ttl: LIFETIMES[(mixed(request.key) % 4) as usize], ..request }
            }
            Law::Growth if is_late => self.of_group(1, 1 << 10, 8 << 10),
            Law::Jump if is_late => self.of_group(1, 50 << 10, 150 << 10),
            Law::Growth | Law::Jump => self.of_group(0, 60, 140),
            Law::Classes => match self.random.below(100) {
                0..60 => self.of_group(0, 1, 8),
                60..90 => self.of_group(1, 900, 1100),
                _ => self.of_group(2, 18 << 10, 22 << 10),
            },
            Law::Mixed if self.random.below(200) == 0 => self.of_group(1, 60 << 10, 400 << 10),
            Law::Mixed => small(self.pick(0)),
            Law::Changes => {
                let action = if self.random.below(30) == 0 { Action::Change } else { Action::Read };
                Request { action, ..small(self.pick(0)) }
            }
        }
    }

    fn pick(&mut self, draw: usize) -> u64 {
        self.draws[draw].pick(&mut self.random)
    }

    /// An object of the group, of a length between these.
    fn of_group(&mut self, group: usize, least: usize, most: usize) -> Request {
        let key = self.pick(group) | (group as u64 + 1) << GROUP_SHIFT;
        Request::read(key, between(key, least, most))
    }

    fn scan(&mut self, at: usize) -> Request {
        let (round, place) = (at / SCAN_ROUND, at % SCAN_ROUND);
        match place.checked_sub(SCAN_ROUND - SCAN_LENGTH) {
            None => small(self.pick(0)),
            Some(step) => small(((round * SCAN_LENGTH + step) % SCANNED) as u64 | 1 << GROUP_SHIFT),
        }
    }

    /// Sessions come and go: each 10 requests a new one replaces the oldest.
    fn session(&mut self, at: usize) -> Request {
        if at % 2 == 1 {
            return small(self.pick(1));
        }
        let key = (SESSIONS + at as u64 / 10 - self.pick(0)) | 1 << GROUP_SHIFT;
        Request { ttl: SESSION_SECONDS, ..small(key) }
    }
}

fn small(key: u64) -> Request {
    Request::read(key, log_normal(key, 250.0, 0.8))
}

const SEED: u64 = 20_261_123;
const OBJECTS: u64 = 600_000;
/// Keys of a further group of objects carry its number above this bit.
const GROUP_SHIFT: u32 = 40;
const SCAN_ROUND: usize = 300_000;
const SCAN_LENGTH: usize = 100_000;
const SCANNED: usize = 400_000;
const SESSIONS: u64 = 200_000;
const SESSION_SECONDS: u32 = 3;
const LIFETIMES: [u32; 4] = [2, 5, 15, 0];

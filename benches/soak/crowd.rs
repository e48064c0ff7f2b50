//! Clients that overwrite, delete and read the same few keys at once, so that values change while they are being sent.
//! Nobody knows which one comes, so each value tells in its head which key and version it is.

use std::io;

use super::course::{Course, Tally};
use super::dialect::Dialect;
use super::lane::Lane;
use super::model::Outcome;
use super::random::{Random, mixed};
use super::request::{Reply, Request, Verb};
use super::values::{Content, Piece, Pool};

/// Asks until the course is over.
pub(crate) fn run(course: &Course, number: usize, tally: &mut Tally) {
    let dialect = Dialect::ALL[number % Dialect::ALL.len()];
    let mut random = Random::seeded(course.seed ^ mixed(CROWD_SALT ^ number as u64));
    if let Err(error) = one_of_many(course, dialect, &mut random, tally) {
        course.wrong(format!("{dialect:?} of the crowd: {error}"));
    }
}

fn one_of_many(course: &Course, dialect: Dialect, random: &mut Random, tally: &mut Tally) -> io::Result<()> {
    let mut lane = Lane::connect(course.address)?;
    let mut out = Vec::new();
    while !course.is_over() {
        // Now and then more than the sockets take, so that values wait to be sent while others overwrite them.
        let depth_max = if random.below(20) == 0 { 100 } else { 8 };
        let requests: Vec<(u64, Request)> = (0..1 + random.below(depth_max)).map(|_| some_request(random)).collect();
        out.clear();
        for (opaque, (key, request)) in requests.iter().enumerate() {
            dialect.write(&course.pool, name(*key).as_bytes(), request, opaque as u32, &mut out);
        }
        lane.send(&out)?;
        for (opaque, (key, request)) in requests.iter().enumerate() {
            let reply = dialect.read(&mut lane, name(*key).as_bytes(), request, opaque as u32)?;
            tally.count(match (request, &reply) {
                (Request::Get, Reply::Value { flags, at, .. }) => {
                    let found = lane.seen(at.clone());
                    if !is_whole(&course.pool, *key, *flags, found) {
                        course.wrong(format!(
                            "{} of the crowd by {dialect:?}: {} bytes are torn",
                            name(*key),
                            found.len()
                        ));
                    }
                    Outcome::Hit
                }
                (_, Reply::Missing) => Outcome::Miss,
                (_, Reply::Refused) => Outcome::Refused,
                (Request::Store { .. } | Request::Delete, Reply::Done { .. }) => Outcome::Changed,
                _ => return Err(io::Error::other(format!("{reply:?} is no answer"))),
            });
        }
    }
    Ok(())
}

fn some_request(random: &mut Random) -> (u64, Request) {
    let key = random.below(KEYS);
    let request = match random.below(10) {
        0..6 => Request::Get,
        6..9 => {
            let version = random.bits();
            // The same key has values of one chunk and of many in turn.
            let (least, most) =
                [(1, 5000), (26_000, 30_000), (30_000, 100_000), (100_000, 900_000)][random.below(4) as usize];
            let bytes = (least + random.below(most - least)) as usize;
            Request::Store { verb: Verb::Set, content: content(key, version, bytes), flags: version as u32, ttl: 0 }
        }
        _ => Request::Delete,
    };
    (key, request)
}

fn name(key: u64) -> String {
    format!("crowd:{key}")
}

fn content(key: u64, version: u64, bytes: usize) -> Content {
    let literal = [key, version, bytes as u64].map(u64::to_be_bytes).concat();
    Content { literal, pieces: vec![Piece::of(key, version, bytes)] }
}

/// Whether a value is one that was stored as a whole under this key.
fn is_whole(pool: &Pool, key: u64, flags: u32, found: &[u8]) -> bool {
    let Some((head, rest)) = found.split_at_checked(3 * 8) else { return false };
    let number = |at: usize| u64::from_be_bytes(head[at * 8..at * 8 + 8].try_into().expect("eight bytes"));
    let (version, bytes) = (number(1), number(2));
    number(0) == key
        && version as u32 == flags
        && bytes == rest.len() as u64
        && pool.matches(&content(key, version, rest.len()), found)
}

const KEYS: u64 = 64;
const CROWD_SALT: u64 = 0x63_726f_7764;

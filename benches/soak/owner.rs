//! A client with keys of its own, of which it knows what each may hold.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::course::{Course, Tally};
use super::dialect::Dialect;
use super::lane::Lane;
use super::model::{Outcome, Slot, When};
use super::random::{Random, mixed};
use super::request::{Reply, Request, Side, Verb};
use super::values::{Content, PIECE_BYTES_MAX, Piece, some_length};

/// Asks until the course is over. Each connection speaks the next protocol.
pub(crate) fn run(course: &Course, number: usize, tally: &mut Tally) {
    let mut owner = Owner {
        course,
        number,
        random: Random::seeded(course.seed ^ mixed(number as u64)),
        slots: (0..KEYS).map(|_| Slot::default()).collect(),
        version: 0,
        past: VecDeque::with_capacity(PAST_MAX),
    };
    let mut life = 0;
    while !course.is_over() {
        let dialect = Dialect::ALL[(number + life) % Dialect::ALL.len()];
        if let Err(error) = owner.one_connection(dialect, tally) {
            course.wrong(format!("{dialect:?} of owner {number}: {error}"));
            return;
        }
        life += 1;
    }
}

struct Owner<'a> {
    course: &'a Course,
    number: usize,
    random: Random,
    slots: Vec<Slot>,
    /// Of the last value; no two are alike.
    version: u64,
    /// What was asked and came of it, newest last.
    past: VecDeque<(usize, Dialect, Request, Outcome)>,
}

impl Owner<'_> {
    fn one_connection(&mut self, dialect: Dialect, tally: &mut Tally) -> io::Result<()> {
        let mut lane = Lane::connect(self.course.address)?;
        let mut out = Vec::new();
        for _ in 0..BATCHES_MAX {
            if self.course.is_over() {
                break;
            }
            let depth = if self.random.below(4) == 0 { 1 } else { 1 + self.random.below(DEPTH_MAX) };
            let requests: Vec<_> = (0..depth).map(|_| self.some_request()).collect();
            out.clear();
            for (opaque, (n, request)) in requests.iter().enumerate() {
                dialect.write(&self.course.pool, &self.key(*n), request, opaque as u32, &mut out);
            }
            // What a flush that is over took must not come back; one that is under way is asked about later.
            let flushed = self.course.flushed();
            let sent = Instant::now();
            lane.send(&out)?;
            for (opaque, (n, request)) in requests.into_iter().enumerate() {
                let key = self.key(n);
                let reply = dialect.read(&mut lane, &key, &request, opaque as u32)?;
                let found = match &reply {
                    Reply::Value { at, .. } => lane.seen(at.clone()),
                    _ => &[],
                };
                let when = When { sent, read: Instant::now(), flushed };
                match self.slots[n].judge(&self.course.pool, &request, &reply, found, when) {
                    Ok(outcome) => {
                        tally.count(outcome);
                        if self.past.len() == PAST_MAX {
                            self.past.pop_front();
                        }
                        self.past.push_back((n, dialect, request, outcome));
                    }
                    Err(why) => {
                        let key = String::from_utf8_lossy(&key).into_owned();
                        let past = self.past_of(n);
                        self.course.wrong(format!("{key:.40} after {request:.200?} by {dialect:?}: {why}{past}"));
                        self.slots[n] = Slot::default();
                    }
                }
            }
        }
        self.abandon()
    }

    /// What was asked of a key last, a line each.
    fn past_of(&self, n: usize) -> String {
        let mut lines: Vec<_> = self.past.iter().rev().filter(|(of, ..)| *of == n).take(8).collect();
        lines.reverse();
        let line = |(_, dialect, request, outcome): &&(usize, Dialect, Request, Outcome)| {
            format!("\n    before: {request:.200?} by {dialect:?}: {outcome:?}")
        };
        lines.iter().map(line).collect()
    }

    /// Leaves in the middle of a value: nothing of it may be seen. Leaves without reading what it asked for.
    fn abandon(&mut self) -> io::Result<()> {
        let n = self.some_key();
        let content = self.some_content(n);
        let key = self.key(n);
        let mut out = Vec::new();
        for n in 0..20 {
            Dialect::Text.write(&self.course.pool, &self.key(n), &Request::Get, 0, &mut out);
        }
        let request = Request::Store { verb: Verb::Set, content, flags: 9, ttl: 0 };
        Dialect::Text.write(&self.course.pool, &key, &request, 0, &mut out);
        let cut = out.len() - 2 - self.random.below(out.len() as u64 / 2) as usize;
        let mut stream = TcpStream::connect(self.course.address)?;
        stream.set_nonblocking(true)?;
        // However much the socket takes.
        let _ = stream.write(&out[..cut]);
        Ok(())
    }

    fn key(&self, n: usize) -> Vec<u8> {
        let mut key = format!("owner{}:{n}:", self.number).into_bytes();
        // One of 16 keys is as long as can be.
        let length = if n.is_multiple_of(16) { KEY_BYTES_MAX } else { key.len() + mixed(n as u64) as usize % 30 };
        key.resize(length, b'k');
        key
    }

    /// Few keys are asked for often, many seldom.
    fn some_key(&mut self) -> usize {
        let skewed = self.random.unit().powi(3);
        (skewed * KEYS as f64) as usize
    }

    fn some_content(&mut self, n: usize) -> Content {
        if is_number(n) {
            return Content::number(self.random.bits() >> self.random.below(64));
        }
        Content::of(self.some_piece(n, PIECE_BYTES_MAX))
    }

    fn some_piece(&mut self, n: usize, most: usize) -> Piece {
        self.version += 1;
        let key = (self.number as u64) << 32 | n as u64;
        Piece::of(key, self.version, some_length(&mut self.random).min(most))
    }

    fn some_request(&mut self) -> (usize, Request) {
        let n = self.some_key();
        let ttl = [0, 0, 0, 0, 1, 2, 5, 30][self.random.below(8) as usize];
        let flags = [0, 0, 1, u32::MAX][self.random.below(4) as usize];
        let store = |owner: &mut Self, verb| Request::Store { verb, content: owner.some_content(n), flags, ttl };
        let request = match self.random.below(100) {
            0..40 => Request::Get,
            40..44 => Request::GetAndTouch(ttl),
            44..66 => store(self, Verb::Set),
            66..71 => store(self, Verb::Add),
            71..75 => store(self, Verb::Replace),
            75..82 => match self.slots[n].cas() {
                // One that was the item's, and one that never was; it may have changed within the batch.
                Some(unique) if self.random.below(5) > 0 => store(self, Verb::Cas(unique)),
                Some(unique) => store(self, Verb::Cas(unique ^ 1 << 62)),
                None => Request::Get,
            },
            82..86 => Request::Delete,
            86..90 => Request::Touch(ttl),
            _ if is_number(n) => Request::Count { delta: 1 + self.random.below(1000), down: self.random.below(2) == 0 },
            _ if self.slots[n].bytes() < PIECE_BYTES_MAX => {
                let side = if self.random.below(2) == 0 { Side::Append } else { Side::Prepend };
                Request::Join { side, piece: self.some_piece(n, JOINED_BYTES_MAX) }
            }
            _ => Request::Delete,
        };
        (n, request)
    }
}

fn is_number(n: usize) -> bool {
    n % 8 == 3
}

const KEYS: usize = 6000;
const KEY_BYTES_MAX: usize = 250;
const DEPTH_MAX: u64 = 32;
/// After so many batches it connects anew.
const BATCHES_MAX: usize = 400;
/// So many requests are remembered, to tell what came before a wrong reply.
const PAST_MAX: usize = 4096;
const JOINED_BYTES_MAX: usize = 20_000;

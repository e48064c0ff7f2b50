//! A trace played to one server, as an application with a look-aside cache would: get, and on a miss set.
//!
//! Requests go out in batches. A key that occurs twice in a batch is asked for the second time after all other first
//! requests of the batch have been answered, and after the value that it missed was stored; a change of an object begins
//! a batch. So the requests of one key keep their order, and those of different keys move by less than a batch.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::request::{Action, Request};

/// Reads counted after the warm-up.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    reads: u64,
    misses: u64,
}

/// What became of a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outcome {
    /// Share of reads that found nothing.
    pub(crate) miss_ratio: f64,
    /// Values that the server had no memory for.
    pub(crate) refused: u64,
}

/// Plays `requests`; those before number `warm_up` are not counted. With `span`, they are spread evenly over that time.
///
/// # Errors
/// When the server fails, or an answer is wrong.
pub(crate) fn play(
    address: SocketAddr,
    requests: &[Request],
    warm_up: usize,
    span: Option<Duration>,
) -> io::Result<Outcome> {
    let mut player = Player { client: Client::connect(address)?, versions: HashMap::new(), seen: HashSet::new() };
    let started = Instant::now();
    let mut tally = Tally::default();
    let mut at = 0;
    while at < requests.len() {
        if let Some(span) = span {
            let due = span.mul_f64(at as f64 / requests.len() as f64);
            std::thread::sleep(due.saturating_sub(started.elapsed()));
        }
        let batch = batch_of(&requests[at..]);
        let of_batch = player.batch(batch)?;
        if at >= warm_up {
            tally.reads += of_batch.reads;
            tally.misses += of_batch.misses;
        }
        at += batch.len();
    }
    Ok(Outcome { miss_ratio: tally.misses as f64 / tally.reads.max(1) as f64, refused: player.client.refused })
}

/// The next requests: changes, if any come first, and then reads.
fn batch_of(requests: &[Request]) -> &[Request] {
    let changes = requests.iter().take_while(|request| request.action == Action::Change).count();
    let reads = requests[changes..].iter().take_while(|request| request.action == Action::Read).take(BATCH).count();
    &requests[..changes + reads]
}

struct Player {
    client: Client,
    /// How often an object has changed, where it has.
    versions: HashMap<u64, u32>,
    /// Keys asked for in the first pass of a batch.
    seen: HashSet<u64>,
}

impl Player {
    fn batch(&mut self, batch: &[Request]) -> io::Result<Tally> {
        self.seen.clear();
        let (mut first, mut again) = (Vec::new(), Vec::new());
        for (number, request) in batch.iter().enumerate() {
            if request.action == Action::Change {
                *self.versions.entry(request.key).or_insert(0) += 1;
                first.push(number);
            } else if self.seen.insert(request.key) {
                first.push(number);
            } else {
                again.push(number);
            }
        }
        let mut misses = 0;
        for pass in [first, again] {
            misses += self.pass(batch, &pass)?;
        }
        let reads = batch.iter().filter(|request| request.action == Action::Read).count() as u64;
        Ok(Tally { reads, misses })
    }

    fn pass(&mut self, batch: &[Request], numbers: &[usize]) -> io::Result<u64> {
        for &number in numbers {
            let request = &batch[number];
            self.client.ask(number, request, self.version(request.key));
        }
        let mut missed = Vec::new();
        if !numbers.is_empty() {
            self.client.exchange(batch, &mut missed)?;
        }
        for &number in &missed {
            let request = &batch[number];
            self.client.store(request, self.version(request.key));
        }
        Ok(missed.len() as u64)
    }

    fn version(&self, key: u64) -> u32 {
        self.versions.get(&key).copied().unwrap_or(0)
    }
}

/// Reads under way at once.
const BATCH: usize = 400;

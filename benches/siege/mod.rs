//! A server under every kind of abuse at once, while clients that behave keep its answers and measure how long they
//! take: the bench `siege` and, for a few seconds, a test.
//!
//! Those clients know what each of their keys holds by what the server has acknowledged. The foes keep to few keys, so
//! that the memory never fills and a key that is gone is a lost write.

mod foes;
mod friend;
#[path = "../load/latency.rs"]
#[allow(dead_code, reason = "shared with the load generator; this uses a part")]
mod latency;
mod peer;
#[path = "../load/random.rs"]
#[allow(dead_code, reason = "shared with the load generator; this uses a part")]
mod random;
mod stage;

use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use friend::Kept;
use latency::Latencies;
pub(crate) use stage::Stage;

/// What a run found.
pub(crate) struct Report {
    /// What the clients that behave saw.
    pub(crate) friends: Kept,
    /// How long a new client takes to connect, log in and read one key.
    pub(crate) newcomers: Timed,
    /// How long a thread that only sleeps oversleeps: what of the rest is the machine's.
    pub(crate) machine: Timed,
    /// How long a thread of the server was ready to run and had no processor, in each tenth of a second.
    pub(crate) starved: Timed,
    /// How often each abuse was done.
    pub(crate) abuses: Vec<(&'static str, u64)>,
    pub(crate) evictions: u64,
    /// Bytes.
    pub(crate) resident_peak: u64,
    /// Answers that must not be; none in a good run.
    pub(crate) wrongs: Vec<String>,
}

/// Durations, and the longest exactly.
pub(crate) struct Timed {
    pub(crate) all: Latencies,
    pub(crate) longest: Duration,
    pub(crate) count: u64,
}

impl Timed {
    fn none() -> Timed {
        Timed { all: Latencies::none(), longest: Duration::ZERO, count: 0 }
    }

    fn count(&mut self, duration: Duration) {
        self.all.count(duration);
        self.longest = self.longest.max(duration);
        self.count += 1;
    }

    fn add(&mut self, other: &Timed) {
        self.all.add(&other.all);
        self.longest = self.longest.max(other.longest);
        self.count += other.count;
    }
}

/// What all threads of a run share.
struct Siege<'a> {
    stage: &'a Stage,
    begun: Instant,
    length: Duration,
    wrongs: Mutex<Vec<String>>,
    done: Vec<AtomicU64>,
}

impl Siege<'_> {
    fn is_over(&self) -> bool {
        self.begun.elapsed() > self.length
    }

    fn wrong(&self, what: String) {
        let at = self.begun.elapsed();
        self.wrongs.lock().expect("no thread panics with it").push(format!("after {at:.1?}: {what}"));
    }
}

/// Lets foes at the server for so long, and well-behaved clients beside them.
pub(crate) fn run(stage: &Stage, length: Duration) -> Report {
    let done = foes::ABUSES.iter().map(|_| AtomicU64::new(0)).collect();
    let siege = Siege { stage, begun: Instant::now(), length, wrongs: Mutex::default(), done };
    let mut friends = Kept::none();
    let (newcomers, machine, starved) = thread::scope(|scope| {
        let siege = &siege;
        let keeping: Vec<_> = (0..FRIENDS).map(|number| scope.spawn(move || friend::run(siege, number))).collect();
        for number in 0..FOES {
            scope.spawn(move || foes::run(siege, number));
        }
        scope.spawn(|| foes::disturb_users_file(siege));
        let newcomers = scope.spawn(|| friend::arrive(siege));
        let machine = scope.spawn(|| oversleep(siege));
        let starved = scope.spawn(|| starve(siege));
        for friend in keeping {
            friends.add(&friend.join().expect("clients do not panic"));
        }
        (
            newcomers.join().expect("clients do not panic"),
            machine.join().expect("it only sleeps"),
            starved.join().expect("it only reads"),
        )
    });
    let (evictions, resident_peak) = aftermath(&siege, &friends);
    Report {
        friends,
        newcomers,
        machine,
        starved,
        abuses: foes::ABUSES.iter().zip(&siege.done).map(|(a, n)| (a.name, n.load(Ordering::Relaxed))).collect(),
        evictions,
        resident_peak,
        wrongs: siege.wrongs.into_inner().expect("no thread panicked with it"),
    }
}

fn aftermath(siege: &Siege<'_>, friends: &Kept) -> (u64, u64) {
    let look =
        || -> io::Result<(u64, u64)> { Ok((friend::evictions(siege.stage)?, siege.stage.resident_peak_bytes()?)) };
    let (evictions, peak) = look().unwrap_or_else(|error| {
        siege.wrong(format!("the server is gone: {error}"));
        (0, 0)
    });
    if friends.missing > evictions {
        siege.wrong(format!("{} acknowledged writes are gone, {evictions} items were evicted", friends.missing));
    }
    let bound = siege.stage.memory_bytes + MEMORY_BESIDE;
    if peak > bound {
        siege.wrong(format!("{} MiB were resident, {} are the most", peak >> 20, bound >> 20));
    }
    (evictions, peak)
}

fn oversleep(siege: &Siege<'_>) -> Timed {
    let mut timed = Timed::none();
    while !siege.is_over() {
        let since = Instant::now();
        thread::sleep(friend::PAUSE);
        timed.count(since.elapsed().saturating_sub(friend::PAUSE));
    }
    timed
}

fn starve(siege: &Siege<'_>) -> Timed {
    let mut timed = Timed::none();
    let mut before = siege.stage.waits().unwrap_or_default();
    while !siege.is_over() {
        thread::sleep(STARVED_INTERVAL);
        // That the server is gone is told by others.
        let now = siege.stage.waits().unwrap_or_default();
        let waits = now.iter().filter_map(|(task, wait)| wait.checked_sub(*before.get(task)?));
        let longest = waits.max().unwrap_or_default();
        timed.count(longest);
        if longest > friend::WORTH_TELLING {
            println!("after {:.1?}: a thread of the server had no processor for {longest:.1?}", siege.begun.elapsed());
        }
        before = now;
    }
    timed
}

const STARVED_INTERVAL: Duration = Duration::from_millis(100);
const FRIENDS: usize = 4;
const FOES: usize = 6;
const MEMORY_BESIDE: u64 = 64 << 20;

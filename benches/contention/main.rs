//! What do threads at one store cost each other? Run `cargo bench --bench contention -- --help`.
//!
//! No server, no socket: threads read and write straight at the store, where in a server they would spend most of their
//! time in the kernel. So they meet here many times as often as workers do. More threads than processors show what it
//! costs when one that holds a lock is put to sleep. `docs/architecture.md` reads the figures.

#[path = "../contestant/table.rs"]
#[allow(dead_code, reason = "shared with other benches")]
mod table;

#[path = "../load/latency.rs"]
mod latency;

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use larder::clock::{NEVER, START};
use larder::command::{Delta, Mode};
use larder::store::{Config, Fetch, Outcome, Put, Store};
use latency::Latencies;
use rustix::time::{ClockId, clock_gettime};
use table::{figure, median};

const KEYS: usize = 100_000;
const VALUE: [u8; 100] = [b'v'; 100];
const MEMORY_BYTES: u64 = 1 << 30;
/// One operation of so many is timed; a clock costs as much as a look-up.
const TIMED: u32 = 32;
/// Operations between two looks whether time is up.
const BATCH: u32 = 1024;

/// Compare what an operation costs one thread with what it costs each of many.
#[derive(Debug, Parser)]
#[command(name = "contention")]
struct Arguments {
    /// Counts of threads; the first is what the others are compared with
    #[arg(long, value_name = "N,N...", value_delimiter = ',', default_values_t = [1, 2, 4, 16, 64])]
    threads: Vec<usize>,
    /// Threads that the store is made for (it has four shards for each); by default as many as use it
    #[arg(long, value_name = "N")]
    made_for: Option<usize>,
    /// Rounds; the figures are medians
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Length of one measurement
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5)]
    seconds: f64,
    /// Cargo says this to every bench target
    #[arg(long, hide = true)]
    bench: bool,
}

/// What all threads do.
#[derive(Clone, Copy)]
enum Row {
    GetAny,
    GetOne,
    SetAny,
    SetOne,
    Incr,
    Mixed,
}

const ROWS: [(&str, Row); 6] = [
    ("get, any of 100,000 keys", Row::GetAny),
    ("get, always the same key", Row::GetOne),
    ("set, any of 100,000 keys", Row::SetAny),
    ("set, always the same key", Row::SetOne),
    ("incr, always the same key", Row::Incr),
    ("get, one of ten times set, the same key", Row::Mixed),
];

/// What one round of a row came to.
struct Round {
    cpu_nanos: f64,
    per_second: f64,
    latencies: Latencies,
}

fn main() {
    let arguments = Arguments::parse();
    println!("medians of {} rounds of {} s", arguments.rounds, arguments.seconds);
    println!(
        "{:42} {:>7} {:>7} {:>12} {:>9} {:>7} {:>9} {:>9}",
        "", "threads", "shards", "op/s", "cpu ns/op", "ratio", "p99.9 µs", "p99.999"
    );
    for (name, row) in ROWS {
        let mut first = None;
        for &threads in &arguments.threads {
            let config = Config::new(MEMORY_BYTES, arguments.made_for.unwrap_or(threads));
            let shards = config.shard_count();
            let store = filled(config);
            let rounds: Vec<Round> =
                (0..arguments.rounds).map(|_| round(&store, row, threads, arguments.seconds)).collect();
            let of = |read: fn(&Round) -> f64| median(&rounds.iter().map(read).collect::<Vec<_>>());
            let mut latencies = Latencies::none();
            rounds.iter().for_each(|round| latencies.add(&round.latencies));
            let cpu = of(|round| round.cpu_nanos);
            let ratio = cpu / *first.get_or_insert(cpu);
            println!(
                "{name:42} {threads:7} {shards:7} {:>12} {:>9} {ratio:7.2} {:>9} {:>9}",
                figure(of(|round| round.per_second)),
                figure(cpu),
                figure(latencies.micros_at(0.999)),
                figure(latencies.micros_at(0.99999)),
            );
        }
    }
}

fn filled(config: Config) -> Store {
    let store = Store::new(config).expect("memory");
    for n in 0..KEYS {
        set(&store, &key(n));
    }
    let count = Put { key: b"count", client_flags: 0, expiry: NEVER, mode: Mode::Set };
    assert!(matches!(store.put(&count, b"10000000000", START), Outcome::Stored { .. }));
    store
}

fn key(n: usize) -> Vec<u8> {
    format!("key-{n:028}").into_bytes()
}

fn set(store: &Store, key: &[u8]) {
    let put = Put { key, client_flags: 0, expiry: NEVER, mode: Mode::Set };
    assert!(matches!(store.put(&put, &VALUE, START), Outcome::Stored { .. }));
}

fn get(store: &Store, key: &[u8], out: &mut Vec<u8>) {
    out.clear();
    store.fetch(key, &Fetch::GET, START, |found| found.copy_to(out)).expect("nothing is evicted");
    assert_eq!(out.len(), VALUE.len());
}

/// All threads at once, for so long.
fn round(store: &Store, row: Row, threads: usize, seconds: f64) -> Round {
    let keys: Vec<Vec<u8>> = (0..KEYS).map(key).collect();
    let (begin, is_over) = (Barrier::new(threads + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (keys, begin, is_over) = (&keys, &begin, &is_over);
                scope.spawn(move || {
                    begin.wait();
                    work(store, row, keys, thread as u64, is_over)
                })
            })
            .collect();
        begin.wait();
        let started = Instant::now();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        is_over.store(true, Ordering::Relaxed);
        let (mut done, mut cpu, mut latencies) = (0, Duration::ZERO, Latencies::none());
        for worker in workers {
            let (its_done, its_cpu, its_latencies) = worker.join().expect("no thread panics");
            done += its_done;
            cpu += its_cpu;
            latencies.add(&its_latencies);
        }
        Round {
            cpu_nanos: cpu.as_nanos() as f64 / done as f64,
            per_second: done as f64 / started.elapsed().as_secs_f64(),
            latencies,
        }
    })
}

fn work(store: &Store, row: Row, keys: &[Vec<u8>], seed: u64, is_over: &AtomicBool) -> (u64, Duration, Latencies) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut latencies = Latencies::none();
    let mut out = Vec::new();
    let (mut done, before) = (0, thread_cpu());
    while !is_over.load(Ordering::Relaxed) {
        for n in 0..BATCH {
            let timed = n.is_multiple_of(TIMED).then(Instant::now);
            match row {
                Row::GetAny => get(store, &keys[random.usize(..KEYS)], &mut out),
                Row::SetAny => set(store, &keys[random.usize(..KEYS)]),
                Row::GetOne => get(store, &keys[0], &mut out),
                Row::SetOne => set(store, &keys[0]),
                Row::Incr => drop(store.add_delta(b"count", Delta::Incr(1), START)),
                Row::Mixed if n % 10 == 9 => set(store, &keys[0]),
                Row::Mixed => get(store, &keys[0], &mut out),
            }
            if let Some(began) = timed {
                latencies.count(began.elapsed());
            }
        }
        done += u64::from(BATCH);
    }
    (done, thread_cpu() - before, latencies)
}

/// Processor time of this thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

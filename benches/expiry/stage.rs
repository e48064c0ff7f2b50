//! One row on one server: fill, watch the items go, use their memory.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::arguments::Arguments;
use crate::contestant::process::{Contestant, Server};
use crate::contestant::stats;
use crate::load::fleet::{Fleet, Until};
use crate::load::latency::Latencies;
use crate::load::popularity::Popularity;
use crate::load::traffic::Traffic;
use crate::load::values::Sizes;
use crate::load::workload::{Losses, Mix, Workload};
use crate::rows::{End, Row};

/// What one server did.
pub(crate) struct Report {
    /// Gets of the items that stay, when nothing else happens.
    pub(crate) before: Latencies,
    /// From just before the end of the others until they are gone.
    pub(crate) meanwhile: Latencies,
    /// After that.
    pub(crate) after: Latencies,
    /// Seconds from the last expiry (or the flush) until `curr_items` had fallen; `None` when it did not in time.
    pub(crate) secs_until_gone: Option<f64>,
    /// `curr_items` beyond those that stay.
    pub(crate) items_left: u64,
    /// Memory of size classes before and after.
    pub(crate) class_bytes: [u64; 2],
    /// Evictions while items of another size were stored in three quarters of the memory.
    pub(crate) evictions: u64,
    /// Items that should have stayed and are not there in the end.
    pub(crate) lost: u64,
}

struct Stage {
    server: Server,
    /// Sets, in batches.
    filler: Fleet,
    /// Gets, one at a time.
    readers: Fleet,
    reading: Traffic,
}

/// Plays the row to a fresh server.
pub(crate) fn perform(row: &Row, contestant: &Contestant, arguments: &Arguments) -> Result<Report, String> {
    let mut stage = Stage::start(row, contestant, arguments)?;
    let ends_at = now_unix() + arguments.lead;
    stage.fill(row, arguments, ends_at)?;
    if row.end != End::Flush {
        sleep_until(ends_at - BEFORE_SECS - 1)?;
    }
    let before = stage.read(Duration::from_secs(BEFORE_SECS))?;
    let full = stage.class_bytes()?;
    let (meanwhile, secs_until_gone) = match row.end {
        End::Expiry(spread_secs) => stage.read_until_gone(ends_at + spread_secs - 1, arguments.patience)?,
        End::Flush => stage.read_through_flush()?,
    };
    let items_left = stage.count("curr_items")?.saturating_sub(row.staying());
    let rest = stage.class_bytes()?;
    let after = stage.read(Duration::from_secs(AFTER_SECS))?;
    let evictions = stage.refill(arguments)?;
    let lost = stage.lost(row)?;
    let class_bytes = [full, rest];
    Ok(Report { before, meanwhile, after, secs_until_gone, items_left, class_bytes, evictions, lost })
}

impl Row {
    /// Items that are there in the end.
    fn staying(&self) -> u64 {
        if self.end == End::Flush { 0 } else { LIVING }
    }

    /// The items that stay.
    fn living(&self) -> Workload {
        Workload {
            key_bytes: LIVING_KEY_BYTES,
            sizes: Sizes::Fixed(self.living_value_bytes),
            key_count: LIVING,
            losses: Losses::Allowed,
            ..Workload::plain_gets()
        }
    }
}

impl Stage {
    fn start(row: &Row, contestant: &Contestant, arguments: &Arguments) -> Result<Stage, String> {
        let server = contestant.start(arguments.common.threads, arguments.memory, 1024)?;
        let connect = |count| Fleet::connect(server.address(), count).map_err(|error| error.to_string());
        let (filler, readers) = (connect(4)?, connect(READERS)?);
        Ok(Stage { filler, readers, reading: Traffic::of(&row.living(), SEED), server })
    }

    /// Stores what stays between what goes, so that they are neighbours if they are of one class.
    fn fill(&mut self, row: &Row, arguments: &Arguments, ends_at: u64) -> Result<(), String> {
        let sets = Workload {
            mix: Mix::SETS,
            depth: 32,
            popularity: Popularity::Sequential,
            losses: Losses::Forbidden,
            ..row.living()
        };
        let mut living = Traffic::of(&sets, SEED);
        let dying = Workload { key_bytes: DYING_KEY_BYTES, sizes: Sizes::Fixed(10), key_count: u64::MAX, ..sets };
        let mut dying = Traffic::of(&dying, SEED);
        let spread_secs = match row.end {
            End::Expiry(spread_secs) => spread_secs,
            End::Flush => 1,
        };
        let steps = arguments.items / STEP_ITEMS;
        for step in 0..steps {
            match row.end {
                End::Expiry(_) => dying.expire_at((ends_at + step % spread_secs) as u32),
                End::Flush => {}
            }
            send(&mut self.filler, &mut dying, STEP_ITEMS)?;
            send(&mut self.filler, &mut living, LIVING * (step + 1) / steps - LIVING * step / steps)?;
        }
        if row.end != End::Flush && now_unix() + BEFORE_SECS + 1 >= ends_at {
            return Err("filling took too long; raise --lead".to_owned());
        }
        Ok(())
    }

    fn read(&mut self, span: Duration) -> Result<Latencies, String> {
        let outcome =
            self.readers.run(&mut self.reading, Until::Elapsed(span)).map_err(|failure| failure.to_string())?;
        Ok(outcome.latencies)
    }

    /// Reads until nothing but what stays is counted; how many seconds after `last_end` (Unix time) that was.
    fn read_until_gone(&mut self, last_end: u64, patience: u64) -> Result<(Latencies, Option<f64>), String> {
        let mut latencies = Latencies::none();
        loop {
            latencies.add(&self.read(WINDOW)?);
            let late = SystemTime::now().duration_since(UNIX_EPOCH + Duration::from_secs(last_end));
            let late = late.map_or(0.0, |late| late.as_secs_f64());
            if self.count("curr_items")? <= LIVING {
                return Ok((latencies, Some(late)));
            }
            if late > patience as f64 {
                return Ok((latencies, None));
            }
        }
    }

    /// Reads while another client flushes; how long that client waited.
    fn read_through_flush(&mut self) -> Result<(Latencies, Option<f64>), String> {
        let address = self.server.address();
        thread::scope(|scope| {
            let flush = scope.spawn(move || {
                thread::sleep(WINDOW);
                let asked = Instant::now();
                stats::flush(address).map(|()| asked.elapsed().as_secs_f64())
            });
            let latencies = self.read(WINDOW * 8)?;
            let waited = flush.join().map_err(|_| "the flushing thread panicked")?;
            Ok((latencies, Some(waited.map_err(|error| error.to_string())?)))
        })
    }

    /// Stores items of another size in three quarters of the memory; how many were evicted for them.
    fn refill(&mut self, arguments: &Arguments) -> Result<u64, String> {
        let before = self.count("evictions")?;
        let sets = Workload {
            mix: Mix::SETS,
            depth: 32,
            key_bytes: REFILL_KEY_BYTES,
            sizes: Sizes::Fixed(REFILL_VALUE_BYTES),
            key_count: u64::MAX,
            popularity: Popularity::Sequential,
            ..Workload::plain_gets()
        };
        let count = (arguments.memory << 20) / 4 * 3 / REFILL_ITEM_BYTES;
        send(&mut self.filler, &mut Traffic::of(&sets, SEED), count)?;
        Ok(self.count("evictions")? - before)
    }

    /// How many of the items that should have stayed are missing.
    fn lost(&mut self, row: &Row) -> Result<u64, String> {
        let reads = Workload { popularity: Popularity::Sequential, depth: 32, ..row.living() };
        let mut traffic = Traffic::of(&reads, SEED);
        let outcome = self.filler.run(&mut traffic, Until::Requests(LIVING)).map_err(|failure| failure.to_string())?;
        Ok(outcome.tally.misses.saturating_sub(LIVING - row.staying()))
    }

    fn count(&self, name: &str) -> Result<u64, String> {
        stats::counter(self.server.address(), name).map_err(|error| error.to_string())
    }

    fn class_bytes(&self) -> Result<u64, String> {
        stats::class_bytes(self.server.address()).map_err(|error| error.to_string())
    }
}

fn send(fleet: &mut Fleet, traffic: &mut Traffic, count: u64) -> Result<(), String> {
    fleet.run(traffic, Until::Requests(count)).map_err(|failure| failure.to_string())?;
    Ok(())
}

fn now_unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn sleep_until(unix_secs: u64) -> Result<(), String> {
    let at = UNIX_EPOCH + Duration::from_secs(unix_secs);
    let left = at.duration_since(SystemTime::now()).map_err(|_| "the clock jumped")?;
    thread::sleep(left);
    Ok(())
}

const SEED: u64 = 11211;
const LIVING: u64 = 100_000;
/// Names of different length share none.
const LIVING_KEY_BYTES: usize = 17;
const DYING_KEY_BYTES: usize = 16;
const REFILL_KEY_BYTES: usize = 18;
const REFILL_VALUE_BYTES: usize = 1000;
/// What such an item takes with its place in the index, in either server at most 10 % more.
const REFILL_ITEM_BYTES: u64 = 1100;
/// Items that one step of filling stores; the expiry changes with each.
const STEP_ITEMS: u64 = 320;
/// Connections that read, one get at a time each.
const READERS: usize = 4;
const BEFORE_SECS: u64 = 5;
const AFTER_SECS: u64 = 5;
/// Time between two looks at the statistics.
const WINDOW: Duration = Duration::from_millis(250);

//! Resident memory against its bound: at most 64 MB beside the limit, and within a while after a change of the limit no
//! more than a twentieth of it and 16 MB.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::course::Course;

/// The limit, and what was seen.
pub(crate) struct Bound {
    state: Mutex<State>,
}

struct State {
    limit_mb: u64,
    /// The limit that may still be filled, and when it was lowered, while memory goes back.
    leaving: Option<(u64, Instant)>,
    seen: Seen,
}

/// What was seen, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) peak: u64,
    /// The least that was left to the bound of the steady state; negative where it was over.
    pub(crate) margin: i64,
    pub(crate) samples: u64,
    /// The longest time until memory was back under a lower limit.
    pub(crate) slowest_return: Duration,
}

impl Bound {
    pub(crate) fn new(limit_mb: u64) -> Bound {
        let seen = Seen { margin: i64::MAX, ..Seen::default() };
        Bound { state: Mutex::new(State { limit_mb, leaving: None, seen }) }
    }

    /// The limit changes now.
    pub(crate) fn limit(&self, limit_mb: u64) {
        let state = &mut *self.state.lock().expect("no thread panics with it");
        let old_mb = state.leaving.map_or(state.limit_mb, |(old_mb, _)| old_mb.max(state.limit_mb));
        if limit_mb < old_mb {
            state.leaving = Some((old_mb, Instant::now()));
        }
        state.limit_mb = limit_mb;
    }

    /// What was seen so far.
    pub(crate) fn seen(&self) -> Seen {
        self.state.lock().expect("no thread panics with it").seen
    }

    fn take(&self, resident: u64) -> Result<(), String> {
        let state = &mut *self.state.lock().expect("no thread panics with it");
        let (limit, seen) = (state.limit_mb << 20, &mut state.seen);
        let steady = limit + limit / 20 + STEADY_BESIDE;
        seen.samples += 1;
        seen.peak = seen.peak.max(resident);
        let highest = state.leaving.map_or(limit, |(old_mb, _)| old_mb << 20) + ALWAYS_BESIDE;
        if resident > highest {
            return Err(format!("{} MiB are resident, and {} are the most at any time", resident >> 20, highest >> 20));
        }
        if let Some((_, since)) = state.leaving {
            if resident <= steady {
                seen.slowest_return = seen.slowest_return.max(since.elapsed());
                state.leaving = None;
            } else if since.elapsed() > RETURN_MAX {
                return Err(format!("{} MiB are resident {RETURN_MAX:?} after -m {}", resident >> 20, state.limit_mb));
            }
            return Ok(());
        }
        seen.margin = seen.margin.min(steady as i64 - resident as i64);
        match resident > steady {
            true => Err(format!("{} MiB are resident at -m {}", resident >> 20, state.limit_mb)),
            false => Ok(()),
        }
    }
}

/// Looks at the process until the course is over.
pub(crate) fn watch(course: &Course) {
    while !course.is_over() {
        if let Err(why) = resident_bytes(course.pid).and_then(|resident| course.bound.take(resident)) {
            course.wrong(format!("memory: {why}"));
        }
        std::thread::sleep(INTERVAL);
    }
}

fn resident_bytes(pid: u32) -> Result<u64, String> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .map_err(|error| format!("the server is gone: {error}"))?;
    let kib = text.lines().find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| "no Rss in smaps_rollup".into())
}

const STEADY_BESIDE: u64 = 16 << 20;
const ALWAYS_BESIDE: u64 = 64 << 20;
const RETURN_MAX: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(100);

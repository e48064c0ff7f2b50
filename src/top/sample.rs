//! What a node said in one reading, and what two readings say together. No I/O, no clock.

use std::collections::BTreeMap;
use std::time::Duration;

/// The longest value of a statistic that is kept, in bytes; what is shown is shorter anyway.
const TEXT_BYTES_MAX: usize = 64;

/// Counters that together count requests. `cmd_meta` is not among them: those requests are in the others too.
const REQUESTS: &[&str] = &[
    "cmd_get",
    "cmd_set",
    "cmd_touch",
    "cmd_flush",
    "delete_hits",
    "delete_misses",
    "incr_hits",
    "incr_misses",
    "decr_hits",
    "decr_misses",
];

/// Commands of the detail view: a name and the counters it is made of.
pub(super) const COMMANDS: &[(&str, &[&str])] = &[
    ("get", &["cmd_get"]),
    ("set", &["cmd_set"]),
    ("touch", &["cmd_touch"]),
    ("delete", &["delete_hits", "delete_misses"]),
    ("incr", &["incr_hits", "incr_misses"]),
    ("decr", &["decr_hits", "decr_misses"]),
    ("cas", &["cas_hits", "cas_misses", "cas_badval"]),
    ("flush", &["cmd_flush"]),
    ("meta", &["cmd_meta"]),
];

/// Statistics by name: what `stats` and, where it was asked for, `stats slabs` said.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    numbers: BTreeMap<String, u64>,
    /// Fit to be shown; empty when the node did not say.
    pub(super) version: String,
}

impl Sample {
    /// Takes one line of a reply without its end. `Ok(true)` when the reply is at its end.
    ///
    /// # Errors
    /// When this is no line of such a reply: what it is, fit to be shown.
    pub(super) fn take(&mut self, line: &[u8]) -> Result<bool, String> {
        if line == b"END" {
            return Ok(true);
        }
        let stat = line.strip_prefix(b"STAT ").and_then(|rest| std::str::from_utf8(rest).ok());
        let Some((name, value)) = stat.and_then(|stat| stat.split_once(' ')) else {
            return Err(format!("answered {:?}", shown(line)));
        };
        if name == "version" {
            self.version = shown(value.as_bytes());
        } else if let Ok(number) = value.parse() {
            self.numbers.insert(name.to_owned(), number);
        }
        Ok(false)
    }

    /// A counter; 0 where the node has none of this name.
    pub(super) fn number(&self, name: &str) -> u64 {
        self.numbers.get(name).copied().unwrap_or(0)
    }

    /// Whether this is of the process that `before` is of: rates over a restart would be made of two counts.
    pub(super) fn goes_on(&self, before: &Sample) -> bool {
        self.number("pid") == before.number("pid") && self.number("uptime") >= before.number("uptime")
    }

    fn sum(&self, names: &[&str]) -> u64 {
        names.iter().fold(0, |sum, name| sum.saturating_add(self.number(name)))
    }

    /// Slab classes by memory, largest first: class, chunk size, pages, memory in bytes, chunks in use.
    pub(super) fn slabs(&self) -> Vec<[u64; 5]> {
        let classes = self.numbers.keys().filter_map(|name| name.strip_suffix(":chunk_size")?.parse().ok());
        let mut classes: Vec<[u64; 5]> = classes
            .map(|class: u64| {
                let of = |name: &str| self.number(&format!("{class}:{name}"));
                let chunks = of("total_chunks").saturating_mul(of("chunk_size"));
                [class, of("chunk_size"), of("total_pages"), chunks, of("used_chunks")]
            })
            .collect();
        classes.sort_by_key(|class| std::cmp::Reverse(class[3]));
        classes
    }
}

/// Bytes of a node made fit for a terminal and cut: printable ASCII stays, all else is a dot.
pub(super) fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    cut.iter().map(|&byte| if byte == b' ' || byte.is_ascii_graphic() { char::from(byte) } else { '.' }).collect()
}

/// The figures of one node, or of all. Rates are per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) requests: f64,
    pub(super) gets: f64,
    pub(super) hits: f64,
    pub(super) sets: f64,
    pub(super) evictions: f64,
    pub(super) reclaimed: f64,
    pub(super) auth_failures: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
    pub(super) memory: u64,
    pub(super) memory_limit: u64,
    pub(super) items: u64,
    pub(super) connections: u64,
}

impl Figures {
    /// What two readings say, `apart` from each other.
    pub(super) fn between(before: &Sample, now: &Sample, apart: Duration) -> Figures {
        let rate = |names: &[&str]| rate(before, now, names, apart);
        Figures {
            requests: rate(REQUESTS),
            gets: rate(&["cmd_get"]),
            hits: rate(&["get_hits"]),
            sets: rate(&["cmd_set"]),
            evictions: rate(&["evictions"]),
            reclaimed: rate(&["reclaimed"]),
            auth_failures: rate(&["auth_errors"]),
            bytes_in: rate(&["bytes_read"]),
            bytes_out: rate(&["bytes_written"]),
            memory: now.number("bytes"),
            memory_limit: now.number("limit_maxbytes"),
            items: now.number("curr_items"),
            connections: now.number("curr_connections"),
        }
    }

    /// Hits of a hundred gets; `None` where nothing was got.
    pub(super) fn hit_percent(&self) -> Option<f64> {
        (self.gets > 0.0).then(|| (100.0 * self.hits / self.gets).min(100.0))
    }

    /// Adds a node to a total.
    pub(super) fn add(&mut self, other: &Figures) {
        self.requests += other.requests;
        self.gets += other.gets;
        self.hits += other.hits;
        self.sets += other.sets;
        self.evictions += other.evictions;
        self.reclaimed += other.reclaimed;
        self.auth_failures += other.auth_failures;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.memory = self.memory.saturating_add(other.memory);
        self.memory_limit = self.memory_limit.saturating_add(other.memory_limit);
        self.items = self.items.saturating_add(other.items);
        self.connections = self.connections.saturating_add(other.connections);
    }
}

/// What these counters together grew by in a second. A counter that fell was reset: that counts as no growth.
pub(super) fn rate(before: &Sample, now: &Sample, names: &[&str], apart: Duration) -> f64 {
    let grown = now.sum(names).saturating_sub(before.sum(names));
    if apart.is_zero() { 0.0 } else { grown as f64 / apart.as_secs_f64() }
}

/// For the fuzzer: of whatever nodes answer, figures come that are numbers, and nothing but printable ASCII.
#[cfg(fuzzing)]
pub fn fuzz(bytes: &[u8]) {
    let mut samples = [Sample::default(), Sample::default()];
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if let Err(why) = samples[index % 2].take(line) {
            assert!(!why.contains(|letter: char| letter.is_control() || !letter.is_ascii()), "{why:?}");
        }
    }
    let [before, now] = samples;
    assert!(now.version.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{:?}", now.version);
    let mut all = Figures::default();
    for figures in
        [Figures::between(&before, &now, Duration::from_millis(1)), Figures::between(&now, &before, Duration::ZERO)]
    {
        all.add(&figures);
        all.add(&figures);
    }
    for rate in
        [all.requests, all.gets, all.hits, all.sets, all.evictions, all.reclaimed, all.auth_failures, all.bytes_in]
    {
        assert!(rate.is_finite() && rate >= 0.0, "{all:?}");
    }
    assert!(all.hit_percent().is_none_or(|percent| (0.0..=100.0).contains(&percent)));
    assert!(now.slabs().is_sorted_by_key(|class| std::cmp::Reverse(class[3])));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(lines: &[&str]) -> Sample {
        let mut sample = Sample::default();
        for line in lines {
            assert_eq!(sample.take(line.as_bytes()), Ok(false));
        }
        sample
    }

    #[test]
    fn rates_come_of_two_readings() {
        let before = sample(&["STAT cmd_get 10", "STAT get_hits 5", "STAT cmd_set 7"]);
        let now = sample(&["STAT cmd_get 30", "STAT get_hits 20", "STAT cmd_set 3", "STAT bytes 9"]);
        let figures = Figures::between(&before, &now, Duration::from_secs(2));
        assert_eq!((figures.gets, figures.hit_percent(), figures.sets, figures.memory), (10.0, Some(75.0), 0.0, 9));
        let same = Figures::between(&now, &now, Duration::ZERO);
        assert_eq!((same.requests, same.hit_percent()), (0.0, None));
    }

    #[test]
    fn a_node_that_was_started_anew_does_not_go_on() {
        let before = sample(&["STAT pid 7", "STAT uptime 100", "STAT cmd_get 5"]);
        assert!(sample(&["STAT pid 7", "STAT uptime 100"]).goes_on(&before));
        assert!(!sample(&["STAT pid 8", "STAT uptime 101", "STAT cmd_get 9"]).goes_on(&before));
        assert!(!sample(&["STAT pid 7", "STAT uptime 2", "STAT cmd_get 9"]).goes_on(&before), "1 in each container");
    }

    #[test]
    fn what_is_no_statistic_is_refused_and_shown_harmless() {
        let mut sample = Sample::default();
        assert_eq!(sample.take(b"END"), Ok(true));
        assert_eq!(sample.take(b"\x1b]0;x\x07\xff"), Err("answered \".]0;x..\"".to_owned()));
        assert!(sample.take(b"STAT x").is_err() && sample.take(b"STAT \xff 1").is_err());
        assert_eq!(sample.take(b"STAT version \x1b[2J1"), Ok(false));
        assert_eq!(sample.version, ".[2J1");
        assert_eq!(sample.take(b"STAT bytes 99999999999999999999"), Ok(false));
        assert_eq!(sample.number("bytes"), 0);
    }

    #[test]
    fn slab_classes_are_ordered_by_memory() {
        let lines =
            ["STAT 1:chunk_size 96", "STAT 1:total_chunks 2", "STAT 12:chunk_size 100", "STAT 12:total_chunks 9"];
        assert_eq!(sample(&lines).slabs(), [[12, 100, 0, 900, 0], [1, 96, 0, 192, 0]]);
    }
}

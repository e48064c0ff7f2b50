//! The rows of the table of misses.

use std::collections::HashMap;
use std::path::Path;

use crate::contestant::arguments::Named;
use crate::generate::{Law, requests};
use crate::request::Request;
use crate::traces::Trace;

/// One row.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Its name, for `--rows`.
    pub(crate) name: &'static str,
    /// What is asked for.
    pub(crate) question: &'static str,
    /// Where the requests come from.
    source: Source,
    /// Seconds over which they are spread, where objects have lifetimes; 0 as fast as can be.
    pub(crate) seconds: u64,
}

impl Named for Row {
    fn name(&self) -> &'static str {
        self.name
    }

    fn question(&self) -> &'static str {
        self.question
    }
}

#[derive(Clone, Copy)]
enum Source {
    Recorded(Trace),
    Made(Law),
}

impl Row {
    /// All requests of the row; one part in `divisor` of those made by rule.
    pub(crate) fn requests(&self, traces: Option<&Path>, divisor: usize) -> Result<Vec<Request>, String> {
        match (self.source, traces) {
            (Source::Recorded(trace), Some(folder)) => trace.read(folder),
            (Source::Recorded(_), None) => Err("needs --traces DIR".to_owned()),
            (Source::Made(law), _) => Ok(requests(law, REQUESTS / divisor)),
        }
    }

    /// Whether the row can be played without files.
    pub(crate) fn is_made(&self) -> bool {
        matches!(self.source, Source::Made(_))
    }
}

/// Bytes of all objects that are asked for.
pub(crate) fn object_bytes(requests: &[Request]) -> u64 {
    let objects: HashMap<u64, usize> = requests.iter().map(|request| (request.key, request.bytes)).collect();
    objects.values().map(|&bytes| bytes as u64).sum()
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Row> {
    let made = |name, question, law| Row { name, question, source: Source::Made(law), seconds: 0 };
    let paced = |name, question, law| Row { seconds: 20, ..made(name, question, law) };
    let recorded = |name, question, trace| Row { name, question, source: Source::Recorded(trace), seconds: 0 };
    vec![
        recorded("recommendations", "a recommendation service", Trace::Recommendations),
        recorded("orm", "the object cache of a web shop", Trace::Orm),
        recorded("blocks", "disk blocks of a workstation", Trace::Blocks),
        made("zipf-0.8", "Zipf 0.8, 600,000 objects, median 250 bytes", Law::Zipf(0.8, 250.0)),
        made("zipf-1.0", "Zipf 1.0, 600,000 objects, median 500 bytes", Law::Zipf(1.0, 500.0)),
        made("zipf-1.2", "Zipf 1.2, 600,000 objects, median 1000 bytes", Law::Zipf(1.2, 1000.0)),
        made("drift", "Zipf 0.9 with ever new objects", Law::Drift),
        made("scans", "Zipf 1.0 and scans over four times as many", Law::Scans),
        made("growth", "100-byte objects, then 1 to 8 KB", Law::Growth),
        made("jump", "100-byte objects, then 50 to 150 KB", Law::Jump),
        made("classes", "counters, 1 KB pages, 20 KB fragments", Law::Classes),
        made("mixed", "small objects and some of 60 to 400 KB", Law::Mixed),
        made("changes", "Zipf 0.9, one request of thirty deletes", Law::Changes),
        paced("sessions", "sessions of 3 s beside lasting objects", Law::Sessions),
        paced("lifetimes", "objects of 2 s, 5 s, 15 s and for ever", Law::Lifetimes),
    ]
}

/// Requests of a row made by rule.
const REQUESTS: usize = 4_000_000;

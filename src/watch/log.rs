//! The buffer of one thread's lines, and how the watch thread takes what the buffers hold.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

use super::{Counts, Event};
use crate::clock::wall_clock;
use crate::command::WatchKinds;

/// No line is longer in bytes: a key of 250 bytes, each written as three, and the words around it.
const LINE_BYTES_MAX: usize = 1024;

/// Where a line ends in its buffer, and whom it concerns.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u64,
    kind: WatchKinds,
    end: usize,
}

/// Lines and their ends.
#[derive(Debug, Default)]
struct Lines {
    text: Vec<u8>,
    entries: Vec<Entry>,
}

impl Lines {
    fn bytes(&self) -> usize {
        self.text.len() + self.entries.len() * size_of::<Entry>()
    }

    fn clear(&mut self) {
        self.text.clear();
        self.entries.clear();
    }
}

/// What a line did to its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressure {
    /// Nothing of note.
    Normal,
    /// It is half full now and was not before.
    Risen,
}

/// The buffer of one thread.
#[derive(Debug)]
pub(super) struct Log {
    lines: Lines,
    bytes_max: usize,
    /// A line did not fit, so that no other is tried before the buffer was taken.
    full: bool,
    written: u64,
    dropped: u64,
}

impl Log {
    pub(super) fn new(bytes_max: usize) -> Log {
        Log { lines: Lines::default(), bytes_max, full: false, written: 0, dropped: 0 }
    }

    /// Writes a line and numbers it, or drops and counts it when there is no room.
    pub(super) fn record(&mut self, event: &Event<'_>, last_line: &AtomicU64) -> Pressure {
        if self.full {
            self.dropped += 1;
            return Pressure::Normal;
        }
        let before = self.lines.bytes();
        let start = self.lines.text.len();
        // Under the lock, so that numbers ascend within a buffer.
        let number = last_line.fetch_add(1, Ordering::Relaxed) + 1;
        let time = wall_clock();
        let text = &mut self.lines.text;
        // Microseconds without leading zeros, as in memcached. Writing to a vector cannot fail.
        let _ = write!(text, "ts={}.{} gid={number} ", time.as_secs(), time.subsec_micros());
        event.write(text);
        text.push(b'\n');
        debug_assert!(text.len() - start <= LINE_BYTES_MAX, "a line of {} bytes", text.len() - start);
        let end = text.len();
        self.lines.entries.push(Entry { number, kind: event.kind(), end });
        let after = self.lines.bytes();
        if after > self.bytes_max {
            self.lines.text.truncate(start);
            self.lines.entries.pop();
            self.full = true;
            self.dropped += 1;
            return Pressure::Normal;
        }
        self.written += 1;
        let half = self.bytes_max / 2;
        if before < half && after >= half { Pressure::Risen } else { Pressure::Normal }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.entries.is_empty()
    }

    /// Gives the memory back; what was written is lost.
    pub(super) fn free(&mut self) {
        self.lines = Lines::default();
        self.full = false;
    }

    pub(super) fn add_to(&self, counts: Counts) -> Counts {
        Counts { dropped: counts.dropped + self.dropped, written: counts.written + self.written, ..counts }
    }

    pub(super) fn reset_counts(&mut self) {
        self.written = 0;
        self.dropped = 0;
    }
}

/// A line on its way to the watchers.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Its number, which is also in its text.
    pub number: u64,
    /// What it is about.
    pub kind: WatchKinds,
    /// The text, LF included.
    pub text: &'a [u8],
}

/// What the buffers held. Its memory is handed to them in exchange, so that nothing is allocated again and again.
#[derive(Debug, Default)]
pub struct Batch {
    parts: Vec<Lines>,
    /// Number, part, start and entry of each line, in order of the numbers.
    order: Vec<(u64, usize, usize, Entry)>,
}

impl Batch {
    pub(super) fn fill(&mut self, logs: &[CachePadded<Mutex<Log>>]) {
        self.parts.resize_with(logs.len(), Lines::default);
        self.order.clear();
        for (part, (lines, log)) in self.parts.iter_mut().zip(logs).enumerate() {
            lines.clear();
            {
                let mut log = log.lock();
                std::mem::swap(lines, &mut log.lines);
                log.full = false;
            }
            let mut start = 0;
            for entry in &lines.entries {
                self.order.push((entry.number, part, start, *entry));
                start = entry.end;
            }
        }
        self.order.sort_unstable_by_key(|&(number, ..)| number);
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The lines by their numbers. One that is written while the buffers are taken may come in the next batch although
    /// its number is lower than others' here.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.order.iter().map(|&(number, part, start, Entry { kind, end, .. })| Line {
            number,
            kind,
            text: &self.parts[part].text[start..end],
        })
    }
}

//! Statistics by key prefix (`stats detail`, `-D`): off unless asked for, so one lock will do.

use std::cmp::Reverse;
use std::collections::HashMap;

use parking_lot::Mutex;

/// Prefixes kept at most (memcached since 1.6.45); further ones are not counted.
const PREFIXES_MAX: usize = 65_536;

/// Bytes of all prefixes together; memcached sets no bound, and 65,536 long ones would cost more than 16 MiB.
const PREFIX_BYTES_MAX: usize = 2 << 20;

/// What happened to a key.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// It was asked for.
    Get {
        /// And found.
        hit: bool,
    },
    /// A value for it arrived.
    Set,
    /// It was to be deleted.
    Delete,
}

/// What happened to the keys of one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixCounts {
    /// The prefix, any bytes.
    pub prefix: Box<[u8]>,
    /// Keys asked for.
    pub gets: u64,
    /// Of these, found.
    pub hits: u64,
    /// Values stored.
    pub sets: u64,
    /// Deletions.
    pub deletes: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    gets: u64,
    hits: u64,
    sets: u64,
    deletes: u64,
}

/// The counts of all prefixes.
#[derive(Debug)]
pub struct Prefixes {
    delimiter: u8,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    counts: HashMap<Box<[u8]>, Counts>,
    /// Bytes of the prefixes.
    bytes: usize,
}

impl Prefixes {
    /// Prefixes that end before `delimiter`.
    pub fn new(delimiter: u8) -> Prefixes {
        Prefixes { delimiter, known: Mutex::default() }
    }

    /// Counts `event`; keys without the delimiter have no prefix and are not counted.
    #[cold]
    pub fn note(&self, key: &[u8], event: Event) {
        let Some(end) = memchr::memchr(self.delimiter, key) else { return };
        let mut known = self.known.lock();
        let prefix = &key[..end];
        if !known.counts.contains_key(prefix) {
            if known.counts.len() >= PREFIXES_MAX || known.bytes + prefix.len() > PREFIX_BYTES_MAX {
                return;
            }
            known.bytes += prefix.len();
            known.counts.insert(prefix.into(), Counts::default());
        }
        let Some(of_prefix) = known.counts.get_mut(prefix) else { return };
        match event {
            Event::Get { hit } => {
                of_prefix.gets += 1;
                of_prefix.hits += u64::from(hit);
            }
            Event::Set => of_prefix.sets += 1,
            Event::Delete => of_prefix.deletes += 1,
        }
    }

    /// The `most` prefixes with the most requests, those with most first.
    pub fn top(&self, most: usize) -> Vec<PrefixCounts> {
        let known = self.known.lock();
        let requests = |counts: &Counts| counts.gets + counts.sets + counts.deletes;
        let mut all: Vec<(&[u8], &Counts)> = known.counts.iter().map(|(prefix, counts)| (&**prefix, counts)).collect();
        if all.len() > most {
            all.select_nth_unstable_by_key(most, |(_, counts)| Reverse(requests(counts)));
            all.truncate(most);
        }
        all.sort_unstable_by_key(|(prefix, counts)| (Reverse(requests(counts)), *prefix));
        let row = |(prefix, counts): (&[u8], &Counts)| {
            let Counts { gets, hits, sets, deletes } = *counts;
            PrefixCounts { prefix: prefix.into(), gets, hits, sets, deletes }
        };
        all.into_iter().map(row).collect()
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.known.lock() = Known::default();
    }

    /// Appends one line per prefix and `END`, as `stats detail dump` sends them.
    pub fn dump(&self, lines: &mut Vec<u8>) {
        for (prefix, counts) in &self.known.lock().counts {
            lines.extend_from_slice(b"PREFIX ");
            lines.extend_from_slice(prefix);
            let Counts { gets, hits, sets, deletes } = counts;
            lines.extend_from_slice(format!(" get {gets} hit {hits} set {sets} del {deletes}\r\n").as_bytes());
        }
        lines.extend_from_slice(b"END\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_counted_up_to_the_delimiter() {
        let prefixes = Prefixes::new(b':');
        prefixes.note(b"a:1", Event::Get { hit: true });
        prefixes.note(b"a:2:3", Event::Get { hit: false });
        prefixes.note(b"a:1", Event::Set);
        prefixes.note(b"a:1", Event::Delete);
        prefixes.note(b"none", Event::Set);
        let dump = |prefixes: &Prefixes| {
            let mut lines = Vec::new();
            prefixes.dump(&mut lines);
            lines
        };
        assert_eq!(dump(&prefixes), b"PREFIX a get 2 hit 1 set 1 del 1\r\nEND\r\n");
        prefixes.reset();
        assert_eq!(dump(&prefixes), b"END\r\n");
    }

    #[test]
    fn the_top_has_the_most_requests() {
        let prefixes = Prefixes::new(b':');
        for (key, times) in [(b"a:", 1), (b"b:", 5), (b"c:", 3), (b"d:", 2)] {
            (0..times).for_each(|_| prefixes.note(key, Event::Set));
        }
        let top = |most| prefixes.top(most).iter().map(|of| (of.prefix[0], of.sets)).collect::<Vec<_>>();
        assert_eq!(top(2), [(b'b', 5), (b'c', 3)]);
        assert_eq!(top(9).len(), 4);
    }

    #[test]
    fn the_number_of_prefixes_is_bounded() {
        let prefixes = Prefixes::new(b':');
        for n in 0..PREFIXES_MAX + 10 {
            prefixes.note(format!("{n}:").as_bytes(), Event::Set);
        }
        assert_eq!(prefixes.known.lock().counts.len(), PREFIXES_MAX);
    }

    #[test]
    fn the_bytes_of_prefixes_are_bounded() {
        let prefixes = Prefixes::new(b':');
        for n in 0..PREFIX_BYTES_MAX / 100 {
            prefixes.note(format!("{n:0200}:").as_bytes(), Event::Set);
        }
        let mut lines = Vec::new();
        prefixes.dump(&mut lines);
        assert!((PREFIX_BYTES_MAX..2 * PREFIX_BYTES_MAX).contains(&lines.len()), "{} bytes", lines.len());
    }
}

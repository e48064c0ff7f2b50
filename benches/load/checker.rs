//! Holds every reply against what was asked, byte by byte, however the stream is cut.
//!
//! A checker belongs to one connection. It keeps no reply bytes: what it cannot read yet, it leaves to the caller, and
//! the bytes of a value are compared as they arrive.

use std::fmt;

use crate::load::keyspace::NameBuffer;
use crate::load::protocol::{Head, KeySeen, Unreadable};
use crate::load::traffic::{Asked, Asking, Corpus};
use crate::load::values::ValueCheck;
use crate::load::workload::Losses;

/// Where one connection stands in the replies to its batch.
#[derive(Default)]
pub(crate) struct Checker {
    asked: Asked,
    request_at: usize,
    key_at: usize,
    stage: Stage,
}

/// What the next bytes must be.
#[derive(Clone, Copy, Default)]
enum Stage {
    #[default]
    Head,
    Value(ValueCheck),
    Tail,
}

/// Answers counted, by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Values read, every byte as it should be.
    pub(crate) hits: u64,
    /// Keys that were not there, where that is allowed.
    pub(crate) misses: u64,
    /// Writes done.
    pub(crate) stored: u64,
    /// Writes refused, where that is allowed.
    pub(crate) refused: u64,
}

/// The server answered wrongly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// Bytes came that nobody had asked for.
    Unasked,
    /// The bytes are no reply of the protocol.
    Unreadable,
    /// A reply that does not fit the request it stands for.
    OutOfStep,
    /// A value for another key than the next one asked for; in a multiget this may be a forbidden miss.
    ForeignKey { wanted: String },
    /// Client flags that were never stored.
    ForeignFlags { key: u64, flags: u32 },
    /// A value too short or too long.
    WrongLength { key: u64, wanted: usize, found: usize },
    /// A value whose byte at this offset belongs to no version of the key, or whose bytes belong to several.
    TornValue { key: u64, offset: usize },
    /// No line end after the value.
    NoTail { key: u64 },
    /// A miss where every key must be there.
    ForbiddenMiss { key: u64 },
    /// The server would not do it.
    Refused { words: String },
}

impl Checker {
    /// Where to write what the next batch asks; only between batches.
    pub(crate) fn next_batch(&mut self) -> &mut Asked {
        assert!(self.is_done(), "the last batch is answered");
        self.request_at = 0;
        self.key_at = 0;
        &mut self.asked
    }

    /// Whether every request of the batch is answered.
    pub(crate) fn is_done(&self) -> bool {
        self.request_at == self.asked.requests.len()
    }

    /// Reads replies from the start of `input`; returns how many bytes are done with. The rest has to be fed again with
    /// more behind it.
    pub(crate) fn feed(&mut self, corpus: &Corpus, tally: &mut Tally, input: &[u8]) -> Result<usize, Mismatch> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
            let step = match self.stage {
                Stage::Head => self.take_head(corpus, tally, rest)?,
                Stage::Value(check) => self.take_value(check, corpus, rest)?,
                Stage::Tail => self.take_tail(corpus, tally, rest)?,
            };
            match step {
                Some(length) => taken += length,
                None => return Ok(taken),
            }
        }
    }

    fn take_head(&mut self, corpus: &Corpus, tally: &mut Tally, input: &[u8]) -> Result<Option<usize>, Mismatch> {
        if input.is_empty() {
            return Ok(None);
        }
        let Some(asking) = self.asked.requests.get(self.request_at).copied() else { return Err(Mismatch::Unasked) };
        let Some((head, length)) = corpus.dialect.read_head(input)? else { return Ok(None) };
        match asking {
            Asking::Fetch { start, end } => self.judge_fetch(start, end, head, corpus, tally)?,
            Asking::Store => self.judge_store(head, corpus, tally)?,
        }
        Ok(Some(length))
    }

    fn take_value(&mut self, mut check: ValueCheck, corpus: &Corpus, input: &[u8]) -> Result<Option<usize>, Mismatch> {
        if input.is_empty() && !check.is_done() {
            return Ok(None);
        }
        let torn = |offset| Mismatch::TornValue { key: self.asked.keys[self.key_at], offset };
        let length = check.take(&corpus.values, input).map_err(torn)?;
        self.stage = if check.is_done() { Stage::Tail } else { Stage::Value(check) };
        Ok(Some(length))
    }

    fn take_tail(&mut self, corpus: &Corpus, tally: &mut Tally, input: &[u8]) -> Result<Option<usize>, Mismatch> {
        let tail = corpus.dialect.tail();
        let Some(found) = input.get(..tail.len()) else { return Ok(None) };
        if found != tail {
            return Err(Mismatch::NoTail { key: self.asked.keys[self.key_at] });
        }
        tally.hits += 1;
        self.key_at += 1;
        self.stage = Stage::Head;
        if let Some(Asking::Fetch { start, end }) = self.asked.requests.get(self.request_at)
            && !corpus.dialect.closes_fetch(end - start)
        {
            self.request_at += 1;
        }
        Ok(Some(tail.len()))
    }

    fn judge_fetch(
        &mut self,
        start: usize,
        end: usize,
        head: Head<'_>,
        corpus: &Corpus,
        tally: &mut Tally,
    ) -> Result<(), Mismatch> {
        let closes = corpus.dialect.closes_fetch(end - start);
        match head {
            Head::Value { key, flags, value_bytes } => {
                self.skip_to(&key, start, end, corpus, tally)?;
                let key = self.asked.keys[self.key_at];
                if flags != 0 {
                    return Err(Mismatch::ForeignFlags { key, flags });
                }
                let wanted = corpus.values.bytes_of(key);
                if value_bytes != wanted {
                    return Err(Mismatch::WrongLength { key, wanted, found: value_bytes });
                }
                self.stage = Stage::Value(corpus.values.check_of(key));
            }
            Head::End if closes => {
                while self.key_at < end {
                    self.miss(corpus, tally)?;
                }
                self.request_at += 1;
            }
            Head::Miss if !closes => {
                self.miss(corpus, tally)?;
                self.request_at += 1;
            }
            Head::Refused(words) => return Err(refused(words)),
            _ => return Err(Mismatch::OutOfStep),
        }
        Ok(())
    }

    fn judge_store(&mut self, head: Head<'_>, corpus: &Corpus, tally: &mut Tally) -> Result<(), Mismatch> {
        match head {
            Head::Stored => tally.stored += 1,
            Head::Refused(_) if corpus.losses == Losses::Allowed => tally.refused += 1,
            Head::Refused(words) => return Err(refused(words)),
            _ => return Err(Mismatch::OutOfStep),
        }
        self.key_at += 1;
        self.request_at += 1;
        Ok(())
    }

    /// Replies come in the order of the keys, so the keys passed over are misses.
    fn skip_to(
        &mut self,
        seen: &KeySeen<'_>,
        start: usize,
        end: usize,
        corpus: &Corpus,
        tally: &mut Tally,
    ) -> Result<(), Mismatch> {
        let mut buffer: NameBuffer = [0; _];
        while self.key_at < end {
            let found = match seen {
                KeySeen::Name(name) => *name == corpus.keyspace.name(self.asked.keys[self.key_at], &mut buffer),
                KeySeen::Position(position) => *position as usize == self.key_at - start,
                KeySeen::Unsaid => end - start == 1,
            };
            if found {
                return Ok(());
            }
            if corpus.losses == Losses::Forbidden {
                break;
            }
            self.miss(corpus, tally)?;
        }
        let wanted = self.asked.keys[self.key_at.min(end - 1)];
        let wanted = String::from_utf8_lossy(corpus.keyspace.name(wanted, &mut buffer)).into_owned();
        Err(Mismatch::ForeignKey { wanted })
    }

    fn miss(&mut self, corpus: &Corpus, tally: &mut Tally) -> Result<(), Mismatch> {
        if corpus.losses == Losses::Forbidden {
            return Err(Mismatch::ForbiddenMiss { key: self.asked.keys[self.key_at] });
        }
        tally.misses += 1;
        self.key_at += 1;
        Ok(())
    }
}

impl Tally {
    /// All keys answered.
    pub(crate) fn keys(self) -> u64 {
        self.hits + self.misses + self.stored + self.refused
    }

    /// Share of reads that found their key; 1 when nothing was read.
    pub(crate) fn hit_share(self) -> f64 {
        match self.hits + self.misses {
            0 => 1.0,
            reads => self.hits as f64 / reads as f64,
        }
    }
}

impl From<Unreadable> for Mismatch {
    fn from(_: Unreadable) -> Self {
        Mismatch::Unreadable
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mismatch::Unasked => write!(out, "bytes nobody asked for"),
            Mismatch::Unreadable => write!(out, "bytes that are no reply"),
            Mismatch::OutOfStep => write!(out, "a reply that does not fit its request"),
            Mismatch::ForeignKey { wanted } => write!(out, "a foreign key, or a forbidden miss, wanted={wanted}"),
            Mismatch::ForeignFlags { key, flags } => write!(out, "foreign flags key={key} flags={flags}"),
            Mismatch::WrongLength { key, wanted, found } => {
                write!(out, "a value of the wrong length key={key} wanted={wanted} found={found}")
            }
            Mismatch::TornValue { key, offset } => write!(out, "a torn or foreign value key={key} offset={offset}"),
            Mismatch::NoTail { key } => write!(out, "no line end after the value key={key}"),
            Mismatch::ForbiddenMiss { key } => write!(out, "a miss of a key that was stored key={key}"),
            Mismatch::Refused { words } => write!(out, "a refusal words={words:?}"),
        }
    }
}

fn refused(words: &[u8]) -> Mismatch {
    Mismatch::Refused { words: String::from_utf8_lossy(words).into_owned() }
}

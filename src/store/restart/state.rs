//! What a store leaves to its successor beside its memory, and how that is written.
//!
//! ```text
//! layout u32 │ clock u64 │ Unix time u64 │ last CAS u64 │ seeds 2 × u64 │ hash of a known key u64 │ terms 5 × u64
//! each shard: flush at u32 │ pages u32 │ each page: class u8, carved u16, checksum u64
//! checksum of all this u64
//! ```
//! All numbers are little-endian. What is read may be anything: it is believed no further than its own length.

use std::fmt;
use std::hash::Hasher;
use std::time::Duration;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;

use super::super::{Config, Seeds};
use crate::clock::Seconds;
use crate::slab::classes::{ClassId, Classes};

/// Counts up with every change to how items, pages, size classes or the state are laid out.
const LAYOUT: u32 = 4;

/// Bytes of the state that are not pages, and of one page.
const FIXED_BYTES: usize = 4 + 8 * (1 + 1 + 1 + 2 + 1 + TERMS.len() + 1);
const SHARD_BYTES: usize = 4 + 4;
const PAGE_BYTES: usize = 1 + 2 + 8;

/// A key whose hash shows whether both servers compute the same.
const KNOWN_KEY: &[u8] = b"The hash of keys decides in which shard an item lies.";

/// What both servers must have in common.
pub(super) const TERMS: [&str; 5] = ["-m", "-I", "-C", "shards (-m, -t, -I)", "classes"];

/// Why a successor cannot take over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another version wrote it.
    Layout {
        /// That of the writer.
        theirs: u32,
    },
    /// It was written with another setting.
    Setting {
        /// Its name.
        name: &'static str,
        /// Its value then.
        then: u64,
        /// Its value now.
        now: u64,
    },
    /// The writer computed another hash of keys.
    Hash,
    /// It is not what was written.
    Damaged(&'static str),
    /// The operating system does not give the memory.
    Host(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Layout { theirs } => write!(f, "its layout is version {theirs}, not {LAYOUT}"),
            Refusal::Setting { name, then, now } => write!(f, "{name} was {then} and is {now}"),
            Refusal::Hash => f.write_str("its keys are hashed in another way"),
            Refusal::Damaged(what) => write!(f, "it is damaged: {what}"),
            Refusal::Host(error) => f.write_str(error),
        }
    }
}

/// One page: of which class, how many chunks were ever given out, and a checksum of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageState {
    pub(super) class: ClassId,
    pub(super) carved: u16,
    pub(super) checksum: u64,
}

/// One shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ShardState {
    pub(super) flush_at: Seconds,
    pub(super) pages: Vec<PageState>,
}

/// A whole store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The server's clock at the end, and the Unix time; both are written in milliseconds.
    pub(super) clock: Duration,
    pub(super) unix: Duration,
    pub(super) last_cas: u64,
    pub(super) seeds: Seeds,
    pub(super) shards: Vec<ShardState>,
}

impl State {
    /// The most bytes that a store of `config` writes.
    pub(super) fn bytes_max(pages: usize, shards: usize) -> usize {
        FIXED_BYTES + shards * SHARD_BYTES + pages * PAGE_BYTES
    }

    pub(super) fn encode(&self, config: &Config) -> Vec<u8> {
        let pages = self.shards.iter().map(|shard| shard.pages.len()).sum();
        let mut bytes = Vec::with_capacity(State::bytes_max(pages, self.shards.len()));
        bytes.extend(LAYOUT.to_le_bytes());
        let [clock, unix] = [self.clock, self.unix].map(|time| time.as_millis() as u64);
        let hash = self.seeds.hasher().hash(KNOWN_KEY);
        for number in [clock, unix, self.last_cas, self.seeds.key, self.seeds.shared, hash].iter().chain(&terms(config))
        {
            bytes.extend(number.to_le_bytes());
        }
        for shard in &self.shards {
            bytes.extend(shard.flush_at.to_le_bytes());
            bytes.extend((shard.pages.len() as u32).to_le_bytes());
            for page in &shard.pages {
                bytes.push(page.class);
                bytes.extend(page.carved.to_le_bytes());
                bytes.extend(page.checksum.to_le_bytes());
            }
        }
        let sum = checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8], config: &Config) -> Result<State, Refusal> {
        let mut rest = Reader(bytes);
        let theirs = rest.u32()?;
        if theirs != LAYOUT {
            return Err(Refusal::Layout { theirs });
        }
        match bytes.split_last_chunk() {
            Some((body, sum)) if u64::from_le_bytes(*sum) == checksum(body) => {}
            _ => return Err(Refusal::Damaged("the state's checksum differs")),
        }
        let (clock, unix) = (Duration::from_millis(rest.u64()?), Duration::from_millis(rest.u64()?));
        let last_cas = rest.u64()?;
        let seeds = Seeds { key: rest.u64()?, shared: rest.u64()? };
        let hash = rest.u64()?;
        for (name, now) in TERMS.into_iter().zip(terms(config)) {
            let then = rest.u64()?;
            if then != now {
                return Err(Refusal::Setting { name, then, now });
            }
        }
        if hash != seeds.hasher().hash(KNOWN_KEY) {
            return Err(Refusal::Hash);
        }
        let shards = (0..config.shard_count()).map(|_| rest.shard()).collect::<Result<_, _>>()?;
        if rest.0.len() != size_of::<u64>() {
            return Err(Refusal::Damaged("the state has another length than it says"));
        }
        Ok(State { clock, unix, last_cas, seeds, shards })
    }
}

/// What goes with [`TERMS`].
fn terms(config: &Config) -> [u64; TERMS.len()] {
    let classes = Classes::new();
    let sizes: Vec<u8> = (0..classes.len()).flat_map(|class| classes.size(class as ClassId).to_le_bytes()).collect();
    [
        config.memory_bytes,
        u64::from(config.item_max_bytes),
        u64::from(!config.cas),
        config.shard_count() as u64,
        checksum(&sizes),
    ]
}

/// 64 bits that tell of damage; no protection from somebody who means harm.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mut hasher = FoldHasher::with_seed(0, SharedSeed::global_fixed());
    hasher.write(bytes);
    hasher.finish()
}

/// The bytes that were not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Refusal::Damaged("the state is too short"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Refusal> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Refusal> {
        self.take().map(u64::from_le_bytes)
    }

    fn shard(&mut self) -> Result<ShardState, Refusal> {
        let (flush_at, pages) = (self.u32()?, self.u32()? as usize);
        if pages > self.0.len() / PAGE_BYTES {
            return Err(Refusal::Damaged("the state is too short"));
        }
        let pages = (0..pages).map(|_| self.page()).collect::<Result<_, _>>()?;
        Ok(ShardState { flush_at, pages })
    }

    fn page(&mut self) -> Result<PageState, Refusal> {
        let [class] = self.take()?;
        Ok(PageState { class, carved: self.take().map(u16::from_le_bytes)?, checksum: self.u64()? })
    }
}

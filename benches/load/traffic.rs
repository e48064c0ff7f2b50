//! Turns a workload into batches of requests, and remembers what each batch asked.

use crate::load::keyspace::Keyspace;
use crate::load::popularity::Picker;
use crate::load::protocol::{Dialect, Store};
use crate::load::random::Random;
use crate::load::values::Values;
use crate::load::workload::{Losses, Workload};

/// What both the writer of requests and the checker of replies must know.
pub(crate) struct Corpus {
    /// Names of keys.
    pub(crate) keyspace: Keyspace,
    /// Values of keys.
    pub(crate) values: Values,
    /// The protocol spoken.
    pub(crate) dialect: Dialect,
    /// Whether keys may be missing.
    pub(crate) losses: Losses,
}

/// An endless source of batches.
pub(crate) struct Traffic {
    corpus: Corpus,
    workload: Workload,
    picker: Picker,
    random: Random,
}

/// What one batch asked, in order.
#[derive(Default)]
pub(crate) struct Asked {
    /// The keys of all requests, one after the other.
    pub(crate) keys: Vec<u64>,
    /// The requests.
    pub(crate) requests: Vec<Asking>,
}

/// One request, as a range of [`Asked::keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// A read of the keys from `start` to `end`.
    Fetch {
        /// Its first key.
        start: usize,
        /// The first key of the next request.
        end: usize,
    },
    /// A write of one key.
    Store,
}

impl Traffic {
    /// Batches of this workload; the seed decides keys, versions and the order of reads and writes.
    pub(crate) fn of(workload: &Workload, seed: u64) -> Self {
        let corpus = Corpus {
            keyspace: Keyspace::with_key_bytes(workload.key_bytes),
            values: Values::of(workload.sizes),
            dialect: workload.dialect,
            losses: workload.losses,
        };
        let picker = Picker::among(workload.key_count, workload.popularity);
        Traffic { corpus, workload: workload.clone(), picker, random: Random::seeded(seed) }
    }

    /// What the checker needs.
    pub(crate) fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Changes the expiry of the writes to come, as [`Workload::ttl_secs`].
    pub(crate) fn expire_at(&mut self, ttl_secs: u32) {
        self.workload.ttl_secs = ttl_secs;
    }

    /// Writes a batch of at most `requests_max` requests into `out` and what it asks into `asked`, in place of what
    /// they held; returns the number of requests.
    pub(crate) fn write_batch(&mut self, requests_max: u64, asked: &mut Asked, out: &mut Vec<u8>) -> u64 {
        out.clear();
        asked.keys.clear();
        asked.requests.clear();
        let count = requests_max.min(self.workload.depth as u64);
        for _ in 0..count {
            if self.is_next_a_fetch() { self.write_fetch(asked, out) } else { self.write_store(asked, out) }
        }
        count
    }

    fn is_next_a_fetch(&mut self) -> bool {
        let mix = self.workload.mix;
        match (mix.gets, mix.sets) {
            (0, _) => false,
            (_, 0) => true,
            (gets, sets) => self.random.below(u64::from(gets) + u64::from(sets)) < u64::from(gets),
        }
    }

    fn write_fetch(&mut self, asked: &mut Asked, out: &mut Vec<u8>) {
        let start = asked.keys.len();
        for _ in 0..self.workload.keys_per_fetch {
            asked.keys.push(self.picker.pick(&mut self.random));
        }
        asked.requests.push(Asking::Fetch { start, end: asked.keys.len() });
        self.corpus.dialect.append_fetch(&asked.keys[start..], self.corpus.keyspace, out);
    }

    fn write_store(&mut self, asked: &mut Asked, out: &mut Vec<u8>) {
        let key = self.picker.pick(&mut self.random);
        let store = Store { key, version: self.random.bits() as u8, ttl_secs: self.workload.ttl_secs };
        asked.keys.push(key);
        asked.requests.push(Asking::Store);
        self.corpus.dialect.append_store(&store, self.corpus.keyspace, &self.corpus.values, out);
    }
}

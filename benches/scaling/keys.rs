//! The keys of the simulation: their hashes, how often they are asked for, and where a pool puts them.

use std::collections::HashMap;
use std::mem;

use crate::load::popularity::Zipf;
use crate::load::random::{Random, mixed};
use crate::placement::{Method, Pool};

/// Keys `0..count`; key 0 is the most popular.
pub(crate) struct Keys {
    hashes: Vec<u64>,
    /// The share of the requests that asks for each.
    shares: Vec<f64>,
}

/// How evenly a pool is used.
pub(crate) struct Evenness {
    /// Keys of the fullest node, as a multiple of the mean.
    pub(crate) keys: f64,
    /// Requests to the busiest node, as a multiple of the mean.
    pub(crate) requests: f64,
}

/// What a changed pool costs.
pub(crate) struct Course {
    /// The share of the first requests that hit, over a hundredth of a request for each key.
    pub(crate) first: f64,
    /// Requests for each key until [`WELL`] of the last hundredth hit; 0 when that is so from the first on.
    pub(crate) until_well: f64,
}

impl Keys {
    pub(crate) fn new(count: usize, seed: u64) -> Self {
        let weight = |key: usize| ((key + 1) as f64).powf(-EXPONENT);
        let total: f64 = (0..count).map(weight).sum();
        Keys {
            hashes: (0..count as u64).map(|key| mixed(key ^ mixed(seed))).collect(),
            shares: (0..count).map(|key| weight(key) / total).collect(),
        }
    }

    pub(crate) fn places(&self, pool: &Pool) -> Vec<u64> {
        self.hashes.iter().map(|&hash| pool.node(hash)).collect()
    }

    /// The share of the requests that asks for the most popular key.
    pub(crate) fn hottest(&self) -> f64 {
        self.shares[0]
    }

    pub(crate) fn evenness(&self, places: &[u64], nodes: &[u64]) -> Evenness {
        let (mut keys, mut requests) = (HashMap::new(), HashMap::new());
        for (place, share) in places.iter().zip(&self.shares) {
            *keys.entry(place).or_insert(0.0) += 1.0 / places.len() as f64;
            *requests.entry(place).or_insert(0.0) += share;
        }
        let most = |shares: HashMap<&u64, f64>| shares.into_values().fold(0.0, f64::max) * nodes.len() as f64;
        Evenness { keys: most(keys), requests: most(requests) }
    }

    /// Plays requests to a pool where only the keys that are not `moved` are cached, and which stores what it missed.
    pub(crate) fn course(&self, moved: &[bool], seed: u64) -> Course {
        let mut missing = moved.to_vec();
        let (zipf, mut random) = (Zipf::among(missing.len() as u64, EXPONENT), Random::seeded(seed));
        let window = missing.len() / 100;
        let mut first = None;
        for number in 0.. {
            let misses = (0..window).filter(|_| mem::take(&mut missing[zipf.pick(&mut random) as usize])).count();
            let hit = 1.0 - misses as f64 / window as f64;
            let first = *first.get_or_insert(hit);
            if hit >= WELL {
                return Course { first, until_well: number as f64 / 100.0 };
            }
        }
        unreachable!("every request that misses leaves fewer to miss")
    }
}

/// The nodes that a pool of `count` has.
pub(crate) fn nodes(count: usize, seed: u64) -> Vec<u64> {
    (0..count as u64).map(|node| mixed(mixed(seed) + node)).collect()
}

/// Which keys are elsewhere in another pool.
pub(crate) fn moved(before: &[u64], after: &[u64]) -> Vec<bool> {
    before.iter().zip(after).map(|(before, after)| before != after).collect()
}

/// The method's pool of these nodes, and where it puts the keys.
pub(crate) fn placed(keys: &Keys, method: Method, nodes: &[u64]) -> Vec<u64> {
    keys.places(&Pool::of(method, nodes.to_vec()))
}

/// The hit ratio that counts as recovered.
pub(crate) const WELL: f64 = 0.99;
/// Zipf's law, as is customary (YCSB).
const EXPONENT: f64 = 0.99;

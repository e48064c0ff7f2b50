//! Which node a key is on, by the four ways that clients and proxies know. Not a client: nodes are numbers, and keys and
//! nodes are hashed by SplitMix64 where libraries take MD5, murmur3 or xxHash, which are as even.

use crate::load::random::mixed;

/// How a key finds its node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Method {
    /// A circle with 160 points of each node; the next point to the key is its node's (libketama, libmemcached's
    /// `ketama_weighted`, twemproxy).
    Ketama,
    /// The node whose hash together with the key is the highest (Thaler and Ravishankar 1998; pymemcache's HashClient).
    Rendezvous,
    /// Jump consistent hash (Lamping and Veach 2014; memcached's proxy): nodes come and go at the end of the list.
    Jump,
    /// The key's hash modulo the number of nodes (libmemcached's default, twemproxy's `modula`).
    Modulo,
}

impl Method {
    pub(crate) const ALL: [Method; 4] = [Method::Ketama, Method::Rendezvous, Method::Jump, Method::Modulo];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Ketama => "ketama",
            Method::Rendezvous => "rendezvous",
            Method::Jump => "jump",
            Method::Modulo => "modulo",
        }
    }
}

/// A list of nodes, ready to be asked.
pub(crate) struct Pool {
    method: Method,
    nodes: Vec<u64>,
    /// Place on the circle and index of the node, in order; empty unless the method is [`Method::Ketama`].
    points: Vec<(u64, usize)>,
}

impl Pool {
    pub(crate) fn of(method: Method, nodes: Vec<u64>) -> Self {
        let mut points = Vec::new();
        if method == Method::Ketama {
            for (index, &node) in nodes.iter().enumerate() {
                points.extend((0..POINTS).map(|point| (mixed(node ^ mixed(point)), index)));
            }
            points.sort_unstable();
        }
        Pool { method, nodes, points }
    }

    /// The node of a key's hash.
    pub(crate) fn node(&self, hash: u64) -> u64 {
        let index = match self.method {
            Method::Ketama => {
                let next = self.points.partition_point(|&(place, _)| place < hash);
                self.points[next % self.points.len()].1
            }
            Method::Rendezvous => {
                let weights = self.nodes.iter().map(|&node| mixed(hash ^ node));
                weights.enumerate().max_by_key(|&(_, weight)| weight).map_or(0, |(index, _)| index)
            }
            Method::Jump => jump(hash, self.nodes.len()),
            Method::Modulo => (hash % self.nodes.len() as u64) as usize,
        };
        self.nodes[index]
    }
}

/// The bucket below `count` of a key's hash: the last jump that does not go beyond.
fn jump(hash: u64, count: usize) -> usize {
    let (mut state, mut bucket, mut next) = (hash, 0, 0.0);
    while next < count as f64 {
        bucket = next as usize;
        state = state.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        next = (bucket + 1) as f64 * ((1u64 << 31) as f64 / ((state >> 33) + 1) as f64);
    }
    bucket
}

/// Points of a node on the circle, as libketama has them.
const POINTS: u64 = 160;

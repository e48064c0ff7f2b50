//! `stats hotkeys`, which memcached does not have: the keys that are asked for most.

use super::Stats;
use crate::clock::Seconds;
use crate::shared::Shared;
use crate::uri::Encoded;

/// Keys listed at most.
const KEYS_MAX: usize = 20;

/// Three rows for each key, hottest first: the key in URI encoding, its requests per second, its share of all requests.
pub fn all(shared: &Shared, now: Seconds) -> Stats {
    let mut stats = Stats::default();
    for (rank, hot) in (1..).zip(shared.store.hot_keys(KEYS_MAX, now)) {
        stats.add(format!("hot:{rank}:key"), Encoded(&hot.key));
        stats.add(format!("hot:{rank}:per_second"), format!("{:.0}", hot.per_second));
        stats.add(format!("hot:{rank}:share"), format!("{:.4}", hot.share));
    }
    stats
}

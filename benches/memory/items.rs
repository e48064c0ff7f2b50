//! Memory of items: how much each takes, how many fit, and what a full cache takes.

use crate::contestant::accounting::resident_bytes;
use crate::contestant::process::{Contestant, Server};
use crate::contestant::stats;
use crate::load::checker::Tally;
use crate::load::fleet::{Fleet, Until};
use crate::load::popularity::Popularity;
use crate::load::traffic::Traffic;
use crate::load::values::Sizes;
use crate::load::workload::{Losses, Mix, Workload};

/// Stores new keys, one after the other, each once.
struct Filler {
    server: Server,
    fleet: Fleet,
    traffic: Traffic,
    tally: Tally,
}

/// Resident bytes that one more item takes: the mean over five counts up to `count_max`. The counts span most of a
/// doubling, because an index that grows by doubling takes most per item just after it has grown.
pub(crate) fn bytes_per_item(
    contestant: &Contestant,
    threads: usize,
    sizes: Sizes,
    count_max: u64,
) -> Result<f64, String> {
    let mut filler = Filler::start(contestant, threads, PER_ITEM_MEMORY_MB, sizes, Losses::Forbidden)?;
    let before = filler.resident_bytes()?;
    let mut sum = 0.0;
    for tenths in 6..=10 {
        filler.store(count_max * tenths / 10 - filler.tally.stored)?;
        let taken = filler.resident_bytes()?.saturating_sub(before);
        sum += taken as f64 / filler.tally.stored as f64;
    }
    let evictions = filler.evictions()?;
    if evictions > 0 {
        return Err(format!("evictions={evictions} although the items fit; the figure would mean nothing"));
    }
    Ok(sum / 5.0)
}

/// Items held when the first is evicted, to within a step.
pub(crate) fn items_before_eviction(
    contestant: &Contestant,
    threads: usize,
    memory_mb: u64,
    sizes: Sizes,
) -> Result<f64, String> {
    let mut filler = Filler::start(contestant, threads, memory_mb, sizes, Losses::Allowed)?;
    filler.store_until_evictions(FIRST_EVICTION_STEP, |_| 1)?;
    let evictions = filler.evictions()?;
    Ok(filler.tally.stored.saturating_sub(evictions) as f64)
}

/// Resident mebibytes after a fifth of the cache has been evicted.
pub(crate) fn resident_when_full(
    contestant: &Contestant,
    threads: usize,
    memory_mb: u64,
    sizes: Sizes,
) -> Result<f64, String> {
    let mut filler = Filler::start(contestant, threads, memory_mb, sizes, Losses::Allowed)?;
    filler.store_until_evictions(FULL_STEP, |stored| stored / 6)?;
    Ok(filler.resident_bytes()? as f64 / f64::from(1 << 20))
}

impl Filler {
    fn start(
        contestant: &Contestant,
        threads: usize,
        memory_mb: u64,
        sizes: Sizes,
        losses: Losses,
    ) -> Result<Self, String> {
        let server = contestant.start(threads, memory_mb, 1024)?;
        let fleet = Fleet::connect(server.address(), CONNECTIONS).map_err(|error| error.to_string())?;
        let workload = Workload {
            mix: Mix::SETS,
            depth: 32,
            key_bytes: 16,
            sizes,
            key_count: u64::MAX,
            popularity: Popularity::Sequential,
            losses,
            ..Workload::plain_gets()
        };
        let mut filler = Filler { server, fleet, traffic: Traffic::of(&workload, SEED), tally: Tally::default() };
        // The first requests bring in buffers and code that have nothing to do with items.
        filler.store(WARM_UP_ITEMS)?;
        Ok(filler)
    }

    fn store(&mut self, count: u64) -> Result<(), String> {
        let outcome =
            self.fleet.run(&mut self.traffic, Until::Requests(count)).map_err(|failure| failure.to_string())?;
        self.tally.stored += outcome.tally.stored;
        self.tally.refused += outcome.tally.refused;
        Ok(())
    }

    /// Stores until as many are evicted as `enough` demands of the number stored.
    fn store_until_evictions(&mut self, step: u64, enough: fn(u64) -> u64) -> Result<(), String> {
        while self.tally.stored + self.tally.refused < STORES_MAX {
            self.store(step)?;
            if self.evictions()? >= enough(self.tally.stored) {
                return Ok(());
            }
        }
        Err(format!("too few evictions after stores={STORES_MAX} refused={}", self.tally.refused))
    }

    fn evictions(&self) -> Result<u64, String> {
        stats::counter(self.server.address(), "evictions").map_err(|error| error.to_string())
    }

    fn resident_bytes(&self) -> Result<u64, String> {
        self.server.settle().and_then(|()| resident_bytes(self.server.pid())).map_err(|error| error.to_string())
    }
}

const SEED: u64 = 11211;
const CONNECTIONS: usize = 4;
/// `-m` where nothing may be evicted.
const PER_ITEM_MEMORY_MB: u64 = 1024;
const WARM_UP_ITEMS: u64 = 1000;
/// Coarse enough to be quick, fine enough for three digits.
const FIRST_EVICTION_STEP: u64 = 1000;
const FULL_STEP: u64 = 50_000;
/// More than fit into any row; a server that never evicts does not keep us for ever.
const STORES_MAX: u64 = 20_000_000;

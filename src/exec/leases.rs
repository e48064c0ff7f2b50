//! Reads by which clients agree on who renews an item (mg), and reads that leave no trace (me).

use super::Context;
use crate::clock::{NEVER, Seconds};
use crate::stats::prefixes::Event;
use crate::store::{Fetch, Found};

/// A read that may lead to a lease.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The read.
    pub fetch: Fetch,
    /// One reader is told to renew an item that dies before this.
    pub renew: Option<Renew>,
}

impl Look {
    /// A plain read.
    pub const GET: Look = Look { fetch: Fetch::GET, renew: None };
}

/// When to renew an item early.
#[derive(Clone, Copy, Debug)]
pub struct Renew {
    /// If it dies before this.
    pub before: Seconds,
    /// Whether it is the new expiry that is looked at.
    pub looks_at_new: bool,
}

/// What a reader is told about renewing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lease {
    /// This reader is to do it.
    pub won: bool,
    /// The value is out of date.
    pub stale: bool,
    /// Another reader was told before.
    pub claimed: bool,
}

impl Context<'_> {
    /// get and touch whose reader may be told to renew the item; `read` sees the item under its shard's lock.
    #[inline]
    pub fn look<R>(&self, key: &[u8], look: &Look, read: impl FnOnce(&mut Found<'_>, Lease) -> R) -> Option<R> {
        let mut created = None;
        let read = |found: &mut Found<'_>| {
            let lease = decide(found, look);
            let result = read(found, lease);
            if lease.won {
                found.claim();
            }
            created = found.created();
            result
        };
        self.note_lookup(key);
        let result = self.shared.store.fetch(key, &look.fetch, self.now, read);
        // A miss counts as one of get, whatever was asked, and what was created counts as a hit (1.6.45).
        let counters = self.counters;
        if result.is_ok() && look.fetch.touch.is_some() {
            counters.cmd_touch.add(1);
        } else {
            counters.cmd_get.add(1);
        }
        if result.is_err() {
            counters.get_misses.add(1);
        }
        if let Some(miss) = result.as_ref().err().copied().or(created) {
            self.count_miss(miss);
        }
        self.note_prefix(key, Event::Get { hit: result.is_ok() });
        result.ok()
    }

    /// me: `read` sees the item, and nothing changes.
    pub fn inspect<R>(&self, key: &[u8], read: impl FnOnce(&Found<'_>) -> R) -> Option<R> {
        self.counters.cmd_meta.add(1);
        self.note_lookup(key);
        self.shared.store.inspect(key, self.now, read).map_err(|miss| self.count_miss(miss)).ok()
    }
}

#[inline]
fn decide(found: &Found<'_>, look: &Look) -> Lease {
    let (stale, claimed) = (found.is_stale(), found.is_claimed());
    let created = found.created().is_some();
    let won = created || !claimed && (stale || look.renew.is_some_and(|renew| is_due(found, look, renew)));
    Lease { won, stale, claimed }
}

fn is_due(found: &Found<'_>, look: &Look, renew: Renew) -> bool {
    let expiry = match look.fetch.touch {
        Some(new) if renew.looks_at_new => new,
        _ => found.expiry(),
    };
    expiry != NEVER && expiry < renew.before
}

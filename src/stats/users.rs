//! `stats users`: what was counted for each user. Ours alone; memcached has no such group.

use std::sync::atomic::Ordering;

use super::Stats;
use crate::auth::user::{Identity, UserCounts};
use crate::shared::Shared;
use crate::uri::Encoded;

/// `stats users` as the one who asks may see it: an administrator sees all users, others see themselves, and where no
/// login is asked for there is no such group.
pub fn seen_by(asks: Option<&Identity>, shared: &Shared) -> Option<Stats> {
    let mut stats = Stats::default();
    let (asks, authority) = (asks?, shared.authority.as_ref()?);
    if asks.rights.admin {
        let users = authority.users();
        let mut all: Vec<_> = users.by_name.values().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        for user in all {
            add(&mut stats, &user.name, &user.counts);
        }
    } else {
        add(&mut stats, &asks.name, &asks.counts);
    }
    Some(stats)
}

/// Names may have blanks, which would not do in a line.
fn add(stats: &mut Stats, name: &str, counts: &UserCounts) {
    let name = Encoded(name.as_bytes());
    let rows = [
        ("logins", &counts.logins),
        ("failures", &counts.failures),
        ("requests", &counts.requests),
        ("refusals", &counts.refusals),
    ];
    for (what, count) in rows {
        stats.add(format!("{name}:{what}"), count.load(Ordering::Relaxed));
    }
}

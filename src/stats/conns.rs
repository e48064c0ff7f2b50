//! `stats conns`: every listener and client by descriptor.

use super::Stats;
use crate::clock::Seconds;
use crate::net::roster::Activity;
use crate::shared::Shared;
use crate::sys::peer;

/// `stats conns`. Addresses come from the kernel; a descriptor that closed meanwhile is left out.
pub fn all(shared: &Shared, now: Seconds) -> Stats {
    let mut stats = Stats::default();
    for (fd, activity, last_command) in shared.roster.list() {
        let Some(local) = peer::local_address(fd) else { continue };
        if activity == Activity::Listening {
            stats.add(format!("{fd}:addr"), local);
            stats.add(format!("{fd}:state"), activity.name());
            stats.add(format!("{fd}:secs_since_last_cmd"), now.saturating_sub(last_command));
            continue;
        }
        stats.add(format!("{fd}:addr"), peer::remote_address(fd).unwrap_or_else(|| "unix".to_owned()));
        stats.add(format!("{fd}:listen_addr"), local);
        stats.add(format!("{fd}:state"), activity.name());
        stats.add(format!("{fd}:secs_since_last_cmd"), now.saturating_sub(last_command));
    }
    stats
}

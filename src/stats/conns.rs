//! `stats conns`: every listener and client by descriptor.

use super::Stats;
use crate::exec::Context;
use crate::net::roster::Activity;
use crate::sys::peer;

/// `stats conns`, asked for by the connection of `cx`. Addresses come from the kernel; a descriptor that closed meanwhile
/// is left out.
pub fn all(cx: &Context<'_>) -> Stats {
    let mut stats = Stats::default();
    let now = cx.now;
    for (fd, activity, last_command) in cx.shared.roster.list() {
        let Some(local) = peer::local_address(fd) else { continue };
        if activity == Activity::Datagrams {
            stats.add(format!("{fd}:UDP"), "UDP");
        }
        if matches!(activity, Activity::Listening | Activity::Datagrams) {
            stats.add(format!("{fd}:addr"), local);
            stats.add(format!("{fd}:state"), activity.name());
            stats.add(format!("{fd}:secs_since_last_cmd"), now.saturating_sub(last_command));
            continue;
        }
        let activity = if fd == cx.fd { Activity::ParseCmd } else { activity };
        let client = cx.shared.roster.client(fd).map(|client| peer::tcp_address(&client));
        let client = client.or_else(|| peer::remote_address(fd));
        stats.add(format!("{fd}:addr"), client.unwrap_or_else(|| "unix".to_owned()));
        stats.add(format!("{fd}:listen_addr"), local);
        stats.add(format!("{fd}:state"), activity.name());
        stats.add(format!("{fd}:secs_since_last_cmd"), now.saturating_sub(last_command));
    }
    stats
}

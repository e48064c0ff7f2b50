//! Whether a client is let in, by its address alone: the access list and the limits per address. And how one is turned
//! away that is not.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::limits::{Counted, Excess};
use super::stream::Socket;
use crate::shared::Shared;

/// Lets a client in, and counts it; without an address it comes over a Unix socket and always is let in.
///
/// # Errors
/// The line for the log if it is not let in. Refusals by a limit are counted.
pub(super) fn admit(shared: &Shared, peer: Option<SocketAddr>, now: Instant) -> Result<Counted, String> {
    let Some(address) = peer.map(|peer| peer.ip().to_canonical()) else { return Ok(Counted::default()) };
    if !shared.access.permits(address) {
        return Err(format!("connection denied address={address}: it is outside of the access list"));
    }
    shared.limits.count(address, now).map_err(|excess| {
        shared.connections.rejected_per_address.fetch_add(1, Ordering::Relaxed);
        let settings = &shared.settings;
        let limit = match excess {
            Excess::Open => format!("--max-connections-per-address={}", settings.max_connections_per_address),
            Excess::Rate => format!("--max-connection-rate={}", settings.max_connection_rate),
        };
        format!("connection refused address={address}: {limit} reached; raise it if this client may have more")
    })
}

/// Hangs up on a client that is not let in. It gets no byte, and leaves nothing behind: no state of a closed connection
/// either. To clients this is a server that cannot be reached: they try again later or elsewhere. A line of text they
/// would take for the reply to their first request, and those that speak TLS or binary for garbage.
pub(super) fn turn_away(socket: Socket) {
    if let Socket::Tcp(stream) = &socket {
        // Without it, the kernel would remember the connection for a minute.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }
}

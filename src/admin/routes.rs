//! What each path answers, and to whom.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::request::Request;
use super::response::{Response, Status};
use super::{Site, State, api, metrics, page};

/// Answers a request.
pub(super) fn answer(request: &Request<'_>, state: &State, now: Instant) -> Response {
    let site = state.site.get();
    match request.path {
        "/healthz" => health(site, now),
        "/readyz" => readiness(site, state),
        "/" => page::response(),
        "/metrics" | "/api/stats" => match (guard(request, state), site) {
            (Some(refusal), _) => refusal,
            (None, None) => Response::text(Status::Unavailable, "starting\n"),
            (None, Some(site)) if request.path == "/metrics" => {
                let text = metrics::render(&site.snapshot(now));
                Response::data("text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
            }
            (None, Some(site)) => {
                // As for `stats hotkeys`: not with `-X`, and only to whom the server would tell them. A certificate is
                // what any application may have that uses the cache.
                let may_ask = state.token.is_some() || site.shared.authority.is_none();
                let shows_keys = may_ask && site.shared.settings.dumping;
                Response::data("application/json", api::render(&site.snapshot(now), shows_keys))
            }
        },
        _ => Response::of(Status::NotFound),
    }
}

fn health(site: Option<&Site>, now: Instant) -> Response {
    match site.and_then(|site| site.pulse.lock().silent_workers(now).first().copied()) {
        None => Response::text(Status::Ok, "ok\n"),
        Some(worker) => Response::text(Status::Unavailable, format!("worker={worker} does not answer\n")),
    }
}

fn readiness(site: Option<&Site>, state: &State) -> Response {
    let Some(site) = site else { return Response::text(Status::Unavailable, "starting\n") };
    if state.is_stopping.load(Ordering::Relaxed) {
        Response::text(Status::Unavailable, "stopping\n")
    } else if !site.shared.connections.accepting.load(Ordering::Relaxed) {
        Response::text(Status::Unavailable, "no connections are accepted: -c is reached\n")
    } else {
        Response::text(Status::Ok, "ready\n")
    }
}

/// Why this request gets no data, if so.
///
/// Without a token whoever comes from this machine may read, or has shown a certificate in the handshake. A browser on
/// this machine does too, for any site that gives its own name the address of this machine (DNS rebinding); so the name
/// that was asked for has to be that of the machine, where no certificate of ours has to be good for it.
fn guard(request: &Request<'_>, state: &State) -> Option<Response> {
    match &state.token {
        Some(token) if request.authorization.is_some_and(|shown| token.is_shown_by(shown)) => None,
        Some(_) => Some(Response::of(Status::Unauthorized)),
        None if !state.is_plain_tcp || request.host.is_none_or(is_this_machine) => None,
        None => Some(Response::of(Status::Misdirected)),
    }
}

/// Whether a `Host` is an address or `localhost`, with or without a port.
fn is_this_machine(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    let host = host.trim();
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split_once(']').is_some_and(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    }
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_this_machine;

    #[test]
    fn names_of_sites_are_not_this_machine() {
        for host in ["localhost", "LocalHost:9150", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:9150"] {
            assert!(is_this_machine(host.as_bytes()), "{host}");
        }
        for host in ["evil.example", "evil.example:9150", "localhost.evil.example", "", "[evil]", "[::1", "127.0.0.1.x"]
        {
            assert!(!is_this_machine(host.as_bytes()), "{host}");
        }
    }
}

//! One TCP address, or several on the same port, turned into listening sockets, with errors that say what to do.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};

/// Why the server cannot listen somewhere: one line, ready to print.
#[derive(Debug)]
pub struct BindError {
    message: String,
}

impl BindError {
    /// An error about `place` (`addr=...`, `unix=...`, `host=...`).
    pub(super) fn new(doing: &str, place: impl fmt::Display, reason: impl fmt::Display, advice: &str) -> BindError {
        BindError { message: format!("cannot {doing} {place}: {reason}; {advice}") }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BindError {}

/// Listens on all `addresses`. Those with port 0 get a free port, the same one for all of them. An IPv6 address that
/// this machine does not have is left out as long as another one can be had (`-l localhost`, `-l '*'`).
///
/// # Errors
/// When an address is in use, forbidden or not there.
pub fn bind_all(addresses: &[SocketAddr], backlog: i32) -> Result<Vec<TcpListener>, BindError> {
    for _ in 1..FREE_PORT_TRIES {
        match bind_on_one_port(addresses, backlog) {
            // The port that was free at the first address is taken at the second: try another one.
            Err((address, error)) if error.kind() == ErrorKind::AddrInUse && wants_free_port(addresses) => {
                log::debug!("port chosen for addr={address} is taken at another address: trying again");
            }
            outcome => return outcome.map_err(explain),
        }
    }
    bind_on_one_port(addresses, backlog).map_err(explain)
}

fn wants_free_port(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| address.port() == 0)
}

type Failure = (SocketAddr, io::Error);

fn bind_on_one_port(addresses: &[SocketAddr], backlog: i32) -> Result<Vec<TcpListener>, Failure> {
    let mut bound = Vec::new();
    let mut missing = None;
    let mut chosen = 0;
    for &address in addresses {
        let mut address = address;
        if address.port() == 0 {
            address.set_port(chosen);
        }
        match listen(address, backlog) {
            Ok(listener) => {
                chosen = listener.local_addr().map_err(|error| (address, error))?.port();
                bound.push(listener);
            }
            Err(error) if address.is_ipv6() && is_not_here(&error) => {
                log::debug!("no addr={address} on this machine: {error}");
                missing = Some((address, error));
            }
            Err(error) => return Err((address, error)),
        }
    }
    match missing {
        Some(failure) if bound.is_empty() => Err(failure),
        _ => Ok(bound),
    }
}

/// One listening socket, non-blocking. Keepalive, `TCP_NODELAY` and the bound on unsent bytes pass to the sockets
/// accepted from it, which saves calls for each connection.
fn listen(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    // Kernels that do not know it have no such bound, and are served all the same.
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Whether the machine lacks the address, or its whole family.
fn is_not_here(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

fn explain((address, error): Failure) -> BindError {
    let place = format!("addr={address}");
    match error.kind() {
        ErrorKind::AddrInUse => BindError::new("bind", place, "in use", "stop the other server or pass -p"),
        ErrorKind::PermissionDenied => {
            BindError::new("bind", place, "not permitted", "pass a port above 1023 or start as root")
        }
        _ if is_not_here(&error) => {
            BindError::new("bind", place, "no such address on this machine", "pass one of its own with -l")
        }
        _ => BindError::new("bind", place, &error, "check -l and -p"),
    }
}

/// Bytes of replies that wait in the kernel for a peer to take them, per connection. Without a bound the kernel keeps
/// 4 MB for each peer that does not read, and a few hundred of these exhaust the memory it has for all of TCP, so that
/// every connection on the machine stalls.
const UNSENT_BYTES_MAX: u32 = 256 << 10;

/// How many ports are tried until one is free at all addresses.
const FREE_PORT_TRIES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses<const N: usize>(texts: [&str; N]) -> [SocketAddr; N] {
        texts.map(|text| text.parse().unwrap())
    }

    #[test]
    fn several_addresses_share_a_free_port() {
        let listeners = bind_all(&addresses(["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"]), 8).unwrap();
        let ports: Vec<u16> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "ports {ports:?}");
    }

    #[test]
    fn address_in_use_is_named_with_advice() {
        let taken = bind_all(&addresses(["127.0.0.1:0"]), 8).unwrap();
        let address = taken[0].local_addr().unwrap();
        let error = bind_all(&[address], 8).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot bind addr={address}: in use; stop the other server or pass -p"));
    }

    #[test]
    fn address_of_another_machine_is_named_with_advice() {
        // TEST-NET-1: nobody has it.
        let error = bind_all(&addresses(["192.0.2.1:0"]), 8).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot bind addr=192.0.2.1:0: no such address on this machine; pass one of its own with -l"
        );
    }

    #[test]
    fn missing_ipv6_address_is_left_out_only_beside_another() {
        let missing = "[2001:db8::1]:0";
        assert_eq!(bind_all(&addresses(["127.0.0.1:0", missing]), 8).unwrap().len(), 1);
        assert_eq!(bind_all(&addresses([missing, "127.0.0.1:0"]), 8).unwrap().len(), 1);
        assert!(bind_all(&addresses([missing]), 8).is_err());
    }

    #[test]
    fn accepted_sockets_have_keepalive_no_delay_and_a_bound_on_unsent_bytes() {
        let listeners = bind_all(&addresses(["127.0.0.1:0"]), 8).unwrap();
        let _client = std::net::TcpStream::connect(listeners[0].local_addr().unwrap()).unwrap();
        // A finished handshake over loopback is in the queue already.
        let (accepted, _) = listeners[0].accept().unwrap();
        assert!(socket2::SockRef::from(&accepted).keepalive().unwrap());
        assert!(accepted.nodelay().unwrap());
        assert_eq!(socket2::SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT_BYTES_MAX);
    }
}

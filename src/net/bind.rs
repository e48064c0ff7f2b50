//! One address, or several on the same port, turned into TCP listeners or UDP sockets, with errors that say what to do.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use mio::net::{TcpListener, UdpSocket};
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
    let sockets = bind(addresses, |address| listen(address, backlog)).map_err(|failure| explain(failure, "-p"))?;
    Ok(sockets.into_iter().map(|socket| TcpListener::from_std(socket.into())).collect())
}

/// The same for UDP.
///
/// # Errors
/// The same.
pub fn bind_all_udp(addresses: &[SocketAddr]) -> Result<Vec<UdpSocket>, BindError> {
    let sockets = bind(addresses, receive).map_err(|failure| explain(failure, "-U"))?;
    Ok(sockets.into_iter().map(|socket| UdpSocket::from_std(socket.into())).collect())
}

fn bind(addresses: &[SocketAddr], open: impl Fn(SocketAddr) -> io::Result<Socket>) -> Result<Vec<Socket>, Failure> {
    for _ in 1..FREE_PORT_TRIES {
        match bind_on_one_port(addresses, &open) {
            // The port that was free at the first address is taken at the second: try another one.
            Err((address, error)) if error.kind() == ErrorKind::AddrInUse && wants_free_port(addresses) => {
                log::debug!("port chosen for addr={address} is taken at another address: trying again");
            }
            outcome => return outcome,
        }
    }
    bind_on_one_port(addresses, &open)
}

fn wants_free_port(addresses: &[SocketAddr]) -> bool {
    addresses.iter().any(|address| address.port() == 0)
}

type Failure = (SocketAddr, io::Error);

fn bind_on_one_port(
    addresses: &[SocketAddr],
    open: impl Fn(SocketAddr) -> io::Result<Socket>,
) -> Result<Vec<Socket>, Failure> {
    let mut bound = Vec::new();
    let mut missing = None;
    let mut chosen = 0;
    for &address in addresses {
        let mut address = address;
        if address.port() == 0 {
            address.set_port(chosen);
        }
        match open(address) {
            Ok(socket) => {
                chosen = port_of(&socket).map_err(|error| (address, error))?;
                bound.push(socket);
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

fn port_of(socket: &Socket) -> io::Result<u16> {
    let address = socket.local_addr()?.as_socket();
    address.map(|address| address.port()).ok_or_else(|| ErrorKind::AddrNotAvailable.into())
}

/// Keepalive, `TCP_NODELAY` and the bound on unsent bytes pass from a listening socket to those accepted from it, which
/// saves calls for each connection.
pub(super) fn tune_listener(socket: &Socket) -> io::Result<()> {
    socket.set_keepalive(true)?;
    socket.set_tcp_nodelay(true)?;
    // Kernels that do not know it have no such bound, and are served all the same.
    let _ = socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
    Ok(())
}

/// Room for large replies in a UDP socket.
pub(super) fn tune_udp(socket: &Socket) -> io::Result<()> {
    // The kernel grants what its limit allows (net.core.wmem_max).
    socket.set_send_buffer_size(UDP_SEND_BUFFER_BYTES)
}

/// One listening socket, non-blocking.
fn listen(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    tune_listener(&socket)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(socket)
}

/// One UDP socket, non-blocking. The port is not shared (memcached sets `SO_REUSEADDR`, with which Linux gives the same
/// port to two servers): nothing lingers in UDP that would have to be overcome.
fn receive(address: SocketAddr) -> io::Result<Socket> {
    let kind = Type::DGRAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    tune_udp(&socket)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Whether the machine lacks the address, or its whole family.
fn is_not_here(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// `flag` is the one that chooses the port.
fn explain((address, error): Failure, flag: &str) -> BindError {
    let place = format!("addr={address}");
    match error.kind() {
        ErrorKind::AddrInUse => {
            BindError::new("bind", place, "in use", &format!("stop the other server or pass {flag}"))
        }
        ErrorKind::PermissionDenied => {
            BindError::new("bind", place, "not permitted", "pass a port above 1023 or start as root")
        }
        _ if is_not_here(&error) => {
            BindError::new("bind", place, "no such address on this machine", "pass one of its own with -l")
        }
        _ => BindError::new("bind", place, &error, &format!("check -l and {flag}")),
    }
}

/// Bytes of replies that wait in the kernel for a peer to take them, per connection. Without a bound the kernel keeps
/// 4 MB for each peer that does not read, and a few hundred of these exhaust the memory it has for all of TCP, so that
/// every connection on the machine stalls.
const UNSENT_BYTES_MAX: u32 = 256 << 10;

/// How many ports are tried until one is free at all addresses.
const FREE_PORT_TRIES: usize = 16;

/// Room for the datagrams of one large reply, which are sent without waiting.
const UDP_SEND_BUFFER_BYTES: usize = 2 << 20;

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
    fn udp_port_is_bound_once_and_beside_a_tcp_port() {
        let sockets = bind_all_udp(&addresses(["127.0.0.1:0", "127.0.0.2:0"])).unwrap();
        let address = sockets[0].local_addr().unwrap();
        assert_eq!(sockets[1].local_addr().unwrap().port(), address.port());
        let error = bind_all_udp(&[address]).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot bind addr={address}: in use; stop the other server or pass -U"));
        drop(sockets);
        // Somebody else may have the number for UDP: another one then.
        assert!((0..FREE_PORT_TRIES).any(|_| {
            let tcp = bind_all(&addresses(["127.0.0.1:0"]), 8).unwrap();
            bind_all_udp(&[tcp[0].local_addr().unwrap()]).is_ok()
        }));
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

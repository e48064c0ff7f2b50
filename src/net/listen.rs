//! Where the server listens: what `-l`, `-p`, `-U`, `-s` and `-B` ask for, resolved and bound.
//!
//! Two defaults are safer than memcached's: without `-l` only this machine can connect, and a listener that a network
//! reaches while no login is required gets a warning.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;

use mio::net::{TcpListener, UdpSocket, UnixListener};

use super::bind::{BindError, bind_all, bind_all_udp};
use super::listen_spec::{ListenSpec, ListenTls};
use crate::settings::{ProtocolChoice, Settings, TlsSettings};
use crate::tls::ClientCertificates;

/// A socket that clients connect to.
#[derive(Debug)]
pub struct Listener {
    /// The socket, non-blocking.
    pub socket: ListenSocket,
    /// What its clients may speak.
    pub protocol: ProtocolChoice,
    /// The TLS that its clients must speak; `None` = none.
    pub tls: Option<ListenTls>,
}

/// The socket of a [`Listener`].
#[derive(Debug)]
pub enum ListenSocket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpListener),
    /// A Unix stream socket, and its name for log lines.
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// The address of a TCP listener.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            ListenSocket::Tcp(listener) => listener.local_addr().ok(),
            ListenSocket::Unix(..) => None,
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match &self.socket {
            ListenSocket::Tcp(listener) => listener.as_raw_fd(),
            ListenSocket::Unix(listener, _) => listener.as_raw_fd(),
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.socket, self.tcp_address()) {
            (ListenSocket::Unix(_, path), _) => write!(f, "unix:{}", path.display()),
            (ListenSocket::Tcp(_), Some(address)) => {
                let tls = match self.tls {
                    None => "",
                    Some(ListenTls::Mutual) => "mtls:",
                    Some(_) => "tls:",
                };
                write!(f, "{tls}{address}")
            }
            (ListenSocket::Tcp(_), None) => f.write_str("tcp"),
        }
    }
}

/// A UDP socket.
#[derive(Debug)]
pub struct UdpListener {
    /// The socket, non-blocking.
    pub socket: UdpSocket,
    /// Where it is bound.
    pub address: SocketAddr,
    /// What its clients may speak.
    pub protocol: ProtocolChoice,
}

impl fmt::Display for UdpListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "udp:{}", self.address)
    }
}

/// Binds all TCP listeners that `settings` ask for: none with `-p 0` or `-s`.
///
/// # Errors
/// When a name does not resolve or an address cannot be bound; those bound before are closed again.
pub fn bind_network(settings: &Settings) -> Result<Vec<Listener>, BindError> {
    let mut listeners = Vec::new();
    for Place { addresses, protocol, tls } in places(settings, settings.tcp_port)? {
        let sockets = bind_all(&addresses, settings.listen_backlog)?;
        let listener = |socket| Listener { socket: ListenSocket::Tcp(socket), protocol, tls };
        listeners.extend(sockets.into_iter().map(listener));
    }
    Ok(listeners)
}

/// Binds all UDP sockets that `settings` ask for, at the addresses that TCP has: none with `-U 0` or `-s`.
///
/// # Errors
/// The same as for [`bind_network`].
pub fn bind_udp(settings: &Settings) -> Result<Vec<UdpListener>, BindError> {
    let mut listeners = Vec::new();
    for Place { addresses, protocol, .. } in places(settings, settings.udp_port)? {
        for socket in bind_all_udp(&addresses)? {
            let address = socket.local_addr().map_err(|error| {
                BindError::new("bind", format_args!("addr={addresses:?}"), error, "check -l and -U")
            })?;
            listeners.push(UdpListener { socket, address, protocol });
        }
    }
    Ok(listeners)
}

/// Addresses that one entry of `-l` means, and how they are served.
struct Place {
    addresses: Vec<SocketAddr>,
    protocol: ProtocolChoice,
    tls: Option<ListenTls>,
}

/// The addresses to bind at `port` (0 = none, -1 = any).
fn places(settings: &Settings, port: i32) -> Result<Vec<Place>, BindError> {
    if port == 0 || settings.unix_socket.is_some() {
        return Ok(Vec::new());
    }
    let has_tls = |tls: ListenTls| Some(tls).filter(|tls| settings.tls.enabled && *tls != ListenTls::Plain);
    // Port 0 is "any" for bind(2), and so is -1 for us.
    let port = u16::try_from(port).unwrap_or(0);
    if settings.listen.is_empty() {
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let (addresses, tls) = (with_port(&loopback, port), has_tls(ListenTls::Default));
        return Ok(vec![Place { addresses, protocol: settings.protocol, tls }]);
    }
    let place = |spec: &ListenSpec| {
        let protocol = spec.protocol.unwrap_or(settings.protocol);
        Ok(Place { addresses: resolve(spec, port)?, protocol, tls: has_tls(spec.tls) })
    };
    settings.listen.iter().map(place).collect()
}

/// Warns of each listener that a network reaches and that asks neither for a login nor for a certificate.
pub fn warn_if_exposed(listeners: &[Listener], has_logins: bool, tls: &TlsSettings) {
    if has_logins {
        return;
    }
    let is_open = |listener: &&Listener| {
        let asks = listener.tls.map(|kind| ClientCertificates::of(kind, tls.client_certificates()));
        asks != Some(ClientCertificates::Demanded)
    };
    for address in listeners.iter().filter(is_open).filter_map(Listener::tcp_address).filter(is_exposed) {
        log::warn!(
            "listening without authentication addr={address}: whoever reaches it can read and change the cache; \
             give --users, or pass -l 127.0.0.1"
        );
    }
}

/// Whether others than this machine can reach `address`.
pub fn is_exposed(address: &SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

/// The addresses an entry of `-l` means.
fn resolve(spec: &ListenSpec, default_port: u16) -> Result<Vec<SocketAddr>, BindError> {
    let port = spec.port.unwrap_or(default_port);
    let host = match spec.host.as_deref() {
        None | Some("*") => {
            let all = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
            return Ok(with_port(&all, port));
        }
        Some(host) => host,
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let found = (host, port).to_socket_addrs().map_err(|error| {
        BindError::new("listen on", format_args!("host={host}"), error, "pass an address or a name that resolves")
    })?;
    for address in found {
        // /etc/hosts may name an address twice.
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        let advice = "pass an address or a name that resolves";
        return Err(BindError::new("listen on", format_args!("host={host}"), "it has no address", advice));
    }
    Ok(addresses)
}

fn with_port(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(host: &str) -> ListenSpec {
        ListenSpec { host: Some(host.to_owned()), ..ListenSpec::default() }
    }

    fn any_port(listen: Vec<ListenSpec>) -> Settings {
        Settings { tcp_port: -1, listen, ..Settings::default() }
    }

    fn bound(settings: &Settings) -> Vec<SocketAddr> {
        bind_network(settings).unwrap().iter().map(|listener| listener.tcp_address().unwrap()).collect()
    }

    #[test]
    fn default_is_loopback_of_both_families_on_one_port() {
        let addresses = bound(&any_port(Vec::new()));
        assert_eq!(addresses[0].ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == addresses[0].port()));
        let has_ipv6 = std::net::TcpListener::bind("[::1]:0").is_ok();
        assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 });
    }

    #[test]
    fn each_entry_is_bound_with_its_own_protocol() {
        let binary = ListenSpec { protocol: Some(ProtocolChoice::Binary), ..host("127.0.0.2") };
        let settings = Settings { protocol: ProtocolChoice::Ascii, ..any_port(vec![host("127.0.0.1"), binary]) };
        let listeners = bind_network(&settings).unwrap();
        let found: Vec<_> = listeners.iter().map(|l| (l.tcp_address().unwrap().ip().to_string(), l.protocol)).collect();
        assert_eq!(
            found,
            [("127.0.0.1".to_owned(), ProtocolChoice::Ascii), ("127.0.0.2".to_owned(), ProtocolChoice::Binary)]
        );
    }

    #[test]
    fn port_of_the_entry_wins() {
        // Somebody else may have got the port meanwhile: another one then.
        let tried = (0..16).find_map(|_| {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let entry = ListenSpec { port: Some(free), ..host("127.0.0.1") };
            Some((free, bind_network(&any_port(vec![entry])).ok()?))
        });
        let (free, listeners) = tried.expect("one of them is still free");
        assert_eq!(listeners[0].tcp_address().unwrap().port(), free);
    }

    #[test]
    fn no_port_or_a_unix_socket_means_no_tcp() {
        let off = Settings { tcp_port: 0, listen: vec![host("127.0.0.1")], ..Settings::default() };
        assert!(bind_network(&off).unwrap().is_empty());
        let unix = Settings { unix_socket: Some("/tmp/never-bound".into()), ..Settings::default() };
        assert!(bind_network(&unix).unwrap().is_empty());
    }

    #[test]
    fn udp_has_the_addresses_of_tcp_and_a_port_of_its_own() {
        let listen = vec![host("127.0.0.1"), host("127.0.0.2")];
        let settings = Settings { udp_port: -1, tcp_port: 0, listen, ..Settings::default() };
        let listeners = bind_udp(&settings).unwrap();
        let hosts: Vec<_> = listeners.iter().map(|listener| listener.address.ip().to_string()).collect();
        assert_eq!(hosts, ["127.0.0.1", "127.0.0.2"]);
        assert!(bind_network(&settings).unwrap().is_empty());
        let unix = Settings { unix_socket: Some("/tmp/never-bound".into()), ..settings };
        assert!(bind_udp(&unix).unwrap().is_empty());
    }

    #[test]
    fn star_and_no_host_are_all_addresses() {
        for spec in [host("*"), ListenSpec::default()] {
            let addresses = resolve(&spec, 7).unwrap();
            assert_eq!(addresses, ["0.0.0.0:7".parse().unwrap(), "[::]:7".parse().unwrap()]);
        }
    }

    #[test]
    fn name_that_does_not_resolve_is_an_error_with_advice() {
        // A space is in no name, so no resolver is asked.
        let error = bind_network(&any_port(vec![host("no name")])).unwrap_err().to_string();
        assert!(error.starts_with("cannot listen on host=no name: "), "{error}");
        assert!(error.ends_with("; pass an address or a name that resolves"), "{error}");
    }

    #[test]
    fn exposure_is_told_from_loopback() {
        for (address, exposed) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.168.0.1:1", true),
            ("[fe80::1]:1", true),
        ] {
            assert_eq!(is_exposed(&address.parse().unwrap()), exposed, "{address}");
        }
    }
}

//! The ends of sockets: addresses by descriptor, in the words of memcached's `stats conns`, and who holds the other end
//! of a Unix socket.
#![allow(unsafe_code)]

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{SockAddr, SockRef, Type};

/// The address that the socket `fd` is bound to; `None` when there is no such socket.
pub fn local_address(fd: i32) -> Option<String> {
    with_socket(fd, |socket| Some(text(&socket.local_addr().ok()?, socket.r#type().ok()?)))
}

/// The address at the other end of the socket `fd`; `None` when there is none.
pub fn remote_address(fd: i32) -> Option<String> {
    with_socket(fd, |socket| Some(text(&socket.peer_addr().ok()?, socket.r#type().ok()?)))
}

/// A client's address in the same words.
pub fn tcp_address(client: &SocketAddr) -> String {
    text(&SockAddr::from(*client), Type::STREAM)
}

/// The number of the user that the process at the other end of a Unix socket had when it connected. `None` for a user
/// who has no number here, because the process is in a user namespace that is not below ours.
///
/// # Errors
/// When `socket` is none, or not connected.
pub fn peer_user(socket: impl AsFd) -> io::Result<Option<u32>> {
    // Not rustix' `socket_peercred`: its process number cannot be 0, which the kernel says of a process in another
    // namespace.
    let mut credentials = libc::ucred { pid: 0, uid: UNMAPPED_USER, gid: 0 };
    let mut len = size_of::<libc::ucred>() as libc::socklen_t;
    let (fd, into) = (socket.as_fd().as_raw_fd(), (&raw mut credentials).cast());
    // SAFETY: the descriptor is open for as long as `socket` is borrowed, and `into` has room for the `len` bytes that
    // the kernel writes at most; any bytes are a valid `ucred`.
    let result = unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_PEERCRED, into, &raw mut len) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((credentials.uid != UNMAPPED_USER).then_some(credentials.uid))
}

/// What the kernel says of users who have no number here (/proc/sys/kernel/overflowuid, unless somebody changed it).
/// Many systems call it nobody.
const UNMAPPED_USER: u32 = 65_534;

fn with_socket<R>(fd: i32, ask: impl FnOnce(SockRef<'_>) -> Option<R>) -> Option<R> {
    if fd < 0 {
        return None;
    }
    // SAFETY: the number may be stale, as its owner can close it at any time. It is used for queries that leave
    // the descriptor as it is, and only within this call: at worst they fail or tell of another socket.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    ask(SockRef::from(&borrowed))
}

fn text(address: &SockAddr, kind: Type) -> String {
    let transport = if kind == Type::DGRAM { "udp" } else { "tcp" };
    if let Some(v4) = address.as_socket_ipv4() {
        return format!("{transport}:{}:{}", v4.ip(), v4.port());
    }
    if let Some(v6) = address.as_socket_ipv6() {
        return format!("{transport}6:[{}]:{}", v6.ip(), v6.port());
    }
    match address.as_pathname() {
        Some(path) => format!("unix:{}", path.display()),
        None => "unix:".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_kernel_knows_who_is_at_the_other_end() {
        let (one, other) = UnixStream::pair().expect("sockets");
        for socket in [one, other] {
            assert_eq!(peer_user(&socket).expect("connected"), Some(rustix::process::geteuid().as_raw()));
        }
        assert!(peer_user(std::fs::File::open("/dev/null").expect("it is there")).is_err());
    }

    #[test]
    fn addresses_are_told_as_memcached_does() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let client = TcpStream::connect(("127.0.0.1", port)).expect("connected");
        assert_eq!(local_address(listener.as_raw_fd()), Some(format!("tcp:127.0.0.1:{port}")));
        assert_eq!(remote_address(client.as_raw_fd()), Some(format!("tcp:127.0.0.1:{port}")));
        assert_eq!(remote_address(listener.as_raw_fd()), None);
        let datagrams = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let port = datagrams.local_addr().expect("bound").port();
        assert_eq!(local_address(datagrams.as_raw_fd()), Some(format!("udp:127.0.0.1:{port}")));
        assert_eq!(local_address(-1), None);
        assert_eq!(local_address(1_000_000), None);
    }
}

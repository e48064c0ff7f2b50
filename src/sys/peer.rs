//! Addresses of sockets, by descriptor, in the words of memcached's `stats conns`.
#![allow(unsafe_code)]

use std::os::fd::BorrowedFd;

use socket2::{SockAddr, SockRef, Type};

/// The address that the socket `fd` is bound to; `None` when there is no such socket.
pub fn local_address(fd: i32) -> Option<String> {
    with_socket(fd, |socket| Some(text(&socket.local_addr().ok()?, socket.r#type().ok()?)))
}

/// The address at the other end of the socket `fd`; `None` when there is none.
pub fn remote_address(fd: i32) -> Option<String> {
    with_socket(fd, |socket| Some(text(&socket.peer_addr().ok()?, socket.r#type().ok()?)))
}

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
    use std::os::fd::AsRawFd;

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

//! What of a TCP stream has not reached the other end yet.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

/// Bytes written to the TCP socket that its peer's kernel has not acknowledged (tcp(7), SIOCOUTQ). 0 when the kernel
/// does not tell.
pub fn unsent_bytes(socket: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: this request writes one int behind the pointer, which is that of a live int; the descriptor is open for
    // as long as it is borrowed, and is left as it is.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    #[test]
    fn what_the_peer_does_not_take_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (mut server, _) = listener.accept().expect("connected");
        assert_eq!(unsent_bytes(server.as_fd()), 0);
        server.set_nonblocking(true).expect("a socket");
        while server.write(&[7; 64 << 10]).is_ok() {}
        assert!(unsent_bytes(server.as_fd()) > 0);
        drop(server.shutdown(std::net::Shutdown::Write));
        client.read_to_end(&mut Vec::new()).expect("all of it");
        while unsent_bytes(server.as_fd()) > 0 {
            std::thread::yield_now();
        }
    }
}

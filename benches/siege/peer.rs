//! A connection from an address of one's own choice, with a deadline on everything.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::stage::PASSWORD;

/// A connection and what it brought.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    inbox: Vec<u8>,
}

/// How much the kernel takes in for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    Usual,
    /// Replies get stuck soon.
    Narrow,
}

impl Peer {
    pub(crate) fn connect(from: Ipv4Addr, to: SocketAddr, window: Window) -> io::Result<Peer> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        if window == Window::Narrow {
            socket.set_recv_buffer_size(4 << 10)?;
        }
        socket.bind(&SockAddr::from(SocketAddr::from((from, 0))))?;
        socket.connect_timeout(&SockAddr::from(to), PATIENCE)?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Peer { stream, inbox: Vec::new() })
    }

    /// Logs in by a `set`; an error when that is refused.
    pub(crate) fn log_in(&mut self, user: &str) -> io::Result<()> {
        let token = format!("{user} {PASSWORD}");
        self.stream.write_all(format!("set _ _ _ {}\r\n{token}\r\n", token.len()).as_bytes())?;
        self.expect("STORED")
    }

    pub(crate) fn expect(&mut self, expected: &str) -> io::Result<()> {
        let line = self.line()?;
        match line == expected {
            true => Ok(()),
            false => Err(io::Error::other(format!("{line:.100} instead of {expected}"))),
        }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.inbox.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.inbox.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            self.receive()?;
        }
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.inbox.len() < count {
            self.receive()?;
        }
        Ok(self.inbox.drain(..count).collect())
    }

    /// It ends with a reset, not with a FIN.
    pub(crate) fn reset(self) -> io::Result<()> {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO))
    }

    fn receive(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            Ok(count) => {
                self.inbox.extend_from_slice(&buffer[..count]);
                Ok(())
            }
            // A machine that was suspended interrupts reads that have a deadline.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(20);

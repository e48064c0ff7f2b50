//! A blocking connection for tests: sends bytes, expects bytes, never waits longer than the deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use super::{DEADLINE, POLL_INTERVAL};

/// What a connection's bytes go through.
pub(crate) trait Wire: Read + Write + Send {
    /// The socket at its end.
    fn socket(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

/// One connection to the server under test.
pub(crate) struct Client {
    stream: Box<dyn Wire>,
    /// Bytes received and not yet taken.
    received: Vec<u8>,
}

impl Client {
    /// Connects, with a deadline on everything that follows.
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts connections"))
    }

    /// Over a connection that is open already.
    pub(crate) fn over(stream: impl Wire + 'static) -> Client {
        let socket = stream.socket();
        socket.set_nodelay(true).expect("TCP_NODELAY can be set on a connected socket");
        socket.set_read_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        socket.set_write_timeout(Some(DEADLINE)).expect("the deadline is not zero");
        Client { stream: Box::new(stream), received: Vec::new() }
    }

    /// Sends bytes as they are, in one write when the kernel takes them. A server that has closed is no failure
    /// here: what it must have sent before is looked at when it is read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            result => result.expect("the server reads within the deadline"),
        }
    }

    /// Sends one command line, ended by CRLF.
    pub(crate) fn send_line(&mut self, line: impl AsRef<[u8]>) {
        self.send([line.as_ref(), b"\r\n"].concat());
    }

    /// Closes the sending half: the server sees the end of the stream after what was sent.
    pub(crate) fn finish_sending(&mut self) {
        // Fails when the server has closed already, which the next read shows.
        let _ = self.stream.socket().shutdown(Shutdown::Write);
    }

    /// Takes exactly `count` bytes; what arrived instead is shown when fewer come.
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        while self.received.len() < count {
            if !self.receive() {
                panic!("connection closed after {:?}", show(&self.received));
            }
        }
        let rest = self.received.split_off(count);
        std::mem::replace(&mut self.received, rest)
    }

    /// Takes one line without its CRLF.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        let mut line = self.lf_line();
        assert!(line.ends_with(b"\r"), "a reply line ends with CRLF, this one does not: {:?}", show(&line));
        line.pop();
        line
    }

    /// Takes one line without its LF; `None` at the end of the connection.
    pub(crate) fn next_line(&mut self) -> Option<Vec<u8>> {
        while !self.received.contains(&b'\n') {
            if !self.receive() {
                return None;
            }
        }
        Some(self.lf_line())
    }

    /// Takes one line without its LF, as the lines of `watch` end.
    pub(crate) fn lf_line(&mut self) -> Vec<u8> {
        let mut looked_at = 0;
        loop {
            if let Some(at) = self.received[looked_at..].iter().position(|&byte| byte == b'\n') {
                let mut line = self.take(looked_at + at + 1);
                line.pop();
                return line;
            }
            looked_at = self.received.len();
            assert!(self.receive(), "connection closed after {:?}", show(&self.received));
        }
    }

    /// Takes everything up to and with `end`.
    pub(crate) fn take_through(&mut self, end: &[u8]) -> Vec<u8> {
        let mut looked_at = 0;
        loop {
            if let Some(at) = memchr::memmem::find(&self.received[looked_at..], end) {
                return self.take(looked_at + at + end.len());
            }
            looked_at = self.received.len().saturating_sub(end.len());
            assert!(self.receive(), "connection closed after {:?}", show(&self.received));
        }
    }

    /// Expects one line, given without its CRLF.
    pub(crate) fn expect_line(&mut self, expected: impl AsRef<[u8]>) {
        let line = self.line();
        assert!(
            line == expected.as_ref(),
            "expected the line {:?}\n             got {:?}",
            show(expected.as_ref()),
            show(&line)
        );
    }

    /// Expects exactly these bytes next.
    pub(crate) fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let bytes = self.take(expected.as_ref().len());
        assert!(bytes == expected.as_ref(), "expected {:?}\n     got {:?}", show(expected.as_ref()), show(&bytes));
    }

    /// Expects that the server closes the connection without another byte.
    pub(crate) fn expect_closed(&mut self) {
        while self.received.is_empty() && self.receive() {}
        assert!(self.received.is_empty(), "expected the end of the connection, got {:?}", show(&self.received));
    }

    /// Sends a line again and again until the reply starts with `expected`; for what takes effect within a second
    /// or two by the server's clock.
    pub(crate) fn await_line(&mut self, line: &str, expected: &str) {
        let since = Instant::now();
        loop {
            self.send_line(line);
            self.send_line("version");
            let mut reply = self.line();
            let matched = reply.starts_with(expected.as_bytes());
            let shown = show(&reply);
            // Whatever else the reply holds, the version line ends it.
            while !reply.starts_with(b"VERSION ") {
                reply = self.line();
            }
            if matched {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "`{line}` never answered {expected:?}, at last {shown:?}");
            thread::sleep(POLL_INTERVAL * 10);
        }
    }

    /// The value of one statistic.
    pub(crate) fn statistic(&mut self, group: &str, name: &str) -> Option<String> {
        self.statistics(group).into_iter().rfind(|(row, _)| row == name).map(|(_, value)| value)
    }

    /// Waits until a statistic is what is expected.
    #[track_caller]
    pub(crate) fn await_statistic(&mut self, name: &str, expected: &str) {
        let since = Instant::now();
        loop {
            let value = self.statistic("", name);
            if value.as_deref() == Some(expected) {
                return;
            }
            assert!(since.elapsed() < DEADLINE, "{name} never was {expected}, at last {value:?}");
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// All statistics of a group in the order they came; none where there is no such group.
    pub(crate) fn statistics(&mut self, group: &str) -> Vec<(String, String)> {
        self.send_line(if group.is_empty() { "stats".to_owned() } else { format!("stats {group}") });
        let mut rows = Vec::new();
        loop {
            let line = String::from_utf8(self.line()).expect("statistics are text");
            if line == "END" || line == "ERROR" {
                return rows;
            }
            let row = line.strip_prefix("STAT ").expect("a row of statistics begins with STAT");
            let (name, value) = row.split_once(' ').unwrap_or((row, ""));
            rows.push((name.to_owned(), value.to_owned()));
        }
    }

    /// Reads what the socket holds; false at the end of the stream.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                true
            }
            // A machine that was suspended interrupts reads that have a deadline.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.receive(),
            // With TLS an end without a farewell is an error of its own.
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof) => false,
            Err(error) => panic!("no reply within {DEADLINE:?} ({error}) after {:?}", show(&self.received)),
        }
    }
}

/// Bytes for people: escaped, and cut when long.
pub(crate) fn show(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 300;
    if bytes.len() <= SHOWN_BYTES_MAX {
        return bytes.escape_ascii().to_string();
    }
    let (head, tail) = (&bytes[..SHOWN_BYTES_MAX / 2], &bytes[bytes.len() - SHOWN_BYTES_MAX / 2..]);
    format!("{} ...({} bytes)... {}", head.escape_ascii(), bytes.len(), tail.escape_ascii())
}

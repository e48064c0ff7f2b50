//! A server with an admin port, and the simplest HTTP client.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{PATIENCE, Server};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// By lower-case name.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) content: String,
}

/// A server on loopback whose admin port is any free one of it.
pub(crate) fn start(arguments: &[&str]) -> Server {
    Server::on_loopback(&[&["--admin", "127.0.0.1:0"], arguments].concat())
}

/// The admin port.
pub(crate) fn address(server: &Server) -> SocketAddr {
    let ports = server.ports();
    let port = ports.iter().find_map(|line| line.strip_prefix("ADMIN INET: ")?.parse().ok()).expect("an admin port");
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A connection to it.
pub(crate) fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Asks for a path on a connection of its own.
pub(crate) fn get(server: &Server, path: &str) -> Answer {
    exchange(&mut connect(server), &request(path, ""))
}

/// A request with further header lines, each with its end.
pub(crate) fn request(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")
}

/// Sends bytes and reads one answer.
pub(crate) fn exchange(stream: &mut (impl Read + Write), bytes: &str) -> Answer {
    stream.write_all(bytes.as_bytes()).unwrap();
    read_answer(stream, true).expect("an answer")
}

/// Reads one answer, with its content if it has one; `None` at the end of the connection.
pub(crate) fn read_answer(stream: &mut impl Read, has_content: bool) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.take(1).read_to_end(&mut head) {
            Ok(0) if head.is_empty() => return None,
            Ok(1) => {}
            other => panic!("{other:?} after {:?}", String::from_utf8_lossy(&head)),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()).expect("a status");
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers: HashMap<String, String> = lines.map(field).collect();
    let length: usize = headers["content-length"].parse().unwrap();
    let mut content = vec![0; if has_content { length } else { 0 }];
    stream.read_exact(&mut content).unwrap();
    Some(Answer { status, headers, content: String::from_utf8(content).unwrap() })
}

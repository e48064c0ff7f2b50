//! Clients of one machine at many addresses: all of 127.0.0.0/8 are its own.

use std::io::{self, ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use socket2::{Domain, Socket, Type};

use super::{Client, DEADLINE, Server};

/// A connection from 127.0.0.`last`. A server that turns it away may be faster than connect(2) here.
pub(crate) fn try_connect_from(server: &Server, last: u8) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into()).expect("an address of this machine");
    socket.connect(&server.address().into())?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    Ok(stream)
}

/// The same where the server accepts.
pub(crate) fn connect_from(server: &Server, last: u8) -> TcpStream {
    try_connect_from(server, last).expect("the server accepts")
}

/// A client from there that was answered.
#[track_caller]
pub(crate) fn expect_served(server: &Server, last: u8) -> Client {
    let mut client = Client::over(connect_from(server, last));
    client.send_line("mn");
    client.expect_line("MN");
    client
}

/// Not a byte comes, and the connection ends.
#[track_caller]
pub(crate) fn expect_turned_away(server: &Server, last: u8) {
    assert!(is_turned_away(try_connect_from(server, last)), "127.0.0.{last} is served");
}

/// Waits for what a connection gets first, and tells whether that is its end.
#[track_caller]
pub(crate) fn is_turned_away(connected: io::Result<TcpStream>) -> bool {
    match connected.and_then(|stream| stream.take(1).read_to_end(&mut Vec::new())) {
        Ok(count) => count == 0,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            true
        }
    }
}

/// Thousands of connections, of which none is served nor costs memory.
#[track_caller]
pub(crate) fn expect_flood_turned_away(server: &Server, last: u8) {
    for _ in 0..100 {
        expect_turned_away(server, last);
    }
    let before = server.memory_bytes("VmRSS");
    for _ in 0..5_000 {
        expect_turned_away(server, last);
    }
    let grown = server.memory_bytes("VmRSS").saturating_sub(before);
    assert!(grown < 1 << 20, "{grown} bytes for connections that are gone");
}

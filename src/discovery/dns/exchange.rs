//! A question and its answer over the network: UDP, and TCP where the answer does not fit a datagram (RFC 7766).

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::message::{self, Answer, Question, Reply};

/// How long one server has for one try.
const TRY_TIME: Duration = Duration::from_secs(2);

/// Times that each server is asked.
const ROUNDS: usize = 2;

/// No datagram is longer. Without EDNS none should be longer than 512 (RFC 1035 section 4.2.1), but some servers do not
/// look at that.
const DATAGRAM_BYTES_MAX: usize = 1 << 16;

/// Asks one server after the other until one knows: an answer, or that there is nothing.
///
/// # Errors
/// What the last one failed with.
pub(super) fn ask(servers: &[SocketAddr], name: &str, question: Question) -> Result<Answer, String> {
    let mut failure = "there is no name server to ask".to_owned();
    for server in servers.iter().cycle().take(servers.len() * ROUNDS) {
        match try_one(*server, name, question) {
            Ok(Reply::Answer(answer)) => return Ok(answer),
            Ok(Reply::Failure(why)) => failure = format!("{why} server={server}"),
            Ok(Reply::Truncated | Reply::Other) => failure = format!("the reply is broken server={server}"),
            Err(error) => failure = format!("{error} server={server}"),
        }
    }
    Err(failure)
}

fn try_one(server: SocketAddr, name: &str, question: Question) -> io::Result<Reply> {
    // Together with the port that the kernel chooses, what somebody who forges a reply has to guess.
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("there are no random numbers"))?;
    let id = u16::from_be_bytes(id);
    let bytes = message::question(id, name, question).map_err(io::Error::other)?;
    let read = |reply: &[u8]| message::read(reply, id, name, question);
    let deadline = Instant::now() + TRY_TIME;
    match over_udp(server, &bytes, read, deadline)? {
        Reply::Truncated => over_tcp(server, &bytes, deadline + TRY_TIME).map(|reply| read(&reply)),
        reply => Ok(reply),
    }
}

/// The first datagram that is a reply to the question.
fn over_udp(
    server: SocketAddr,
    question: &[u8],
    read: impl Fn(&[u8]) -> Reply,
    deadline: Instant,
) -> io::Result<Reply> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    // From then on the kernel passes only what comes from there.
    socket.connect(server)?;
    socket.send(question)?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        socket.set_read_timeout(Some(time_left(deadline)?))?;
        let count = socket.recv(&mut buffer).map_err(no_answer)?;
        match read(&buffer[..count]) {
            Reply::Other => {}
            reply => return Ok(reply),
        }
    }
}

/// The reply on a connection of its own.
fn over_tcp(server: SocketAddr, question: &[u8], deadline: Instant) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, time_left(deadline)?).map_err(no_answer)?;
    stream.set_write_timeout(Some(time_left(deadline)?))?;
    let len = u16::try_from(question.len()).map_err(io::Error::other)?;
    stream.write_all(&[&len.to_be_bytes()[..], question].concat()).map_err(no_answer)?;
    let mut len = [0; 2];
    read_until(&mut stream, &mut len, deadline)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
    read_until(&mut stream, &mut reply, deadline)?;
    Ok(reply)
}

/// Fills `bytes`, however slowly they come, but not later than the deadline.
fn read_until(stream: &mut TcpStream, mut bytes: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_read_timeout(Some(time_left(deadline)?))?;
        match stream.read(bytes).map_err(no_answer)? {
            0 => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the reply is cut off")),
            count => bytes = &mut bytes[count..],
        }
    }
    Ok(())
}

/// Until the deadline, never 0, which would stand for no timeout.
fn time_left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(no_answer(ErrorKind::TimedOut.into())) } else { Ok(left) }
}

/// A timeout in words: the kernel calls it "resource temporarily unavailable".
fn no_answer(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => io::Error::new(ErrorKind::TimedOut, "no answer in time"),
        _ => error,
    }
}

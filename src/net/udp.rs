//! UDP on a worker: each datagram is a batch of requests for a session of its own, and its replies go back at once.
//!
//! Nothing is kept between two datagrams: a request that is not complete is dropped, replies that the socket does not
//! take are dropped, and so is what cannot be received. The client has to ask again, as with any loss.
//!
//! Senders can be forged, so that a small request could send a large value to somebody who never asked. Where a network
//! reaches the socket, a reply has at most [`NETWORK_REPLY_RATIO_MAX`] times the bytes of its request, unless the operator
//! lifts that.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use memchr::memrchr;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};

use super::listen::{UdpListener, is_exposed};
use crate::conn::{Next, Outbox, Session};
use crate::exec::Context;
use crate::protocol::binary::REQUEST_MAGIC;
use crate::protocol::text::reply::line;
use crate::protocol::udp::{self, DATAGRAM_BYTES_MAX, HEADER_BYTES};
use crate::settings::{ProtocolChoice, Settings};

/// Bytes of a reply at most, its headers included: an item of 1 MiB, the default of `-I`, with its line.
const REPLY_BYTES_MAX: usize = (1 << 20) + (16 << 10);

/// Bytes of a reply for each byte of its request at most, when the request may come from a network.
pub const NETWORK_REPLY_RATIO_MAX: usize = 10;

/// Datagrams answered before others get their turn.
const TURN_DATAGRAMS_MAX: usize = 64;

/// Bytes sent before others get their turn.
const TURN_BYTES_MAX: usize = 1 << 20;

/// One UDP socket on its worker.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: UdpSocket,
    pub(super) fd: i32,
    protocol: ProtocolChoice,
    reach: Reach,
    /// Datagrams may be waiting although no event will say so.
    pub(super) unread: bool,
}

/// Who can send to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// This machine only, or whoever the operator trusts.
    Loopback,
    /// Others, and whoever pretends to be another.
    Network,
}

/// Warns of each socket that a network reaches.
pub fn warn_if_exposed(listeners: &[UdpListener], settings: &Settings) {
    for UdpListener { address, .. } in listeners.iter().filter(|listener| is_exposed(&listener.address)) {
        if settings.unbounded_udp_replies {
            log::warn!(
                "listening on UDP addr={address} without a bound on replies: whoever forges a sender can have this server \
                 flood it; take --unbounded-udp-replies away"
            );
        } else {
            log::warn!(
                "listening on UDP addr={address}: senders can be forged, so a reply is limited to \
                 {NETWORK_REPLY_RATIO_MAX} times the bytes of its request; pass -l 127.0.0.1 or take -U away"
            );
        }
    }
}

impl UdpPort {
    /// Takes the socket and has `registry` report datagrams with `token`.
    pub(super) fn new(
        listener: UdpListener,
        settings: &Settings,
        registry: &Registry,
        token: Token,
    ) -> io::Result<UdpPort> {
        let UdpListener { mut socket, address, protocol } = listener;
        registry.register(&mut socket, token, Interest::READABLE)?;
        let is_bound = is_exposed(&address) && !settings.unbounded_udp_replies;
        let reach = if is_bound { Reach::Network } else { Reach::Loopback };
        Ok(UdpPort { fd: socket.as_raw_fd(), socket, protocol, reach, unread: true })
    }

    /// Answers the datagrams that are waiting, as many as one turn allows. `outbox` is empty before and after.
    pub(super) fn on_turn(&mut self, buffer: &mut [u8], outbox: &mut Outbox, cx: &Context<'_>) {
        let mut reply = Vec::new();
        let mut sent_bytes = 0;
        for _ in 0..TURN_DATAGRAMS_MAX {
            if sent_bytes >= TURN_BYTES_MAX {
                return;
            }
            let (len, sender) = match self.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.unread = false;
                    return;
                }
                // What is behind the one that failed causes no further event.
                Err(error) => {
                    log::debug!("cannot receive fd={}: {error}", self.fd);
                    return;
                }
            };
            if !cx.shared.access.permits(sender.ip()) {
                continue;
            }
            cx.counters.bytes_read.add(len as u64);
            let Some((id, requests)) = udp::requests(&buffer[..len]) else { continue };
            reply.clear();
            answer(requests, self.protocol, reply_bytes_max(len, self.reach), &mut reply, outbox, cx);
            let sent = send(&self.socket, id, &reply, sender);
            cx.counters.bytes_written.add(sent as u64);
            sent_bytes += sent;
        }
    }
}

/// Bytes of datagrams that a request of `request_bytes` may draw.
fn reply_bytes_max(request_bytes: usize, reach: Reach) -> usize {
    match reach {
        Reach::Loopback => REPLY_BYTES_MAX,
        Reach::Network => REPLY_BYTES_MAX.min(NETWORK_REPLY_RATIO_MAX * request_bytes),
    }
}

/// Executes `requests` and puts what they are answered into `reply`. When their replies need more than `bytes_max`, an
/// error line stands for all of them; requests behind a full outbox are not executed then.
fn answer(
    requests: &[u8],
    protocol: ProtocolChoice,
    bytes_max: usize,
    reply: &mut Vec<u8>,
    outbox: &mut Outbox,
    cx: &Context<'_>,
) {
    let mut session = Session::for_datagram(protocol);
    let mut left = match requests {
        [REQUEST_MAGIC, ..] => requests,
        // What follows the last line end is a line that never gets its own.
        _ => &requests[..memrchr(b'\n', requests).map_or(0, |end| end + 1)],
    };
    loop {
        let progress = session.feed(left, outbox, cx, u32::MAX);
        left = &left[progress.consumed..];
        if udp::framed_bytes(reply.len() + outbox.waiting_bytes()) > bytes_max {
            outbox.clear();
            reply.clear();
            if udp::framed_bytes(udp::REPLY_TOO_LARGE.len()) <= bytes_max {
                reply.extend_from_slice(udp::REPLY_TOO_LARGE);
            }
            return;
        }
        while !outbox.is_empty() {
            outbox.send(reply).expect("a vector takes all that it is given");
        }
        if progress.next == Next::Watch {
            reply.extend_from_slice(line::WATCH_FAILED);
        }
        if progress.next != Next::Room {
            return;
        }
    }
}

/// Sends a reply, or as much of it as the socket takes; how many bytes that were.
fn send(socket: &UdpSocket, id: u16, reply: &[u8], to: SocketAddr) -> usize {
    let mut datagram = [0; DATAGRAM_BYTES_MAX];
    let mut sent_bytes = 0;
    for (header, payload) in udp::replies(id, reply) {
        let len = HEADER_BYTES + payload.len();
        datagram[..HEADER_BYTES].copy_from_slice(&header.encode());
        datagram[HEADER_BYTES..len].copy_from_slice(payload);
        // The rest of a reply with a hole is worth nothing.
        let Ok(sent) = socket.send_to(&datagram[..len], to) else { break };
        sent_bytes += sent;
    }
    sent_bytes
}

const _: () = assert!(REPLY_BYTES_MAX / DATAGRAM_BYTES_MAX < u16::MAX as usize, "every reply can be numbered");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Shared;

    /// What `requests` are answered when the datagram they came in allows `bytes_max`.
    fn replies(shared: &Shared, requests: &[u8], bytes_max: usize) -> String {
        let cx = Context { shared, counters: &shared.counters[0], now: shared.clock.now(), fd: -1 };
        let (mut reply, mut outbox) = (Vec::new(), Outbox::default());
        answer(requests, ProtocolChoice::Auto, bytes_max, &mut reply, &mut outbox, &cx);
        assert!(outbox.is_empty());
        String::from_utf8(reply).expect("text")
    }

    fn server(settings: Settings) -> Shared {
        Shared::new(Settings { threads: 1, ..settings }).expect("memory")
    }

    #[test]
    fn network_gets_ten_times_the_request_and_loopback_a_large_value() {
        for (request_bytes, loopback, network) in [
            (9, REPLY_BYTES_MAX, 90),
            (100, REPLY_BYTES_MAX, 1000),
            (65_507, REPLY_BYTES_MAX, 655_070),
            (1 << 20, REPLY_BYTES_MAX, REPLY_BYTES_MAX),
        ] {
            assert_eq!(reply_bytes_max(request_bytes, Reach::Loopback), loopback, "{request_bytes}");
            assert_eq!(reply_bytes_max(request_bytes, Reach::Network), network, "{request_bytes}");
        }
        // The shortest datagram that is looked at has room for the error.
        assert!(udp::framed_bytes(udp::REPLY_TOO_LARGE.len()) <= reply_bytes_max(HEADER_BYTES + 1, Reach::Network));
    }

    #[test]
    fn reply_is_sent_up_to_its_bound_and_refused_above() {
        let shared = server(Settings::default());
        let value = "v".repeat(200);
        assert_eq!(replies(&shared, format!("set k 0 0 200\r\n{value}\r\n").as_bytes(), 1000), "STORED\r\n");
        let whole = format!("VALUE k 0 200\r\n{value}\r\nEND\r\n");
        let needed = udp::framed_bytes(whole.len());
        assert_eq!(replies(&shared, b"get k\r\n", needed), whole);
        let refused = str::from_utf8(udp::REPLY_TOO_LARGE).unwrap();
        assert_eq!(replies(&shared, b"get k\r\n", needed - 1), refused);
        assert_eq!(replies(&shared, b"get k\r\n", udp::framed_bytes(refused.len()) - 1), "");
    }

    #[test]
    fn many_large_values_are_joined_up_to_the_bound() {
        let shared = server(Settings::default());
        let value = "v".repeat(100_000);
        replies(&shared, format!("set k 0 0 100000\r\n{value}\r\n").as_bytes(), 1000);
        let one = format!("VALUE k 0 100000\r\n{value}\r\nEND\r\n");
        for count in [1, 2, 9, 10] {
            let answer = replies(&shared, "get k\r\n".repeat(count).as_bytes(), REPLY_BYTES_MAX);
            assert!(answer == one.repeat(count), "{count} values");
        }
        for count in [11, 64, 9000] {
            let answer = replies(&shared, "get k\r\n".repeat(count).as_bytes(), REPLY_BYTES_MAX);
            assert_eq!(answer.as_bytes(), udp::REPLY_TOO_LARGE, "{count} values");
        }
    }

    #[test]
    fn incomplete_requests_have_no_answer_and_no_effect() {
        let shared = server(Settings::default());
        let keys = "get ".to_owned() + &"k ".repeat(20_000);
        let value = "set k 0 0 20000\r\n".to_owned() + &"\n".repeat(10_000);
        for requests in ["version", "set k 0 0 5\r\nab\r\n", "set k 0 0 2\r\nab", keys.as_str(), value.as_str()] {
            assert_eq!(replies(&shared, requests.as_bytes(), REPLY_BYTES_MAX), "");
        }
        assert_eq!(replies(&shared, b"get k\r\nget k", REPLY_BYTES_MAX), "END\r\n");
        assert_eq!(replies(&shared, b"get k\r\nquit\r\nget k\r\n", REPLY_BYTES_MAX), "END\r\n");
    }

    #[test]
    fn walks_are_refused() {
        let shared = server(Settings::default());
        for request in ["lru_crawler metadump all", "lru_crawler mgdump hash", "larder delete_prefix a"] {
            assert_eq!(
                replies(&shared, format!("{request}\r\nversion\r\n").as_bytes(), 1000),
                "ERROR\r\nVERSION 1.6.45\r\n"
            );
        }
        assert!(!shared.crawler.is_running());
    }
}

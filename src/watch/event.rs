//! Events and the lines they make, in memcached's words and order.

use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;

use crate::command::WatchKinds;
use crate::uri::Encoded;

/// What a look-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No such item.
    NotFound,
    /// A live one.
    Found,
    /// One that a flush took.
    Flushed,
    /// One whose time was over.
    Expired,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer or the network failed, or the peer sent what cannot be answered. Also the end of every watcher, in
    /// memcached too.
    #[default]
    Error,
    /// The client left.
    Normal,
    /// `-o idle_timeout`.
    IdleTimeout,
    /// The server stops.
    Shutdown,
}

/// Something that can be watched. Sizes are those of values in bytes; classes are numbered from 1, and 0 where there
/// is no item.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A key was looked up.
    Fetched {
        /// The key.
        key: &'a [u8],
        /// What was there.
        status: Status,
        /// The item's size class.
        class: usize,
        /// The client's descriptor.
        fd: i32,
        /// The value's size.
        size: usize,
    },
    /// A value was stored or refused.
    Stored {
        /// The key.
        key: &'a [u8],
        /// What became of it.
        status: &'static str,
        /// The command.
        command: &'static str,
        /// Seconds to live, 0 for ever.
        ttl: u32,
        /// The item's size class.
        class: usize,
        /// The client's descriptor.
        fd: i32,
        /// The value's size.
        size: usize,
    },
    /// An item made room.
    Evicted {
        /// The key.
        key: &'a [u8],
        /// Whether it was ever read.
        fetched: bool,
        /// Seconds it had to live; -1 for ever.
        ttl: i64,
        /// Seconds since it was used.
        idle_secs: u32,
        /// Its size class.
        class: usize,
        /// Its value's size.
        size: usize,
    },
    /// An item was deleted by a client.
    Deleted {
        /// The key.
        key: &'a [u8],
        /// The command.
        command: &'static str,
        /// The item's size class.
        class: usize,
        /// Its value's size.
        size: usize,
    },
    /// A client came.
    Connected {
        /// Its address; `None` on a Unix socket.
        peer: Option<SocketAddr>,
        /// Its descriptor.
        fd: i32,
    },
    /// A client left.
    Closed {
        /// Its address; `None` on a Unix socket.
        peer: Option<SocketAddr>,
        /// Its descriptor.
        fd: i32,
        /// Why.
        reason: CloseReason,
    },
    /// A page went from one size class to another.
    PageMoved {
        /// The class that lost it.
        from: usize,
        /// The class that asked for it.
        to: usize,
    },
}

impl Event<'_> {
    /// Who watches it.
    #[inline]
    pub fn kind(&self) -> WatchKinds {
        match self {
            Event::Fetched { .. } => WatchKinds::FETCHERS,
            Event::Stored { .. } => WatchKinds::MUTATIONS,
            Event::Evicted { .. } => WatchKinds::EVICTIONS,
            Event::Deleted { .. } => WatchKinds::DELETIONS,
            Event::Connected { .. } | Event::Closed { .. } => WatchKinds::CONNEVENTS,
            Event::PageMoved { .. } => WatchKinds::SYSEVENTS,
        }
    }

    /// Appends the event's part of its line.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = match *self {
            Event::Fetched { key, status, class, fd, size } => {
                let (key, status) = (Encoded(key), status.word());
                write!(out, "type=item_get key={key} status={status} clsid={class} cfd={fd} size={size}")
            }
            Event::Stored { key, status, command, ttl, class, fd, size } => {
                let key = Encoded(key);
                write!(
                    out,
                    "type=item_store key={key} status={status} cmd={command} ttl={ttl} clsid={class} cfd={fd} size={size}"
                )
            }
            Event::Evicted { key, fetched, ttl, idle_secs, class, size } => {
                let (key, fetched) = (Encoded(key), if fetched { "yes" } else { "no" });
                write!(
                    out,
                    "type=eviction key={key} fetch={fetched} ttl={ttl} la={idle_secs} clsid={class} size={size}"
                )
            }
            Event::Deleted { key, command, class, size } => {
                write!(out, "type=deleted key={} cmd={command} clsid={class} size={size}", Encoded(key))
            }
            Event::Connected { peer, fd } => write!(out, "type=conn_new {} cfd={fd}", Peer(peer)),
            Event::Closed { peer, fd, reason } => {
                write!(out, "type=conn_close {} reason={} cfd={fd}", Peer(peer), reason.word())
            }
            Event::PageMoved { from, to } => write!(out, "type=slab_move src={from} dst={to} state=ok"),
        };
    }
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::NotFound => "not_found",
            Status::Found => "found",
            Status::Flushed => "flushed",
            Status::Expired => "expired",
        }
    }
}

impl CloseReason {
    fn word(self) -> &'static str {
        match self {
            CloseReason::Error => "error",
            CloseReason::Normal => "normal",
            CloseReason::IdleTimeout => "idle_timeout",
            CloseReason::Shutdown => "shutdown",
        }
    }
}

/// Address, port and transport of a client.
struct Peer(Option<SocketAddr>);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "rip={} rport={} transport=tcp", address.ip(), address.port()),
            None => f.write_str("rip=unix rport=0 transport=local"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_memcacheds() {
        let peer = Some("127.0.0.1:43088".parse().unwrap());
        let six = Some("[::1]:5".parse().unwrap());
        let key = b"k%/~-._a\x80 0".as_slice();
        let cases = [
            (
                Event::Fetched { key: b"a", status: Status::NotFound, class: 0, fd: 14, size: 0 },
                "type=item_get key=a status=not_found clsid=0 cfd=14 size=0",
            ),
            (
                Event::Fetched { key, status: Status::Expired, class: 3, fd: -1, size: 9 },
                "type=item_get key=k%25%2F~-._a%80%200 status=expired clsid=3 cfd=-1 size=9",
            ),
            (
                Event::Stored { key: b"a", status: "stored", command: "append", ttl: 58, class: 1, fd: 14, size: 5 },
                "type=item_store key=a status=stored cmd=append ttl=58 clsid=1 cfd=14 size=5",
            ),
            (
                Event::Evicted { key: b"n,o", fetched: true, ttl: -1, idle_secs: 7, class: 2, size: 11_000 },
                "type=eviction key=n%2Co fetch=yes ttl=-1 la=7 clsid=2 size=11000",
            ),
            (
                Event::Evicted { key: b"n", fetched: false, ttl: 40, idle_secs: 0, class: 2, size: 1 },
                "type=eviction key=n fetch=no ttl=40 la=0 clsid=2 size=1",
            ),
            (
                Event::Deleted { key: b"e", command: "delete", class: 1, size: 1 },
                "type=deleted key=e cmd=delete clsid=1 size=1",
            ),
            (Event::Connected { peer, fd: 14 }, "type=conn_new rip=127.0.0.1 rport=43088 transport=tcp cfd=14"),
            (
                Event::Closed { peer, fd: 14, reason: CloseReason::Normal },
                "type=conn_close rip=127.0.0.1 rport=43088 transport=tcp reason=normal cfd=14",
            ),
            (
                Event::Closed { peer: six, fd: 9, reason: CloseReason::IdleTimeout },
                "type=conn_close rip=::1 rport=5 transport=tcp reason=idle_timeout cfd=9",
            ),
            (
                Event::Closed { peer: None, fd: 9, reason: CloseReason::Shutdown },
                "type=conn_close rip=unix rport=0 transport=local reason=shutdown cfd=9",
            ),
            (Event::PageMoved { from: 3, to: 5 }, "type=slab_move src=3 dst=5 state=ok"),
        ];
        for (event, expected) in cases {
            let mut line = Vec::new();
            event.write(&mut line);
            assert_eq!(String::from_utf8_lossy(&line), expected);
        }
    }
}

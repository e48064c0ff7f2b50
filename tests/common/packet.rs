//! Requests and replies, and a client that plays them.

use std::net::SocketAddr;

use super::{Client, Flavour, Server};

/// A request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    pub(crate) opcode: u8,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: u64,
}

/// A request without extras and value.
pub(crate) fn ask(opcode: u8, key: &str) -> Request {
    Request { opcode, key: key.into(), ..Request::default() }
}

/// Set, add, replace: flags and exptime, then the value.
pub(crate) fn store(opcode: u8, key: &str, flags: u32, exptime: u32, value: impl AsRef<[u8]>) -> Request {
    let extras = [flags.to_be_bytes(), exptime.to_be_bytes()].concat();
    Request { extras, value: value.as_ref().into(), ..ask(opcode, key) }
}

/// incr, decr.
pub(crate) fn count(opcode: u8, key: &str, delta: u64, initial: u64, exptime: u32) -> Request {
    let extras = [&delta.to_be_bytes()[..], &initial.to_be_bytes(), &exptime.to_be_bytes()].concat();
    Request { extras, ..ask(opcode, key) }
}

/// touch, gat.
pub(crate) fn touch(opcode: u8, key: &str, exptime: u32) -> Request {
    Request { extras: exptime.to_be_bytes().into(), ..ask(opcode, key) }
}

impl Request {
    pub(crate) fn value(self, value: impl AsRef<[u8]>) -> Request {
        Request { value: value.as_ref().into(), ..self }
    }

    pub(crate) fn cas(self, cas: u64) -> Request {
        Request { cas, ..self }
    }

    /// The bytes to send, with this opaque.
    pub(crate) fn bytes(&self, opaque: u32) -> Vec<u8> {
        let body_len = (self.extras.len() + self.key.len() + self.value.len()) as u32;
        let header = header(self.opcode, self.key.len() as u16, self.extras.len() as u8, body_len, opaque, self.cas);
        [&header[..], &self.extras, &self.key, &self.value].concat()
    }
}

/// The header of a request.
pub(crate) fn header(opcode: u8, key_len: u16, extras_len: u8, body_len: u32, opaque: u32, cas: u64) -> Vec<u8> {
    let [k1, k0] = key_len.to_be_bytes();
    let start = [0x80, opcode, k1, k0, extras_len, 0, 0, 0];
    [&start[..], &body_len.to_be_bytes(), &opaque.to_be_bytes(), &cas.to_be_bytes()].concat()
}

/// A reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) opcode: u8,
    pub(crate) status: u16,
    pub(crate) extras: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) cas: u64,
}

impl Reply {
    /// Status and value as text.
    #[track_caller]
    pub(crate) fn says(&self, status: u16, text: &str) {
        assert_eq!((self.status, String::from_utf8_lossy(&self.value).as_ref()), (status, text), "{self:?}");
    }
}

/// A server and a client; requests are numbered, and each reply must carry a number that was sent.
pub(crate) struct Play {
    pub(crate) client: Client,
    flavour: Flavour,
    opaque: u32,
    _server: Option<Server>,
}

impl Play {
    pub(crate) fn start() -> Play {
        Play::start_with(&[])
    }

    pub(crate) fn start_with(arguments: &[&str]) -> Play {
        let server = Server::start(arguments);
        let mut play = Play::on(&server);
        play._server = Some(server);
        play
    }

    /// A client of a server that is somebody else's.
    pub(crate) fn on(server: &Server) -> Play {
        Play { client: server.connect(), flavour: server.flavour(), opaque: 0x0102_0304, _server: None }
    }

    /// A client of a Larder at this address.
    pub(crate) fn to(address: SocketAddr) -> Play {
        Play { client: Client::connect(address), flavour: Flavour::Larder, opaque: 0x0102_0304, _server: None }
    }

    pub(crate) fn is_larder(&self) -> bool {
        self.flavour == Flavour::Larder
    }

    /// Sends without waiting for a reply; the number it carries.
    pub(crate) fn send(&mut self, request: &Request) -> u32 {
        self.opaque += 1;
        self.client.send(request.bytes(self.opaque));
        self.opaque
    }

    /// The next reply, which must be to the request of this number.
    #[track_caller]
    pub(crate) fn reply_to(&mut self, opaque: u32) -> Reply {
        let head = self.client.take(24);
        assert_eq!(head[0], 0x81, "magic of {head:?}");
        let number = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
        assert_eq!(number(12), opaque, "opaque of {head:?}");
        let (key_len, extras_len) = (usize::from(u16::from_be_bytes([head[2], head[3]])), usize::from(head[4]));
        let body = self.client.take(number(8) as usize);
        Reply {
            opcode: head[1],
            status: u16::from_be_bytes([head[6], head[7]]),
            extras: body[..extras_len].into(),
            key: body[extras_len..extras_len + key_len].into(),
            value: body[extras_len + key_len..].into(),
            cas: u64::from_be_bytes(head[16..24].try_into().expect("eight bytes")),
        }
    }

    /// Sends and takes the reply, which must repeat the opcode.
    #[track_caller]
    pub(crate) fn play(&mut self, request: &Request) -> Reply {
        let opaque = self.send(request);
        let reply = self.reply_to(opaque);
        assert_eq!(reply.opcode, request.opcode);
        reply
    }

    /// Nothing may have been answered before this.
    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        assert_eq!(self.play(&ask(0x0a, "")).status, 0);
    }
}

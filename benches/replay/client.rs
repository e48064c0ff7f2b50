//! The application's connections: each key always goes over the same one, so that its requests stay in their order.
//!
//! What a batch asks is written to all connections first and read from them afterwards. Values of a batch's misses wait
//! in the buffer of their connection and leave in front of its next requests.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::load::keyspace::{KEY_BYTES_MAX, Keyspace};
use crate::load::random::mixed;
use crate::request::{Action, Request};
use crate::values::Values;

/// All connections to one server.
pub(crate) struct Client {
    lanes: Vec<Lane>,
    keyspace: Keyspace,
    values: Values,
    /// Values that the server had no memory for.
    pub(crate) refused: u64,
}

/// One connection.
struct Lane {
    reader: BufReader<TcpStream>,
    out: Vec<u8>,
    awaited: VecDeque<Awaited>,
    line: Vec<u8>,
    value: Vec<u8>,
}

/// A reply that is to come.
enum Awaited {
    Stored,
    Deleted,
    /// Of the request with this number in its batch, whose object has this version.
    Value(usize, u32),
}

impl Client {
    /// Connects to the server.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Client> {
        let lanes = (0..LANES).map(|_| Lane::connect(address)).collect::<io::Result<_>>()?;
        Ok(Client { lanes, keyspace: Keyspace::with_key_bytes(KEY_BYTES), values: Values::new(), refused: 0 })
    }

    /// Adds a request to the batch: `number` stands for it in [`Client::exchange`].
    pub(crate) fn ask(&mut self, number: usize, request: &Request, version: u32) {
        let mut name = [0; KEY_BYTES_MAX];
        let name = self.keyspace.name(request.key, &mut name);
        let lane = lane_of(&mut self.lanes, request.key);
        let (verb, awaited): (&[u8], _) = match request.action {
            Action::Read => (b"get ", Awaited::Value(number, version)),
            Action::Change => (b"delete ", Awaited::Deleted),
        };
        for part in [verb, name, b"\r\n"] {
            lane.out.extend_from_slice(part);
        }
        lane.awaited.push_back(awaited);
    }

    /// Adds the storing of the request's object.
    pub(crate) fn store(&mut self, request: &Request, version: u32) {
        let mut name = [0; KEY_BYTES_MAX];
        let name = self.keyspace.name(request.key, &mut name);
        let lane = lane_of(&mut self.lanes, request.key);
        let (ttl, bytes) = (request.ttl, request.bytes);
        lane.out.extend_from_slice(b"set ");
        lane.out.extend_from_slice(name);
        lane.out.extend_from_slice(format!(" 0 {ttl} {bytes}\r\n").as_bytes());
        lane.out.extend_from_slice(self.values.value(request.key, version, bytes));
        lane.out.extend_from_slice(b"\r\n");
        lane.awaited.push_back(Awaited::Stored);
    }

    /// Sends what was added and takes all replies; the numbers of the requests that missed go to `missed`.
    ///
    /// # Errors
    /// When the connection fails, or a reply is not what it must be.
    pub(crate) fn exchange(&mut self, batch: &[Request], missed: &mut Vec<usize>) -> io::Result<()> {
        for lane in &mut self.lanes {
            lane.reader.get_ref().write_all(&lane.out)?;
            lane.out.clear();
        }
        for lane in &mut self.lanes {
            while let Some(awaited) = lane.awaited.pop_front() {
                lane.read_line()?;
                match awaited {
                    Awaited::Stored if lane.line == b"STORED\r\n" => {}
                    Awaited::Stored if lane.line.starts_with(b"SERVER_ERROR out of memory") => self.refused += 1,
                    Awaited::Deleted if matches!(&lane.line[..], b"DELETED\r\n" | b"NOT_FOUND\r\n") => {}
                    Awaited::Value(number, _) if lane.line == b"END\r\n" => missed.push(number),
                    Awaited::Value(number, version) => lane.check(&batch[number], version, &self.values)?,
                    Awaited::Stored | Awaited::Deleted => return Err(lane.unexpected()),
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    fn connect(address: SocketAddr) -> io::Result<Lane> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let reader = BufReader::with_capacity(READ_BYTES, stream);
        Ok(Lane { reader, out: Vec::new(), awaited: VecDeque::new(), line: Vec::new(), value: Vec::new() })
    }

    fn read_line(&mut self) -> io::Result<()> {
        self.line.clear();
        self.reader.read_until(b'\n', &mut self.line)?;
        Ok(())
    }

    /// Reads the value whose head line was read, and the end of the reply.
    fn check(&mut self, request: &Request, version: u32, values: &Values) -> io::Result<()> {
        let told = self.line.strip_prefix(b"VALUE ").and_then(|rest| rest.rsplit(|&byte| byte == b' ').next());
        if told.is_none_or(|told| told != format!("{}\r\n", request.bytes).as_bytes()) {
            return Err(self.unexpected());
        }
        self.value.resize(request.bytes + END.len(), 0);
        self.reader.read_exact(&mut self.value)?;
        let (value, end) = self.value.split_at(request.bytes);
        if end != END || value != values.value(request.key, version, request.bytes) {
            return Err(io::Error::other(format!("a wrong value for {request:?} at version {version}")));
        }
        Ok(())
    }

    fn unexpected(&self) -> io::Error {
        io::Error::other(format!("an unexpected reply: {:?}", String::from_utf8_lossy(&self.line)))
    }
}

fn lane_of(lanes: &mut [Lane], key: u64) -> &mut Lane {
    let count = lanes.len() as u64;
    &mut lanes[(mixed(key) % count) as usize]
}

/// Connections; a multiple of the servers' threads, so that each has some.
const LANES: usize = 4;
const KEY_BYTES: usize = 24;
const READ_BYTES: usize = 256 << 10;
const END: &[u8] = b"\r\nEND\r\n";
const PATIENCE: Duration = Duration::from_secs(10);

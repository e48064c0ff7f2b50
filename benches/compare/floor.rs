//! The floor: a server that waits, reads and writes and does nothing else, so the least that the kernel charges for a
//! row's load.
//!
//! It answers every so many bytes with the same bytes, which were recorded from a Larder that was asked the row's batch.
//! For that its load asks for one key only: then all batches are alike, and the load generator still checks every byte
//! of the answers. It runs as a process of its own, which is this bench once more (`--floor-server`), so that its
//! processor time is told apart from the load's.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream as BlockingStream};
use std::path::Path;
use std::process::ExitCode;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::contestant::process::Contestant;
use crate::load::checker::{Checker, Tally};
use crate::load::traffic::Traffic;
use crate::load::workload::{Losses, Workload};
use crate::measure::{CONNECTIONS_MAX, SEED, fill};
use crate::rows::Row;

/// The load of the row with a single key; `None` where batches differ in length even so.
pub(crate) fn workload(row: &Row) -> Option<Workload> {
    let mixed = row.workload.mix.gets > 0 && row.workload.mix.sets > 0;
    (!mixed && row.workload.losses == Losses::Forbidden).then(|| Workload { key_count: 1, ..row.workload.clone() })
}

/// The floor for a load: what one batch of it gets from `larder` is recorded into `folder`.
pub(crate) fn contestant(workload: &Workload, larder: &Contestant, folder: &Path) -> Result<Contestant, String> {
    let (batch_bytes, reply) = record(workload, larder)?;
    let file = folder.join("reply");
    fs::write(&file, reply).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    let itself = env::current_exe().map_err(|error| format!("cannot tell the name of this program: {error}"))?;
    let arguments = vec![FLAG.to_owned(), batch_bytes.to_string(), file.display().to_string()];
    Ok(Contestant { name: "floor".into(), wrapper: vec![], program: itself, arguments })
}

fn record(workload: &Workload, larder: &Contestant) -> Result<(usize, Vec<u8>), String> {
    let server = larder.start(1, 64, CONNECTIONS_MAX)?;
    fill(workload, server.address())?;
    let mut traffic = Traffic::of(workload, SEED);
    let mut checker = Checker::default();
    let mut batch = Vec::new();
    traffic.write_batch(u64::MAX, checker.next_batch(), &mut batch);
    let failed = |error: io::Error| format!("no answer to record: {error}");
    let mut stream = BlockingStream::connect(server.address()).map_err(failed)?;
    stream.write_all(&batch).map_err(failed)?;
    let (mut reply, mut checked, mut tally) = (Vec::new(), 0, Tally::default());
    let mut buffer = vec![0; INPUT_BYTES];
    while !checker.is_done() {
        let count = stream.read(&mut buffer).map_err(failed)?;
        if count == 0 {
            return Err("the answer to record ended early".to_owned());
        }
        reply.extend_from_slice(&buffer[..count]);
        let taken = checker.feed(traffic.corpus(), &mut tally, &reply[checked..]);
        checked += taken.map_err(|mismatch| format!("the answer to record is {mismatch}"))?;
    }
    Ok((batch.len(), reply))
}

/// Serves until killed if this process was started by [`contestant`]; `None` if it was started by a user.
pub(crate) fn serve_if_asked() -> Option<ExitCode> {
    let words: Vec<String> = env::args().collect();
    let at = words.iter().position(|word| word == FLAG)?;
    let port = words.iter().position(|word| word == "-p")?;
    let (port, batch_bytes) = (words.get(port + 1)?.parse().ok()?, words.get(at + 1)?.parse().ok()?);
    let outcome = fs::read(words.get(at + 2)?).and_then(|reply| Floor::listen(port, batch_bytes, reply)?.serve());
    Some(match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    })
}

/// The server.
struct Floor {
    poll: Poll,
    listener: TcpListener,
    batch_bytes: usize,
    reply: Vec<u8>,
    peers: HashMap<Token, Peer>,
}

/// A connection, and how far it is in its batch and in the answer.
struct Peer {
    stream: TcpStream,
    batch_received: usize,
    reply_owed: usize,
}

impl Floor {
    fn listen(port: u16, batch_bytes: usize, reply: Vec<u8>) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Floor { poll, listener, batch_bytes, reply, peers: HashMap::new() })
    }

    fn serve(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(CONNECTIONS_MAX);
        let mut input = vec![0; INPUT_BYTES];
        let mut next = LISTENER.0;
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                if event.token() == LISTENER {
                    while let Ok((mut stream, _)) = self.listener.accept() {
                        next += 1;
                        let _ = stream.set_nodelay(true);
                        let interest = Interest::READABLE | Interest::WRITABLE;
                        self.poll.registry().register(&mut stream, Token(next), interest)?;
                        self.peers.insert(Token(next), Peer { stream, batch_received: 0, reply_owed: 0 });
                    }
                } else if let Some(peer) = self.peers.get_mut(&event.token())
                    && peer.serve(self.batch_bytes, &self.reply, &mut input).is_err()
                {
                    self.peers.remove(&event.token());
                }
            }
        }
    }
}

impl Peer {
    /// Writes what is owed and reads what is there; an error ends the connection.
    fn serve(&mut self, batch_bytes: usize, reply: &[u8], input: &mut [u8]) -> io::Result<()> {
        self.write(reply)?;
        while self.reply_owed == 0 {
            let count = match self.stream.read(input) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                outcome => outcome?,
            };
            if input[..count].starts_with(b"version") {
                self.stream.write_all(b"VERSION epoll\r\n")?;
                continue;
            }
            self.batch_received += count;
            if self.batch_received >= batch_bytes {
                self.batch_received -= batch_bytes;
                self.reply_owed = reply.len();
                self.write(reply)?;
            }
            if count < input.len() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn write(&mut self, reply: &[u8]) -> io::Result<()> {
        while self.reply_owed > 0 {
            match self.stream.write(&reply[reply.len() - self.reply_owed..]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                outcome => self.reply_owed -= outcome?,
            }
        }
        Ok(())
    }
}

/// How this program is told to be the floor; batch length and the file of the answer follow.
const FLAG: &str = "--floor-server";
const LISTENER: Token = Token(0);
const INPUT_BYTES: usize = 256 * 1024;

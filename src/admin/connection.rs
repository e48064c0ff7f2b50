//! One connection at the admin port: bytes in, answers out, and when it has to end.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::request::{self, HEAD_BYTES_MAX, Head, Request};
use super::response::Response;
use super::wire::Wire;

/// How long a request may take to arrive, from its first byte or from the beginning of the connection: a TLS handshake
/// and the first request have this time together.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);

/// How long an answer may take to leave.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a connection is kept without a request.
const IDLE_TIME_MAX: Duration = Duration::from_secs(60);

/// How long what is still coming is thrown away after the last answer, or after TLS has said why there is none, which
/// would get lost otherwise: closing a socket with unread bytes resets the connection.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);

/// Requests of one connection that are answered before others have their turn.
const ANSWERS_MAX: usize = 8;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for its socket.
    Wait,
    /// It is over.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Requests are read and answered.
    Serving,
    /// The last answer is being sent.
    Last,
    /// It was sent; the client has to close.
    Lingering,
}

/// What a client did to TLS.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TlsFault {
    /// Its handshake was never done, for this reason.
    Handshake(String),
    /// It sent what it had not encrypted.
    Data(String),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) wire: Wire,
    phase: Phase,
    deadline: Instant,
    last_asked: Instant,
    /// What has arrived and was not answered yet; wiped, as there may be a token in it.
    input: Zeroizing<Vec<u8>>,
    /// There may be a request in `input` that has to wait for its turn.
    is_behind: bool,
    output: Vec<u8>,
    /// How much of `output` has left.
    sent: usize,
    /// What went wrong with TLS, until somebody takes it.
    fault: Option<TlsFault>,
}

impl Connection {
    pub(super) fn new(wire: Wire, now: Instant) -> Connection {
        Connection {
            wire,
            phase: Phase::Serving,
            deadline: now + REQUEST_TIME_MAX,
            last_asked: now,
            input: Zeroizing::new(Vec::with_capacity(HEAD_BYTES_MAX)),
            is_behind: false,
            output: Vec::new(),
            sent: 0,
            fault: None,
        }
    }

    /// When it is over in any case.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// When it came or asked last.
    pub(super) fn last_asked(&self) -> Instant {
        self.last_asked
    }

    /// Whether it waits for room in the socket, and not for bytes.
    pub(super) fn is_sending(&self) -> bool {
        self.phase != Phase::Lingering && (self.sent < self.output.len() || self.wire.has_unsent())
    }

    /// Whether it can go on although its socket has nothing new.
    pub(super) fn has_more(&self) -> bool {
        self.phase != Phase::Lingering && !self.is_sending() && (self.is_behind || self.wire.has_more())
    }

    /// What went wrong with TLS since this was asked last.
    pub(super) fn take_fault(&mut self) -> Option<TlsFault> {
        self.fault.take()
    }

    /// It is over whatever it waits for, and this is why.
    pub(super) fn give_up(&mut self, why: &str) {
        self.note_unopened(why);
    }

    /// A handshake that is over without being done. Who lingers has been noted.
    fn note_unopened(&mut self, why: impl ToString) {
        if self.phase != Phase::Lingering && !self.wire.is_open() {
            self.fault = Some(TlsFault::Handshake(why.to_string()));
        }
    }

    /// Sends, reads once and answers what is there, up to [`ANSWERS_MAX`] requests.
    pub(super) fn turn(&mut self, now: Instant, answer: impl Fn(&Request<'_>) -> Response) -> Turn {
        self.try_turn(now, answer).unwrap_or_else(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => Turn::Wait,
            // No socket says so: TLS was broken.
            ErrorKind::InvalidData => self.part(&error, now),
            _ => {
                self.note_unopened(error);
                Turn::Close
            }
        })
    }

    /// Lets the client read what TLS has told it.
    fn part(&mut self, error: &io::Error, now: Instant) -> Turn {
        let kind = if self.wire.is_open() { TlsFault::Data } else { TlsFault::Handshake };
        self.fault = Some(kind(error.to_string()));
        let told = self.wire.flush().and_then(|()| self.wire.shut());
        self.phase = Phase::Lingering;
        self.deadline = now + LINGER_TIME_MAX;
        if told.is_ok() { Turn::Wait } else { Turn::Close }
    }

    fn try_turn(&mut self, now: Instant, answer: impl Fn(&Request<'_>) -> Response) -> io::Result<Turn> {
        if self.phase == Phase::Lingering {
            return self.linger();
        }
        self.wire.open()?;
        let mut has_read = false;
        self.is_behind = false;
        for _ in 0..ANSWERS_MAX {
            self.send(now)?;
            if self.phase == Phase::Lingering {
                return self.linger();
            }
            match request::parse(&self.input) {
                // As at the end of any idle connection, the client asks on another one.
                Head::Whole(..) if self.wire.has_lapsed() => return Ok(Turn::Close),
                Head::Whole(request, length) => {
                    self.output.clear();
                    answer(&request).write(request.is_head, request.keeps_alive, &mut self.output);
                    if !request.keeps_alive {
                        self.phase = Phase::Last;
                    }
                    self.input.drain(..length);
                }
                Head::Refused(status) => {
                    self.output.clear();
                    Response::of(status).write(false, false, &mut self.output);
                    self.phase = Phase::Last;
                }
                Head::Partial if has_read => return Ok(Turn::Wait),
                Head::Partial => {
                    if !self.receive(now)? {
                        return Ok(Turn::Close);
                    }
                    has_read = true;
                    continue;
                }
            }
            self.sent = 0;
            self.last_asked = now;
            self.deadline = now + ANSWER_TIME_MAX;
        }
        self.send(now)?;
        if self.phase == Phase::Lingering {
            return self.linger();
        }
        self.is_behind = !self.input.is_empty();
        Ok(Turn::Wait)
    }

    /// Sends what is owed, all of it or as far as it goes.
    fn send(&mut self, now: Instant) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        while self.sent < self.output.len() {
            match self.wire.write(&self.output[self.sent..])? {
                0 => return Err(ErrorKind::WriteZero.into()),
                bytes => self.sent += bytes,
            }
        }
        self.wire.flush()?;
        self.output = Vec::new();
        self.sent = 0;
        if self.phase == Phase::Last {
            self.phase = Phase::Lingering;
            self.deadline = now + LINGER_TIME_MAX;
            self.wire.end()?;
        } else {
            self.deadline = now + if self.input.is_empty() { IDLE_TIME_MAX } else { REQUEST_TIME_MAX };
        }
        Ok(())
    }

    /// Reads once; false at the end.
    fn receive(&mut self, now: Instant) -> io::Result<bool> {
        let filled = self.input.len();
        self.input.resize(HEAD_BYTES_MAX, 0);
        let outcome = self.wire.read(&mut self.input[filled..]);
        let bytes = outcome.as_ref().map_or(0, |bytes| *bytes);
        self.input.truncate(filled + bytes);
        if filled == 0 && bytes > 0 {
            self.deadline = self.deadline.min(now + REQUEST_TIME_MAX);
        }
        outcome.map(|bytes| bytes > 0)
    }

    fn linger(&mut self) -> io::Result<Turn> {
        match self.wire.discard()? {
            0 => Ok(Turn::Close),
            _ => Ok(Turn::Wait),
        }
    }
}

#[cfg(test)]
mod tests;

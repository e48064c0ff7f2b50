//! One connection without its socket: bytes in, bytes out.
//!
//! [`Session::feed`] is given what arrived and appends what is to be sent to an [`Outbox`] of the caller's; it says
//! how much it took and what it waits for. It owns no buffer: what it could not take yet is the caller's to keep.

mod access;
mod ahead;
mod binary;
mod cluster;
mod login;
mod login_text;
mod lru_command;
mod meta;
pub mod outbox;
mod stats_command;
mod storage;
mod text;
mod values;
mod walk;
mod watch_command;

use std::io::IoSliceMut;

use memchr::memchr;

pub use login::Errand;
pub use outbox::Outbox;

use crate::auth::client::Client;
use crate::clock::Seconds;
use crate::command::WatchKinds;
use crate::exec::Context;
use crate::net::roster::Activity;
use crate::protocol::text::parse::KeysLine;
use crate::settings::ProtocolChoice;
use crate::store::{End, Upload};
use crate::watch::{CloseReason, Seat};
use storage::Tell;
use text::Looked;

/// The longest line without an end, other than get and gets, in bytes; beyond it the connection closes (1.6.45).
const LINE_BYTES_MAX: usize = 2048;

/// A line of get or gets this long is answered key by key as it arrives, so that it needs no memory however long it
/// gets.
const STREAMED_LINE_BYTES: usize = 16 << 10;

/// Of a value that is still to come, this much may wait in a buffer; beyond it, it goes where it will stay.
const WAITING_VALUE_BYTES: usize = 4 << 10;

/// A value of which at least this much is missing is read straight into the store.
const DIRECT_READ_BYTES: usize = 8 << 10;

/// Values of at least this size are sent from the store instead of copied.
const PINNED_VALUE_BYTES: usize = 8 << 10;

/// The largest value that is copied where it could not be sent from the store.
const COPIED_VALUE_BYTES_MAX: usize = 1 << 20;

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// More input. What was not consumed comes again in front of it.
    Input {
        /// Bytes in all, unconsumed ones included, below which there is no point in asking again.
        at_least: usize,
    },
    /// Room in the outbox.
    Room,
    /// Its next turn: it has had its share of requests.
    Turn,
    /// Its next turn: what it does takes many.
    Later,
    /// A login is being decided elsewhere: see [`Session::take_errand`] and [`Session::conclude`].
    Login,
    /// Nothing: the connection ends when everything was sent.
    Close,
    /// Nothing: nothing is to be sent either, and the connection is a watcher's; see [`Session::take_seat`].
    Watch,
}

/// What became of some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that were taken.
    pub consumed: usize,
    /// What the session waits for.
    pub next: Next,
}

/// Room in the store for a value that is under way.
#[derive(Debug)]
pub struct DirectRoom<'a> {
    /// The room, in order.
    pub ranges: Vec<IoSliceMut<'a>>,
    /// Its bytes.
    pub bytes: usize,
    /// Whether the rest of the value fits.
    pub is_all: bool,
}

/// Where a session is.
#[derive(Debug, Default)]
enum Phase {
    /// Between requests.
    #[default]
    Command,
    /// Between the keys of a get.
    Keys(KeysLine),
    /// The rest of a line is thrown away.
    SkipLine,
    /// A value is thrown away.
    Swallow { left: usize },
    /// A value is written into the store as it comes.
    Upload(Box<Uploading>),
    /// A complete value is stored in more than one turn.
    Finish(Box<Uploading>),
    /// The connection is to become a watcher's.
    Watch(Box<Seat>),
    /// All items are walked over.
    Walk(Box<walk::Walk>),
    /// A login is being decided.
    Login(Box<login::Pending>),
}

#[derive(Debug)]
struct Uploading {
    upload: Upload,
    end: End,
    tell: Tell<'static>,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Session {
    protocol: ProtocolChoice,
    phase: Phase,
    /// The line of a storage command is here and its value is not.
    awaits_value: bool,
    /// Where a login is asked for: whose session this is.
    login: Option<Box<login::Login>>,
    /// What `login` says of all keys at once.
    standing: login::Standing,
    /// Why the session ended.
    close_reason: CloseReason,
    /// All there is to be answered came in one datagram, and its reply must have an end.
    one_datagram: bool,
}

impl Session {
    /// A session that has seen nothing yet and may speak `protocol`.
    pub fn new(protocol: ProtocolChoice) -> Session {
        Session { protocol, ..Session::default() }
    }

    /// A session that asks `client` for a login before anything else.
    pub fn with_login(protocol: ProtocolChoice, client: Client, now: Seconds) -> Session {
        let login = login::Login::new(client, now);
        Session { standing: login.standing(), login: Some(Box::new(login)), ..Session::new(protocol) }
    }

    /// A session for the requests of one datagram.
    pub fn for_datagram(protocol: ProtocolChoice) -> Session {
        Session { protocol, one_datagram: true, ..Session::default() }
    }

    /// Takes requests from `input` and appends their replies to `out`, at most `requests_max` of them.
    pub fn feed(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>, requests_max: u32) -> Progress {
        if self.login.is_none() {
            return self.serve(input, out, cx, requests_max).0;
        }
        if self.is_expelled(cx) {
            return Progress { consumed: 0, next: Next::Close };
        }
        let (progress, requests) = self.serve(input, out, cx, requests_max);
        self.count_requests(requests);
        progress
    }

    /// The progress, and how many requests were answered.
    #[inline]
    fn serve(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>, requests_max: u32) -> (Progress, u32) {
        let mut consumed = 0;
        let mut requests = 0;
        // Before a login nothing comes near the store.
        let may_prefetch = cx.shared.store.wants_prefetch() && !self.standing.is_out();
        let mut prefetched = if may_prefetch { 0 } else { u32::MAX };
        loop {
            if out.is_full() {
                return (Progress { consumed, next: Next::Room }, requests);
            }
            if requests == requests_max {
                return (Progress { consumed, next: Next::Turn }, requests);
            }
            if prefetched == 0 && matches!(self.phase, Phase::Command) {
                // Where nothing was recognised, the look is not repeated before some requests are done.
                prefetched = ahead::prefetch(&input[consumed..], &cx.shared.store).max(1);
            }
            let step = self.step(&input[consumed..], out, cx);
            consumed += step.consumed;
            match step.outcome {
                Outcome::Answered => {
                    requests += 1;
                    prefetched = prefetched.saturating_sub(u32::from(prefetched != u32::MAX));
                }
                Outcome::Advanced => {}
                Outcome::Starved { at_least } => {
                    return (Progress { consumed, next: Next::Input { at_least } }, requests);
                }
                Outcome::Watch { kinds } => match self.watch(kinds, requests == 0 && out.is_empty(), out, cx) {
                    Some(next) => return (Progress { consumed, next }, requests),
                    None => requests += 1,
                },
                Outcome::Login => return (Progress { consumed, next: Next::Login }, requests),
                Outcome::Later => return (Progress { consumed, next: Next::Later }, requests),
                Outcome::Full => return (Progress { consumed, next: Next::Room }, requests),
                Outcome::Over => return (Progress { consumed, next: Next::Close }, requests),
            }
        }
    }

    #[inline]
    fn step(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        match &mut self.phase {
            Phase::Command => self.command(input, out, cx),
            Phase::Keys(line) => {
                let line = *line;
                self.keys(line, input, memchr(b'\n', input), Looked::NotYet, out, cx)
            }
            Phase::SkipLine => self.skip_line(input),
            Phase::Swallow { left } => {
                let part = input.len().min(*left);
                *left -= part;
                if *left > 0 {
                    return Step::starved_after(part, 1);
                }
                self.phase = Phase::Command;
                Step::advanced(part)
            }
            Phase::Upload(_) => self.receive(input, out, cx),
            Phase::Finish(_) => self.finish_on(out, cx),
            // It was said already that nothing more is answered here.
            Phase::Watch(_) => Step::over(),
            Phase::Walk(_) => self.walk(out, cx),
            Phase::Login(_) => self.decide(out, cx),
        }
    }

    /// Where to read the next bytes to without a copy: room in the store for a value that is under way, if there is
    /// much to come. Where that is room for all of it, the caller may read on into a buffer of its own.
    pub fn direct_room(&mut self, cx: &Context<'_>) -> Option<DirectRoom<'_>> {
        let Phase::Upload(uploading) = &mut self.phase else { return None };
        if uploading.upload.left() < DIRECT_READ_BYTES {
            return None;
        }
        let left = uploading.upload.left();
        let ranges = uploading.upload.spare(cx.now).ok()?;
        let ranges: Vec<_> = ranges.into_iter().filter(|range| !range.is_empty()).map(IoSliceMut::new).collect();
        let bytes = ranges.iter().map(|range| range.len()).sum();
        Some(DirectRoom { ranges, bytes, is_all: bytes == left })
    }

    /// The first `len` bytes of the last [`Session::direct_room`] were read into.
    pub fn filled(&mut self, len: usize) {
        if let Phase::Upload(uploading) = &mut self.phase {
            uploading.upload.filled(len);
        }
    }

    /// What the session is doing, for `stats conns`.
    pub fn activity(&self) -> Activity {
        match self.phase {
            Phase::Command if self.awaits_value => Activity::Nread,
            Phase::Command | Phase::Keys(_) | Phase::SkipLine | Phase::Login(_) => Activity::Read,
            Phase::Swallow { .. } => Activity::Swallow,
            Phase::Upload(_) | Phase::Finish(_) => Activity::Nread,
            Phase::Watch(_) => Activity::Watch,
            Phase::Walk(_) => Activity::Mwrite,
        }
    }

    /// Bytes of a refused request that were not taken, after [`Next::Close`]; some of them may not have come yet.
    pub fn refused_bytes(&self) -> usize {
        if let Phase::Swallow { left } = self.phase { left } else { 0 }
    }

    /// Why the session ended, after [`Next::Close`].
    pub fn close_reason(&self) -> CloseReason {
        self.close_reason
    }
}

/// What one step of a session did.
#[derive(Clone, Copy, Debug)]
struct Step {
    consumed: usize,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// A request is done.
    Answered,
    /// Something was consumed or the phase changed.
    Advanced,
    /// Nothing more can be done with this input.
    Starved { at_least: usize },
    /// A watch came.
    Watch { kinds: Option<WatchKinds> },
    /// A login is being decided.
    Login,
    /// Enough was done for one turn.
    Later,
    /// Nothing more can be done before something was sent.
    Full,
    /// The connection ends.
    Over,
}

impl Step {
    fn answered(consumed: usize) -> Step {
        Step { consumed, outcome: Outcome::Answered }
    }

    fn advanced(consumed: usize) -> Step {
        Step { consumed, outcome: Outcome::Advanced }
    }

    /// Nothing is consumed until there are `at_least` bytes.
    fn starved(at_least: usize) -> Step {
        Step::starved_after(0, at_least)
    }

    fn starved_after(consumed: usize, at_least: usize) -> Step {
        Step { consumed, outcome: Outcome::Starved { at_least } }
    }

    fn watch(consumed: usize, kinds: Option<WatchKinds>) -> Step {
        Step { consumed, outcome: Outcome::Watch { kinds } }
    }

    fn later_after(consumed: usize) -> Step {
        Step { consumed, outcome: Outcome::Later }
    }

    fn full(consumed: usize) -> Step {
        Step { consumed, outcome: Outcome::Full }
    }

    fn over() -> Step {
        Step { consumed: 0, outcome: Outcome::Over }
    }
}

#[cfg(test)]
mod tests;

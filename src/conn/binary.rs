//! The binary protocol's part of a session. A request is executed when its header, extras and key are here; its value
//! takes the way of all values.

use super::login::{Login, LoginTell, Message, Standing};
use super::storage::{Storing, Tell};
use super::values::{self, Given};
use super::{Outbox, Outcome as After, Session, Step};
use super::{access, cluster};
use crate::auth::sasl::MESSAGE_MAX;
use crate::auth::user::Identity;
use crate::clock::Seconds;
use crate::command::{Delta, Mode};
use crate::exec::Context;
use crate::exec::admin::{DetailOrder, DetailOutcome, FlushOutcome};
use crate::exec::watch::Deletion;
use crate::protocol::binary::HEADER_BYTES;
use crate::protocol::binary::reply::{Echo, Status};
use crate::protocol::binary::request::{Header, Verb, u32_at, u64_at};
use crate::stats::{self, Stats};
use crate::store::{
    CreateNumber, DeltaOutcome, DeltaTerms, End, Fetch, OnFailure, Outcome, Put, Removal, RemoveOutcome, Terms,
};
use crate::watch::CloseReason;

/// The exptime of incr and decr that forbids them to create the item.
const DO_NOT_CREATE: u32 = u32::MAX;

/// How the outcome of a storage command is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct BinaryTell {
    echo: Echo,
    verb: Verb,
    is_quiet: bool,
}

/// A request without its value.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    header: &'a Header,
    echo: Echo,
    extras: &'a [u8],
    key: &'a [u8],
}

impl Session {
    /// Executes the binary request that `input` begins with, or waits for more of it.
    #[inline]
    pub(super) fn binary(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else { return Step::starved(HEADER_BYTES) };
        let header = match Header::read(header) {
            Ok(header) => header,
            Err(fault) => {
                Echo { opcode: fault.opcode, opaque: fault.opaque }.error(out.bytes(), fault.status);
                return Step::over();
            }
        };
        let echo = Echo { opcode: header.opcode, opaque: header.opaque };
        if self.hears_secrets() && !is_told_to_strangers(header.verb, cx) {
            return self.refuse_stranger(&header, echo, out);
        }
        if header.verb == Verb::Unknown || self.login.is_none() && header.verb.is_login() {
            echo.error(out.bytes(), Status::UnknownCommand);
            self.swallow(header.extras_len + header.key_len + header.value_len);
            return Step::answered(HEADER_BYTES);
        }
        let head_len = header.head_len();
        let Some(head) = input.get(HEADER_BYTES..head_len) else { return Step::starved(head_len) };
        if cx.shared.verbosity() > 1 {
            log::debug!("request opcode={:#04x}", header.opcode);
        }
        let (extras, key) = head.split_at(header.extras_len);
        let asked = Asked { header: &header, echo, extras, key };
        if self.standing != Standing::FREE && !self.may_ask(header.verb, key, cx) {
            echo.error(out.bytes(), Status::AuthError);
            self.swallow(header.value_len);
            return Step::answered(head_len);
        }
        match header.verb {
            Verb::Set | Verb::Add | Verb::Replace | Verb::Append | Verb::Prepend => {
                return self.store(&asked.storing(cx), head_len, &input[head_len..], out, cx);
            }
            Verb::SaslList | Verb::SaslAuth | Verb::SaslStep => {
                return self.binary_login(&asked, &input[head_len..], out, cx);
            }
            Verb::Quit => {
                self.close_reason = CloseReason::Normal;
                asked.done(out, &[], 0);
                return Step::over();
            }
            Verb::Stat => asked.stat(self.login.as_deref().and_then(Login::member), out, cx),
            Verb::Get { with_key } => asked.get(&Fetch::GET, with_key, out, cx),
            Verb::ConfigGet => cluster::binary_config_get(key, echo, out, cx),
            verb if cluster::is_write(access::of_binary(verb, key), cx) => asked.error(out, Status::AuthError),
            _ => asked.execute(out, cx),
        }
        // Where a value means nothing it is thrown away.
        if header.value_len > 0 {
            self.swallow(header.value_len);
        }
        Step::answered(head_len)
    }
}

/// Whether this is answered before a login.
#[cold]
fn is_told_to_strangers(verb: Verb, cx: &Context<'_>) -> bool {
    verb.is_login() || verb == Verb::Version || verb == Verb::ConfigGet && cx.tells_list_before_login()
}

/// The longest name of a mechanism in bytes (memcached; RFC 4422 section 3.1 has 20).
const MECHANISM_BYTES_MAX: usize = 32;

impl Session {
    /// Whether who is logged in may ask this; before a login, what comes here may be asked by anyone.
    #[cold]
    fn may_ask(&self, verb: Verb, key: &[u8], cx: &Context<'_>) -> bool {
        let gets_list = matches!(verb, Verb::Get { .. }) && cx.is_list_key(key);
        self.hears_secrets() || gets_list || self.may(access::of_binary(verb, key))
    }

    /// What is left of the request is told to whoever closes the connection.
    #[cold]
    fn refuse_stranger(&mut self, header: &Header, echo: Echo, out: &mut Outbox) -> Step {
        echo.error(out.bytes(), Status::AuthError);
        self.swallow(header.head_len() + header.value_len);
        Step::over()
    }

    fn binary_login(&mut self, asked: &Asked<'_>, behind: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        self.note_secret();
        let &Asked { header, echo, key, .. } = asked;
        let head_len = header.head_len();
        if header.verb == Verb::SaslList {
            echo.success(out.bytes(), self.mechanisms(cx).unwrap_or_default().as_bytes(), 0);
            return Step::answered(head_len);
        }
        let refusal = if key.len() > MECHANISM_BYTES_MAX {
            Some((Status::InvalidArguments, After::Answered))
        } else if header.value_len > MESSAGE_MAX {
            Some((Status::AuthError, self.oversized()))
        } else {
            None
        };
        if let Some((status, outcome)) = refusal {
            echo.error(out.bytes(), status);
            self.swallow(header.value_len);
            return Step { consumed: head_len, outcome };
        }
        let Some(message) = behind.get(..header.value_len) else { return Step::starved(head_len + header.value_len) };
        let message = if header.verb == Verb::SaslAuth { Message::First(key, message) } else { Message::Next(message) };
        let outcome = self.sasl(message, LoginTell::Binary(echo), out, cx);
        Step { consumed: head_len + header.value_len, outcome }
    }
}

impl<'a> Asked<'a> {
    fn execute(&self, out: &mut Outbox, cx: &Context<'_>) {
        match self.header.verb {
            Verb::GetAndTouch { with_key } => self.get(&Fetch::touch(self.expiry(0, cx)), with_key, out, cx),
            Verb::Touch => self.touch(out, cx),
            Verb::Delete => self.delete(out, cx),
            Verb::Increment => self.add_delta(Delta::Incr(u64_at(self.extras, 0)), out, cx),
            Verb::Decrement => self.add_delta(Delta::Decr(u64_at(self.extras, 0)), out, cx),
            Verb::Flush => match cx.flush_all(|| Some(i64::from(u32_at(self.extras, 0)))) {
                FlushOutcome::Refused => self.error(out, Status::AuthError),
                FlushOutcome::Done | FlushOutcome::InvalidExptime => self.done(out, &[], 0),
            },
            Verb::Noop => self.done(out, &[], 0),
            Verb::Version => self.done(out, crate::MEMCACHED_VERSION.as_bytes(), 0),
            Verb::Get { .. }
            | Verb::Set
            | Verb::Add
            | Verb::Replace
            | Verb::Append
            | Verb::Prepend
            | Verb::Quit
            | Verb::Stat
            | Verb::SaslList
            | Verb::SaslAuth
            | Verb::SaslStep
            | Verb::ConfigGet
            | Verb::Unknown => {
                unreachable!("the session takes these itself")
            }
        }
    }

    /// The expiry that the extras name at `at`. Unlike in text, exptimes have no sign.
    fn expiry(&self, at: usize, cx: &Context<'_>) -> Seconds {
        cx.shared.clock.expiry(u32_at(self.extras, at), cx.now)
    }

    /// The CAS number to compare with. With `-C` no item has it.
    fn compare(&self) -> Option<u64> {
        (self.header.cas != 0).then_some(self.header.cas)
    }

    /// Success, unless it goes without saying.
    #[inline]
    fn done(&self, out: &mut Outbox, value: &[u8], cas: u64) {
        if !self.header.is_quiet {
            self.echo.success(out.bytes(), value, cas);
        }
    }

    fn error(&self, out: &mut Outbox, status: Status) {
        self.echo.error(out.bytes(), status);
    }

    #[inline(always)] // As `Context::fetch`.
    fn get(&self, how: &Fetch, with_key: bool, out: &mut Outbox, cx: &Context<'_>) {
        let key: &[u8] = if with_key { self.key } else { &[] };
        let given = cx.fetch(self.key, how, |found| {
            values::give(out, found, End::None, |bytes, found, parts, value| {
                self.echo.found(
                    bytes,
                    key,
                    parts.client_flags,
                    parts.value_len,
                    found.cas(),
                    value.unwrap_or_default(),
                );
            })
        });
        match given {
            Some(Given::Whole) => {}
            Some(Given::Not) => self.error(out, Status::NoMemoryToGet),
            None => self.say_miss(key, out, cx),
        }
    }

    /// A get has found nothing; `key` is what comes back. If it asked for the list of nodes by its old key, here it is.
    #[inline(never)] // So that a hit does not pay for it.
    fn say_miss(&self, key: &[u8], out: &mut Outbox, cx: &Context<'_>) {
        match cx.list_of_key(self.key) {
            Some(list) => self.echo.found(out.bytes(), key, 0, list.payload.len(), list.version, &list.payload),
            None if self.header.is_quiet => {}
            None if !key.is_empty() => self.echo.miss_with_key(out.bytes(), key),
            None => self.error(out, Status::NotFound),
        }
    }

    fn touch(&self, out: &mut Outbox, cx: &Context<'_>) {
        let touched = cx.fetch(self.key, &Fetch::touch(self.expiry(0, cx)), |found| {
            self.echo.found(out.bytes(), &[], found.client_flags(), 0, found.cas(), &[]);
        });
        if touched.is_none() {
            self.error(out, Status::NotFound);
        }
    }

    #[inline]
    fn storing(&self, cx: &Context<'_>) -> Storing<'a> {
        // With `-C` memcached stores values whatever was asked; only delete, incr and decr go on comparing.
        let compare = self.compare().filter(|_| cx.shared.settings.cas);
        let joins = matches!(self.header.verb, Verb::Append | Verb::Prepend);
        let mode = match (self.header.verb, compare) {
            (Verb::Append, _) => Mode::Append,
            (Verb::Prepend, _) => Mode::Prepend,
            (_, Some(cas)) => Mode::Cas(cas),
            (Verb::Add, None) => Mode::Add,
            (Verb::Replace, None) => Mode::Replace,
            _ => Mode::Set,
        };
        let on_failure = if self.header.verb == Verb::Set { OnFailure::Discard } else { OnFailure::Keep };
        let terms = Terms { compare: compare.filter(|_| joins), on_failure, ..Terms::PLAIN };
        let put = Put { key: self.key, client_flags: u32_at(self.extras, 0), expiry: self.expiry(4, cx), mode };
        let tell = BinaryTell { echo: self.echo, verb: self.header.verb, is_quiet: self.header.is_quiet };
        Storing { put, terms, value_len: self.header.value_len, end: End::None, tell: Tell::Binary(tell) }
    }

    fn delete(&self, out: &mut Outbox, cx: &Context<'_>) {
        let removal = Removal { compare: self.compare(), ..Removal::PLAIN };
        match cx.delete(self.key, &removal, Deletion::Delete) {
            RemoveOutcome::Done => self.done(out, &[], 0),
            RemoveOutcome::NotFound(_) => self.error(out, Status::NotFound),
            RemoveOutcome::Exists => self.error(out, Status::Exists),
            RemoveOutcome::NoMemory => self.error(out, Status::NoMemory),
        }
    }

    fn add_delta(&self, delta: Delta, out: &mut Outbox, cx: &Context<'_>) {
        let create = (u32_at(self.extras, 16) != DO_NOT_CREATE)
            .then(|| CreateNumber { initial: u64_at(self.extras, 8), expiry: self.expiry(16, cx) });
        let terms = DeltaTerms { compare: self.compare(), create, ..DeltaTerms::PLAIN };
        match cx.add_delta(&terms, self.key, delta) {
            DeltaOutcome::Value { number, cas, .. } => self.done(out, &number.to_be_bytes(), cas),
            DeltaOutcome::NotFound => self.error(out, Status::NotFound),
            DeltaOutcome::Exists => self.error(out, Status::Exists),
            DeltaOutcome::NonNumeric => self.error(out, Status::NonNumeric),
            DeltaOutcome::NoMemory => self.error(out, Status::NoMemoryToCount),
            DeltaOutcome::NoMemoryForNew => self.error(out, Status::NoMemoryForNew),
        }
    }
}

impl Asked<'_> {
    /// One reply for each statistic of the group that the key names, and one without key and value.
    fn stat(&self, asks: Option<&Identity>, out: &mut Outbox, cx: &Context<'_>) {
        let shared = cx.shared;
        if let Some(word) = self.key.strip_prefix(b"detail ") {
            return self.detail(word, out, cx);
        }
        let group = match self.key {
            b"" => Some(stats::general(shared, cx.now)),
            key if key.starts_with(b"settings") => Some(stats::settings::all(shared)),
            key if key.starts_with(b"reset") => {
                stats::reset(shared);
                Some(Stats::default())
            }
            key => stats::of_classes_or_users(key, asks, shared, cx.now),
        };
        let Some(group) = group else { return self.error(out, Status::NotFound) };
        for (name, value) in group.iter() {
            self.echo.stat(out.bytes(), name, value.as_bytes());
        }
        self.echo.stat(out.bytes(), "", b"");
    }

    /// Statistics by key prefix are switched, or told as one text.
    fn detail(&self, word: &[u8], out: &mut Outbox, cx: &Context<'_>) {
        let order = match word {
            b"on" => DetailOrder::On,
            b"off" => DetailOrder::Off,
            b"dump" => DetailOrder::Dump,
            _ => return self.error(out, Status::NotFound),
        };
        match cx.detail(order) {
            DetailOutcome::Switched => {}
            DetailOutcome::Lines(lines) => self.echo.stat(out.bytes(), "detailed", &lines),
            DetailOutcome::Refused => return self.error(out, Status::NotFound),
        }
        self.echo.stat(out.bytes(), "", b"");
    }
}

/// The answer to one that nobody has the right to.
pub(super) fn say_unauthorized(out: &mut Outbox, tell: &BinaryTell) {
    tell.echo.error(out.bytes(), Status::AuthError);
}

/// The answer to a storage command.
pub(super) fn say_stored(out: &mut Outbox, tell: &BinaryTell, outcome: Outcome) {
    let status = match outcome {
        Outcome::Stored { .. } if tell.is_quiet => return,
        Outcome::Stored { cas, .. } => return tell.echo.success(out.bytes(), &[], cas),
        Outcome::Exists => Status::Exists,
        Outcome::NotFound => Status::NotFound,
        Outcome::TooLarge => Status::TooLarge,
        Outcome::NoMemory => Status::NoMemory,
        Outcome::NotStored => match tell.verb {
            Verb::Add => Status::Exists,
            Verb::Replace => Status::NotFound,
            _ => Status::NotStored,
        },
    };
    tell.echo.error(out.bytes(), status);
}

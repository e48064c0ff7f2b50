//! The meta commands' part of a session.

use std::borrow::Cow;

use super::login::Standing;
use super::storage::{MetaTell, Storing, Tell};
use super::values::{self, Given};
use super::{Outbox, Session, Step};
use super::{access, cluster};
use crate::bytes::append::append;
use crate::clock::{NEVER, Seconds};
use crate::command::{Delta, KeyForm, Mode};
use crate::exec::Context;
use crate::exec::leases::{Lease, Look, Renew};
use crate::exec::watch::Deletion;
use crate::protocol::meta::key::DecodedKey;
use crate::protocol::meta::parse::{self, Command, FlagWords, Flags, Line};
use crate::protocol::meta::reply::{self, ItemReport};
use crate::protocol::text::parse::{Reason, Refusal};
use crate::protocol::text::reply::line;
use crate::store::{
    Create, CreateNumber, DeltaOutcome, DeltaTerms, End, Fetch, Found, Missing, Older, OnFailure, Outcome, Put,
    Remains, Removal, RemoveOutcome, Terms, Visit,
};

/// A line with its key as it is in the store.
#[derive(Clone, Copy, Debug)]
struct Asked<'a> {
    key: &'a [u8],
    key_form: KeyForm,
    flags: &'a Flags<'a>,
}

impl Session {
    /// Executes a meta command, or begins to; `behind` is what follows its line of `line_len` bytes.
    #[inline]
    pub(super) fn meta(
        &mut self,
        command: Command,
        arguments: &[u8],
        line_len: usize,
        behind: &[u8],
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        let line = match parse::parse(command, arguments) {
            Ok(line) => line,
            Err(refusal) => return self.refuse(refusal, line_len, out),
        };
        let Line { key, value_len, flags } = &line;
        let decoded;
        let asked = if flags.has(b'b') {
            decoded = match DecodedKey::of(key) {
                Some(decoded) => decoded,
                None => return self.refuse(Refusal::said(Reason::BadEncodedKey), line_len, out),
            };
            Asked { key: decoded.bytes(), key_form: KeyForm::Binary, flags }
        } else {
            Asked { key, key_form: KeyForm::Text, flags }
        };
        if self.standing != Standing::FREE && !self.may(access::of_meta(command, asked.key, flags)) {
            out.say(line::UNAUTHORIZED);
            if command == Command::Set {
                self.swallow(*value_len + End::Crlf.bytes());
            }
            return Step::answered(line_len);
        }
        match command {
            Command::Get => asked.get(out, cx),
            Command::Set => return self.store(&asked.storing(*value_len, cx), line_len, behind, out, cx),
            Command::Delete | Command::Arithmetic if cx.is_list_key(asked.key) => out.say(line::UNAUTHORIZED),
            Command::Delete => asked.delete(out, cx),
            Command::Arithmetic => asked.add_delta(out, cx),
            Command::Debug => asked.debug(out, cx),
        }
        Step::answered(line_len)
    }
}

/// mg with `v` and no other flag.
#[inline]
pub(super) fn value_get(key: &[u8], out: &mut Outbox, cx: &Context<'_>) {
    Asked { key, key_form: KeyForm::Text, flags: &Flags::VALUE }.look(&Look::GET, out, cx);
}

/// mg whose flags are letters alone, if the line is one.
#[inline(never)] // So that what other requests go through stays small.
pub(super) fn lone_get(input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Option<Step> {
    let (key, flags, line_len) = parse::lone_get(input)?;
    Asked { key, key_form: KeyForm::Text, flags: &flags }.get(out, cx);
    Some(Step::answered(line_len))
}

impl<'a> Asked<'a> {
    /// The new expiry that `T` asks for.
    fn touch(&self, cx: &Context<'_>) -> Option<Seconds> {
        self.flags.has(b'T').then(|| cx.shared.clock.expiry(self.flags.exptime, cx.now))
    }

    /// The expiry of what `N` creates: the later one of `N` and `T` decides.
    fn create(&self, touch: Option<Seconds>, cx: &Context<'_>) -> Option<Seconds> {
        let created = || cx.shared.clock.expiry(self.flags.create, cx.now);
        self.flags.has(b'N').then(|| touch.filter(|_| self.flags.is_before(b'N', b'T')).unwrap_or_else(created))
    }

    // --- mg ---------------------------------------------------------------------------------------------------------

    #[inline]
    fn get(&self, out: &mut Outbox, cx: &Context<'_>) {
        // Most reads ask for nothing that changes the item.
        if self.flags.has_none_of(b"TNRu") {
            self.look(&Look::GET, out, cx);
        } else if cluster::is_write(access::of_meta(Command::Get, self.key, self.flags), cx) {
            out.say(line::UNAUTHORIZED);
        } else {
            self.look(&self.elaborate_look(cx), out, cx);
        }
    }

    fn elaborate_look(&self, cx: &Context<'_>) -> Look {
        let flags = self.flags;
        let touch = self.touch(cx);
        let create =
            self.create(touch, cx).map(|expiry| Create { expiry, next_cas: flags.next_cas(), key_form: self.key_form });
        let renew = flags.has(b'R').then(|| Renew {
            before: cx.shared.clock.expiry(flags.renew, cx.now),
            looks_at_new: touch.is_some() && flags.is_before(b'T', b'R'),
        });
        let visit = if flags.has(b'u') { Visit::Peek } else { Visit::Bump };
        Look { fetch: Fetch { visit, touch, create }, renew }
    }

    #[inline(always)] // So that what the most common flags do not ask for costs nothing.
    fn look(&self, look: &Look, out: &mut Outbox, cx: &Context<'_>) {
        let flags = self.flags;
        let touch = look.fetch.touch;
        let given = cx.look(self.key, look, |found, lease| {
            if flags.has(b'v') && flags.compare() != Some(found.cas()) {
                values::give(out, found, End::Crlf, |bytes, found, parts, value| {
                    if lease == Lease::default() && self.returns_nothing() {
                        reply::value(bytes, parts.value_len, value);
                        return;
                    }
                    if lease == Lease::default() && self.returns_key_alone() && found.key_form() == KeyForm::Text {
                        reply::value_of_key(bytes, parts.value_len, self.key, value);
                        return;
                    }
                    bytes.extend_from_slice(reply::VALUE);
                    reply::number(bytes, parts.value_len as u64);
                    self.say_found(bytes, found, lease, touch, cx);
                    if let Some(value) = value {
                        append(bytes, [value, b"\r\n"]);
                    }
                })
            } else {
                out.say(reply::DONE);
                self.say_found(out.bytes(), found, lease, touch, cx);
                Given::Whole
            }
        });
        match given {
            Some(Given::Whole) => {}
            Some(Given::Not) => out.say(line::NO_MEMORY_GET),
            None if flags.has(b'q') => {}
            None => self.say(out, reply::MISS),
        }
    }

    /// Whether no flag asks for something behind the code of a hit.
    #[inline]
    fn returns_nothing(&self) -> bool {
        self.flags.has_none_of(b"kOstcflhTN")
    }

    /// Whether the key, and nothing else, is asked for behind the code of a hit.
    #[inline]
    fn returns_key_alone(&self) -> bool {
        self.flags.has(b'k') && self.flags.has_none_of(b"OstcflhTN")
    }

    /// What is behind the code of a hit.
    #[inline]
    fn say_found(
        &self,
        bytes: &mut Vec<u8>,
        found: &Found<'_>,
        lease: Lease,
        touch: Option<Seconds>,
        cx: &Context<'_>,
    ) {
        if !self.returns_nothing() {
            self.say_flags(bytes, found, touch, cx);
        }
        if lease != Lease::default() {
            for (is_so, letter) in [(lease.claimed, b'Z'), (lease.stale, b'X'), (lease.won, b'W')] {
                if is_so {
                    reply::mark(bytes, letter);
                }
            }
        }
        bytes.extend_from_slice(b"\r\n");
    }

    /// The flags of a hit. Times are told as they are where their flag stands.
    fn say_flags(&self, bytes: &mut Vec<u8>, found: &Found<'_>, touch: Option<Seconds>, cx: &Context<'_>) {
        let is_new = found.created().is_some();
        let mut expiry = if is_new { NEVER } else { found.expiry() };
        reply::flags(bytes, self.flags.words(), self.key, found.key_form(), |bytes, letter| match letter {
            b's' => reply::flag(bytes, b's', found.value_len() as u64),
            b't' => reply::time_left(bytes, time_left(expiry, cx.now)),
            b'c' => reply::flag(bytes, b'c', found.cas()),
            b'f' => reply::flag(bytes, b'f', u64::from(found.client_flags())),
            b'l' => reply::flag(bytes, b'l', u64::from(cx.now.saturating_sub(found.accessed()))),
            b'h' => reply::flag(bytes, b'h', u64::from(found.is_fetched())),
            b'T' => expiry = touch.unwrap_or(expiry),
            b'N' if is_new => expiry = cx.shared.clock.expiry(self.flags.create, cx.now),
            _ => {}
        });
    }

    /// An answer that returns key and opaque alone.
    fn say(&self, out: &mut Outbox, code: &[u8]) {
        let bytes = out.bytes();
        bytes.extend_from_slice(code);
        reply::flags(bytes, self.flags.words(), self.key, self.key_form, |_, _| {});
        bytes.extend_from_slice(b"\r\n");
    }

    // --- ms ---------------------------------------------------------------------------------------------------------

    #[inline]
    fn storing(&self, value_len: usize, cx: &Context<'_>) -> Storing<'a> {
        let flags = self.flags;
        let joins = matches!(flags.mode, b'A' | b'P');
        let missing = if joins && flags.has(b'N') { Missing::Create } else { Missing::Refuse };
        let mode = match flags.mode {
            b'E' => Mode::Add,
            b'A' => Mode::Append,
            b'P' => Mode::Prepend,
            _ if flags.has(b'C') => Mode::Cas(flags.compare),
            b'R' => Mode::Replace,
            _ => Mode::Set,
        };
        let exptime = if missing == Missing::Create { flags.create } else { flags.exptime };
        let expiry = cx.shared.clock.expiry(exptime, cx.now);
        let terms = Terms {
            compare: flags.compare().filter(|&cas| joins && cas != 0),
            next_cas: flags.next_cas().filter(|&cas| cas != 0),
            older: if flags.has(b'I') { Older::Stale } else { Older::Refuse },
            missing,
            on_failure: OnFailure::Discard,
            key_form: self.key_form,
        };
        let tell = MetaTell {
            flags: Cow::Borrowed(flags.text()),
            is_quiet: flags.has(b'q'),
            key_form: self.key_form,
            value_len,
        };
        let put = Put { key: self.key, client_flags: flags.client_flags, expiry, mode };
        Storing { put, terms, value_len, end: End::Crlf, tell: Tell::Meta(tell) }
    }

    // --- md ---------------------------------------------------------------------------------------------------------

    fn delete(&self, out: &mut Outbox, cx: &Context<'_>) {
        let flags = self.flags;
        let (client_flags, touch) = (flags.client_flags, self.touch(cx));
        let expiry = touch.unwrap_or(NEVER);
        let remains = match (flags.has(b'x'), flags.has(b'I')) {
            (false, false) => Remains::Nothing,
            (true, false) => Remains::Empty { client_flags, expiry },
            (false, true) => Remains::Stale { expiry: touch },
            (true, true) => Remains::StaleEmpty { client_flags, expiry },
        };
        let removal = Removal { compare: flags.compare(), remains, next_cas: flags.next_cas() };
        match cx.delete(self.key, &removal, Deletion::Meta) {
            RemoveOutcome::Done if flags.has(b'q') => {}
            RemoveOutcome::Done => self.say(out, reply::DONE),
            RemoveOutcome::NotFound(_) => self.say(out, reply::NOT_FOUND),
            RemoveOutcome::Exists => self.say(out, reply::EXISTS),
            RemoveOutcome::NoMemory => out.say(line::NO_MEMORY_DELTA),
        }
    }

    // --- ma ---------------------------------------------------------------------------------------------------------

    fn add_delta(&self, out: &mut Outbox, cx: &Context<'_>) {
        let flags = self.flags;
        let touch = self.touch(cx);
        let terms = DeltaTerms {
            compare: flags.compare().filter(|&cas| cas != 0),
            next_cas: flags.next_cas(),
            touch,
            create: self.create(touch, cx).map(|expiry| CreateNumber { initial: flags.initial, expiry }),
            key_form: self.key_form,
        };
        let delta = match flags.mode {
            b'D' | b'-' => Delta::Decr(flags.delta),
            _ => Delta::Incr(flags.delta),
        };
        match cx.add_delta(&terms, self.key, delta) {
            DeltaOutcome::Value { .. } if flags.has(b'q') => {}
            DeltaOutcome::Value { number, cas, expiry, created } => {
                self.say_number(out, number, cas, expiry, created, cx);
            }
            DeltaOutcome::NotFound => self.say(out, reply::NOT_FOUND),
            DeltaOutcome::Exists => self.say(out, reply::EXISTS),
            DeltaOutcome::NonNumeric => out.say(line::NON_NUMERIC),
            DeltaOutcome::NoMemory => out.say(line::NO_MEMORY_DELTA),
            DeltaOutcome::NoMemoryForNew => out.say(line::NO_MEMORY_NEW_NUMBER),
        }
    }

    fn say_number(
        &self,
        out: &mut Outbox,
        number: u64,
        cas: u64,
        mut expiry: Seconds,
        created: bool,
        cx: &Context<'_>,
    ) {
        let (bytes, touch) = (out.bytes(), self.touch(cx));
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        if self.flags.has(b'v') {
            bytes.extend_from_slice(reply::VALUE);
            reply::number(bytes, digits.len() as u64);
        } else {
            bytes.extend_from_slice(reply::DONE);
        }
        reply::flags(bytes, self.flags.words(), self.key, self.key_form, |bytes, letter| match letter {
            b'c' => reply::flag(bytes, b'c', cas),
            b't' => reply::time_left(bytes, time_left(expiry, cx.now)),
            b'T' => expiry = touch.unwrap_or(expiry),
            b'N' if created => expiry = cx.shared.clock.expiry(self.flags.create, cx.now),
            _ => {}
        });
        bytes.extend_from_slice(b"\r\n");
        if self.flags.has(b'v') {
            bytes.extend_from_slice(digits);
            bytes.extend_from_slice(b"\r\n");
        }
    }

    // --- me ---------------------------------------------------------------------------------------------------------

    fn debug(&self, out: &mut Outbox, cx: &Context<'_>) {
        let report = cx.inspect(self.key, |found| {
            let item = ItemReport {
                time_left: time_left(found.expiry(), cx.now),
                idle: cx.now.saturating_sub(found.accessed()),
                cas: found.cas(),
                fetched: found.is_fetched(),
                class: found.class(),
                bytes: found.item_bytes(),
            };
            (item, found.key_form())
        });
        match report {
            Some((item, key_form)) => reply::item_line(out.bytes(), self.key, key_form, &item),
            None => out.say(b"EN\r\n"),
        }
    }
}

/// Seconds that are left; `None` for ever.
#[inline]
fn time_left(expiry: Seconds, now: Seconds) -> Option<Seconds> {
    (expiry != NEVER).then(|| expiry.saturating_sub(now))
}

/// The answer to ms, when it is no error.
pub(super) fn say_stored(out: &mut Outbox, tell: &MetaTell<'_>, outcome: Outcome, key: &[u8]) {
    let (code, cas, value_len) = match outcome {
        Outcome::Stored { .. } if tell.is_quiet => return,
        Outcome::Stored { cas, value_len } => (reply::DONE, cas, value_len),
        Outcome::Exists => (reply::EXISTS, 0, tell.value_len),
        Outcome::NotFound => (reply::NOT_FOUND, 0, tell.value_len),
        _ => (reply::NOT_STORED, 0, tell.value_len),
    };
    let bytes = out.bytes();
    bytes.extend_from_slice(code);
    reply::flags(bytes, FlagWords::of(&tell.flags), key, tell.key_form, |bytes, letter| match letter {
        b'c' => reply::flag(bytes, b'c', cas),
        b's' => reply::flag(bytes, b's', value_len as u64),
        _ => {}
    });
    bytes.extend_from_slice(b"\r\n");
}

//! The text protocol's part of a session: lines are parsed, executed and answered.

use memchr::{memchr, memrchr};

use super::login::Standing;
use super::storage::{Storing, Tell};
use super::values::{self, Given};
use super::{LINE_BYTES_MAX, Outbox, Phase, STREAMED_LINE_BYTES, Session, Step};
use super::{access, cluster, meta};
use crate::bytes::scan;
use crate::command::KEY_MAX;
use crate::exec::Context;
use crate::exec::admin::{FlushOutcome, LimitOutcome};
use crate::exec::watch::Deletion;
use crate::protocol::binary::REQUEST_MAGIC;
use crate::protocol::meta::parse::value_get;
use crate::protocol::text::admin::{AutomoveChange, ShutdownWord};
use crate::protocol::text::parse::{self, KeysLine, Reason, Refusal, Reply, Request, StoreLine};
use crate::protocol::text::reply::{self, line};
use crate::protocol::text::words::Words;
use crate::settings::ProtocolChoice;
use crate::store::{DeltaOutcome, DeltaTerms, End, Fetch, Found, Put, Removal, RemoveOutcome, Terms};
use crate::watch::CloseReason;

/// Whether it is known that the user may ask for the keys of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The line was here as a whole, and was looked at.
    AtAll,
    /// Its keys are answered as they arrive.
    NotYet,
}

impl Session {
    #[inline]
    pub(super) fn command(&mut self, input: &[u8], out: &mut Outbox, cx: &Context<'_>) -> Step {
        self.awaits_value = false;
        match (input.first(), self.protocol) {
            (Some(&REQUEST_MAGIC), ProtocolChoice::Auto | ProtocolChoice::Binary) => {
                return self.binary(input, out, cx);
            }
            (Some(&REQUEST_MAGIC), ProtocolChoice::Ascii) | (Some(_), ProtocolChoice::Binary) => return Step::over(),
            _ => {}
        }
        if self.hears_secrets() {
            return self.line_before_login(input, out, cx);
        }
        if self.standing == Standing::FREE && cx.shared.verbosity() <= 1 {
            if let Some((key, line_len)) = parse::plain_get(input) {
                let found = cx.fetch(key, &Fetch::GET, |found| value_reply(out, key, found, false));
                if found.is_none() {
                    cluster::instead_of_a_miss(key, false, out, cx);
                }
                out.say(if found == Some(Given::Not) { line::NO_MEMORY_GET } else { line::END });
                return Step::answered(line_len);
            }
            if let Some((key, line_len)) = value_get(input) {
                meta::value_get(key, out, cx);
                return Step::answered(line_len);
            }
            if input.starts_with(b"mg ")
                && let Some(step) = meta::lone_get(input, out, cx)
            {
                return step;
            }
            if let Some((line, line_len)) = parse::plain_set(input) {
                return self.store(&storing(&line, cx), line_len, &input[line_len..], out, cx);
            }
        }
        let Some(end) = line_end(input) else { return self.unfinished_line(input) };
        let (request_line, behind) = input.split_at(end + 1);
        let request = parse::parse(request_line);
        // What is no command may be a value whose length was wrong, and values do not go into logs.
        if request.is_ok() && cx.shared.verbosity() > 1 {
            log_request(request_line);
        }
        // However much of it came at once, a line this long is answered alike.
        if request_line.len() > STREAMED_LINE_BYTES
            && let Some((line, keys_at)) = streamed(request_line)
        {
            self.phase = Phase::Keys(line);
            return Step::advanced(keys_at);
        }
        if self.standing != Standing::FREE
            && let Ok(request) = &request
            && let Some(step) = self.forbid(request, request_line, out, cx)
        {
            return step;
        }
        match request {
            Ok(Request::Keys { line, keys_at }) => {
                if keys_too_long(&request_line[keys_at..]) {
                    out.say(line::BAD_FORMAT);
                    return Step::answered(request_line.len());
                }
                if line.touch.is_some()
                    && cx.shared.discovery.is_some()
                    && cluster::is_named(&request_line[keys_at..], cx)
                {
                    out.say(line::UNAUTHORIZED);
                    return Step::answered(request_line.len());
                }
                let step = self.keys(line, &input[keys_at..], Some(end - keys_at), Looked::AtAll, out, cx);
                Step { consumed: step.consumed + keys_at, ..step }
            }
            Ok(Request::Store(store_line)) => {
                self.store(&storing(&store_line, cx), request_line.len(), behind, out, cx)
            }
            Ok(Request::Meta { command, arguments }) => {
                self.meta(command, arguments, request_line.len(), behind, out, cx)
            }
            Ok(Request::Watch { kinds }) => Step::watch(request_line.len(), kinds),
            Ok(Request::Sasl(sasl_line)) => self.sasl_line(sasl_line, request_line.len(), behind, out, cx),
            Ok(Request::Stats { arguments }) => {
                super::stats_command::answer(arguments, self.login.as_deref(), out, cx);
                Step::answered(request_line.len())
            }
            Ok(Request::Quit) => {
                self.close_reason = CloseReason::Normal;
                Step::over()
            }
            Ok(Request::Shutdown { how, reply }) => self.shutdown(how, reply, request_line.len(), out, cx),
            Ok(Request::Crawler { order, reply }) => self.crawl(order, reply, request_line.len(), out, cx),
            Ok(Request::DeletePrefix { prefix, reply }) => {
                self.delete_prefix(prefix, reply, request_line.len(), out, cx)
            }
            Ok(request) if cluster::is_write(access::of_text(&request), cx) => {
                say(out, line::UNAUTHORIZED, request.reply());
                Step::answered(request_line.len())
            }
            Ok(request) => {
                execute(&request, out, cx);
                Step::answered(request_line.len())
            }
            Err(refusal) => self.refuse(refusal, request_line.len(), out),
        }
    }

    fn unfinished_line(&mut self, input: &[u8]) -> Step {
        if input.len() <= LINE_BYTES_MAX {
            return Step::starved(input.len() + 1);
        }
        let Some((line, keys_at)) = streamed(input) else { return Step::over() };
        if input.len() < STREAMED_LINE_BYTES {
            return Step::starved(input.len() + 1);
        }
        self.phase = Phase::Keys(line);
        Step::advanced(keys_at)
    }

    pub(super) fn refuse(&mut self, refusal: Refusal, line_len: usize, out: &mut Outbox) -> Step {
        if refusal.reason == Reason::Http {
            return Step::over();
        }
        if refusal.reply == Reply::Send {
            out.say(reply::refusal(refusal.reason));
        }
        self.swallow(refusal.swallow);
        Step::answered(line_len)
    }

    /// Refuses what the user has no right to, with the value that belongs to it. Of a line of keys none is answered if
    /// one may not be.
    #[cold]
    fn forbid(
        &mut self,
        request: &Request<'_>,
        request_line: &[u8],
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Option<Step> {
        let allowed = match request {
            // No key at all stands for any of them.
            Request::Keys { line, .. } if self.standing.allows(access::of_key(line, b"")) => true,
            Request::Keys { line, keys_at } => {
                Words::of(parse::without_end(&request_line[*keys_at..])).all(|key| self.may_get(line, key, cx))
            }
            request => self.may(access::of_text(request)),
        };
        if allowed {
            return None;
        }
        say(out, line::UNAUTHORIZED, request.reply());
        if let Request::Store(store_line) = request {
            self.swallow(store_line.value_len + End::Crlf.bytes());
        }
        Some(Step::answered(request_line.len()))
    }

    pub(super) fn swallow(&mut self, left: usize) {
        self.phase = if left > 0 { Phase::Swallow { left } } else { Phase::Command };
    }

    /// Answers the keys that `input` begins with, up to the end of the line (its LF, if it is here), of the input or of
    /// the room to answer.
    #[inline]
    pub(super) fn keys(
        &mut self,
        keys: KeysLine,
        input: &[u8],
        line_end: Option<usize>,
        looked: Looked,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        // Behind an unfinished line may come the rest of its last key, so that one waits; so does a CR.
        let text = match line_end {
            Some(end) => parse::without_end(&input[..=end]),
            None => &input[..input.iter().rposition(|&byte| byte == b' ').map_or(0, |blank| blank + 1)],
        };
        let fetch = match keys.touch {
            Some(exptime) => Fetch::touch(cx.shared.clock.expiry(exptime, cx.now)),
            None => Fetch::GET,
        };
        let is_looked_at = looked == Looked::AtAll || self.standing == Standing::FREE;
        let mut at = 0;
        loop {
            while text.get(at) == Some(&b' ') {
                at += 1;
            }
            if at >= text.len() {
                break;
            }
            let len = scan::find(&text[at..], b' ').unwrap_or(text.len() - at);
            let key = &text[at..at + len];
            if len > KEY_MAX {
                out.say(line::BAD_FORMAT);
                self.phase = Phase::SkipLine;
                return Step::advanced(at);
            }
            if !is_looked_at && !self.may_get(&keys, key, cx) {
                out.say(line::UNAUTHORIZED);
                self.phase = Phase::SkipLine;
                return Step::advanced(at);
            }
            if out.is_full() {
                self.phase = Phase::Keys(keys);
                return Step::full(at);
            }
            match cx.fetch(key, &fetch, |found| value_reply(out, key, found, keys.with_cas)) {
                Some(Given::Whole) => {}
                Some(Given::Not) => {
                    out.say(line::NO_MEMORY_GET);
                    self.phase = Phase::SkipLine;
                    return Step::advanced(at);
                }
                None if keys.touch.is_none() => cluster::instead_of_a_miss(key, keys.with_cas, out, cx),
                None => {}
            }
            at += len;
        }
        match line_end {
            Some(end) => {
                out.say(line::END);
                self.phase = Phase::Command;
                Step::answered(end + 1)
            }
            None if input.len() - at > KEY_MAX + 1 => {
                out.say(line::BAD_FORMAT);
                self.phase = Phase::SkipLine;
                Step::advanced(at)
            }
            None => {
                self.phase = Phase::Keys(keys);
                Step::starved_after(at, input.len() - at + 1)
            }
        }
    }

    pub(super) fn skip_line(&mut self, input: &[u8]) -> Step {
        match memchr(b'\n', input) {
            Some(end) => {
                self.phase = Phase::Command;
                Step::answered(end + 1)
            }
            None => Step::starved_after(input.len(), 1),
        }
    }

    fn shutdown(
        &mut self,
        how: ShutdownWord,
        reply: Reply,
        line_len: usize,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Step {
        if !cx.shared.settings.shutdown_command {
            say(out, line::SHUTDOWN_REFUSED, reply);
            return Step::answered(line_len);
        }
        if how == ShutdownWord::Unknown {
            say(out, line::SHUTDOWN_UNKNOWN, reply);
            return Step::answered(line_len);
        }
        // Every stop is graceful here, so `shutdown` and `shutdown graceful` are one.
        self.close_reason = CloseReason::Shutdown;
        crate::sys::request_stop();
        Step::over()
    }
}

/// Where the first line ends. Most are short, and a search made for long texts costs more than such a line is worth.
#[inline]
fn line_end(input: &[u8]) -> Option<usize> {
    const SHORT: usize = 96;
    let (near, far) = input.split_at(input.len().min(SHORT));
    match scan::find(near, b'\n') {
        None if !far.is_empty() => memchr(b'\n', far).map(|end| end + SHORT),
        found => found,
    }
}

#[inline]
fn storing<'a>(line: &StoreLine<'a>, cx: &Context<'_>) -> Storing<'a> {
    let put = Put {
        key: line.key,
        client_flags: line.client_flags,
        expiry: cx.shared.clock.expiry(line.exptime, cx.now),
        mode: line.mode,
    };
    Storing { put, terms: Terms::PLAIN, value_len: line.value_len, end: End::Crlf, tell: Tell::Classic(line.reply) }
}

/// A line whose keys can be answered before its end is there, and where they begin.
fn streamed(line: &[u8]) -> Option<(KeysLine, usize)> {
    match line {
        [b'g', b'e', b't', b' ', ..] => Some((KeysLine { with_cas: false, touch: None }, 3)),
        [b'g', b'e', b't', b's', b' ', ..] => Some((KeysLine { with_cas: true, touch: None }, 4)),
        _ => None,
    }
}

/// Whether one of the keys on this line is too long, in which case none is answered. Short lines cannot hold one.
#[inline]
fn keys_too_long(keys: &[u8]) -> bool {
    let mut keys = parse::without_end(keys);
    // A stretch of one byte more than a key may have holds a blank, or a key that is too long.
    while let Some(stretch) = keys.get(..=KEY_MAX) {
        let Some(blank) = memrchr(b' ', stretch) else { return true };
        keys = &keys[blank + 1..];
    }
    false
}

/// One found value.
#[inline(always)] // As `values::give`.
fn value_reply(out: &mut Outbox, key: &[u8], found: &mut Found<'_>, with_cas: bool) -> Given {
    values::give(out, found, End::Crlf, |bytes, found, parts, value| {
        let cas = with_cas.then(|| found.cas());
        reply::value(bytes, key, parts.client_flags, parts.value_len, cas, value);
    })
}

#[inline]
pub(super) fn say(out: &mut Outbox, reply_line: &[u8], reply: Reply) {
    if reply == Reply::Send {
        out.say(reply_line);
    }
}

/// Requests that need neither a value nor the session's state.
fn execute(request: &Request<'_>, out: &mut Outbox, cx: &Context<'_>) {
    match *request {
        Request::Delete { key, reply } => {
            let done = cx.delete(key, &Removal::PLAIN, Deletion::Delete) == RemoveOutcome::Done;
            say(out, if done { line::DELETED } else { line::NOT_FOUND }, reply);
        }
        Request::Delta { key, delta, reply } => match cx.add_delta(&DeltaTerms::PLAIN, key, delta) {
            DeltaOutcome::Value { number, .. } if reply == Reply::Send => reply::number_line(out.bytes(), number),
            DeltaOutcome::Value { .. } => {}
            DeltaOutcome::NotFound => say(out, line::NOT_FOUND, reply),
            DeltaOutcome::NonNumeric => say(out, line::NON_NUMERIC, reply),
            DeltaOutcome::Exists => say(out, line::EXISTS, reply),
            DeltaOutcome::NoMemory | DeltaOutcome::NoMemoryForNew => say(out, line::NO_MEMORY_DELTA, reply),
        },
        Request::Touch { key, exptime, reply } => {
            let fetch = Fetch::touch(cx.shared.clock.expiry(exptime, cx.now));
            let touched = cx.fetch(key, &fetch, |_| ()).is_some();
            say(out, if touched { line::TOUCHED } else { line::NOT_FOUND }, reply);
        }
        Request::FlushAll { exptime, reply } => match cx.flush_all(|| exptime.map(i64::from)) {
            FlushOutcome::Done => say(out, line::OK, reply),
            FlushOutcome::Refused => say(out, line::FLUSH_REFUSED, reply),
            FlushOutcome::InvalidExptime => say(out, line::INVALID_EXPTIME, reply),
        },
        Request::Verbosity { level, reply } => {
            cx.set_verbosity(level);
            say(out, line::OK, reply);
        }
        Request::RefreshCertificates => match cx.refresh_certificates() {
            Ok(()) => out.say(line::OK),
            Err(why) => reply::whole_line(out.bytes(), &why),
        },
        Request::MemoryLimit { mebibytes, reply } => {
            let answer = match cx.set_memory_limit(mebibytes) {
                LimitOutcome::Changed => line::OK,
                LimitOutcome::TooSmall => line::LIMIT_TOO_SMALL,
                LimitOutcome::NotMegabytes => line::LIMIT_NOT_BYTES,
                LimitOutcome::Refused => line::LIMIT_REFUSED,
            };
            say(out, answer, reply);
        }
        Request::Automove { change, reply } => {
            if let AutomoveChange::Level(level) = change {
                cx.set_automove(level);
            }
            say(out, line::OK, reply);
        }
        Request::Reassign { classes, reply } => say(out, super::lru_command::reassign(classes, cx), reply),
        Request::Lru { order, reply } => say(out, super::lru_command::tune(order, cx), reply),
        Request::ConfigGet(key) => cluster::config_get(key, out, cx),
        Request::Version => reply::version_line(out.bytes()),
        Request::Noop => out.say(line::NOOP),
        #[cfg(feature = "debug-commands")]
        Request::Misbehave => out.say(if crate::sys::sandbox::can_misbehave() { line::ERROR } else { line::OK }),
        #[cfg(feature = "debug-commands")]
        Request::DebugTime { secs } => {
            cx.shared.clock.shift(secs);
            out.say(line::OK);
        }
        Request::Keys { .. }
        | Request::Store(_)
        | Request::Meta { .. }
        | Request::Watch { .. }
        | Request::Quit
        | Request::Sasl(_)
        | Request::Stats { .. }
        | Request::Shutdown { .. }
        | Request::Crawler { .. }
        | Request::DeletePrefix { .. } => unreachable!("the session takes these itself"),
    }
}

/// What `-vv` tells of a request: its first two words, never a value.
#[cold]
fn log_request(request_line: &[u8]) {
    let words: Vec<_> =
        parse::without_end(request_line).split(|&b| b == b' ').take(2).map(String::from_utf8_lossy).collect();
    log::debug!("request command={:?}", words.join(" "));
}

//! Logins: who a connection belongs to, and how it comes to belong to somebody. Three ways lead in: SASL over the
//! binary opcodes, SASL in words over text (`sasl auth`), and memcached's token in the value of a `set`. They read and
//! write different bytes, and are one here.
//!
//! What can be decided at once is: SCRAM, whose steps cost microseconds, and secrets that were right a moment ago. All
//! else is an [`Errand`] for the login threads, failures too: these are told after a while. Meanwhile the session takes
//! no input.

use std::sync::atomic::Ordering;
use std::time::Instant;

use zeroize::Zeroizing;

use super::{Outbox, Outcome, Phase, Session, Step};
use crate::auth::authority::{Admission, Authority, Cause, Failure, Verdict, Work};
use crate::auth::client::Client;
use crate::auth::rights::Demand;
use crate::auth::sasl::{self, Claim, Handshake, Mechanism, Why};
use crate::auth::user::Identity;
use crate::clock::Seconds;
use crate::exec::Context;
use crate::protocol::binary::reply::{Echo, Status};
use crate::protocol::text::reply::{self, line};
use crate::watch::CloseReason;

/// Seconds that a client has for its login.
const LOGIN_SECS_MAX: Seconds = 30;

/// Failed logins after which a connection is closed.
const FAILURES_MAX: u8 = 10;

/// What a connection must do before and may do after its login. Connections of servers without logins have none.
#[derive(Debug)]
pub(super) struct Login {
    client: Client,
    /// Since when a login is owed.
    since: Seconds,
    member: Option<Identity>,
    /// The users' table that `member` was last looked up in.
    generation: u64,
    /// A handshake that waits for the client's next message.
    handshake: Option<(Mechanism, Handshake)>,
    failures: u8,
    /// A message of a login was seen since somebody last asked.
    has_heard: bool,
}

/// What is known of all keys at once, so that most requests need no look at the login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing(u8);

impl Standing {
    const IN: u8 = 1;
    const READS_ALL: u8 = 1 << 1;
    const WRITES_ALL: u8 = 1 << 2;
    const ADMIN: u8 = 1 << 3;

    /// Whoever comes, where no login is asked for, and users with all rights.
    pub(super) const FREE: Standing =
        Standing(Standing::IN | Standing::READS_ALL | Standing::WRITES_ALL | Standing::ADMIN);

    fn of(member: Option<&Identity>) -> Standing {
        let Some(Identity { rights, .. }) = member else { return Standing(0) };
        let on_all = |right: bool, bit| if right && rights.prefixes.is_none() { bit } else { 0 };
        let admin = if rights.admin { Standing::ADMIN } else { 0 };
        let keys = on_all(rights.read, Standing::READS_ALL) | on_all(rights.write, Standing::WRITES_ALL);
        Standing(Standing::IN | keys | admin)
    }

    /// Whether a login is owed.
    #[inline]
    pub(super) fn is_out(self) -> bool {
        self.0 & Standing::IN == 0
    }

    /// Whether this is allowed whatever the key is.
    #[inline]
    pub(super) fn allows(self, demand: Demand<'_>) -> bool {
        let needs = match demand {
            Demand::Nothing => 0,
            Demand::Read(_) => Standing::READS_ALL,
            Demand::Write(_) | Demand::WriteAll(_) => Standing::WRITES_ALL,
            Demand::ReadWrite(_) => Standing::READS_ALL | Standing::WRITES_ALL,
            Demand::Admin => Standing::ADMIN,
        } | Standing::IN;
        self.0 & needs == needs
    }
}

impl Default for Standing {
    fn default() -> Standing {
        Standing::FREE
    }
}

/// How a client is told.
#[derive(Clone, Copy, Debug)]
pub(super) enum LoginTell {
    /// set, as memcached does.
    Set,
    /// ms.
    MetaSet,
    /// sasl auth.
    Sasl,
    /// The opcodes.
    Binary(Echo),
}

/// Something that a session waits for: it is not decided on the worker.
#[derive(Debug)]
pub struct Errand {
    /// Not to be begun before.
    pub not_before: Option<Instant>,
    /// What it is.
    pub work: Work,
}

/// A login that is being decided.
#[derive(Debug)]
pub(super) struct Pending {
    tell: LoginTell,
    /// Until somebody takes it.
    errand: Option<Errand>,
    verdict: Option<Verdict>,
    /// A handshake that goes on after a pause, with its first message.
    held: Option<(Mechanism, Option<Zeroizing<Vec<u8>>>)>,
    /// The connection ends with this failure.
    is_last: bool,
}

impl Pending {
    fn new(tell: LoginTell, errand: Errand) -> Pending {
        Pending { tell, errand: Some(errand), verdict: None, held: None, is_last: false }
    }
}

impl Login {
    pub(super) fn new(client: Client, now: Seconds) -> Login {
        Login { client, since: now, member: None, generation: 0, handshake: None, failures: 0, has_heard: false }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::of(self.member.as_ref())
    }

    pub(super) fn member(&self) -> Option<&Identity> {
        self.member.as_ref()
    }

    /// Whether whoever is logged in may do that. A refusal is counted.
    pub(super) fn allows(&self, demand: Demand<'_>) -> bool {
        let Some(member) = &self.member else { return false };
        let allowed = member.rights.allow(demand);
        if !allowed {
            member.counts.refusals.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// Looks the user up again where the users have changed. False when the connection has to end: the user is gone,
    /// or the password or key that let the connection in, or the token's time is over.
    pub(super) fn is_good(&mut self, authority: &Authority, now_unix: u64) -> bool {
        let Some(member) = &mut self.member else { return true };
        let generation = authority.generation();
        if self.generation != generation {
            let Some(renewed) = authority.renew(member) else { return false };
            *member = renewed;
            self.generation = generation;
        }
        !member.is_over(now_unix)
    }

    /// Whether the client had the time for a login and did not use it.
    pub(super) fn is_overdue(&self, now: Seconds) -> bool {
        self.member.is_none() && now.saturating_sub(self.since) > LOGIN_SECS_MAX
    }

    /// A failure that is known on the worker.
    fn failure(&self, mechanism: Option<Mechanism>, cause: Cause) -> Failure<'static> {
        Failure { address: self.client.address, mechanism: mechanism.map(Mechanism::name), user: None, cause }
    }

    fn leave(&mut self, now: Seconds) {
        if self.member.take().is_some() {
            self.since = now;
        }
        self.handshake = None;
    }
}

impl LoginTell {
    fn challenge(self, out: &mut Outbox, data: &[u8]) {
        match self {
            LoginTell::Binary(echo) => echo.challenge(out.bytes(), data),
            LoginTell::Sasl => reply::sasl_challenge(out.bytes(), data),
            // A token is one message.
            LoginTell::Set | LoginTell::MetaSet => out.say(line::AUTHENTICATION_FAILURE),
        }
    }

    fn granted(self, out: &mut Outbox) {
        match self {
            LoginTell::Set => out.say(line::STORED),
            LoginTell::MetaSet => out.say(line::META_STORED),
            LoginTell::Sasl => out.say(line::SASL_OK),
            LoginTell::Binary(echo) => echo.success(out.bytes(), b"Authenticated", 0),
        }
    }

    fn refused(self, out: &mut Outbox) {
        match self {
            LoginTell::Set | LoginTell::MetaSet => out.say(line::AUTHENTICATION_FAILURE),
            LoginTell::Sasl => out.say(line::SASL_FAILURE),
            LoginTell::Binary(echo) => echo.error(out.bytes(), Status::AuthError),
        }
    }
}

/// The first message of a handshake or a further one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message<'a> {
    /// With the mechanism's name; an empty first message is none.
    First(&'a [u8], &'a [u8]),
    Next(&'a [u8]),
}

impl Session {
    /// Takes a SASL message.
    pub(super) fn sasl(
        &mut self,
        message: Message<'_>,
        tell: LoginTell,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Outcome {
        let (Some(login), Some(authority)) = (&mut self.login, &cx.shared.authority) else { return Outcome::Over };
        match message {
            Message::First(name, bytes) => {
                login.leave(cx.now);
                self.standing = login.standing();
                let first = (!bytes.is_empty()).then_some(bytes);
                match authority.mechanism(name, &login.client) {
                    Some(mechanism) => self.begin(mechanism, first, tell, out, cx),
                    None => {
                        let failure = login.failure(None, Cause::NotOffered);
                        self.fail(tell, failure, cx)
                    }
                }
            }
            Message::Next(bytes) => match login.handshake.take() {
                Some((mechanism, mut handshake)) => {
                    let step = handshake.step(Some(bytes));
                    self.on_step(mechanism, handshake, step, tell, out, cx)
                }
                None => {
                    let failure = login.failure(None, Cause::Sasl(Why::OutOfOrder));
                    self.fail(tell, failure, cx)
                }
            },
        }
    }

    /// Takes `user password`.
    pub(super) fn token(&mut self, text: &[u8], tell: LoginTell, out: &mut Outbox, cx: &Context<'_>) -> Outcome {
        let Some(blank) = memchr::memchr(b' ', text) else {
            out.say(line::BAD_TOKEN_FORMAT);
            return Outcome::Answered;
        };
        let Some(login) = &self.login else { return Outcome::Over };
        let failure = |cause| login.failure(Some(Mechanism::Plain), cause);
        match (std::str::from_utf8(&text[..blank]), std::str::from_utf8(&text[blank + 1..])) {
            _ if !login.client.may_send_secrets => self.fail(tell, failure(Cause::NotEncrypted), cx),
            (Ok(name), Ok(password)) => {
                let password = Zeroizing::new(password.to_owned());
                let claim = Claim::Password { name: name.to_owned(), password, mechanism: Mechanism::Plain };
                self.claim(Mechanism::Plain, claim, tell, out, cx)
            }
            _ => self.fail(tell, failure(Cause::Sasl(Why::Malformed)), cx),
        }
    }

    /// Begins a handshake, unless its client has to wait for its turn: every guess is paid for. A SCRAM handshake is one;
    /// EXTERNAL is none, whatever others at its address have guessed; a secret is paid for when it is there.
    fn begin(
        &mut self,
        mechanism: Mechanism,
        first: Option<&[u8]>,
        tell: LoginTell,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Outcome {
        let (Some(login), Some(authority)) = (&self.login, &cx.shared.authority) else { return Outcome::Over };
        if mechanism.is_scram() {
            match authority.admit(login.client.address) {
                Admission::Now => {}
                Admission::At(at) => {
                    let address = login.client.address;
                    let errand = Errand { not_before: Some(at), work: Work::Pause { address } };
                    let held = Some((mechanism, first.map(|bytes| Zeroizing::new(bytes.to_vec()))));
                    return self.wait(Pending { held, ..Pending::new(tell, errand) });
                }
                Admission::Refused => return self.fail_last(tell, Some(mechanism), cx),
            }
        }
        self.go(mechanism, first, tell, out, cx)
    }

    fn go(
        &mut self,
        mechanism: Mechanism,
        first: Option<&[u8]>,
        tell: LoginTell,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Outcome {
        let (Some(login), Some(authority)) = (&self.login, &cx.shared.authority) else { return Outcome::Over };
        let mut handshake = authority.begin(mechanism, &login.client);
        let step = handshake.step(first);
        self.on_step(mechanism, handshake, step, tell, out, cx)
    }

    fn on_step(
        &mut self,
        mechanism: Mechanism,
        handshake: Handshake,
        step: sasl::Step,
        tell: LoginTell,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Outcome {
        let (Some(login), Some(authority)) = (&mut self.login, &cx.shared.authority) else { return Outcome::Over };
        match step {
            sasl::Step::Challenge(data) => {
                login.handshake = Some((mechanism, handshake));
                tell.challenge(out, &data);
                Outcome::Answered
            }
            sasl::Step::Granted(identity) => {
                if mechanism.is_scram() {
                    authority.refund(login.client.address);
                }
                authority.note_success(mechanism);
                self.enter(identity, tell, out)
            }
            sasl::Step::Check(claim) => self.claim(mechanism, claim, tell, out, cx),
            sasl::Step::Refused(why) => {
                let failure = Failure { user: handshake.name(), ..login.failure(Some(mechanism), Cause::Sasl(why)) };
                self.fail(tell, failure, cx)
            }
        }
    }

    /// Has a secret checked, unless it was right a moment ago.
    fn claim(
        &mut self,
        mechanism: Mechanism,
        claim: Claim,
        tell: LoginTell,
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Outcome {
        let (Some(login), Some(authority)) = (&mut self.login, &cx.shared.authority) else { return Outcome::Over };
        login.leave(cx.now);
        self.standing = login.standing();
        if let Some(identity) = authority.recall(&claim, cx.now) {
            return self.enter(identity, tell, out);
        }
        let address = login.client.address;
        match authority.admit(address) {
            Admission::Refused => self.fail_last(tell, Some(mechanism), cx),
            admission => {
                let not_before = if let Admission::At(at) = admission { Some(at) } else { None };
                let work = Work::Check { claim, address, now: cx.now, unix_secs: unix(cx) };
                self.wait(Pending::new(tell, Errand { not_before, work }))
            }
        }
    }

    fn fail(&mut self, tell: LoginTell, failure: Failure<'_>, cx: &Context<'_>) -> Outcome {
        let (Some(login), Some(authority)) = (&mut self.login, &cx.shared.authority) else { return Outcome::Over };
        login.leave(cx.now);
        self.standing = login.standing();
        authority.note_failure(&failure);
        self.wait(Pending::new(tell, Errand { not_before: None, work: Work::Refuse }))
    }

    /// The client's address has failed too often: nothing is checked any more.
    fn fail_last(&mut self, tell: LoginTell, mechanism: Option<Mechanism>, cx: &Context<'_>) -> Outcome {
        let Some(login) = &self.login else { return Outcome::Over };
        let failure = login.failure(mechanism, Cause::TooManyFailures);
        let outcome = self.fail(tell, failure, cx);
        if let Phase::Login(pending) = &mut self.phase {
            pending.is_last = true;
        }
        outcome
    }

    fn enter(&mut self, identity: Identity, tell: LoginTell, out: &mut Outbox) -> Outcome {
        let Some(login) = &mut self.login else { return Outcome::Over };
        identity.counts.logins.fetch_add(1, Ordering::Relaxed);
        login.member = Some(identity);
        self.standing = login.standing();
        // The users may have changed since they were looked into.
        login.generation = u64::MAX;
        login.failures = 0;
        tell.granted(out);
        Outcome::Answered
    }

    fn wait(&mut self, pending: Pending) -> Outcome {
        self.phase = Phase::Login(Box::new(pending));
        Outcome::Advanced
    }

    /// Goes on with a login that was being decided, if it is by now.
    pub(super) fn decide(&mut self, out: &mut Outbox, cx: &Context<'_>) -> Step {
        let Phase::Login(pending) = &mut self.phase else { return Step::advanced(0) };
        let Some(verdict) = pending.verdict.take() else { return Step { consumed: 0, outcome: Outcome::Login } };
        let Phase::Login(pending) = std::mem::take(&mut self.phase) else { return Step::advanced(0) };
        let Pending { tell, held, is_last, .. } = *pending;
        let outcome = match (verdict, held) {
            (Verdict::Granted(identity), _) => self.enter(identity, tell, out),
            (Verdict::Go, Some((mechanism, first))) => {
                self.go(mechanism, first.as_ref().map(|bytes| bytes.as_slice()), tell, out, cx)
            }
            (Verdict::Refused | Verdict::Go, _) => self.refused(tell, is_last, out),
        };
        Step { consumed: 0, outcome }
    }

    fn refused(&mut self, tell: LoginTell, is_last: bool, out: &mut Outbox) -> Outcome {
        let Some(login) = &mut self.login else { return Outcome::Over };
        tell.refused(out);
        login.failures += 1;
        if is_last || login.failures >= FAILURES_MAX {
            self.close_reason = CloseReason::Error;
            return Outcome::Over;
        }
        Outcome::Answered
    }

    /// What a login waits for, after [`Next::Login`](super::Next::Login); `None` when it was taken already.
    pub fn take_errand(&mut self) -> Option<Errand> {
        match &mut self.phase {
            Phase::Login(pending) => pending.errand.take(),
            _ => None,
        }
    }

    /// What came of the errand. The session goes on when it is fed next.
    pub fn conclude(&mut self, verdict: Verdict) {
        if let Phase::Login(pending) = &mut self.phase {
            pending.verdict = Some(verdict);
        }
    }

    /// Which mechanisms there are for this client; `None` where no login is asked for.
    pub(super) fn mechanisms(&self, cx: &Context<'_>) -> Option<String> {
        let (Some(login), Some(authority)) = (&self.login, &cx.shared.authority) else { return None };
        Some(authority.mechanism_names(&login.client))
    }

    /// A message was too long to be looked at.
    pub(super) fn oversized(&mut self) -> Outcome {
        let Some(login) = &mut self.login else { return Outcome::Answered };
        login.handshake = None;
        login.failures += 1;
        if login.failures >= FAILURES_MAX { Outcome::Over } else { Outcome::Answered }
    }

    pub(super) fn count_requests(&self, requests: u32) {
        if let Some(member) = self.login.as_ref().and_then(|login| login.member.as_ref()) {
            member.counts.requests.fetch_add(u64::from(requests), Ordering::Relaxed);
        }
    }

    /// Whether whoever is logged in may do that; anyone may, where no login is asked for.
    #[inline]
    pub(super) fn may(&self, demand: Demand<'_>) -> bool {
        self.standing.allows(demand) || self.login.as_ref().is_none_or(|login| login.allows(demand))
    }

    /// Who is logged in.
    pub fn identity(&self) -> Option<&Identity> {
        self.login.as_ref()?.member()
    }

    /// Whether what arrives may be a secret, which must not stay in any buffer.
    pub fn hears_secrets(&self) -> bool {
        self.standing.is_out()
    }

    /// Whether a login is or was asked for, so that what a client has sent may be a secret.
    pub fn has_login(&self) -> bool {
        self.login.is_some()
    }

    /// Part of a login is in what is fed.
    pub(super) fn note_secret(&mut self) {
        if let Some(login) = &mut self.login {
            login.has_heard = true;
        }
    }

    /// Whether part of a login was in what was fed since this was asked last.
    pub fn has_heard_secrets(&mut self) -> bool {
        self.login.as_mut().is_some_and(|login| std::mem::take(&mut login.has_heard))
    }

    /// Whether the connection has to end because of its login: it is overdue, or no longer good.
    pub fn is_expelled(&mut self, cx: &Context<'_>) -> bool {
        let (Some(login), Some(authority)) = (&mut self.login, &cx.shared.authority) else { return false };
        let is_good = login.is_good(authority, unix(cx));
        self.standing = login.standing();
        // A client does not wait for us while it has no room for our replies: nothing is begun before these are sent.
        let waits_for_us = matches!(&self.phase, Phase::Login(pending) if pending.errand.is_none());
        !is_good || login.is_overdue(cx.now) && !waits_for_us
    }
}

fn unix(cx: &Context<'_>) -> u64 {
    u64::try_from(cx.shared.clock.unix(cx.now)).unwrap_or(0)
}

//! The list of nodes in all the forms that clients ask for it.

use super::{Outbox, Session, Step, access};
use crate::auth::rights::Demand;
use crate::exec::Context;
use crate::exec::cluster::ConfigOutcome;
use crate::protocol::binary::reply::{Echo, Status};
use crate::protocol::text::parse::{self, KeysLine, Request};
use crate::protocol::text::reply::{self, line};
use crate::protocol::text::words::Words;

/// config get.
pub(super) fn config_get(key: &[u8], out: &mut Outbox, cx: &Context<'_>) {
    match cx.config_get(key) {
        ConfigOutcome::NotOffered => out.say(line::ERROR),
        ConfigOutcome::UnknownKey => out.say(line::UNKNOWN_CONFIG),
        ConfigOutcome::NotYet => out.say(line::NO_CLUSTER_YET),
        ConfigOutcome::List(list) => reply::config_cluster(out.bytes(), &list.payload),
    }
}

/// The same over the binary protocol. ElastiCache's clients in Java skip four bytes of flags.
pub(super) fn binary_config_get(key: &[u8], echo: Echo, out: &mut Outbox, cx: &Context<'_>) {
    match cx.config_get(key) {
        ConfigOutcome::NotOffered => echo.error(out.bytes(), Status::UnknownCommand),
        ConfigOutcome::UnknownKey => echo.error(out.bytes(), Status::NotFound),
        ConfigOutcome::NotYet => echo.error(out.bytes(), Status::TemporaryFailure),
        ConfigOutcome::List(list) => echo.found(out.bytes(), &[], 0, list.payload.len(), 0, &list.payload),
    }
}

/// A get has found nothing: if it asked for the list by its old key, here it is. CAS numbers are versions.
#[inline]
pub(super) fn instead_of_a_miss(key: &[u8], with_cas: bool, out: &mut Outbox, cx: &Context<'_>) {
    if cx.is_list_key(key) {
        say_as_value(key, with_cas, out, cx);
    }
}

#[cold]
fn say_as_value(key: &[u8], with_cas: bool, out: &mut Outbox, cx: &Context<'_>) {
    if let Some(list) = cx.list_of_key(key) {
        let cas = with_cas.then_some(list.version);
        reply::value(out.bytes(), key, 0, list.payload.len(), cas, Some(&list.payload));
    }
}

/// Whether a request would change the list.
#[inline]
pub(super) fn is_write(demand: Demand<'_>, cx: &Context<'_>) -> bool {
    matches!(demand, Demand::Write(key) | Demand::ReadWrite(key) if cx.is_list_key(key))
}

/// Whether these keys, up to the end of their line, have the list's among them.
#[cold]
pub(super) fn is_named(keys: &[u8], cx: &Context<'_>) -> bool {
    Words::of(parse::without_end(keys)).any(|key| cx.is_list_key(key))
}

impl Session {
    /// Whether who is logged in may get this key: the list is for everyone.
    pub(super) fn may_get(&self, line: &KeysLine, key: &[u8], cx: &Context<'_>) -> bool {
        line.touch.is_none() && cx.is_list_key(key) || self.may(access::of_key(line, key))
    }

    /// A line before the login, where the operator lets everyone discover (`--cluster-before-login`): the list in both
    /// forms, and the version, by which clients choose one. `None` of all else.
    pub(super) fn discover_before_login(
        &self,
        request_line: &[u8],
        out: &mut Outbox,
        cx: &Context<'_>,
    ) -> Option<Step> {
        if !cx.tells_list_before_login() {
            return None;
        }
        match parse::parse(request_line).ok()? {
            Request::ConfigGet(key) => config_get(key, out, cx),
            Request::Version => reply::version_line(out.bytes()),
            Request::Keys { line: KeysLine { with_cas, touch: None }, keys_at } => {
                let mut keys = Words::of(parse::without_end(&request_line[keys_at..]));
                let (Some(key), None) = (keys.next(), keys.next()) else { return None };
                if !cx.is_list_key(key) {
                    return None;
                }
                say_as_value(key, with_cas, out, cx);
                out.say(line::END);
            }
            _ => return None,
        }
        Some(Step::answered(request_line.len()))
    }
}

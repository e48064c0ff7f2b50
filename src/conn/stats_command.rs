//! `stats` and its groups over the text protocol.

use super::login::Login;
use super::{Outbox, access};
use crate::exec::Context;
use crate::exec::admin::{DetailOrder, DetailOutcome};
use crate::protocol::text::number::unsigned_32;
use crate::protocol::text::reply::{self, line};
use crate::protocol::text::words::Words;
use crate::stats;

/// Bytes of a `stats cachedump` reply at most (memcached: one page of 2 MiB).
const CACHEDUMP_BYTES_MAX: usize = 2 << 20;

/// memcached's limit on class numbers.
const CLASSES_MAX: u32 = 64;

/// Answers `stats <arguments>`. Some groups may be shortened to any prefix, as 1.6.45 compares them.
/// `login` is that of who asks.
pub(super) fn answer(arguments: &[u8], login: Option<&Login>, out: &mut Outbox, cx: &Context<'_>) {
    let mut words = Words::of(arguments);
    let Some(group) = words.next() else { return say_all(&stats::general(cx.shared, cx.now), out) };
    if login.is_some_and(|login| !login.allows(access::of_stats(group))) {
        return out.say(line::UNAUTHORIZED);
    }
    let is = |name: &str| name.as_bytes().starts_with(group);
    if is("reset") {
        stats::reset(cx.shared);
        out.say(line::RESET);
    } else if is("detail") {
        detail(words.next(), out, cx);
    } else if is("settings") {
        say_all(&stats::settings::all(cx.shared), out);
    } else if is("cachedump") {
        cachedump(words, out, cx);
    } else if is("conns") {
        say_all(&stats::conns::all(cx), out);
    } else {
        match group {
            b"hotkeys" if !cx.shared.settings.dumping => out.say(line::HOTKEYS_REFUSED),
            b"hotkeys" => say_all(&stats::hot_keys::all(cx.shared, cx.now), out),
            group => match stats::of_classes_or_users(group, login.and_then(Login::member), cx.shared, cx.now) {
                Some(stats) => say_all(&stats, out),
                None => out.say(line::ERROR),
            },
        }
    }
}

fn say_all(stats: &stats::Stats, out: &mut Outbox) {
    for (name, value) in stats.iter() {
        reply::stat_line(out.bytes(), name, value);
    }
    out.say(line::END);
}

/// The words may be shortened. With `-X` no word at all is refused alike.
fn detail(word: Option<&[u8]>, out: &mut Outbox, cx: &Context<'_>) {
    if !cx.shared.settings.dumping {
        return out.say(line::DETAIL_REFUSED);
    }
    let orders = [("on", DetailOrder::On), ("off", DetailOrder::Off), ("dump", DetailOrder::Dump)];
    let order = word.and_then(|word| orders.iter().find(|(name, _)| name.as_bytes().starts_with(word)));
    let Some((_, order)) = order else { return out.say(line::DETAIL_USAGE) };
    match cx.detail(*order) {
        DetailOutcome::Switched => out.say(line::OK),
        DetailOutcome::Lines(lines) => out.say(&lines),
        DetailOutcome::Refused => out.say(line::DETAIL_REFUSED),
    }
}

fn cachedump(mut words: Words<'_>, out: &mut Outbox, cx: &Context<'_>) {
    if !cx.shared.settings.dumping {
        return out.say(line::CACHEDUMP_REFUSED);
    }
    let (Some(class), Some(limit)) = (words.next(), words.next()) else { return out.say(line::CACHEDUMP_SHORT) };
    let (Some(class), Some(limit)) = (unsigned_32(class), unsigned_32(limit)) else { return out.say(line::BAD_FORMAT) };
    if class >= CLASSES_MAX {
        return out.say(line::CACHEDUMP_CLASS);
    }
    let most = if limit == 0 { usize::MAX } else { limit as usize };
    // An item's line takes more than its key, so the limit on bytes is one on items too.
    let most = most.min(CACHEDUMP_BYTES_MAX / b"ITEM k [0 b; 0 s]\r\n".len());
    let mut bytes = 0;
    for item in cx.shared.store.list_class(class as usize, most, CACHEDUMP_BYTES_MAX, cx.now) {
        let expiry = if item.expiry == 0 { 0 } else { cx.shared.clock.unix(item.expiry) };
        let tail = format!(" [{} b; {expiry} s]\r\n", item.value_len);
        bytes += b"ITEM ".len() + item.key.len() + tail.len();
        if bytes > CACHEDUMP_BYTES_MAX {
            break;
        }
        out.say(b"ITEM ");
        out.say(&item.key);
        out.say(tail.as_bytes());
    }
    out.say(line::END);
}

//! Which right each request needs, for all protocols. The matches have no arm for "all others", so that a new command
//! cannot be forgotten here.

use crate::auth::rights::Demand;
use crate::protocol::binary::request::Verb;
use crate::protocol::meta::parse::{Command, Flags};
use crate::protocol::text::parse::{KeysLine, Request};

/// What a line of text demands. Keys of get and of meta commands are looked at one by one, by [`of_key`] and
/// [`of_meta`]; groups of statistics by [`of_stats`].
pub(super) fn of_text<'a>(request: &Request<'a>) -> Demand<'a> {
    match request {
        Request::Store(line) => Demand::Write(line.key),
        Request::Delete { key, .. } | Request::Touch { key, .. } => Demand::Write(key),
        Request::Delta { key, .. } => Demand::ReadWrite(key),
        Request::DeletePrefix { prefix, .. } => Demand::WriteAll(prefix),
        Request::FlushAll { .. }
        | Request::Verbosity { .. }
        | Request::RefreshCertificates
        | Request::MemoryLimit { .. }
        | Request::Automove { .. }
        | Request::Reassign { .. }
        | Request::Lru { .. }
        | Request::Crawler { .. }
        | Request::Watch { .. }
        | Request::Shutdown { .. } => Demand::Admin,
        #[cfg(feature = "debug-commands")]
        Request::DebugTime { .. } | Request::Misbehave => Demand::Admin,
        Request::Keys { .. }
        | Request::Meta { .. }
        | Request::Stats { .. }
        | Request::ConfigGet(_)
        | Request::Sasl(_)
        | Request::Version
        | Request::Noop
        | Request::Quit => Demand::Nothing,
    }
}

/// What get and its kin demand for one of their keys.
pub(super) fn of_key<'a>(line: &KeysLine, key: &'a [u8]) -> Demand<'a> {
    if line.touch.is_some() { Demand::ReadWrite(key) } else { Demand::Read(key) }
}

/// What a meta command demands; `key` is the key as it is in the store.
pub(super) fn of_meta<'a>(command: Command, key: &'a [u8], flags: &Flags<'_>) -> Demand<'a> {
    match command {
        // T, N and R change the item, or hand out the one right to do so.
        Command::Get if !flags.has_none_of(b"TNR") => Demand::ReadWrite(key),
        Command::Get | Command::Debug => Demand::Read(key),
        Command::Set | Command::Delete => Demand::Write(key),
        Command::Arithmetic => Demand::ReadWrite(key),
    }
}

/// What a binary request demands.
pub(super) fn of_binary(verb: Verb, key: &[u8]) -> Demand<'_> {
    match verb {
        Verb::Get { .. } => Demand::Read(key),
        Verb::GetAndTouch { .. } | Verb::Increment | Verb::Decrement => Demand::ReadWrite(key),
        // Its reply has the item's flags, and no more.
        Verb::Touch => Demand::Write(key),
        Verb::Set | Verb::Add | Verb::Replace | Verb::Append | Verb::Prepend | Verb::Delete => Demand::Write(key),
        Verb::Flush => Demand::Admin,
        Verb::Stat => of_stats(key),
        Verb::Noop
        | Verb::Version
        | Verb::Quit
        | Verb::SaslList
        | Verb::SaslAuth
        | Verb::SaslStep
        | Verb::ConfigGet
        | Verb::Unknown => Demand::Nothing,
    }
}

/// What a group of statistics demands. The server's own numbers are for everyone; whatever tells of keys, of other
/// clients, or changes something, is not, and neither is a group that is not known here.
pub(super) fn of_stats(group: &[u8]) -> Demand<'static> {
    match group {
        b"" | b"items" | b"slabs" | b"sizes" | b"users" => Demand::Nothing,
        // The text protocol lets it be shortened to any beginning, the binary one lets anything follow.
        group if b"settings".starts_with(group) || group.starts_with(b"settings") => Demand::Nothing,
        _ => Demand::Admin,
    }
}

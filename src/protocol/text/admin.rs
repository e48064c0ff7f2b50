//! Commands on the server itself, which 1.6.45 looks up after all others: leading blanks are forgiven, and `noreply`
//! as the last word silences even errors.

use super::crawler;
use super::number::{signed_32, unsigned_32};
use super::parse::{Reason, Refusal, Reply, Request};
use super::words::Words;
use crate::command::{KEY_MAX, LruShares};

/// What `slabs automove` changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomoveChange {
    /// 0 off, 1 on, 2 eager.
    Level(u8),
    /// A ratio or window, which tunes memcached's mover and not ours.
    Tuning,
}

/// What `lru` changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LruOrder {
    /// tune.
    Tune(LruShares),
    /// mode.
    Mode {
        /// Segmented, not flat.
        segmented: bool,
    },
    /// temp_ttl in seconds; negative is off.
    TemporaryTtl(i32),
}

/// `shutdown` and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutdownWord {
    /// At once.
    Plain,
    /// `graceful`.
    Graceful,
    /// Something else.
    Unknown,
}

/// Whether to answer a line that ends in this word.
pub(super) fn reply_by(last_word: Option<&[u8]>) -> Reply {
    if last_word == Some(b"noreply") { Reply::Omit } else { Reply::Send }
}

/// Commands that 1.6.45 finds in a second look: leading blanks are forgiven, `noreply` silences even the unknown.
pub(super) fn parse(body: &[u8]) -> Result<Request<'_>, Refusal> {
    let mut words = Words::of(body);
    let command = words.next();
    let reply = reply_by(words.last_word().or(command));
    let number = |word: Option<&[u8]>| word.and_then(unsigned_32);
    match command.unwrap_or_default() {
        b"flush_all" => {
            let has_exptime = words.count() > usize::from(reply == Reply::Omit);
            let exptime = if has_exptime { words.next().and_then(signed_32) } else { Some(0) };
            Ok(Request::FlushAll { exptime, reply })
        }
        b"verbosity" => match number(words.next()) {
            Some(level) => Ok(Request::Verbosity { level, reply }),
            None => Err(Refusal::new(Reason::BadFormat, reply)),
        },
        b"cache_memlimit" => match number(words.next()) {
            Some(mebibytes) => Ok(Request::MemoryLimit { mebibytes, reply }),
            None => Err(Refusal::new(Reason::UnknownCommand, reply)),
        },
        b"refresh_certs" => Ok(Request::RefreshCertificates),
        b"slabs" => slabs(words, reply),
        b"lru" => match lru(words) {
            Some(order) => Ok(Request::Lru { order, reply }),
            None => Err(Refusal::new(Reason::UnknownCommand, reply)),
        },
        b"lru_crawler" => crawler::parse(words, reply),
        b"larder" => ours(words, reply),
        b"config" => config(words, reply),
        b"shutdown" => {
            let how = match (words.next(), words.next()) {
                (None, _) => ShutdownWord::Plain,
                (Some(b"graceful"), None) => ShutdownWord::Graceful,
                _ => ShutdownWord::Unknown,
            };
            Ok(Request::Shutdown { how, reply })
        }
        #[cfg(feature = "debug-commands")]
        b"debugtime" => {
            let secs = words.next().and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
            secs.map(|secs| Request::DebugTime { secs }).ok_or(Refusal::new(Reason::UnknownCommand, reply))
        }
        #[cfg(feature = "debug-commands")]
        b"misbehave" => Ok(Request::Misbehave),
        _ if words.end_in_http() => Err(Refusal::new(Reason::Http, reply)),
        _ => Err(Refusal::new(Reason::UnknownCommand, reply)),
    }
}

/// What no memcached has, and no client of one asks for by accident: `larder delete_prefix <prefix>`.
fn ours(mut words: Words<'_>, reply: Reply) -> Result<Request<'_>, Refusal> {
    let wanted = 2 + usize::from(reply == Reply::Omit);
    match (words.count(), words.next(), words.next()) {
        (count, Some(b"delete_prefix"), Some(prefix)) if count == wanted && prefix.len() <= KEY_MAX => {
            Ok(Request::DeletePrefix { prefix, reply })
        }
        _ => Err(Refusal::new(Reason::BadFormat, reply)),
    }
}

/// ElastiCache's `config get <key>`. Its set and delete are for the service itself, and no server has them for clients.
#[cold]
fn config(mut words: Words<'_>, reply: Reply) -> Result<Request<'_>, Refusal> {
    match (words.next(), words.next(), words.next()) {
        (Some(b"get"), Some(key), None) => Ok(Request::ConfigGet(key)),
        _ => Err(Refusal::new(Reason::UnknownCommand, reply)),
    }
}

/// `lru tune <hot %> <warm %> <hot factor> <warm factor>|mode flat|mode segmented|temp_ttl <secs>`; sub-commands may be
/// shortened, as 1.6.45 compares.
fn lru(mut words: Words<'_>) -> Option<LruOrder> {
    let command = words.next()?;
    let is = |name: &str| name.as_bytes().starts_with(command);
    let first = words.next()?;
    if is("tune") && words.count() >= 3 {
        return Some(LruOrder::Tune(LruShares {
            hot_pct: unsigned_32(first)?,
            warm_pct: unsigned_32(words.next()?)?,
            hot_max_factor: fraction(words.next()?)?,
            warm_max_factor: fraction(words.next()?)?,
        }));
    }
    match first {
        b"flat" if is("mode") => Some(LruOrder::Mode { segmented: false }),
        b"segmented" if is("mode") => Some(LruOrder::Mode { segmented: true }),
        secs if is("temp_ttl") => signed_32(secs).map(LruOrder::TemporaryTtl),
        _ => None,
    }
}

fn fraction(word: &[u8]) -> Option<f64> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `slabs reassign <from> <to>` and `slabs automove <level>|ratio <f>|freeratio <f>|window <secs>`; sub-commands may be
/// shortened, as 1.6.45 compares.
fn slabs(mut words: Words<'_>, reply: Reply) -> Result<Request<'_>, Refusal> {
    let refused = |reason| Err(Refusal::new(reason, reply));
    let (Some(command), Some(what)) = (words.next(), words.next()) else { return refused(Reason::UnknownCommand) };
    if b"reassign".starts_with(command) && words.count() == 1 {
        let classes = signed_32(what).zip(words.next().and_then(signed_32));
        return Ok(Request::Reassign { classes, reply });
    }
    if !b"automove".starts_with(command) {
        return refused(Reason::UnknownCommand);
    }
    let argument = words.next();
    let change = if b"ratio".starts_with(what) || b"freeratio".starts_with(what) {
        if argument.and_then(fraction).is_none() {
            return refused(Reason::UnknownCommand);
        }
        AutomoveChange::Tuning
    } else if b"window".starts_with(what) {
        match argument.and_then(unsigned_32) {
            None => return refused(Reason::BadFormat),
            Some(3..=1800) => AutomoveChange::Tuning,
            Some(_) => return refused(Reason::InvalidWindow),
        }
    } else {
        match unsigned_32(what) {
            None => return refused(Reason::BadFormat),
            Some(level @ 0..=2) => AutomoveChange::Level(level as u8),
            Some(_) => return refused(Reason::UnknownCommand),
        }
    };
    Ok(Request::Automove { change, reply })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let cases: [(&[u8], Request<'_>); 14] = [
            (b"refresh_certs noreply", Request::RefreshCertificates),
            (b"config get cluster", Request::ConfigGet(b"cluster")),
            (b"config get  x", Request::ConfigGet(b"x")),
            (b"flush_all", Request::FlushAll { exptime: Some(0), reply: Reply::Send }),
            (b"  flush_all", Request::FlushAll { exptime: Some(0), reply: Reply::Send }),
            (b"flush_all noreply", Request::FlushAll { exptime: Some(0), reply: Reply::Omit }),
            (b"flush_all 5 noreply", Request::FlushAll { exptime: Some(5), reply: Reply::Omit }),
            (b"flush_all x", Request::FlushAll { exptime: None, reply: Reply::Send }),
            (b"verbosity 1", Request::Verbosity { level: 1, reply: Reply::Send }),
            (b"cache_memlimit 100", Request::MemoryLimit { mebibytes: 100, reply: Reply::Send }),
            (b"slabs automove 2", Request::Automove { change: AutomoveChange::Level(2), reply: Reply::Send }),
            (b"slabs automove ratio 0.5", Request::Automove { change: AutomoveChange::Tuning, reply: Reply::Send }),
            (b"shutdown", Request::Shutdown { how: ShutdownWord::Plain, reply: Reply::Send }),
            (b"shutdown graceful", Request::Shutdown { how: ShutdownWord::Graceful, reply: Reply::Send }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn pages_queues_and_prefixes() {
        let tuned = LruShares { hot_pct: 10, warm_pct: 20, hot_max_factor: 0.5, warm_max_factor: 1.0 };
        let lru = |order| Request::Lru { order, reply: Reply::Send };
        let reassign = |classes| Request::Reassign { classes, reply: Reply::Send };
        let cases: [(&[u8], Request<'_>); 11] = [
            (b"slabs reassign 3 -4", reassign(Some((3, -4)))),
            (b"slabs re 3 0", reassign(Some((3, 0)))),
            (b"slabs reassign x 4", reassign(None)),
            (b"lru tune 10 20 0.5 1", lru(LruOrder::Tune(tuned))),
            (b"lru tune 10 20 .5 1e0 more", lru(LruOrder::Tune(tuned))),
            (b"lru mode flat", lru(LruOrder::Mode { segmented: false })),
            (b"lru m segmented", lru(LruOrder::Mode { segmented: true })),
            (b"lru temp_ttl -1", lru(LruOrder::TemporaryTtl(-1))),
            (b"larder delete_prefix a:", Request::DeletePrefix { prefix: b"a:", reply: Reply::Send }),
            (b" larder delete_prefix a: noreply", Request::DeletePrefix { prefix: b"a:", reply: Reply::Omit }),
            (b"lru mode flat noreply", Request::Lru { order: LruOrder::Mode { segmented: false }, reply: Reply::Omit }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(parse(bytes), Ok(expected), "{}", String::from_utf8_lossy(bytes));
        }
        let long = [b"larder delete_prefix ", &[b'k'; KEY_MAX + 1][..]].concat();
        let cases: [(&[u8], Reason); 13] = [
            (b"slabs reassign 3", Reason::UnknownCommand),
            (b"slabs reassign 3 4 5", Reason::UnknownCommand),
            (b"lru", Reason::UnknownCommand),
            (b"lru mode", Reason::UnknownCommand),
            (b"lru mode x", Reason::UnknownCommand),
            (b"lru tune 10 20 0.5", Reason::UnknownCommand),
            (b"lru tune 10 -20 0.5 1", Reason::UnknownCommand),
            (b"lru temp_ttl 2147483648", Reason::UnknownCommand),
            (b"larder", Reason::BadFormat),
            (b"larder delete_prefix", Reason::BadFormat),
            (b"larder delete_prefix a: b:", Reason::BadFormat),
            (b"larder DELETE_PREFIX a:", Reason::BadFormat),
            (&long, Reason::BadFormat),
        ];
        for (bytes, reason) in cases {
            assert_eq!(parse(bytes), Err(Refusal::new(reason, Reply::Send)), "{}", String::from_utf8_lossy(bytes));
        }
        // Without a prefix before it, `noreply` is no prefix either.
        let quiet = Refusal::new(Reason::BadFormat, Reply::Omit);
        assert_eq!(parse(b"larder delete_prefix noreply"), Err(quiet));
    }

    #[test]
    fn refusals_give_their_reason() {
        let cases: [(&[u8], Reason); 14] = [
            (b"config", Reason::UnknownCommand),
            (b"config get", Reason::UnknownCommand),
            (b"config get cluster now", Reason::UnknownCommand),
            (b"config set cluster 0 1", Reason::UnknownCommand),
            (b"verbosity", Reason::BadFormat),
            (b"verbosity x", Reason::BadFormat),
            (b"cache_memlimit x", Reason::UnknownCommand),
            (b"slabs", Reason::UnknownCommand),
            (b"slabs automove", Reason::UnknownCommand),
            (b"slabs automove 3", Reason::UnknownCommand),
            (b"slabs automove invalid", Reason::BadFormat),
            (b"slabs automove ratio x", Reason::UnknownCommand),
            (b"slabs automove window x", Reason::BadFormat),
            (b"slabs automove window 2", Reason::InvalidWindow),
        ];
        for (bytes, reason) in cases {
            let expected = Refusal::new(reason, Reply::Send);
            assert_eq!(parse(bytes), Err(expected), "{}", String::from_utf8_lossy(bytes));
        }
        let quiet = Refusal::new(Reason::UnknownCommand, Reply::Omit);
        assert_eq!(parse(b"foo noreply"), Err(quiet));
    }
}

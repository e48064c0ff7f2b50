//! `lru_crawler`: sweeps for expired items, and dumps.

use super::number::unsigned_32;
use super::parse::{Reason, Refusal, Reply, Request};
use super::words::Words;
use crate::command::{ClassSet, CrawlScope};

/// The longest `lru_crawler sleep`, in microseconds.
const SLEEP_US_MAX: u32 = 1_000_000;

/// How a dump shows an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// metadump: a line of names and values.
    Fields,
    /// mgdump: a meta get, to be sent back.
    MetaGet,
}

/// What the crawler is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlerOrder<'a> {
    /// Be there.
    Enable,
    /// Be no more.
    Disable,
    /// One sweep.
    Crawl(CrawlScope),
    /// One dump.
    Dump {
        /// What its lines look like.
        format: DumpFormat,
        /// Of what.
        scope: CrawlScope,
        /// Only of keys that begin so (not in memcached).
        prefix: &'a [u8],
    },
    /// Pause so many microseconds between items.
    Sleep(u32),
    /// Look at so many items of each class.
    ToCrawl(u32),
}

/// The words behind `lru_crawler`. Sub-commands may be shortened, as 1.6.45 compares; their number of words counts.
pub(super) fn parse(mut words: Words<'_>, reply: Reply) -> Result<Request<'_>, Refusal> {
    let refused = |reason| Err(Refusal::new(reason, reply));
    let (Some(command), argument, prefix, None) = (words.next(), words.next(), words.next(), words.next()) else {
        return refused(Reason::UnknownCommand);
    };
    let is = |name: &str| name.as_bytes().starts_with(command);
    let dump = |format, argument, prefix| CrawlerOrder::Dump { format, scope: scope(argument), prefix };
    let order = match (argument, prefix) {
        (None, _) if is("enable") => CrawlerOrder::Enable,
        (None, _) if is("disable") => CrawlerOrder::Disable,
        (Some(argument), None) if is("crawl") => CrawlerOrder::Crawl(scope(argument)),
        (Some(argument), None) if is("metadump") => dump(DumpFormat::Fields, argument, b""),
        (Some(argument), None) if is("mgdump") => dump(DumpFormat::MetaGet, argument, b""),
        (Some(argument), None) if is("tocrawl") => match unsigned_32(argument) {
            Some(items) => CrawlerOrder::ToCrawl(items),
            None => return refused(Reason::BadFormat),
        },
        (Some(argument), None) if is("sleep") => match unsigned_32(argument) {
            Some(sleep_us @ ..=SLEEP_US_MAX) => CrawlerOrder::Sleep(sleep_us),
            Some(_) => return refused(Reason::SleepTooLong),
            None => return refused(Reason::BadFormat),
        },
        // 1.6.45 knows no fourth word, so there `noreply` is an error that is not told.
        (Some(argument), Some(prefix)) if reply == Reply::Send => match command {
            b"metadump" => dump(DumpFormat::Fields, argument, prefix),
            b"mgdump" => dump(DumpFormat::MetaGet, argument, prefix),
            _ => return refused(Reason::UnknownCommand),
        },
        _ => return refused(Reason::UnknownCommand),
    };
    Ok(Request::Crawler { order, reply })
}

/// `all`, `hash`, or class numbers with commas.
fn scope(word: &[u8]) -> CrawlScope {
    match word {
        b"all" => return CrawlScope::Classes(ClassSet::ALL),
        b"hash" => return CrawlScope::Hash,
        _ => {}
    }
    let mut classes = ClassSet::default();
    for number in word.split(|&byte| byte == b',').filter(|number| !number.is_empty()) {
        if !unsigned_32(number).is_some_and(|class| classes.insert(class)) {
            return CrawlScope::BadClass;
        }
    }
    CrawlScope::Classes(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<CrawlerOrder<'_>, Reason>) {
        let expected = match expected {
            Ok(order) => Ok(Request::Crawler { order, reply: Reply::Send }),
            Err(reason) => Err(Refusal::new(reason, Reply::Send)),
        };
        assert_eq!(parse(Words::of(line.as_bytes()), Reply::Send), expected, "{line}");
    }

    fn classes(numbers: &[u32]) -> CrawlScope {
        let mut classes = ClassSet::default();
        assert!(numbers.iter().all(|&number| classes.insert(number)));
        CrawlScope::Classes(classes)
    }

    #[test]
    fn orders() {
        let all = CrawlScope::Classes(ClassSet::ALL);
        let dump = |scope, prefix| CrawlerOrder::Dump { format: DumpFormat::Fields, scope, prefix };
        for (line, order) in [
            ("enable", CrawlerOrder::Enable),
            ("dis", CrawlerOrder::Disable),
            ("crawl all", CrawlerOrder::Crawl(all)),
            ("c hash", CrawlerOrder::Crawl(CrawlScope::Hash)),
            ("crawl 1,2,63", CrawlerOrder::Crawl(classes(&[1, 2, 63]))),
            ("crawl ,,7,", CrawlerOrder::Crawl(classes(&[7]))),
            ("crawl ,", CrawlerOrder::Crawl(classes(&[]))),
            ("crawl 64", CrawlerOrder::Crawl(CrawlScope::BadClass)),
            ("crawl 0", CrawlerOrder::Crawl(CrawlScope::BadClass)),
            ("crawl al", CrawlerOrder::Crawl(CrawlScope::BadClass)),
            ("crawl -1", CrawlerOrder::Crawl(CrawlScope::BadClass)),
            ("metadump all", dump(all, b"")),
            ("m hash", dump(CrawlScope::Hash, b"")),
            ("metadump all user:", dump(all, b"user:")),
            ("mgdump 5", CrawlerOrder::Dump { format: DumpFormat::MetaGet, scope: classes(&[5]), prefix: b"" }),
            ("sleep 1000000", CrawlerOrder::Sleep(1_000_000)),
            ("tocrawl 4294967295", CrawlerOrder::ToCrawl(u32::MAX)),
        ] {
            check(line, Ok(order));
        }
    }

    #[test]
    fn refusals() {
        for (line, reason) in [
            ("", Reason::UnknownCommand),
            ("crawl", Reason::UnknownCommand),
            ("metadump", Reason::UnknownCommand),
            ("enable now", Reason::UnknownCommand),
            ("crawls all", Reason::UnknownCommand),
            ("crawl all user:", Reason::UnknownCommand),
            ("m all user:", Reason::UnknownCommand),
            ("metadump all user: x", Reason::UnknownCommand),
            ("sleep x", Reason::BadFormat),
            ("sleep 1000001", Reason::SleepTooLong),
            ("tocrawl -1", Reason::BadFormat),
        ] {
            check(line, Err(reason));
        }
        let quiet = parse(Words::of(b"metadump all noreply"), Reply::Omit);
        assert_eq!(quiet, Err(Refusal::new(Reason::UnknownCommand, Reply::Omit)));
    }
}

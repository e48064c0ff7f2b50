//! The words behind `watch`.

use super::words::Words;
use crate::command::WatchKinds;

/// The kinds that the words name, which may be cut short, as 1.6.45 compares them; without a word, fetchers.
pub(super) fn kinds(words: Words<'_>) -> Option<WatchKinds> {
    // In memcached's order, by which `e` is evictions. We have no proxy, and 1.6.45 tells nothing of raw commands.
    const NAMES: [(&str, WatchKinds); 10] = [
        ("rawcmds", WatchKinds::NONE),
        ("evictions", WatchKinds::EVICTIONS),
        ("fetchers", WatchKinds::FETCHERS),
        ("mutations", WatchKinds::MUTATIONS),
        ("sysevents", WatchKinds::SYSEVENTS),
        ("connevents", WatchKinds::CONNEVENTS),
        ("proxyreqs", WatchKinds::NONE),
        ("proxyevents", WatchKinds::NONE),
        ("proxyuser", WatchKinds::NONE),
        ("deletions", WatchKinds::DELETIONS),
    ];
    let mut words = words.peekable();
    if words.peek().is_none() {
        return Some(WatchKinds::FETCHERS);
    }
    words.try_fold(WatchKinds::NONE, |kinds, word| {
        let (_, kind) = NAMES.iter().find(|(name, _)| name.as_bytes().starts_with(word))?;
        Some(kinds.and(*kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_kinds_and_may_be_cut_short() {
        let both = WatchKinds::FETCHERS.and(WatchKinds::MUTATIONS);
        let cases: [(&[u8], Option<WatchKinds>); 14] = [
            (b"", Some(WatchKinds::FETCHERS)),
            (b"  ", Some(WatchKinds::FETCHERS)),
            (b" fetchers", Some(WatchKinds::FETCHERS)),
            (b" fetchers  mutations ", Some(both)),
            (b" m f m", Some(both)),
            (b" e", Some(WatchKinds::EVICTIONS)),
            (b" conn", Some(WatchKinds::CONNEVENTS)),
            (b" deletions", Some(WatchKinds::DELETIONS)),
            (b" sysevents", Some(WatchKinds::SYSEVENTS)),
            (b" rawcmds proxyreqs proxyevents proxyuser", Some(WatchKinds::NONE)),
            (b" fetchersx", None),
            (b" fetchers foo", None),
            (b" FETCHERS", None),
            (b" noreply", None),
        ];
        for (arguments, expected) in cases {
            assert_eq!(kinds(Words::of(arguments)), expected, "{}", String::from_utf8_lossy(arguments));
        }
    }
}

//! The options after `-o`, one row each, and how their list is read.
//!
//! Most of memcached's options tune its LRU segments, its hash table and its slab rebalancer. Where we have no such
//! part the row is `without_effect`: a drop-in must start with the old machine's command line and say what it ignores.

use std::ffi::OsStr;

use super::Exit;
use super::draft::Draft;
use super::row::Group::{Memory, Network, Process, Requests};
use super::row::{Name, Row};
use crate::exit_status;
use crate::settings::KeyFormat;
use crate::tls::Ciphers;

/// Reads `name`, `name=value`, ... with commas between them, in order: `no_modern,lru_crawler` is not
/// `lru_crawler,no_modern`.
///
/// # Errors
/// An unknown name, an empty one, or a wrong value; the exit status is 1.
pub(super) fn read(draft: &mut Draft, list: &str) -> Result<(), Exit> {
    // memcached's list may end with a comma and may be empty as a whole, but has no empty words in between.
    for word in list.strip_suffix(',').unwrap_or(list).split(',').filter(|_| !list.is_empty()) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(OsStr::new(value))),
            None => (word, None),
        };
        let row =
            OPTIONS.iter().find(|row| matches!(row.name, Name::Option(known) if known == name)).ok_or_else(|| {
                Exit::refusal(exit_status::FAILURE, format!("Illegal suboption {word:?}; larder -h lists them"))
            })?;
        row.apply(draft, value)?;
    }
    Ok(())
}

/// Every option of memcached 1.6.45 (builds with and without TLS, extstore and the proxy).
pub(super) static OPTIONS: &[Row] = &[
    Row::option("maxconns_fast", Network, "at the limit of -c, answer new connections with an error (the default)")
        .switch(|draft| draft.settings.maxconns_fast = true),
    Row::option("no_maxconns_fast", Network, "at the limit of -c, let new connections wait")
        .switch(|draft| draft.settings.maxconns_fast = false),
    Row::option("idle_timeout", Network, "seconds without a request after which a connection is closed; 0 = never")
        .value("secs", "0", |draft, word| word.number(0..=INT_MAX).map(|secs| draft.settings.idle_timeout_secs = secs)),
    Row::option(
        "read_buf_mem_limit",
        Network,
        "megabytes for the buffers of all connections together; 0 = larder's own limit",
    )
    .value("mb", "0", |draft, word| {
        word.number(0..=UINT_MAX)
            .map(|megabytes: u32| draft.settings.read_buf_mem_limit_bytes = u64::from(megabytes) << 20)
    }),
    Row::option("resp_obj_mem_limit", Network, "deprecated in memcached, too; see read_buf_mem_limit")
        .maybe_value("mb", "", |_, _| Ok(()))
        .without_effect(),
    Row::option("sock_cookie_id", Network, "mark for packet filters on accepted connections")
        .value("num", "", |_, word| word.number::<u32>(0..=UINT_MAX).map(|_| ()))
        .later("socket marks", "filter by port"),
    Row::option("track_sizes", Requests, "keep the histogram behind the command \"stats sizes\"")
        .switch(|draft| draft.settings.track_sizes = true),
    Row::option("watcher_logbuf_size", Requests, "kilobytes kept for each watcher that reads slowly").value(
        "kb",
        "256",
        |draft, word| {
            word.number(1..=LOGBUF_KB_MAX).map(|kilobytes: u32| draft.settings.watcher_logbuf_bytes = kilobytes << 10)
        },
    ),
    Row::option("worker_logbuf_size", Requests, "kilobytes of events each worker keeps for the watchers").value(
        "kb",
        "64",
        |draft, word| {
            word.number(1..=LOGBUF_KB_MAX).map(|kilobytes: u32| draft.settings.worker_logbuf_bytes = kilobytes << 10)
        },
    ),
    Row::option("inline_ascii_resp", Requests, "nothing, in memcached either").without_effect(),
    Row::option("no_inline_ascii_resp", Requests, "nothing, in memcached either").without_effect(),
    Row::option("lru_crawler", Memory, "give back the memory of expired items in the background (the default)")
        .switch(|draft| draft.settings.lru_crawler = true),
    Row::option("no_lru_crawler", Memory, "do not look for expired items in the background")
        .switch(|draft| draft.settings.lru_crawler = false),
    Row::option("lru_crawler_sleep", Memory, "microseconds to rest between two slices of that work")
        .value("us", "100", |draft, word| word.number(0..=1_000_000).map(|us| draft.settings.lru_crawler_sleep_us = us))
        .without_effect(),
    Row::option("lru_crawler_tocrawl", Memory, "items looked at per slab class and run; 0 = all")
        .value("num", "0", |draft, word| {
            word.number(0..=UINT_MAX).map(|items| draft.settings.lru_crawler_tocrawl = items)
        })
        .without_effect(),
    Row::option("slab_reassign", Memory, "let memory move between slab classes (the default)")
        .switch(|draft| draft.settings.slab_reassign = true),
    Row::option("no_slab_reassign", Memory, "no page moves to the slab class that earns more with it")
        .switch(|draft| draft.settings.slab_reassign = false),
    Row::option("slab_automove", Memory, "move memory between slab classes by need: 0 never, 1 with care, 2 fast")
        .maybe_value("level", "1", |draft, word| {
            draft.settings.slab_automove = match word {
                Some(word) => word.number(0..=2)?,
                None => 1,
            };
            Ok(())
        }),
    Row::option("no_slab_automove", Memory, "the same as slab_automove=0")
        .switch(|draft| draft.settings.slab_automove = 0),
    Row::option("modern", Memory, "nothing: the defaults are the modern ones"),
    Row::option(
        "no_modern",
        Memory,
        "the defaults of memcached 1.4: no_maxconns_fast, no_slab_reassign, no_slab_automove, \
         no_lru_crawler, no_lru_maintainer, no_chunked_items, hash_algorithm=jenkins",
    )
    .switch(old_defaults),
    Row::option("slab_automove_ratio", Memory, "difference in age that moves memory; above 0, at most 1")
        .value("num", "0.8", |draft, word| {
            word.fraction(0.0, 1.0).map(|ratio| draft.settings.slab_automove_ratio = ratio)
        })
        .without_effect(),
    Row::option("slab_automove_window", Memory, "seconds over which ages are averaged; 3 to 1800")
        .value("secs", "10", |draft, word| word.number(3..=1800).map(|secs| draft.settings.slab_automove_window = secs))
        .without_effect(),
    Row::option("slab_automove_freeratio", Memory, "share of memory kept free for flash storage; above 0, at most 1")
        .value("num", "0.01", |draft, word| {
            word.fraction(0.0, 1.0).map(|ratio| draft.settings.slab_automove_freeratio = ratio)
        })
        .without_effect(),
    Row::option("slab_chunk_max", Memory, "kilobytes of the largest chunk; 1 to 1024, divides 1m and -I")
        .value("kb", "512", |draft, word| {
            word.number(1..=1024).map(|kilobytes: u32| draft.settings.slab_chunk_max_bytes = kilobytes << 10)
        })
        .without_effect(),
    Row::option("no_chunked_items", Memory, "keep each item in one piece")
        .switch(|draft| draft.settings.slab_chunk_max_bytes = SLAB_PAGE_BYTES)
        .without_effect(),
    Row::option("slab_sizes", Memory, "sizes of the slab classes in bytes, ascending, with hyphens between them")
        .value("sizes", "", |draft, word| {
            draft.slab_sizes = Some(word.text()?.to_owned());
            Ok(())
        })
        .without_effect(),
    Row::option("hashpower", Memory, "logarithm of the hash table's size at the start; 12 to 32")
        .value("num", "", |draft, word| word.number(12..=32).map(|power| draft.settings.hashpower = power))
        .without_effect(),
    Row::option("no_hashexpand", Memory, "do not grow the hash table").without_effect(),
    Row::option("hash_algorithm", Memory, "hash of the keys: jenkins, murmur3 or xxh3")
        .value("name", "murmur3", |draft, word| {
            let name = word.text()?;
            if !["jenkins", "murmur3", "xxh3"].contains(&name) {
                return Err(word.refusal("is no hash; give jenkins, murmur3 or xxh3"));
            }
            draft.settings.hash_algorithm = name.to_owned();
            Ok(())
        })
        .without_effect(),
    Row::option("tail_repair_time", Memory, "seconds after which an item that is still in use is taken; 10 or more")
        .value("secs", "", |draft, word| {
            word.number(10..=INT_MAX).map(|secs| draft.settings.tail_repair_time_secs = secs)
        })
        .without_effect(),
    Row::option("lru_maintainer", Memory, "a thread that sorts items into hot, warm and cold")
        .switch(|draft| draft.settings.lru_maintainer = true)
        .without_effect(),
    Row::option("no_lru_maintainer", Memory, "one list of items per slab class")
        .switch(|draft| draft.settings.lru_maintainer = false)
        .without_effect(),
    Row::option("hot_lru_pct", Memory, "percent of memory for hot items; 1 to 79, with the warm ones at most 80")
        .value("num", "20", |draft, word| word.number(1..=79).map(|percent| draft.settings.hot_lru_pct = percent))
        .without_effect(),
    Row::option("warm_lru_pct", Memory, "percent of memory for warm items; 1 to 79, with the hot ones at most 80")
        .value("num", "40", |draft, word| word.number(1..=79).map(|percent| draft.settings.warm_lru_pct = percent))
        .without_effect(),
    Row::option("hot_max_factor", Memory, "age, as a share of the cold items', at which a hot item cools")
        .value("num", "0.2", |draft, word| {
            word.fraction(0.0, f64::MAX).map(|factor| draft.settings.hot_max_factor = factor)
        })
        .without_effect(),
    Row::option("warm_max_factor", Memory, "age, as a share of the cold items', at which a warm item cools")
        .value("num", "2", |draft, word| {
            word.fraction(0.0, f64::MAX).map(|factor| draft.settings.warm_max_factor = factor)
        })
        .without_effect(),
    Row::option("temporary_ttl", Memory, "seconds to live below which items are never evicted; needs lru_maintainer")
        .value("secs", "", |draft, word| {
            word.number(0..=INT_MAX).map(|secs| draft.settings.temporary_ttl_secs = Some(secs))
        })
        .without_effect(),
    Row::option(
        "drop_privileges",
        Process,
        "have the kernel refuse system calls that serving does not need; the worst of them end the process",
    )
    .switch(|draft| draft.settings.drop_privileges = true),
    Row::option("no_drop_privileges", Process, "take drop_privileges back (the default)")
        .switch(|draft| draft.settings.drop_privileges = false),
    Row::option("relaxed_privileges", Process, "drop_privileges without breaking memcached's tests").without_effect(),
    Row::option("ssl_chain_cert", Network, "certificates to show, as PEM, the server's own first; -Z needs it").value(
        "file",
        "",
        |draft, word| word.path().map(|path| draft.settings.tls.chain_cert = Some(path)),
    ),
    Row::option("ssl_key", Network, "private key, as PEM; without it the key is in the file of the certificates")
        .value("file", "", |draft, word| word.path().map(|path| draft.settings.tls.key = Some(path))),
    Row::option("ssl_keyformat", Network, "format of the key: 1 PEM, 2 DER").value("num", "1", |draft, word| {
        word.number(1..=2).map(|format: u8| {
            draft.settings.tls.key_format = if format == 1 { KeyFormat::Pem } else { KeyFormat::Der };
        })
    }),
    Row::option(
        "ssl_verify_mode",
        Network,
        "client certificates: 0 none, 1 verified where a client has one, 2 or 3 demanded and verified",
    )
    .value("num", "0", |draft, word| word.number(0..=3).map(|mode| draft.settings.tls.verify_mode = mode)),
    Row::option("ssl_ca_cert", Network, "authorities whose client certificates are accepted, as PEM").value(
        "file",
        "",
        |draft, word| word.path().map(|path| draft.settings.tls.ca_cert = Some(path)),
    ),
    Row::option("ssl_ciphers", Network, "cipher suites to speak, by OpenSSL's names with colons between them").value(
        "list",
        "",
        |draft, word| {
            let list = word.text()?;
            let ciphers = Ciphers::parse(list);
            draft.settings.tls.ciphers = ciphers.ok_or_else(|| {
                word.refusal(format!("names a cipher suite that is not there; give some of {}", Ciphers::names()))
            })?;
            draft.settings.tls.ciphers_text = Some(list.to_owned());
            Ok(())
        },
    ),
    Row::option(
        "ssl_min_version",
        Network,
        "oldest version to speak: 2 TLS 1.2, 3 TLS 1.3. 0 and 1, TLS 1.0 and 1.1, are taken for 2",
    )
    .value("num", "2", |draft, word| word.number(0..=3).map(|version| draft.settings.tls.min_version = version)),
    Row::option("ssl_session_cache", Network, "let clients resume sessions; they keep them, encrypted for the server")
        .switch(|draft| draft.settings.tls.session_cache = true),
    Row::option("ssl_wbuf_size", Network, "kilobytes of each connection's write buffer")
        .value("kb", "16", |draft, word| {
            word.number(0..=LOGBUF_KB_MAX).map(|kilobytes: u32| draft.settings.tls.wbuf_bytes = kilobytes << 10)
        })
        .without_effect(),
    Row::option("ssl_kernel_tls", Network, "let the kernel encrypt")
        .switch(|draft| draft.settings.tls.kernel_tls = true)
        .without_effect(),
    proxy("proxy_config", "files", "serve as a proxy that these Lua files configure"),
    proxy("proxy_arg", "text", "argument of the proxy's configuration"),
    proxy("proxy_uring", "", "use io_uring in the proxy"),
    proxy("proxy_memprofile", "", "profile the memory of the proxy's Lua"),
    flash("ext_path", "file:size", "file for items on flash storage"),
    flash("ext_page_size", "mb", "megabytes of a page"),
    flash("ext_wbuf_size", "mb", "megabytes of a write buffer"),
    flash("ext_threads", "num", "threads that read and write"),
    flash("ext_io_depth", "num", "requests given to the kernel at once"),
    flash("ext_item_size", "bytes", "items of this size and more may go to flash"),
    flash("ext_item_age", "secs", "items unused for so long may go to flash"),
    flash("ext_low_ttl", "secs", "items with less to live are kept apart"),
    flash("ext_recache_rate", "num", "accesses after which an item comes back to memory"),
    flash("ext_compact_under", "pages", "compact when fewer pages are free"),
    flash("ext_drop_under", "pages", "drop cold items when fewer pages are free"),
    flash("ext_max_frag", "num", "compact only pages that are less full"),
    flash("ext_max_sleep", "us", "longest rest of the background threads, in microseconds"),
    flash("ext_drop_unread", "", "drop unread items while compacting"),
];

const INT_MAX: i64 = i32::MAX as i64;
const UINT_MAX: i64 = u32::MAX as i64;
/// 1 GiB.
const LOGBUF_KB_MAX: i64 = 1 << 20;
/// memcached's slab page, the chunk size without chunking.
const SLAB_PAGE_BYTES: u32 = 1 << 20;

const fn proxy(name: &'static str, argument: &'static str, help: &'static str) -> Row {
    absent(Row::option(name, Network, help), argument).later("the proxy", "run memcached's proxy in front")
}

const fn flash(name: &'static str, argument: &'static str, help: &'static str) -> Row {
    absent(Row::option(name, Memory, help), argument)
        .later("flash storage", "keep items in memory and size -m for them")
}

/// The value of an option that is refused in any case is not looked at.
const fn absent(row: Row, argument: &'static str) -> Row {
    if argument.is_empty() { row } else { row.value(argument, "", |_, _| Ok(())) }
}

fn old_defaults(draft: &mut Draft) {
    if !draft.has("-o slab_chunk_max") {
        draft.settings.slab_chunk_max_bytes = SLAB_PAGE_BYTES;
    }
    draft.settings.slab_reassign = false;
    draft.settings.slab_automove = 0;
    draft.settings.maxconns_fast = false;
    draft.settings.lru_crawler = false;
    draft.settings.lru_maintainer = false;
    draft.settings.hash_algorithm = "jenkins".to_owned();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::row::{Effect, Takes};
    use crate::cli::{parse, read as read_line, words};
    use crate::settings::Settings;

    fn settings(list: &str) -> Settings {
        let draft = read_line(words(&format!("-o {list}")));
        draft.unwrap_or_else(|exit| panic!("{list}: {exit:?}")).settings
    }

    #[test]
    fn names_are_unique() {
        for (at, row) in OPTIONS.iter().enumerate() {
            assert!(OPTIONS[..at].iter().all(|other| other.name != row.name), "{}", row.label());
        }
    }

    #[test]
    fn the_default_shown_is_the_default() {
        let default = format!("{:?}", Settings::default());
        for row in OPTIONS.iter().filter(|row| !row.default.is_empty()) {
            let name = row.label().replace("-o ", "");
            let settings = settings(&format!("{name}={}", row.default));
            assert_eq!(format!("{settings:?}"), default, "{name}");
        }
    }

    #[test]
    fn each_option_writes_its_own_setting() {
        type Change = fn(&mut Settings);
        let cases: &[(&str, Change)] = &[
            ("maxconns_fast", |_| {}),
            ("no_maxconns_fast", |s| s.maxconns_fast = false),
            ("no_maxconns_fast,maxconns_fast", |_| {}),
            ("idle_timeout=3", |s| s.idle_timeout_secs = 3),
            ("read_buf_mem_limit=1", |s| s.read_buf_mem_limit_bytes = 1 << 20),
            ("read_buf_mem_limit=4294967295", |s| s.read_buf_mem_limit_bytes = 4294967295 << 20),
            ("resp_obj_mem_limit", |_| {}),
            ("resp_obj_mem_limit=3", |_| {}),
            ("sock_cookie_id=3", |_| {}),
            ("ssl_chain_cert=c", |s| s.tls.chain_cert = Some("c".into())),
            ("ssl_key=k", |s| s.tls.key = Some("k".into())),
            ("ssl_keyformat=2", |s| s.tls.key_format = KeyFormat::Der),
            ("ssl_verify_mode=3,ssl_ca_cert=a", |s| (s.tls.verify_mode, s.tls.ca_cert) = (3, Some("a".into()))),
            ("ssl_ca_cert=a", |s| s.tls.ca_cert = Some("a".into())),
            ("ssl_ciphers=ECDHE-RSA-AES128-GCM-SHA256", |s| {
                s.tls.ciphers = Ciphers::parse("ECDHE-RSA-AES128-GCM-SHA256").unwrap();
                s.tls.ciphers_text = Some("ECDHE-RSA-AES128-GCM-SHA256".to_owned());
            }),
            ("ssl_min_version=0", |s| s.tls.min_version = 0),
            ("ssl_session_cache", |s| s.tls.session_cache = true),
            ("ssl_wbuf_size=64", |s| s.tls.wbuf_bytes = 64 << 10),
            ("ssl_kernel_tls", |s| s.tls.kernel_tls = true),
            ("track_sizes", |s| s.track_sizes = true),
            ("watcher_logbuf_size=8", |s| s.watcher_logbuf_bytes = 8 << 10),
            ("worker_logbuf_size=1048576", |s| s.worker_logbuf_bytes = 1 << 30),
            ("inline_ascii_resp", |_| {}),
            ("no_inline_ascii_resp", |_| {}),
            ("lru_crawler", |_| {}),
            ("no_lru_crawler", |s| s.lru_crawler = false),
            ("lru_crawler=0", |_| {}),
            ("lru_crawler_sleep=0", |s| s.lru_crawler_sleep_us = 0),
            ("lru_crawler_sleep=1000000", |s| s.lru_crawler_sleep_us = 1_000_000),
            ("lru_crawler_tocrawl=4294967295", |s| s.lru_crawler_tocrawl = u32::MAX),
            ("slab_reassign", |_| {}),
            ("no_slab_reassign", |s| s.slab_reassign = false),
            ("slab_automove", |_| {}),
            ("no_slab_automove", |s| s.slab_automove = 0),
            ("no_slab_automove,slab_automove", |_| {}),
            ("slab_automove=0", |s| s.slab_automove = 0),
            ("slab_automove=2", |s| s.slab_automove = 2),
            ("modern", |_| {}),
            ("slab_automove_ratio=1", |s| s.slab_automove_ratio = 1.0),
            ("slab_automove_window=3", |s| s.slab_automove_window = 3),
            ("slab_automove_window=1800", |s| s.slab_automove_window = 1800),
            ("slab_automove_freeratio=0.5", |s| s.slab_automove_freeratio = 0.5),
            ("slab_chunk_max=1", |s| s.slab_chunk_max_bytes = 1 << 10),
            ("slab_chunk_max=1024", |s| s.slab_chunk_max_bytes = 1 << 20),
            ("no_chunked_items", |s| s.slab_chunk_max_bytes = 1 << 20),
            ("slab_sizes=96-192", |_| {}),
            ("hashpower=12", |s| s.hashpower = 12),
            ("hashpower=32", |s| s.hashpower = 32),
            ("no_hashexpand", |_| {}),
            ("hash_algorithm=jenkins", |s| s.hash_algorithm = "jenkins".to_owned()),
            ("hash_algorithm=xxh3", |s| s.hash_algorithm = "xxh3".to_owned()),
            ("tail_repair_time=10", |s| s.tail_repair_time_secs = 10),
            ("lru_maintainer", |_| {}),
            ("no_lru_maintainer", |s| s.lru_maintainer = false),
            ("hot_lru_pct=1", |s| s.hot_lru_pct = 1),
            ("warm_lru_pct=60", |s| s.warm_lru_pct = 60),
            ("warm_lru_pct=79,hot_lru_pct=1", |s| (s.warm_lru_pct, s.hot_lru_pct) = (79, 1)),
            ("hot_max_factor=0.01", |s| s.hot_max_factor = 0.01),
            ("warm_max_factor=100", |s| s.warm_max_factor = 100.0),
            ("temporary_ttl=0", |s| s.temporary_ttl_secs = Some(0)),
            ("drop_privileges", |s| s.drop_privileges = true),
            ("no_drop_privileges", |_| {}),
            ("relaxed_privileges", |_| {}),
            ("idle_timeout=3,track_sizes,", |s| (s.idle_timeout_secs, s.track_sizes) = (3, true)),
            ("no_modern", |s| {
                s.slab_chunk_max_bytes = 1 << 20;
                s.slab_reassign = false;
                s.slab_automove = 0;
                s.maxconns_fast = false;
                s.lru_crawler = false;
                s.lru_maintainer = false;
                s.hash_algorithm = "jenkins".to_owned();
            }),
        ];
        for (list, change) in cases {
            let mut expected = Settings::default();
            change(&mut expected);
            assert_eq!(format!("{:?}", settings(list)), format!("{expected:?}"), "{list}");
        }
        let is_tested = |row: &Row| {
            let name = row.label().replace("-o ", "");
            cases.iter().any(|(list, _)| list.split(['=', ',']).next() == Some(&name))
        };
        let grouped = ["proxy_", "ext_"].map(|prefix| format!("-o {prefix}"));
        for row in OPTIONS {
            let grouped = grouped.iter().any(|prefix| row.label().starts_with(prefix));
            assert!(grouped || is_tested(row), "{} is untested", row.label());
        }
    }

    /// As in memcached, the last word wins, in one list or in several.
    #[test]
    fn order_decides() {
        assert!(settings("no_modern,lru_crawler").lru_crawler);
        assert!(!settings("lru_crawler,no_modern").lru_crawler);
        assert!(settings("no_modern -t 2 -o lru_crawler").lru_crawler);
        assert!(!settings("lru_crawler -m 100 -o no_modern").lru_crawler);
    }

    #[test]
    fn wrong_values_end_with_1() {
        let lists = "bogus bogus=1 maxconns_fast,bogus a,b ,idle_timeout=1 idle_timeout=1,,track_sizes \
                     =5 MAXCONNS_FAST idle_timeout=-1 idle_timeout=x idle_timeout= read_buf_mem_limit=-1 \
                     read_buf_mem_limit=4294967296 watcher_logbuf_size=0 watcher_logbuf_size=1048577 \
                     worker_logbuf_size=x lru_crawler_sleep=-1 lru_crawler_sleep=1000001 \
                     lru_crawler_tocrawl=4294967296 lru_crawler_tocrawl=-1 slab_automove=3 \
                     slab_automove=-1 slab_automove= slab_automove_ratio=0 slab_automove_ratio=1.1 \
                     slab_automove_ratio=x slab_automove_window=2 slab_automove_window=1801 \
                     slab_automove_freeratio=0 slab_chunk_max=0 slab_chunk_max=1025 slab_chunk_max=1k \
                     hashpower=11 hashpower=33 hash_algorithm=md5 hash_algorithm= tail_repair_time=9 \
                     hot_lru_pct=0 hot_lru_pct=80 warm_lru_pct=0 warm_lru_pct=80 hot_max_factor=0 \
                     hot_max_factor=-1 warm_max_factor=0 warm_max_factor=inf temporary_ttl=x \
                     temporary_ttl=-1 sock_cookie_id=x ssl_keyformat=0 ssl_keyformat=3 ssl_verify_mode=4 \
                     ssl_verify_mode=x ssl_min_version=4 ssl_min_version=-1 ssl_ciphers=HIGH ssl_ciphers= \
                     ssl_wbuf_size=1048577 ssl_chain_cert=";
        for list in lists.split_whitespace() {
            let exit = parse(words(&format!("-o {list}"))).expect_err(list);
            assert_eq!((exit.status, exit.to_stdout), (1, false), "{list}: {}", exit.message);
        }
    }

    #[test]
    fn an_unknown_option_is_named() {
        let exit = parse(words("-o track_sizes,bogus=1,x")).expect_err("unknown");
        assert_eq!(exit.message, "Illegal suboption \"bogus=1\"; larder -h lists them");
    }

    #[test]
    fn an_option_that_needs_a_value_says_so() {
        for row in OPTIONS.iter().filter(|row| row.takes() == Takes::Value) {
            let exit = parse(words(row.label().as_str())).expect_err("no value");
            assert_eq!(exit.status, 1, "{}", row.label());
            let message = format!("{} needs a value; write {}", row.label(), row.usage());
            assert_eq!(exit.message, message);
        }
    }

    #[test]
    fn whole_families_are_refused_until_they_work() {
        for row in OPTIONS.iter().filter(|row| ["proxy_", "ext_"].iter().any(|prefix| row.label().contains(prefix))) {
            assert!(matches!(row.effect, Effect::Later { .. }), "{}", row.label());
            let value = if row.takes() == Takes::Value { "=1" } else { "" };
            let exit = parse(words(&format!("{}{value}", row.label()))).expect_err("refused");
            assert_eq!(exit.status, 64, "{}", row.label());
        }
    }
}

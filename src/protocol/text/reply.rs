//! The lines that answer requests.

use super::parse::Reason;
use crate::bytes::append::{append, append_cut};
use crate::bytes::digits::{Tail, short_line};
use crate::protocol::meta::parse::Command;

/// Lines that never vary, with their CRLF.
pub mod line {
    macro_rules! lines {
        ($($(#[$meta:meta])* $name:ident = $text:literal),+ $(,)?) => {
            $($(#[$meta])* pub const $name: &[u8] = concat!($text, "\r\n").as_bytes();)+
        };
    }

    lines! {
        /// After the values of a get, and of stats.
        END = "END",
        /// A value was stored.
        STORED = "STORED",
        /// The condition of add, replace, append or prepend was not met.
        NOT_STORED = "NOT_STORED",
        /// cas: somebody else was faster.
        EXISTS = "EXISTS",
        /// No such item.
        NOT_FOUND = "NOT_FOUND",
        /// delete did.
        DELETED = "DELETED",
        /// touch did.
        TOUCHED = "TOUCHED",
        /// Done.
        OK = "OK",
        /// mn.
        NOOP = "MN",
        /// stats reset.
        RESET = "RESET",
        /// Unknown command.
        ERROR = "ERROR",
        /// Too few words, bad numbers, long keys.
        BAD_FORMAT = "CLIENT_ERROR bad command line format",
        /// The value does not end where it was said to.
        BAD_DATA_CHUNK = "CLIENT_ERROR bad data chunk",
        /// Not a time.
        INVALID_EXPTIME = "CLIENT_ERROR invalid exptime argument",
        /// Not a delta.
        INVALID_DELTA = "CLIENT_ERROR invalid numeric delta argument",
        /// incr on something else.
        NON_NUMERIC = "CLIENT_ERROR cannot increment or decrement non-numeric value",
        /// slabs automove window with a number that cannot be.
        INVALID_WINDOW = "CLIENT_ERROR automove window too low or too high",
        /// slabs reassign with `-o no_slab_reassign`.
        REASSIGN_DISABLED = "CLIENT_ERROR slab reassignment disabled",
        /// slabs reassign of pages that must stay for now.
        REASSIGN_BUSY = "BUSY currently processing reassign request",
        /// slabs reassign of a class that cannot be.
        REASSIGN_BAD_CLASS = "BADCLASS invalid src or dst class id",
        /// slabs reassign from a class with fewer than two pages.
        REASSIGN_NO_SPARE = "NOSPARE source class has no spare pages",
        /// slabs reassign from a class to itself.
        REASSIGN_SAME = "SAME src and dst class are identical",
        /// lru tune with more than there is.
        LRU_SHARES = "ERROR hot and warm pcts must not exceed 80",
        /// lru tune with a factor of 0 or less.
        LRU_FACTORS = "ERROR hot/warm age factors must be greater than 0",
        /// lru_crawler enable, twice.
        CRAWLER_RUNS = "ERROR failed to start lru crawler thread",
        /// lru_crawler crawl and dumps without a crawler.
        CRAWLER_DISABLED = "CLIENT_ERROR lru crawler disabled",
        /// lru_crawler crawl and dumps during another.
        CRAWLER_BUSY = "BUSY currently processing crawler request",
        /// lru_crawler crawl and dumps of a class that cannot be.
        CRAWLER_BAD_CLASS = "BADCLASS invalid class id",
        /// lru_crawler crawl and dumps of no class.
        CRAWLER_NO_CLASS = "NOTSTARTED no items to crawl",
        /// lru_crawler crawl hash.
        CRAWLER_UNKNOWN = "ERROR an unknown error happened",
        /// lru_crawler sleep above a second.
        SLEEP_TOO_LONG = "CLIENT_ERROR sleep must be one second or less",
        /// lru_crawler metadump with `-X`.
        METADUMP_REFUSED = "ERROR metadump not allowed",
        /// lru_crawler mgdump with `-X`.
        MGDUMP_REFUSED = "ERROR key dump not allowed",
        /// lru_crawler metadump behind other requests.
        METADUMP_PIPELINED = "ERROR cannot pipeline other commands before metadump",
        /// lru_crawler mgdump behind other requests.
        MGDUMP_PIPELINED = "ERROR cannot pipeline other commands before mgdump",
        /// After the keys of mgdump.
        END_OF_KEYS = "EN",
        /// larder delete_prefix with `-F`.
        DELETE_PREFIX_REFUSED = "CLIENT_ERROR delete_prefix not allowed",
        /// A meta line with more words than 20.
        TOO_MANY_FLAGS = "CLIENT_ERROR options flags are too long",
        /// A meta flag that came before.
        DUPLICATE_FLAG = "CLIENT_ERROR duplicate flag",
        /// A meta flag that no command knows.
        INVALID_FLAG = "CLIENT_ERROR invalid flag",
        /// A meta flag whose argument is no number.
        BAD_TOKEN = "CLIENT_ERROR bad token in command line format",
        /// `D` whose argument is no number.
        INVALID_NUMERIC_DELTA = "CLIENT_ERROR invalid numeric delta value",
        /// `J` whose argument is no number.
        INVALID_INITIAL = "CLIENT_ERROR invalid numeric initial value",
        /// A key that is no base64 although it is said to be.
        BAD_ENCODED_KEY = "CLIENT_ERROR error decoding key",
        /// An opaque of more than 32 bytes.
        OPAQUE_TOO_LONG = "CLIENT_ERROR opaque token too long",
        /// What ma says of most flags that are not sound.
        INVALID_OR_DUPLICATE_FLAG = "CLIENT_ERROR invalid or duplicate flag",
        /// ms with another mode than S, E, R, A, P.
        INVALID_MODE_SET = "CLIENT_ERROR invalid mode for ms M token",
        /// ma with another mode than I, +, D, -.
        INVALID_MODE_ARITHMETIC = "CLIENT_ERROR invalid mode for ma M token",
        /// No room for the number that ma was to create.
        NO_MEMORY_NEW_NUMBER = "SERVER_ERROR Out of memory allocating new item",
        /// Anything but a login before it.
        UNAUTHENTICATED = "CLIENT_ERROR unauthenticated",
        /// What the user has no right to do (arcus-memcached's words).
        UNAUTHORIZED = "CLIENT_ERROR unauthorized",
        /// The wrong password, or no such user.
        AUTHENTICATION_FAILURE = "CLIENT_ERROR authentication failure",
        /// A login that is no `user password`.
        BAD_TOKEN_FORMAT = "CLIENT_ERROR bad authentication token format",
        /// A login that does not end where it was said to.
        BAD_TERMINATION = "CLIENT_ERROR bad command line termination",
        /// A login of more than 16 KiB.
        TOKEN_TOO_LONG = "CLIENT_ERROR auth token too long",
        /// ms that logs in.
        META_STORED = "HD",
        /// sasl auth: logged in.
        SASL_OK = "SASL_OK",
        /// sasl auth: not logged in.
        SASL_FAILURE = "AUTH_ERROR authentication failure",
        /// config get of something else.
        UNKNOWN_CONFIG = "CLIENT_ERROR unknown config key",
        /// config get before a name server has answered.
        NO_CLUSTER_YET = "SERVER_ERROR cluster list not known yet",
        /// `-F`.
        FLUSH_REFUSED = "CLIENT_ERROR flush_all not allowed",
        /// Above `-I`.
        TOO_LARGE = "SERVER_ERROR object too large for cache",
        /// No room for a value.
        NO_MEMORY = "SERVER_ERROR out of memory storing object",
        /// A large value could neither be sent from the store nor copied.
        NO_MEMORY_GET = "SERVER_ERROR out of memory writing get response",
        /// No room for a longer number.
        NO_MEMORY_DELTA = "SERVER_ERROR out of memory",
        /// Without `-A`.
        SHUTDOWN_REFUSED = "SERVER_ERROR: shutdown not enabled",
        /// shutdown and an unknown word.
        SHUTDOWN_UNKNOWN = "CLIENT_ERROR invalid shutdown mode",
        /// cache_memlimit below 8.
        LIMIT_TOO_SMALL = "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m",
        /// cache_memlimit with a number of bytes.
        LIMIT_NOT_BYTES = "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes",
        /// cache_memlimit beyond what was reserved.
        LIMIT_REFUSED = "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust",
        /// stats detail and something unknown.
        DETAIL_USAGE = "CLIENT_ERROR usage: stats detail on|off|dump",
        /// stats detail with `-X`.
        DETAIL_REFUSED = "CLIENT_ERROR stats detail not allowed",
        /// watch with `-W`.
        WATCH_REFUSED = "CLIENT_ERROR watch commands not allowed",
        /// watch behind other requests of one batch.
        WATCH_PIPELINED = "ERROR cannot pipeline other commands before watch",
        /// watch when twenty clients do already.
        WATCH_TOO_MANY = "WATCHER_TOO_MANY log watcher limit reached",
        /// watch where there is no connection that lines could be sent on.
        WATCH_FAILED = "WATCHER_FAILED failed to add log watcher",
        /// stats cachedump with `-X`.
        CACHEDUMP_REFUSED = "CLIENT_ERROR stats cachedump not allowed",
        /// stats hotkeys with `-X`.
        HOTKEYS_REFUSED = "CLIENT_ERROR stats hotkeys not allowed",
        /// stats cachedump without class and limit.
        CACHEDUMP_SHORT = "CLIENT_ERROR bad command line",
        /// stats cachedump of a class that cannot be.
        CACHEDUMP_CLASS = "CLIENT_ERROR Illegal slab id",
    }
}

/// What a refusal says; nothing for HTTP.
pub fn refusal(reason: Reason) -> &'static [u8] {
    match reason {
        Reason::UnknownCommand => line::ERROR,
        Reason::Http => b"",
        Reason::BadFormat => line::BAD_FORMAT,
        Reason::InvalidExptime => line::INVALID_EXPTIME,
        Reason::InvalidDelta => line::INVALID_DELTA,
        Reason::InvalidWindow => line::INVALID_WINDOW,
        Reason::SleepTooLong => line::SLEEP_TOO_LONG,
        Reason::TooManyFlags => line::TOO_MANY_FLAGS,
        Reason::DuplicateFlag => line::DUPLICATE_FLAG,
        Reason::InvalidFlag => line::INVALID_FLAG,
        Reason::BadToken => line::BAD_TOKEN,
        Reason::InvalidNumericDelta => line::INVALID_NUMERIC_DELTA,
        Reason::InvalidInitial => line::INVALID_INITIAL,
        Reason::BadEncodedKey => line::BAD_ENCODED_KEY,
        Reason::OpaqueTooLong => line::OPAQUE_TOO_LONG,
        Reason::InvalidOrDuplicateFlag => line::INVALID_OR_DUPLICATE_FLAG,
        Reason::InvalidMode(Command::Set) => line::INVALID_MODE_SET,
        Reason::InvalidMode(_) => line::INVALID_MODE_ARITHMETIC,
    }
}

/// Appends `VALUE <key> <flags> <bytes> [<cas>]` and the value, unless that is sent apart.
#[inline]
pub fn value(
    out: &mut Vec<u8>,
    key: &[u8],
    client_flags: u32,
    value_len: usize,
    cas: Option<u64>,
    value: Option<&[u8]>,
) {
    let short = if client_flags == 0 && cas.is_none() { short_line(value_len) } else { None };
    match short {
        Some((line, cut)) => append_cut(out, [b"VALUE ", key, b" 0 ", &line], cut),
        None => value_line(out, key, client_flags, value_len, cas),
    }
    if let Some(value) = value {
        append(out, [value, b"\r\n"]);
    }
}

fn value_line(out: &mut Vec<u8>, key: &[u8], client_flags: u32, value_len: usize, cas: Option<u64>) {
    let mut tail = Tail::line();
    if let Some(cas) = cas {
        tail.number(cas);
        tail.byte(b' ');
    }
    tail.number(value_len as u64);
    tail.byte(b' ');
    tail.number(u64::from(client_flags));
    tail.byte(b' ');
    append(out, [b"VALUE ", key, tail.text()]);
}

/// Appends the answer to incr and decr.
pub fn number_line(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends the answer to larder delete_prefix.
pub fn deleted_line(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(b"DELETED ");
    number_line(out, count);
}

/// Appends the answer to config get cluster (ElastiCache): two lines end the payload, its own and one more.
pub fn config_cluster(out: &mut Vec<u8>, payload: &[u8]) {
    let mut digits = itoa::Buffer::new();
    for part in [b"CONFIG cluster 0 ", digits.format(payload.len()).as_bytes(), b"\r\n", payload, b"\r\n", line::END] {
        out.extend_from_slice(part);
    }
}

/// Appends a line that is made up elsewhere.
pub fn whole_line(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends the answer to version.
pub fn version_line(out: &mut Vec<u8>) {
    for part in ["VERSION ", crate::MEMCACHED_VERSION, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// Appends `STAT <name> <value>`.
pub fn stat_line(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in ["STAT ", name, " ", value, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// What a client is asked in the middle of a login.
pub fn sasl_challenge(out: &mut Vec<u8>, data: &[u8]) {
    let mut digits = itoa::Buffer::new();
    for part in [b"SASL_CONTINUE ", digits.format(data.len()).as_bytes(), b"\r\n", data, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

/// The mechanisms of sasl mech.
pub fn sasl_mechanisms(out: &mut Vec<u8>, names: &str) {
    for part in ["SASL_MECH ", names, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_nodes_is_framed_as_elasticache_does() {
        let mut out = Vec::new();
        config_cluster(&mut out, b"12\na||1 b||2\n");
        assert_eq!(out, b"CONFIG cluster 0 13\r\n12\na||1 b||2\n\r\nEND\r\n");
    }

    #[test]
    fn values() {
        let mut out = Vec::new();
        value(&mut out, b"k", 0, 5, None, Some(b"12345"));
        value(&mut out, b"k", u32::MAX, 1 << 30, Some(u64::MAX), None);
        assert_eq!(out, b"VALUE k 0 5\r\n12345\r\nVALUE k 4294967295 1073741824 18446744073709551615\r\n");
    }
}

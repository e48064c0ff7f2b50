//! The log of slow requests (`--slow-request-us`): a line for each batch that kept its worker longer than that, with what
//! the batch began with, and never a value or a part of a login.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::allowance::Allowance;
use crate::protocol::binary::REQUEST_MAGIC;
use crate::stats::latency::Kind;

/// Bytes that are shown of each of a request's first two words.
const WORD_BYTES_MAX: usize = 64;

/// See the module. Each worker has its own.
#[derive(Debug)]
pub(super) struct SlowLog {
    threshold: Option<Duration>,
    allowance: Allowance,
}

/// A batch that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch<'a> {
    /// What took the worker's time.
    pub(super) kind: Kind,
    /// Whose it was; `None` for a client of a Unix socket.
    pub(super) peer: Option<SocketAddr>,
    /// Its descriptor.
    pub(super) fd: i32,
    /// What was read at once.
    pub(super) bytes: u64,
    /// Where its first request begins; empty where that must not be told or was told before.
    pub(super) text: &'a [u8],
}

impl SlowLog {
    /// A log of batches that take longer than `micros`; 0 is no log.
    pub(super) fn new(micros: u32) -> SlowLog {
        let threshold = (micros > 0).then(|| Duration::from_micros(micros.into()));
        SlowLog { threshold, allowance: Allowance::default() }
    }

    /// Whether batches are to be timed for it.
    pub(super) fn is_asked_for(&self) -> bool {
        self.threshold.is_some()
    }

    /// Logs a batch that took so long, if that is too long and there were not many a moment ago.
    pub(super) fn note(&mut self, took: Duration, batch: &Batch<'_>) {
        if self.threshold.is_none_or(|threshold| took <= threshold) {
            return;
        }
        let Some(left_out) = self.allowance.admit(Instant::now()) else { return };
        let peer = batch.peer.map_or_else(|| "unix".to_owned(), |peer| peer.to_string());
        log::warn!(
            us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            kind = batch.kind.name(),
            first = first(batch.text).as_str(),
            bytes = batch.bytes,
            peer = peer.as_str(),
            fd = batch.fd,
            left_out = left_out;
            "slow requests"
        );
    }
}

/// Command and key, or opcode, of the request that `text` begins with.
fn first(text: &[u8]) -> String {
    match text {
        [] => "-".to_owned(),
        [REQUEST_MAGIC, opcode, ..] => format!("opcode={opcode:#04x}"),
        [REQUEST_MAGIC] => "opcode".to_owned(),
        text => {
            let words = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let words = words.split(|&byte| byte == b' ' || byte == b'\r').filter(|word| !word.is_empty()).take(2);
            let shown = words.map(|word| String::from_utf8_lossy(&word[..word.len().min(WORD_BYTES_MAX)]));
            shown.collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_keys_are_told_and_nothing_else() {
        let long = [b"get ".as_slice(), &[b'k'; 500], b"\r\n"].concat();
        for (text, shown) in [
            (&b"get foo\r\nget bar\r\n"[..], "get foo"),
            (b"set foo 0 0 6\r\nsecret\r\n", "set foo"),
            (b"mn\r\nset foo 0 0 6\r\n", "mn"),
            (b"  gets   a b", "gets a"),
            (b"\x80\x0d\0\x03", "opcode=0x0d"),
            (b"\x80", "opcode"),
            (b"", "-"),
            (&long, &format!("get {}", "k".repeat(WORD_BYTES_MAX))),
        ] {
            assert_eq!(first(text), shown);
        }
    }
}

//! A connection as a whole, in any protocol: the same bytes at once and cut into parts must get the same replies, and a
//! client that comes after them must be served.
//!
//! The first byte of the input chooses how the rest is cut.

#![no_main]

use larder::conn::{Next, Outbox, Session};
use larder::exec::Context;
use larder::settings::{ProtocolChoice, Settings};
use larder::shared::Shared;
use libfuzzer_sys::fuzz_target;

/// Requests of one turn.
const REQUESTS_MAX: u32 = 50;

/// Turns for one input. More would be a session that goes round without an end.
const TURNS_MAX: usize = 100_000;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let at_once = play(bytes, bytes.len().max(1));
    let in_parts = play(bytes, usize::from(choice) % 97 + 1);
    // Statistics tell of the server itself, the reads among it; dumps and watches are refused behind other requests that
    // came with them, as in memcached.
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    if ![&b"stat"[..], b"crawler", b"watch", b"\x80\x10"].into_iter().any(has) {
        assert_eq!(at_once.escape_ascii().to_string(), in_parts.escape_ascii().to_string());
    }
});

/// All replies of a fresh server to `bytes` that arrive in parts of this size.
fn play(bytes: &[u8], part: usize) -> Vec<u8> {
    let settings = Settings { memory_limit_bytes: 8 << 20, threads: 1, ..Settings::default() };
    let shared = Shared::new(settings).expect("memory");
    let cx = Context { shared: &shared, counters: &shared.counters[0], now: 10, fd: -1 };
    let mut client = Client::new(&cx);
    for part in bytes.chunks(part) {
        if !client.arrive(part) {
            break;
        }
    }
    let mut next = Client::new(&cx);
    assert!(next.arrive(b"mn\r\n") && next.replies == b"MN\r\n", "the next client is not served");
    client.replies
}

struct Client<'a> {
    cx: &'a Context<'a>,
    session: Session,
    outbox: Outbox,
    kept: Vec<u8>,
    replies: Vec<u8>,
}

impl<'a> Client<'a> {
    fn new(cx: &'a Context<'a>) -> Client<'a> {
        let session = Session::new(ProtocolChoice::Auto);
        Client { cx, session, outbox: Outbox::default(), kept: Vec::new(), replies: Vec::new() }
    }

    /// Serves what arrives; false when the connection is over.
    fn arrive(&mut self, bytes: &[u8]) -> bool {
        self.kept.extend_from_slice(bytes);
        for _ in 0..TURNS_MAX {
            let progress = self.session.feed(&self.kept, &mut self.outbox, self.cx, REQUESTS_MAX);
            self.kept.drain(..progress.consumed);
            while !self.outbox.is_empty() {
                self.outbox.send(&mut self.replies).expect("a Vec takes everything");
            }
            match progress.next {
                Next::Input { .. } => return true,
                Next::Close | Next::Watch | Next::Login => return false,
                Next::Room | Next::Turn | Next::Later => {}
            }
        }
        panic!("no end after {TURNS_MAX} turns");
    }
}

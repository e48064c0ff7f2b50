//! Sessions without sockets.
//!
//! Each transcript is played for every cut of its input, the way a worker feeds a session (`net::worker`): what was
//! not consumed comes again in front of what arrives next, large values go straight into the store, and a session that
//! waits for room or for its turn is asked again. The replies must be the same however the input was cut.

mod binary;
mod commands;
mod lines;
mod login;
mod meta;
mod values;

use std::io::IoSliceMut;

use super::*;
use crate::net::worker::{READ_BUFFER_BYTES, READ_BYTES};
use crate::settings::Settings;
use crate::shared::Shared;

/// Inputs up to this size are cut at every byte; of longer ones, at the places where something changes.
const ALL_CUTS_BYTES_MAX: usize = 700;

/// Sizes of the parts that each input arrives in as well.
const PART_BYTES: [usize; 7] = [1, 7, 1000, 1460, 4096, 16 << 10, 65_483];

/// Turns in which one transcript must be over.
const TURNS_MAX: usize = 2_000_000;

/// What a client sees.
#[derive(Debug, Default, PartialEq, Eq)]
struct Played {
    replies: Vec<u8>,
    closed: bool,
}

/// A worker with one connection.
struct Player<'a> {
    cx: Context<'a>,
    session: Session,
    outbox: Outbox,
    kept: Vec<u8>,
    requests_max: u32,
    played: Played,
    turns: usize,
}

impl<'a> Player<'a> {
    fn new(shared: &'a Shared, requests_max: u32) -> Player<'a> {
        let cx = Context { shared, counters: &shared.counters[0], now: 10, fd: -1 };
        let (session, outbox, kept, played) = Default::default();
        Player { cx, session, outbox, kept, requests_max, played, turns: 0 }
    }

    /// The peer sends `bytes`, which the worker reads in as many turns as it needs.
    fn arrive(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.played.closed {
            let rest = self.read(bytes);
            assert!(rest.len() < bytes.len(), "a hungry session has room to read into");
            bytes = rest;
            self.serve();
        }
    }

    /// One read; returns what stays in the socket.
    fn read<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut rest = bytes;
        let mut buffer_room = READ_BYTES.min(READ_BUFFER_BYTES - self.kept.len());
        if self.kept.is_empty()
            && let Some(mut room) = self.session.direct_room(&self.cx)
        {
            assert_eq!(room.bytes, room.ranges.iter().map(|range| range.len()).sum::<usize>());
            let direct = scatter(rest, &mut room.ranges);
            if !room.is_all {
                buffer_room = 0;
            }
            self.session.filled(direct);
            rest = &rest[direct..];
        }
        let (part, rest) = rest.split_at(rest.len().min(buffer_room));
        self.kept.extend_from_slice(part);
        rest
    }

    /// Feeds the session until it wants more input.
    fn serve(&mut self) {
        let mut at = 0;
        loop {
            self.turns += 1;
            assert!(self.turns < TURNS_MAX, "the session goes round in circles");
            let progress = self.session.feed(&self.kept[at..], &mut self.outbox, &self.cx, self.requests_max);
            at += progress.consumed;
            while !self.outbox.is_empty() {
                self.outbox.send(&mut self.played.replies).expect("a vector takes everything");
            }
            match progress.next {
                Next::Room | Next::Turn | Next::Later => {}
                Next::Input { at_least } => {
                    self.kept.drain(..at);
                    assert!(at_least > self.kept.len(), "it had {at_least} bytes and did nothing");
                    assert!(self.kept.len() <= STREAMED_LINE_BYTES, "keeps {} bytes", self.kept.len());
                    return;
                }
                Next::Login => unreachable!("no login is asked for"),
                Next::Close | Next::Watch => {
                    self.played.closed = true;
                    return;
                }
            }
        }
    }
}

/// Fills `ranges` in order, as a vectored read does; how many bytes that were.
fn scatter(bytes: &[u8], ranges: &mut [IoSliceMut<'_>]) -> usize {
    let mut at = 0;
    for range in ranges {
        let part = range.len().min(bytes.len() - at);
        range[..part].copy_from_slice(&bytes[at..at + part]);
        at += part;
    }
    at
}

/// A small server with one worker.
fn settings() -> Settings {
    Settings { threads: 1, memory_limit_bytes: 16 << 20, ..Settings::default() }
}

fn play<'b>(settings: &Settings, parts: impl IntoIterator<Item = &'b [u8]>, requests_max: u32) -> Played {
    let shared = Shared::new(settings.clone()).expect("memory");
    let mut player = Player::new(&shared, requests_max);
    for part in parts {
        player.arrive(part);
    }
    player.played
}

/// Where to cut `input` in two: everywhere if it is short, else around line ends and the sizes that sessions tell
/// apart, and at some places between.
fn cuts(input: &[u8]) -> Vec<usize> {
    if input.len() <= ALL_CUTS_BYTES_MAX {
        return (1..input.len()).collect();
    }
    let line_ends = memchr::memchr_iter(b'\n', input).take(5).map(|at| at + 1);
    let mut near: Vec<usize> = vec![0, input.len()];
    for start in line_ends {
        let sizes =
            [0, LINE_BYTES_MAX, WAITING_VALUE_BYTES, DIRECT_READ_BYTES, STREAMED_LINE_BYTES, 32 << 10, 64 << 10];
        near.extend(sizes.map(|size| start + size));
    }
    near.extend([LINE_BYTES_MAX, STREAMED_LINE_BYTES, READ_BYTES]);
    let mut cuts: Vec<usize> = near.into_iter().flat_map(|at| at.saturating_sub(3)..at + 3).collect();
    cuts.extend((0..input.len()).step_by(input.len() / 13));
    cuts.sort_unstable();
    cuts.dedup();
    cuts.retain(|&cut| (1..input.len()).contains(&cut));
    cuts
}

/// Plays `input` uncut and cut in every way; `same` brings the parts of replies that may differ into one shape.
fn check_every_cut(settings: &Settings, input: &[u8], same: impl Fn(Played) -> Played) -> Played {
    let whole = same(play(settings, [input], u32::MAX));
    for requests_max in [1, 2, 3] {
        let played = same(play(settings, [input], requests_max));
        compare(&played, &whole, input, &format!("with a turn for each {requests_max} requests"));
    }
    for cut in cuts(input) {
        let (first, second) = input.split_at(cut);
        let played = same(play(settings, [first, second], u32::MAX));
        compare(&played, &whole, input, &format!("cut at byte {cut}"));
    }
    for size in PART_BYTES {
        let played = same(play(settings, input.chunks(size), u32::MAX));
        compare(&played, &whole, input, &format!("in parts of {size} bytes"));
    }
    whole
}

fn compare(played: &Played, expected: &Played, input: &[u8], how: &str) {
    assert!(
        played == expected,
        "{} {how}:\n got {} (closed: {})\nwant {} (closed: {})",
        show(input),
        show(&played.replies),
        played.closed,
        show(&expected.replies),
        expected.closed,
    );
}

fn show(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if text.len() <= 600 { text } else { format!("{} ... {}", &text[..300], &text[text.len() - 300..]) }
}

/// The connection stays open and the replies are these, however `input` is cut.
#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    check_with(&settings(), input, expected);
}

/// The same on a server with other settings.
#[track_caller]
fn check_with(settings: &Settings, input: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let expected = Played { replies: expected.as_ref().to_vec(), closed: false };
    let whole = check_every_cut(settings, input.as_ref(), |played| played);
    compare(&whole, &expected, input.as_ref(), "uncut");
}

/// The replies are these and then the session ends, however `input` is cut.
#[track_caller]
fn check_closing(input: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let expected = Played { replies: expected.as_ref().to_vec(), closed: true };
    let whole = check_every_cut(&settings(), input.as_ref(), |played| played);
    compare(&whole, &expected, input.as_ref(), "uncut");
}

/// So many refusals of lines that are not understood.
fn bad_lines(count: usize) -> String {
    "CLIENT_ERROR bad command line format\r\n".repeat(count)
}

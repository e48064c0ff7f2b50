//! The differential test: the same random commands, valid and spoiled, cut anywhere, to a real memcached and to
//! Larder; the replies must be the same bytes. One test for each of classic text, meta and binary.
//!
//! ```text
//! cargo test --features reference-memcached --test differential -- --nocapture
//! REFERENCE_MEMCACHED=/path/to/memcached   the reference; default: `memcached` in PATH
//! LARDER_COMMANDS=7000                     how many commands each of the three tests sends
//! LARDER_SEED=7                            where the random numbers start; printed by every run
//! LARDER_BIN=/path/to/memcached            puts another binary in Larder's place, to prove the test itself
//! LARDER_KNOWN=off                         does not leave out what is known to differ (`known`)
//! ```
//!
//! A case is a fresh pair of servers and a few connections, each fed and then half-closed, so that both servers have
//! answered everything when the stream ends; no marker command is needed and a closed connection is an answer, too.
//! A case that diverges is played again (the two clocks may have ticked between two commands); when it diverges
//! again it is shrunk to the fewest commands that still do, and shown.
//!
//! `case` holds what is sent, `classic`, `meta` and `binary` make it up, `play` sends it, `reply` makes two transcripts comparable,
//! `known` says what may differ and why, `shrink` finds the smallest case.

mod binary;
mod case;
mod classic;
#[path = "../common/mod.rs"]
mod common;
mod known;
mod meta;
mod play;
mod random;
mod reply;
mod shrink;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use case::{Case, Subject};
use known::Known;
use play::{Pair, Verdict};
use random::Random;

/// Commands sent to one pair of servers.
const CASE_COMMANDS: usize = 60;

/// After this many shrunk divergences the test ends: the rest is rarely news.
const DIVERGENCES_MAX: usize = 5;

#[test]
fn text_is_answered_as_by_memcached() {
    compare(Subject::Text);
}

#[test]
fn meta_is_answered_as_by_memcached() {
    compare(Subject::Meta);
}

#[test]
fn binary_is_answered_as_by_memcached() {
    compare(Subject::Binary);
}

fn compare(subject: Subject) {
    let reference = reference_path();
    let pair = Pair::new(reference.clone(), common::server_path());
    let known = Known::for_reference(pair.reference_version());
    let commands: usize = number_from("LARDER_COMMANDS").map_or(7_000, |n| n.try_into().unwrap_or(usize::MAX));
    let seed = number_from("LARDER_SEED").unwrap_or_else(seed_from_clock);
    println!(
        "{subject:?}: larder={} reference={} version={} commands={commands} LARDER_SEED={seed}",
        common::server_path().display(),
        reference.display(),
        pair.reference_version()
    );

    let mut random = Random::new(seed);
    let (mut unsteady, mut divergences, mut sent) = (0, 0, 0);
    while sent < commands {
        let case = Case::random(&mut random, subject, CASE_COMMANDS.min(commands - sent), &known);
        sent += CASE_COMMANDS.min(commands - sent);
        match pair.judge(&case) {
            Verdict::Same => {}
            Verdict::SameWhenRepeated(difference) => {
                unsteady += 1;
                println!("the same only when repeated: {difference}");
            }
            Verdict::Different => {
                let smallest = shrink::shrink(&case, |smaller| pair.diverges(smaller));
                divergences += 1;
                println!("\n=== {subject:?}: divergence {divergences} (LARDER_SEED={seed})\n{}", pair.show(&smallest));
                if divergences == DIVERGENCES_MAX {
                    break;
                }
            }
        }
    }
    println!(
        "{subject:?}: {sent} commands sent, {divergences} divergences, {unsteady} cases the same only when repeated"
    );
    known.print();
    assert_eq!(divergences, 0, "Larder and memcached answered differently; see above (LARDER_SEED={seed})");
    // A tick of the clock within a case explains a few; more would hide something.
    assert!(unsteady * 20 <= sent / CASE_COMMANDS + 20, "{unsteady} cases diverged once and not again");
}

/// The reference, or a failure that says how to get one.
fn reference_path() -> PathBuf {
    let path = std::env::var_os("REFERENCE_MEMCACHED").filter(|path| !path.is_empty());
    let path = path.map_or_else(|| PathBuf::from("memcached"), PathBuf::from);
    assert!(
        std::process::Command::new(&path).arg("-V").output().is_ok_and(|output| output.status.success()),
        "no memcached at `{}`; install it (apt-get install memcached) or set REFERENCE_MEMCACHED",
        path.display()
    );
    assert!(common::is_memcached(Path::new(&path)), "the reference's file name must start with `memcached`");
    path
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn seed_from_clock() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    since_epoch.as_secs() ^ u64::from(since_epoch.subsec_nanos()) << 20
}

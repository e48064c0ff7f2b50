//! What an operator may do to a server at work: flushes, another memory limit, page moves, sweeps, dumps, statistics.

use std::io;
use std::time::{Duration, Instant};

use super::course::Course;
use super::lane::Lane;
use super::random::Random;

/// How often each thing was done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) flushes: u64,
    pub(crate) limits: u64,
    pub(crate) moves: u64,
    pub(crate) walks: u64,
}

/// Does one thing after another until the course is over.
pub(crate) fn run(course: &Course) -> Done {
    let mut done = Done::default();
    if let Err(error) = work(course, &mut done) {
        course.wrong(format!("operator: {error}"));
    }
    done
}

fn work(course: &Course, done: &mut Done) -> io::Result<()> {
    let mut lane = Lane::connect(course.address)?;
    let mut random = Random::seeded(course.seed);
    let mut next_limit = Instant::now() + course.limit_kept;
    while !course.is_over() {
        if Instant::now() > next_limit {
            let limit_mb = course.limits_mb[random.below(course.limits_mb.len() as u64) as usize];
            course.bound.limit(limit_mb);
            expect(&mut lane, &format!("cache_memlimit {limit_mb}"), &["OK"])?;
            next_limit = Instant::now() + course.limit_kept;
            done.limits += 1;
        }
        match random.below(100) {
            0..5 => {
                let before = Instant::now();
                expect(&mut lane, "flush_all", &["OK"])?;
                course.flush_is_over(before);
                done.flushes += 1;
            }
            5..10 => {
                let delay = 1 + random.below(2);
                let before = Instant::now();
                expect(&mut lane, &format!("flush_all {delay}"), &["OK"])?;
                let delay = Duration::from_secs(delay);
                // It comes at a whole second of the server's clock, at the latest after the delay.
                std::thread::sleep(delay + SLACK);
                course.flush_is_over(before + delay - Duration::from_secs(1));
                done.flushes += 1;
            }
            10..40 => {
                let classes = (random.below(62) as i64 - 1, 1 + random.below(60));
                let words = ["OK", "BUSY", "NOSPARE", "BADCLASS", "SAME", "NOTFULL", "UNSAFE"];
                expect(&mut lane, &format!("slabs reassign {} {}", classes.0, classes.1), &words)?;
                done.moves += 1;
            }
            40..60 => {
                let walk = ["metadump all", "mgdump all", "metadump hash"][random.below(3) as usize];
                lane.send(format!("lru_crawler {walk}\r\n").as_bytes())?;
                while !matches!(word(&lane.line()?), "END" | "EN" | "BUSY" | "ERROR") {}
                done.walks += 1;
            }
            60..75 => {
                expect(&mut lane, "lru_crawler crawl all", &["OK", "BUSY"])?;
                done.walks += 1;
            }
            _ => {
                let group =
                    ["", " items", " slabs", " sizes", " settings", " conns", " reset"][random.below(7) as usize];
                lane.send(format!("stats{group}\r\n").as_bytes())?;
                while word(&lane.line()?) == "STAT" {}
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

fn expect(lane: &mut Lane, request: &str, words: &[&str]) -> io::Result<()> {
    lane.send(format!("{request}\r\n").as_bytes())?;
    let line = lane.line()?;
    match words.contains(&word(&line)) {
        true => Ok(()),
        false => Err(io::Error::other(format!("{request}: {line:.100}"))),
    }
}

fn word(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

const PAUSE: Duration = Duration::from_millis(100);
/// For the server's clock, which is read once a turn.
const SLACK: Duration = Duration::from_millis(100);

//! Clients that behave: one request at a time on keys of their own, each answer checked and timed.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::peer::{Peer, Window};
use super::random::{Random, mixed};
use super::stage::{ADMIN, FRIEND, Stage};
use super::{Siege, Timed};

/// What the server promised, and how it kept it.
pub(crate) struct Kept {
    pub(crate) times: Timed,
    /// Writes that were acknowledged.
    pub(crate) writes: u64,
    /// Values that were read and right.
    pub(crate) right: u64,
    /// Keys that were acknowledged and then not there.
    pub(crate) missing: u64,
}

impl Kept {
    pub(crate) fn none() -> Kept {
        Kept { times: Timed::none(), writes: 0, right: 0, missing: 0 }
    }

    pub(crate) fn add(&mut self, other: &Kept) {
        self.times.add(&other.times);
        self.writes += other.writes;
        self.right += other.right;
        self.missing += other.missing;
    }
}

/// One client until the siege is over; then it reads all that it has written.
pub(crate) fn run(siege: &Siege<'_>, number: usize) -> Kept {
    let mut kept = Kept::none();
    if let Err(error) = keep(siege, number, &mut kept) {
        siege.wrong(format!("friend {number}: {error}"));
    }
    kept
}

fn keep(siege: &Siege<'_>, number: usize, kept: &mut Kept) -> io::Result<()> {
    let mut peer = Peer::connect(HOME, siege.stage.plain, Window::Usual)?;
    peer.log_in(FRIEND)?;
    let mut random = Random::seeded(mixed(number as u64));
    // The version that each key was acknowledged to hold.
    let mut versions: Vec<Option<u64>> = vec![None; KEYS];
    while !siege.is_over() {
        let key = random.below(KEYS as u64) as usize;
        let name = format!("friend-{number}-{key}");
        let since = Instant::now();
        match random.below(20) {
            0..12 => read(siege, &mut peer, &name, versions[key], kept)?,
            12..19 => {
                let version = random.bits();
                let value = value(&name, version);
                let head = format!("set {name} {} 0 {}\r\n", version as u32, value.len());
                peer.stream.write_all(&[head.as_bytes(), &value, b"\r\n"].concat())?;
                peer.expect("STORED")?;
                versions[key] = Some(version);
                kept.writes += 1;
            }
            _ => {
                peer.stream.write_all(format!("delete {name}\r\n").as_bytes())?;
                let line = peer.line()?;
                match (line.as_str(), versions[key].take()) {
                    ("DELETED", Some(_)) | ("NOT_FOUND", None) => kept.writes += 1,
                    ("NOT_FOUND", Some(_)) => kept.missing += 1,
                    (line, held) => return Err(io::Error::other(format!("{line} to delete, {held:?} was held"))),
                }
            }
        }
        let took = since.elapsed();
        kept.times.count(took);
        if took > WORTH_TELLING {
            println!("after {:.1?}: friend {number} waited {took:.1?}", siege.begun.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    for (key, version) in versions.iter().enumerate() {
        read(siege, &mut peer, &format!("friend-{number}-{key}"), *version, kept)?;
    }
    Ok(())
}

fn read(siege: &Siege<'_>, peer: &mut Peer, name: &str, held: Option<u64>, kept: &mut Kept) -> io::Result<()> {
    peer.stream.write_all(format!("get {name}\r\n").as_bytes())?;
    let line = peer.line()?;
    if line == "END" {
        kept.missing += u64::from(held.is_some());
        return Ok(());
    }
    let len = line.rsplit(' ').next().and_then(|word| word.parse().ok());
    let len: usize = len.ok_or_else(|| io::Error::other(format!("{line:.100} to get")))?;
    let found = peer.take(len + 2)?;
    peer.expect("END")?;
    let is_right = held.is_some_and(|version| {
        line == format!("VALUE {name} {} {len}", version as u32)
            && found.strip_suffix(b"\r\n") == Some(&value(name, version))
    });
    match is_right {
        true => kept.right += 1,
        false => siege.wrong(format!("{name} held version {held:?}, and this came: {line}")),
    }
    Ok(())
}

/// 8 bytes to 12 KB that follow from key and version; most are short.
fn value(name: &str, version: u64) -> Vec<u8> {
    let seed = name.bytes().fold(version, |seed, byte| mixed(seed ^ u64::from(byte)));
    let mut random = Random::seeded(seed);
    let most = if random.below(10) == 0 { 12_000 } else { 1000 };
    let words = 1 + random.below(most) as usize / 8;
    (0..words).flat_map(|_| random.bits().to_le_bytes()).collect()
}

/// Clients that come, log in, read and leave.
pub(crate) fn arrive(siege: &Siege<'_>) -> Timed {
    let mut timed = Timed::none();
    while !siege.is_over() {
        let since = Instant::now();
        let visit = || -> io::Result<()> {
            let mut peer = Peer::connect(HOME, siege.stage.plain, Window::Usual)?;
            peer.log_in(FRIEND)?;
            peer.stream.write_all(b"mg nothing\r\n")?;
            peer.expect("EN")
        };
        match visit() {
            Ok(()) => timed.count(since.elapsed()),
            Err(error) => siege.wrong(format!("newcomer: {error}")),
        }
        std::thread::sleep(BETWEEN_VISITS);
    }
    timed
}

/// How many items the server has evicted.
pub(crate) fn evictions(stage: &Stage) -> io::Result<u64> {
    let mut peer = Peer::connect(HOME, stage.plain, Window::Usual)?;
    peer.log_in(ADMIN)?;
    peer.stream.write_all(b"stats\r\n")?;
    let mut found = None;
    loop {
        let line = peer.line()?;
        if let Some(count) = line.strip_prefix("STAT evictions ") {
            found = count.parse().ok();
        } else if !line.starts_with("STAT ") {
            return found.ok_or_else(|| io::Error::other(format!("no evictions before {line:.100}")));
        }
    }
}

/// Foes come from other addresses.
const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const KEYS: usize = 1000;
/// Between two requests, so that the latency is the server's and not a queue of our own.
pub(crate) const PAUSE: Duration = Duration::from_millis(1);
const BETWEEN_VISITS: Duration = Duration::from_millis(100);
/// Longer waits are printed as they come.
pub(crate) const WORTH_TELLING: Duration = Duration::from_millis(50);

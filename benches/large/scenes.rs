//! What is done with a huge value while others want to be served.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::contestant::arguments::Named;
use crate::probe::{Probe, Seen};

/// One row.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) question: &'static str,
    /// memcached has no such command, or does it by itself only.
    pub(crate) larder_only: bool,
    /// What happens before the probes start.
    prepare: fn(&Stage, &mut Client) -> io::Result<()>,
    /// What is measured.
    act: fn(&Stage, &mut Client) -> io::Result<()>,
}

impl Named for Scene {
    fn name(&self) -> &'static str {
        self.name
    }

    fn question(&self) -> &'static str {
        self.question
    }
}

/// What came of a scene.
pub(crate) struct Measured {
    /// How long the act took.
    pub(crate) took: Duration,
    /// What a probe on the worker of the huge value saw.
    pub(crate) same: Seen,
    /// What one on the other worker saw.
    pub(crate) other: Seen,
}

/// A server with one huge value to be.
pub(crate) struct Stage {
    address: SocketAddr,
    value_len: usize,
}

impl Stage {
    pub(crate) fn new(address: SocketAddr, value_len: usize) -> Stage {
        Stage { address, value_len }
    }

    /// Plays the scene.
    pub(crate) fn measure(&self, scene: &Scene) -> io::Result<Measured> {
        // Workers get connections in turn.
        let mut client = Client::connect(self.address)?;
        client.ask("version")?;
        (scene.prepare)(self, &mut client)?;
        let other = Probe::start(self.address)?;
        let same = Probe::start(self.address)?;
        std::thread::sleep(BEFORE);
        let begin = Instant::now();
        (scene.act)(self, &mut client)?;
        let took = begin.elapsed();
        std::thread::sleep(AFTER);
        Ok(Measured { took, same: same.stop()?, other: other.stop()? })
    }

    fn set(&self, client: &mut Client) -> io::Result<()> {
        client.store("set huge 0 0", 1, self.value_len)
    }

    fn get(&self, client: &mut Client) -> io::Result<()> {
        client.get("huge", &[(1, self.value_len)])
    }
}

fn nothing(_: &Stage, _: &mut Client) -> io::Result<()> {
    Ok(())
}

fn get_by_three(stage: &Stage, client: &mut Client) -> io::Result<()> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..2).map(|_| scope.spawn(|| stage.get(&mut Client::connect(stage.address)?))).collect();
        stage.get(client)?;
        others.into_iter().try_for_each(|other| other.join().unwrap_or_else(|_| Err(io::Error::other("panicked"))))
    })
}

fn delete(_: &Stage, client: &mut Client) -> io::Result<()> {
    match client.ask("delete huge")?.as_str() {
        "DELETED" => Ok(()),
        other => Err(io::Error::other(other.to_owned())),
    }
}

fn append(stage: &Stage, client: &mut Client) -> io::Result<()> {
    client.store("append huge 0 0", 2, SMALL_PART)?;
    client.get("huge", &[(1, stage.value_len), (2, SMALL_PART)])
}

fn append_much(stage: &Stage, client: &mut Client) -> io::Result<()> {
    let part = stage.value_len / 2;
    client.store("append huge 0 0", 2, part)?;
    client.get("huge", &[(1, stage.value_len), (2, part)])
}

fn prepend(stage: &Stage, client: &mut Client) -> io::Result<()> {
    client.store("prepend huge 0 0", 2, SMALL_PART)?;
    client.get("huge", &[(2, SMALL_PART), (1, stage.value_len)])
}

/// Twice as many values as there is room for.
fn fill(stage: &Stage, client: &mut Client) -> io::Result<()> {
    for n in 0..FILLERS {
        client.store(&format!("set filler{n} 0 0"), 3, FILLER_BYTES)?;
    }
    // Whoever keeps it keeps it whole.
    if client.ask("mg huge s")? == "EN" { Ok(()) } else { stage.get(client) }
}

fn flush(_: &Stage, client: &mut Client) -> io::Result<()> {
    client.ask("flush_all").map(drop)
}

fn set_for_a_second(stage: &Stage, client: &mut Client) -> io::Result<()> {
    client.store("set huge 0 1", 1, stage.value_len)
}

/// Until its time is over and the background has found it.
fn expire(_: &Stage, _: &mut Client) -> io::Result<()> {
    std::thread::sleep(EXPIRY);
    Ok(())
}

fn move_pages(_: &Stage, client: &mut Client) -> io::Result<()> {
    for _ in 0..500 {
        client.ask("slabs reassign 61 0")?;
    }
    Ok(())
}

fn dump(stage: &Stage, client: &mut Client) -> io::Result<()> {
    for _ in 0..20 {
        if client.ask("lru_crawler metadump all")? != "END" {
            client.skip_to("END")?;
        }
    }
    stage.get(client)
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Scene> {
    let set: fn(&Stage, &mut Client) -> io::Result<()> = Stage::set;
    vec![
        scene("idle", "nothing", nothing, expire),
        scene("set", "it comes", nothing, set),
        scene("get", "three clients read it", set, get_by_three),
        scene("overwrite", "another comes in its place", set, set),
        scene("delete", "it is deleted", set, delete),
        scene("append", "10,000 bytes are appended, then it is read", set, append),
        scene("join", "half as much is appended, then it is read", set, append_much),
        scene("prepend", "10,000 bytes are put in front, then it is read", set, prepend),
        scene("evict", "8,192 values of 1 MB come after it", set, fill),
        scene("flush", "flush_all", set, flush),
        scene("expire", "its time comes", set_for_a_second, expire),
        Scene { larder_only: true, ..scene("move", "500 of its pages move", set, move_pages) },
        scene("dump", "metadump, then it is read", set, dump),
    ]
}

fn scene(
    name: &'static str,
    question: &'static str,
    prepare: fn(&Stage, &mut Client) -> io::Result<()>,
    act: fn(&Stage, &mut Client) -> io::Result<()>,
) -> Scene {
    Scene { name, question, larder_only: false, prepare, act }
}

const BEFORE: Duration = Duration::from_millis(50);
/// So that what is put off shows as well.
const AFTER: Duration = Duration::from_millis(300);
const EXPIRY: Duration = Duration::from_millis(2500);
const FILLERS: usize = 8192;
const FILLER_BYTES: usize = 1_000_000;
const SMALL_PART: usize = 10_000;

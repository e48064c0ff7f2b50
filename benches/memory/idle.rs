//! Memory of connections that have spoken once and are silent since.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::contestant::accounting::resident_bytes;
use crate::contestant::process::{Contestant, Server};
use crate::load::fleet::{Fleet, Until};
use crate::load::traffic::Traffic;
use crate::load::workload::{Losses, Workload};

/// Resident bytes of the server per idle connection.
pub(crate) fn bytes_per_connection(contestant: &Contestant, threads: usize) -> Result<f64, String> {
    raise_descriptor_limit()?;
    let server = contestant.start(threads, 64, CONNECTIONS + CONNECTIONS_SPARE)?;
    // A few first: what they bring in is not paid again.
    let first = speak_once(&server, CONNECTIONS_SPARE / 4)?;
    let before = resident(&server)?;
    let fleet = speak_once(&server, CONNECTIONS)?;
    let after = resident(&server)?;
    drop((first, fleet));
    Ok(after.saturating_sub(before) as f64 / CONNECTIONS as f64)
}

/// Opens connections and gets one missing key on each.
fn speak_once(server: &Server, count: usize) -> Result<Fleet, String> {
    let mut fleet = Fleet::connect(server.address(), count).map_err(|error| error.to_string())?;
    let workload = Workload { losses: Losses::Allowed, ..Workload::plain_gets() };
    let mut traffic = Traffic::of(&workload, 1);
    fleet.run(&mut traffic, Until::Requests(count as u64)).map_err(|failure| failure.to_string())?;
    Ok(fleet)
}

fn resident(server: &Server) -> Result<u64, String> {
    server.settle().and_then(|()| resident_bytes(server.pid())).map_err(|error| error.to_string())
}

/// Our side of the connections needs descriptors too; the server inherits the limit.
fn raise_descriptor_limit() -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    let needed = (CONNECTIONS + CONNECTIONS_SPARE) as u64;
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .ok()
        .filter(|()| limit.maximum.is_none_or(|maximum| maximum >= needed))
        .ok_or_else(|| format!("descriptors needed={needed} allowed={:?}; raise `ulimit -Hn`", limit.maximum))
}

const CONNECTIONS: usize = 10_000;
const CONNECTIONS_SPARE: usize = 2_000;

//! Some seconds of everything that clients and an operator may do, with every answer checked (`cargo bench --bench soak`
//! does it for as long as one likes).

#[path = "../benches/soak/mod.rs"]
mod soak;
mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::Server;

#[test]
fn no_answer_is_wrong_and_memory_stays_in_its_bound() {
    let server = Server::on_loopback(&["-m", "48", "-I", "4m", "-t", "2"]);
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let pid = server.pid().as_raw_nonzero().get() as u32;
    let report = soak::run(address, pid, 48, Duration::from_secs(8));
    assert!(report.wrongs.is_empty(), "{}", report.wrongs.join("\n"));
    assert!(report.tally.hits > 0 && report.tally.misses > 0 && report.tally.changes > 0, "{:?}", report.tally);
    let done = report.done;
    assert!(done.flushes + done.limits + done.moves + done.walks > 0, "{done:?}");
    assert!(report.memory.samples > 0, "{:?}", report.memory);
    server.stop();
}

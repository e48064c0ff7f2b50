//! A worker that is stuck shows: to probes, to scrapes and on the page.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use crate::exposition::scrape;
use crate::stand::{get, start};
use crate::support::PATIENCE;

/// A worker that logs into a pipe that nobody reads waits for ever.
#[test]
fn a_stuck_worker_is_told_of_by_scrapes_as_by_probes() {
    let server = start(&["-t", "2", "-vv"]);
    assert_eq!(scrape(&server).0["larder_workers_silent"], 0.0);
    let mut talkative = server.connect();
    talkative.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    talkative.write_all(&b"mn\r\n".repeat(4000)).unwrap();
    let deadline = Instant::now() + PATIENCE;
    // No probe asks meanwhile.
    while scrape(&server).0["larder_workers_silent"] != 1.0 {
        assert!(Instant::now() < deadline, "it is never told");
        // What was answered before, and then nothing.
        let _ = talkative.read(&mut [0; 1 << 16]);
    }
    let answer = get(&server, "/healthz");
    assert_eq!(answer.status, 503, "{}", answer.content);
    assert!(answer.content.ends_with(" does not answer\n"), "{}", answer.content);
    assert!(get(&server, "/api/stats").content.contains("\"silent_workers\":1,"));
    assert_eq!(scrape(&server).0["larder_workers_silent"], 1.0, "who asks last is told the same");
}

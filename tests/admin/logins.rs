//! Logins in metrics: what came in, and what failed for which reason.

use std::io::{Read, Write};
use std::time::Instant;

use crate::exposition::{Samples, scrape};
use crate::stand::get;
use crate::support::{PATIENCE, Server};

fn start() -> Server {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("users"), "alice:secret\n").unwrap();
    Server::start_in(directory, &["-p", "-1", "-l", "127.0.0.1", "--admin", "127.0.0.1:0", "-Y", "{}/users"])
}

/// What one connection is answered to this.
fn say(server: &Server, bytes: &[u8], reply: &str) {
    let mut stream = server.connect();
    stream.write_all(bytes).unwrap();
    let mut found = vec![0; reply.len()];
    stream.read_exact(&mut found).unwrap();
    assert_eq!(String::from_utf8_lossy(&found), reply, "{}", bytes.escape_ascii());
}

/// Metrics once this one is so high: they may be a moment old.
fn await_sample(server: &Server, series: &str, value: f64) -> Samples {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (samples, _) = scrape(server);
        if samples[series] == value {
            return samples;
        }
        assert!(samples[series] < value && Instant::now() < deadline, "{series} is {}", samples[series]);
    }
}

fn failed(reason: &str) -> String {
    format!("larder_auth_failures_total{{reason=\"{reason}\"}}")
}

const FAILURE: &str = "CLIENT_ERROR authentication failure\r\n";

#[test]
fn failures_are_counted_by_reason_and_successes_by_mechanism() {
    let server = start();
    let (before, _) = scrape(&server);
    assert_eq!(before[&failed("wrong_credentials")], 0.0, "what may come is there from the start");
    assert_eq!(before["larder_auth_successes_total{mechanism=\"SCRAM-SHA-256\"}"], 0.0);
    for (bytes, reply) in [
        (&b"set x 0 0 12\r\nalice secret\r\n"[..], "STORED\r\n"),
        (b"set x 0 0 11\r\nalice wrong\r\n", FAILURE),
        (b"set x 0 0 11\r\nnobody else\r\n", FAILURE),
        (b"set x 0 0 8\r\nalice \xff\xfe\r\n", FAILURE),
        (b"sasl auth NOSUCH 1\r\nx\r\n", "AUTH_ERROR"),
        (b"sasl auth SCRAM-SHA-256 3\r\nn,,\r\n", "AUTH_ERROR"),
    ] {
        say(&server, bytes, reply);
    }
    let after = await_sample(&server, "larder_auth_attempts_total", 6.0);
    for (reason, count) in [("wrong_credentials", 2.0), ("malformed", 2.0), ("mechanism_not_offered", 1.0)] {
        assert_eq!(after[&failed(reason)], count, "{reason}");
    }
    assert_eq!(after["larder_auth_successes_total{mechanism=\"PLAIN\"}"], 1.0);
    let sum = |family: &str| -> f64 {
        after.iter().filter(|(series, _)| series.starts_with(family)).map(|(_, count)| count).sum()
    };
    assert_eq!((sum("larder_auth_failures_total{"), sum("larder_auth_successes_total{")), (5.0, 1.0));
    assert!(!after.keys().any(|series| series.contains("alice") || series.contains("nobody")), "no names");

    let json = get(&server, "/api/stats").content;
    assert!(json.contains("\"wrong_credentials\":2") && json.contains("\"PLAIN\":1"), "{json}");

    let login = b"set x 0 0 12\r\nalice secret\r\nstats\r\nquit\r\n";
    let mut stream = server.connect();
    stream.write_all(login).unwrap();
    let mut stats = String::new();
    stream.read_to_string(&mut stats).unwrap();
    // Whoever asks is a success more.
    assert!(stats.contains("STAT auth_cmds 7\r\nSTAT auth_errors 5\r\n"), "memcached's words have the sums: {stats}");
    say(&server, b"set x 0 0 12\r\nalice secret\r\nstats reset\r\n", "STORED\r\nRESET\r\n");
    let deadline = Instant::now() + PATIENCE;
    while scrape(&server).0[&failed("malformed")] != 0.0 {
        assert!(Instant::now() < deadline, "stats reset sets back");
    }
}

/// A guess is told late when it is wrong: who leaves before has guessed all the same.
#[test]
fn whoever_leaves_before_the_answer_is_counted() {
    let server = start();
    for _ in 0..3 {
        server.connect().write_all(b"set x 0 0 11\r\nalice wrong\r\n").unwrap();
    }
    await_sample(&server, &failed("wrong_credentials"), 3.0);
}

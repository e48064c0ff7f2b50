//! The log as its readers get it: lines of text or of JSON, and slow requests (`--log-format`, `--slow-request-us`).

#[path = "common/mod.rs"]
mod common;

use std::time::Instant;

use common::{DEADLINE, Server};
use rustix::process::Signal;
use serde_json::Value;

/// The events of a server that writes JSON. A line that is none makes the test fail.
fn events(server: &Server) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    server.stderr().lines().map(parse).collect()
}

#[test]
fn each_line_of_json_is_one_event() {
    let mut server = Server::start(&["-vv", "--log-format", "json"]);
    let mut client = server.connect();
    client.send_line("get \u{1b}[31m\"quoted\"");
    client.expect_line("END");
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    let events = events(&server);
    for event in &events {
        let field = |name: &str| event[name].as_str().unwrap_or_else(|| panic!("no {name} in {event}")).to_owned();
        assert!(["warn", "info", "debug"].contains(&field("level").as_str()), "{event}");
        assert!(field("target").starts_with("larder") || field("target").starts_with("mio"), "{event}");
        assert!(field("time").ends_with('Z'), "{event}");
        assert!(!field("message").is_empty(), "{event}");
    }
    let holds = |text: &str| events.iter().any(|event| event["message"].as_str().is_some_and(|it| it.contains(text)));
    assert!(holds("serving listen=") && holds("stopped"), "{events:?}");
    assert!(holds(r#"request command="get \u{1b}[31m\"quoted\"""#), "{events:?}");
}

#[test]
fn a_slow_batch_is_told_with_command_and_key_and_without_its_values() {
    // Every batch takes longer than a microsecond.
    let server = Server::start(&["--log-format", "json", "--slow-request-us", "1"]);
    let mut client = server.connect();
    client.send("set slow-key 0 0 12\r\nsecret-value\r\n");
    client.expect_line("STORED");
    server.await_stderr("slow-key");
    let events = events(&server);
    let event = events.iter().find(|event| event["first"] == "set slow-key").unwrap_or_else(|| panic!("{events:?}"));
    assert_eq!((&event["message"], &event["level"]), (&Value::from("slow requests"), &Value::from("warn")));
    assert_eq!((&event["kind"], &event["bytes"]), (&Value::from("set"), &Value::from(35)));
    assert!(event["us"].as_u64().is_some_and(|us| us >= 1), "{event}");
    assert!(event["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{event}");
    assert!(!server.stderr().contains("secret-value"));
}

#[test]
fn slow_batches_beyond_a_few_a_second_are_counted() {
    /// Lines for each second that the server writes any in.
    const A_FEW: u64 = 5;
    let server = Server::start(&["--slow-request-us", "1"]);
    let mut client = server.connect();
    // How many were left out before each line; the last line may not be whole yet.
    let left_out = || -> Vec<u64> {
        let text = server.stderr();
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let told = lines.filter(|line| line.contains("msg=slow requests us="));
        let number = |line: &str| line.rsplit_once(" left_out=").and_then(|(_, number)| number.parse().ok());
        told.map(|line| number(line).unwrap_or_else(|| panic!("no left_out= in {line}"))).collect()
    };
    let since = Instant::now();
    let mut sent = 0;
    // A second has passed when a line tells of those that were left out.
    let left_out = loop {
        let left_out = left_out();
        if left_out.iter().any(|&count| count > 0) {
            break left_out;
        }
        assert!(since.elapsed() < DEADLINE, "none is left out of {sent}");
        client.send_line("get key");
        client.expect_line("END");
        sent += 1;
    };
    let lines = left_out.len() as u64;
    assert!(lines <= A_FEW * (since.elapsed().as_secs() + 1), "{lines} lines in {:?}", since.elapsed());
    let told = lines + left_out.iter().sum::<u64>();
    assert!(told <= sent, "{told} are told or counted of {sent} requests");
}

#[test]
fn quick_batches_are_not_logged() {
    let mut server = Server::start(&["--slow-request-us", "60000000"]);
    let mut client = server.connect();
    client.send_line("get key");
    client.expect_line("END");
    server.signal(Signal::TERM);
    assert!(server.await_exit().success());
    assert!(!server.stderr().contains("slow requests"), "{}", server.stderr());
}

/// As `Environment=RUST_LOG=` of a unit leaves it.
#[test]
fn an_empty_rust_log_silences_nothing() {
    // It ends, as the address is nobody's (RFC 5737).
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_larder"))
        .args(["-l", "192.0.2.1", "-p", "-1", "-n", "5"])
        .env("RUST_LOG", "")
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("level=warn") && said.contains("accepted without effect: -n"), "{said}");
}

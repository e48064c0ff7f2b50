//! `-o idle_timeout` ends those who do nothing, and only those.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};
use crate::stand::{dial, dial_narrow, pattern, set, value_reply};

const VALUE_BYTES: usize = 8 << 20;

/// Far less than all of it before the test is over, far more than nothing.
const SIP_BYTES: usize = 8 << 10;

fn ask_for_large(server: &Server) -> TcpStream {
    let mut stream = dial_narrow(server.address());
    stream.write_all(b"get large\r\n").expect("the server reads");
    stream
}

/// Whether the server has hung up, after a moment's wait for it.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("nothing was asked for"),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn who_reads_slowly_or_is_sending_a_value_is_not_idle() {
    let server = Server::start(&["-m", "64", "-t", "1", "-I", "16m", "-o", "idle_timeout=1"]);
    let value = pattern(1, VALUE_BYTES);
    let mut writer = server.connect();
    writer.send(set("large", &value));
    writer.expect_line("STORED");
    let mut half: Client = server.connect();
    half.send("set half 0 0 4\r\nha");
    let mut reader = ask_for_large(&server);
    let mut got = Vec::new();
    // As long as it takes to hang up on two who do nothing, one after the other.
    for _ in 0..2 {
        let mut idle = dial(server.address());
        idle.set_read_timeout(Some(POLL_INTERVAL * 10)).expect("not zero");
        while !is_closed(&mut idle) {
            let mut sip = [0; SIP_BYTES];
            let len = reader.read(&mut sip).expect("the reply goes on");
            assert!(len > 0, "hung up on after {} bytes", got.len());
            got.extend_from_slice(&sip[..len]);
        }
    }
    half.send("lf\r\n");
    half.expect_line("STORED");
    let expected = [&value_reply("large", &value)[..], b"END\r\n"].concat();
    assert!(got.len() < expected.len(), "the reply was over before the time was");
    let from = got.len();
    got.resize(expected.len(), 0);
    reader.read_exact(&mut got[from..]).expect("the whole reply");
    assert!(got == expected, "another value");
}

#[test]
fn who_does_not_read_is_idle() {
    let server = Server::start(&["-m", "64", "-t", "1", "-I", "16m", "-o", "idle_timeout=1"]);
    let mut client = server.connect();
    client.send(set("large", &pattern(1, VALUE_BYTES)));
    client.expect_line("STORED");
    let stuck = ask_for_large(&server);
    let since = std::time::Instant::now();
    while client.statistic("", "idle_kicks").as_deref() != Some("1") {
        assert!(since.elapsed() < DEADLINE, "not hung up on");
        std::thread::sleep(POLL_INTERVAL);
    }
    drop(stuck);
}

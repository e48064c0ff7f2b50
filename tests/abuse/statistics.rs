//! Statistics that are long, asked for by clients that do not read them.

use std::io::Write;
use std::net::TcpStream;

use crate::stand::{Stand, assert_same, converse, dial, dial_narrow};

/// Asks the same on many connections at once, none of which reads.
fn ask_and_not_read(address: std::net::SocketAddr, line: &str) -> Vec<TcpStream> {
    let mut streams: Vec<TcpStream> = (0..40).map(|_| dial_narrow(address)).collect();
    for stream in &mut streams {
        // The server may hang up in the middle of this, as it has no memory for so much.
        let _ = stream.write_all(line.repeat(4).as_bytes());
    }
    streams
}

#[test]
fn statistics_of_65_536_long_prefixes_stay_bounded() {
    let mut stand = Stand::start(64, &[]);
    stand.under("stats detail dump of long prefixes", |server| {
        let gets: String = (0..65_536).map(|n| format!("get {n:0240}:k\r\n")).collect();
        let replies = converse(dial(server.address()), format!("stats detail on\r\n{gets}").as_bytes());
        assert_same(&replies, format!("OK\r\n{}", "END\r\n".repeat(65_536)).as_bytes());
        let streams = ask_and_not_read(server.address(), "stats detail dump\r\n");
        assert_same(&converse(dial(server.address()), b"stats detail off\r\n"), b"OK\r\n");
        drop(streams);
    });
}

#[test]
fn lists_of_items_stay_bounded() {
    let mut stand = Stand::start(64, &[]);
    stand.under("stats cachedump of 100,000 long keys", |server| {
        let sets: String = (0..100_000).map(|n| format!("set {n:0240} 0 0 1 noreply\r\nv\r\n")).collect();
        assert_same(&converse(dial(server.address()), format!("{sets}mn\r\n").as_bytes()), b"MN\r\n");
        let asked: String = (1..64).map(|class| format!("stats cachedump {class} 0\r\n")).collect();
        let streams = ask_and_not_read(server.address(), &asked);
        assert_same(&converse(dial(server.address()), b"mn\r\n"), b"MN\r\n");
        drop(streams);
    });
}

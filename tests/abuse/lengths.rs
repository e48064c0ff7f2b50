//! Lengths that are negative, absurd, or not kept.

use std::io::Write;
use std::net::TcpStream;

use crate::common::Server;
use crate::stand::{Stand, assert_same, converse, dial, pattern, set};

const BAD: &str = "CLIENT_ERROR bad command line format\r\n";
const TOO_LARGE: &str = "SERVER_ERROR object too large for cache\r\n";

#[test]
fn absurd_lengths_are_refused() {
    let mut stand = Stand::start(64, &[]);
    stand.under("absurd lengths", |server| {
        let lengths = ["-1", "-2147483648", "2147483646", "2147483647", "2147483648", "4294967295", "4294967296"];
        let more = ["9223372036854775807", "9223372036854775808", "18446744073709551616", "1e3", "0x10", ""];
        for length in lengths.into_iter().chain(more) {
            let mut client = server.connect();
            // No value to swallow: the next line is a command again.
            client.send(format!("set canary-1 0 0 {length}\r\nmn\r\n"));
            client.expect(format!("{BAD}MN\r\n"));
        }
    });
}

#[test]
fn values_announced_and_never_sent_hold_nothing() {
    let mut stand = Stand::start(64, &[]);
    stand.under("1 GB announced at the default -I", |server| {
        let clients: Vec<_> = (0..100)
            .map(|_| {
                let mut client = server.connect();
                client.send("set k 0 0 1000000000\r\nsome");
                client.expect(TOO_LARGE);
                client
            })
            .collect();
        drop(clients);
    });
}

#[test]
fn values_announced_and_never_sent_hold_nothing_where_they_are_allowed() {
    let mut stand = Stand::start(2048, &["-I", "1g"]);
    stand.under("1 GB announced at -I 1g", |server| {
        let clients: Vec<_> = (0..100)
            .map(|n| {
                let mut stream = dial(server.address());
                stream.write_all(format!("set k{n} 0 0 1000000000\r\n").as_bytes()).expect("connected");
                stream.write_all(&pattern(n, 100_000)).expect("the server reads");
                stream
            })
            .collect();
        await_bytes_read(server, 100 * 100_000);
        let resident = server.memory_bytes("VmRSS");
        assert!(resident < 200 << 20, "{} MiB resident", resident >> 20);
        drop(clients);
    });
}

#[test]
fn values_too_large_are_swallowed_and_the_stream_stays_in_step() {
    let mut stand = Stand::start(64, &[]);
    stand.under("too large, swallowed", |server| {
        let request = [&set("big", &pattern(5, 20_000_000))[..], b"mn\r\n"].concat();
        assert_same(&converse(dial(server.address()), &request), format!("{TOO_LARGE}MN\r\n").as_bytes());
        let quiet = b"set big 0 0 20000000 noreply\r\n";
        let request = [quiet, &vec![b'\n'; 20_000_000][..], b"\r\nmn\r\n"].concat();
        assert_same(&converse(dial(server.address()), &request), b"MN\r\n");
    });
}

#[test]
fn idle_half_commands_and_half_values_leave_room_for_others() {
    let mut stand = Stand::start(64, &["-c", "4000"]);
    stand.under("2,000 halves", |server| {
        let half = |n: usize| -> Vec<u8> {
            match n % 4 {
                0 => "get ".bytes().chain(*b"k ").chain(vec![b'k'; 240]).collect(),
                1 => b"set k 0 0 4000\r\n".iter().copied().chain(vec![b'v'; 3900]).collect(),
                2 => b"set k 0 0 500000\r\n".iter().copied().chain(vec![b'v'; 250_000]).collect(),
                _ => b"set k 0 0 100\r\nvvv".to_vec(),
            }
        };
        let mut sent = 0;
        let streams: Vec<TcpStream> = (0..2000)
            .map(|n| {
                let mut stream = dial(server.address());
                let half = half(n);
                // It may be refused and swallowed; it must not be stuck.
                stream.write_all(&half).expect("the server reads");
                sent += half.len();
                stream
            })
            .collect();
        await_bytes_read(server, sent);
        // Others can store small values, and one that fits the half of memory that unfinished values may not take.
        let mut client = server.connect();
        client.send(set("mine", b"value"));
        client.expect_line("STORED");
        client.send("get mine\r\n");
        client.expect("VALUE mine 0 5\r\nvalue\r\nEND\r\n");
        drop(streams);
    });
}

/// Waits until the server has read what was sent; values that are read straight into the store count as well.
fn await_bytes_read(server: &Server, bytes: usize) {
    let mut client = server.connect();
    let since = std::time::Instant::now();
    loop {
        let read: usize = client.statistic("", "bytes_read").expect("there is one").parse().expect("a number");
        if read >= bytes {
            return;
        }
        assert!(since.elapsed() < crate::common::DEADLINE, "only {read} of {bytes} bytes read");
        std::thread::sleep(crate::common::POLL_INTERVAL);
    }
}

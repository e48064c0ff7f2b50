//! More connections than are allowed, and faster than is polite.

use std::io::Read;

use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};
use crate::stand::{Stand, dial};

/// Connects until the server serves the connection.
fn await_served(server: &Server) -> Client {
    let since = std::time::Instant::now();
    loop {
        let mut client = server.connect();
        client.send_line("mn");
        if client.line() == b"MN" {
            return client;
        }
        assert!(since.elapsed() < DEADLINE, "no room for another connection");
        std::thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn as_many_connections_as_allowed_are_served_and_others_told() {
    let mut stand = Stand::start(64, &["-c", "50"]);
    stand.under("-c 50", |server| {
        // One is the well-behaved client's.
        let mut served: Vec<Client> = (0..49).map(|_| server.connect()).collect();
        for client in &mut served {
            client.send_line("mn");
            client.expect_line("MN");
        }
        for _ in 0..200 {
            let mut refused = server.connect();
            refused.expect_line("ERROR Too many open connections");
            refused.expect_closed();
        }
        served.pop();
        served.push(await_served(server));
        for client in &mut served {
            client.send_line("mn");
            client.expect_line("MN");
        }
    });
}

#[test]
fn three_thousand_connects_leave_the_server_as_it_was() {
    let mut stand = Stand::start(64, &[]);
    stand.under("3,000 connects", |server| {
        let first = server.memory_bytes("VmRSS");
        for _ in 0..3 {
            let streams: Vec<_> = (0..1000).map(|_| dial(server.address())).collect();
            let mut last = streams.into_iter().last().expect("there are some");
            last.set_nonblocking(true).expect("a socket");
            let _ = last.read(&mut [0; 64]);
        }
        let mut client = await_served(server);
        client.await_statistic("curr_connections", "2");
        let grown = server.memory_bytes("VmRSS").saturating_sub(first);
        assert!(grown < 4 << 20, "{grown} bytes more than before");
    });
}

//! What a connection at rest costs.

use std::net::TcpStream;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::common::{Client, DEADLINE, POLL_INTERVAL};
use crate::stand::{Stand, dial};

const CONNECTIONS: usize = 10_000;

/// What an idle connection may cost.
const BYTES_PER_CONNECTION_MAX: usize = 400;

#[test]
fn ten_thousand_idle_connections_cost_at_most_400_bytes_each() {
    // The clients' ends are this process's, and other tests need some at the same time.
    let needed = CONNECTIONS as u64 + 4000;
    let limit = getrlimit(Resource::Nofile);
    assert!(
        limit.maximum.is_none_or(|maximum| maximum >= needed),
        "the machine allows {:?} descriptors, this test needs {needed}; raise `ulimit -Hn`",
        limit.maximum
    );
    if limit.current.is_some_and(|current| current < needed) {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("up to the hard limit is allowed");
    }
    let mut stand = Stand::start(64, &["-c", "12000"]);
    stand.under("10,000 idle connections", |server| {
        let mut client = server.connect();
        // What the first connections bring in is not paid again.
        let first: Vec<TcpStream> = (0..100).map(|_| dial(server.address())).collect();
        await_connections(&mut client, 102);
        let before = server.memory_bytes("VmRSS") as usize;
        let mut idle: Vec<TcpStream> = Vec::with_capacity(CONNECTIONS);
        while idle.len() < CONNECTIONS {
            // In batches that fit any listener's backlog.
            idle.extend((0..500).map(|_| dial(server.address())));
            await_connections(&mut client, 102 + idle.len());
        }
        let grown = server.memory_bytes("VmRSS").saturating_sub(before as u64) as usize;
        let each = grown / CONNECTIONS;
        println!("an idle connection that never spoke: {each} bytes");
        assert!(each <= BYTES_PER_CONNECTION_MAX, "{each} bytes each");

        let mut spoken: Vec<Client> = Vec::new();
        for stream in idle {
            let mut client = Client::over(stream);
            client.send("set k 0 0 5\r\nva");
            client.send("lue\r\nget k\r\n");
            client.expect("STORED\r\nVALUE k 0 5\r\nvalue\r\nEND\r\n");
            spoken.push(client);
        }
        let each = (server.memory_bytes("VmRSS").saturating_sub(before as u64) as usize) / CONNECTIONS;
        println!("an idle connection that has spoken: {each} bytes");
        assert!(each <= BYTES_PER_CONNECTION_MAX, "{each} bytes each");

        while !spoken.is_empty() {
            spoken.truncate(spoken.len() - 500);
            await_connections(&mut client, 102 + spoken.len());
        }
        drop(first);
    });
}

fn await_connections(client: &mut Client, count: usize) {
    let since = std::time::Instant::now();
    loop {
        let open: usize = client.statistic("", "curr_connections").expect("there is one").parse().expect("a number");
        if open == count {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "{open} connections instead of {count}");
        std::thread::sleep(POLL_INTERVAL);
    }
}

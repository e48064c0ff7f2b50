//! Many clients that change the same few items, with floods beside them: no change is lost, none happens twice.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::common::{Client, Server};
use crate::stand::{Stand, dial, flood};

const CLIENTS: usize = 6;
const ROUNDS: usize = 300;
const KEYS: usize = 2;

#[test]
fn concurrent_incr_cas_and_append_beside_floods_lose_nothing() {
    let mut stand = Stand::start(64, &["-t", "4"]);
    stand.under("six clients on six items, two floods", |server| {
        let mut client = server.connect();
        for key in 0..KEYS {
            for (kind, value) in [("count", "0"), ("cas", "0"), ("list", "")] {
                client.send(format!("set {kind}-{key} 0 0 {}\r\n{value}\r\n", value.len()));
                client.expect_line("STORED");
            }
        }
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let over = &over;
            for _ in 0..2 {
                scope.spawn(move || {
                    let mut stream = dial(server.address());
                    let quiet = b"mg count-0 q k\r\nmg nothing q\r\nincr count-none 1 noreply\r\n".repeat(50);
                    let mut sink = stream.try_clone().expect("a descriptor");
                    let reader = thread::spawn(move || std::io::copy(&mut sink, &mut std::io::sink()));
                    while !over.load(Ordering::Acquire) {
                        assert!(flood(&mut stream, &quiet, quiet.len()), "the server reads");
                    }
                    stream.write_all(b"quit\r\n").expect("the server reads");
                    reader.join().expect("it does not panic").expect("replies and the end");
                });
            }
            let changing: Vec<_> = (0..CLIENTS).map(|id| scope.spawn(move || change(server, id))).collect();
            let outcomes: Vec<_> = changing.into_iter().map(|client| client.join()).collect();
            over.store(true, Ordering::Release);
            outcomes.into_iter().for_each(|outcome| outcome.expect("every reply is the right one"));
        });
        for key in 0..KEYS {
            let expected = (CLIENTS * ROUNDS / KEYS).to_string();
            assert_eq!(value(&mut client, &format!("count-{key}")).1, expected, "incr");
            assert_eq!(value(&mut client, &format!("cas-{key}")).1, expected, "cas");
            let list = value(&mut client, &format!("list-{key}")).1;
            for id in 0..CLIENTS {
                let own: Vec<usize> = list
                    .split_terminator(';')
                    .filter_map(|entry| entry.strip_prefix(&format!("{id}:"))?.parse().ok())
                    .collect();
                let expected: Vec<usize> = (0..ROUNDS).filter(|round| round % KEYS == key).collect();
                assert_eq!(own, expected, "what client {id} appended, in its order");
            }
        }
    });
}

fn change(server: &Server, id: usize) {
    let mut client = server.connect();
    for round in 0..ROUNDS {
        let key = round % KEYS;
        client.send_line(format!("incr count-{key} 1"));
        let counted: usize = String::from_utf8(client.line()).expect("digits").parse().expect("a number");
        assert!((1..=CLIENTS * ROUNDS / KEYS).contains(&counted));
        let entry = format!("{id}:{round};");
        client.send(format!("append list-{key} 0 0 {}\r\n{entry}\r\n", entry.len()));
        client.expect_line("STORED");
        loop {
            let (unique, number) = value(&mut client, &format!("cas-{key}"));
            let next = (number.parse::<usize>().expect("a number") + 1).to_string();
            client.send(format!("cas cas-{key} 0 0 {} {unique}\r\n{next}\r\n", next.len()));
            match &client.line()[..] {
                b"STORED" => break,
                line => assert_eq!(line, b"EXISTS"),
            }
        }
    }
}

/// CAS number and value of an item that is there.
fn value(client: &mut Client, key: &str) -> (String, String) {
    client.send_line(format!("gets {key}"));
    let line = String::from_utf8(client.line()).expect("words");
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(words[..2], ["VALUE", key], "{line}");
    let value = client.take(words[3].parse().expect("a length"));
    client.expect("\r\nEND\r\n");
    (words[4].to_owned(), String::from_utf8(value).expect("text"))
}

//! Peers that do not read, or vanish in the middle.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};
use crate::stand::{
    Stand, assert_same, await_connections, connections, converse, dial, dial_narrow, pattern, set, value_reply,
};

/// Waits until `count` connections have replies stuck.
fn await_stuck(server: &Server, count: usize) {
    let mut client = server.connect();
    let since = std::time::Instant::now();
    loop {
        client.send_line("stats conns");
        let mut stuck = 0;
        loop {
            let line = client.line();
            if line == b"END" {
                break;
            }
            stuck += usize::from(line.ends_with(b":state conn_mwrite"));
        }
        if stuck >= count {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "{stuck} of {count} stuck");
        std::thread::sleep(POLL_INTERVAL);
    }
}

fn store(server: &Server, key: &str, value: &[u8]) -> Client {
    let mut client = server.connect();
    client.send(set(key, value));
    client.expect_line("STORED");
    client
}

#[test]
fn slow_readers_of_large_replies_do_not_stop_the_others() {
    let mut stand = Stand::start(64, &[]);
    stand.under("200 slow readers, values sent from the store", |server| {
        store(server, "large", &pattern(1, 500_000));
        let slow: Vec<TcpStream> = (0..200).map(|_| dial_narrow(server.address())).collect();
        for mut stream in &slow {
            stream.write_all(format!("get{}\r\n", " large".repeat(100)).as_bytes()).expect("the server reads");
        }
        await_stuck(server, 200);
        let mut other = store(server, "other", &pattern(2, 300_000));
        other.send("get other\r\n");
        other.expect([&value_reply("other", &pattern(2, 300_000))[..], b"END\r\n"].concat());
    });
}

#[test]
fn whoever_hoards_replies_is_hung_up_on_and_nobody_else() {
    let mut stand = Stand::start(64, &["-c", "4000", "-o", "read_buf_mem_limit=4"]);
    stand.under("500 slow readers, values copied", |server| {
        store(server, "small", &pattern(1, 8000));
        let mut half = server.connect();
        half.send("set half 0 0 3000\r\n");
        half.send(vec![b'v'; 1000]);
        let slow: Vec<TcpStream> = (0..500)
            .map(|_| {
                let mut stream = dial_narrow(server.address());
                stream.write_all(format!("get{}\r\n", " small".repeat(2000)).as_bytes()).expect("the server reads");
                stream
            })
            .collect();
        server.await_stderr("unread replies");
        // Half requests of others are kept all the same, before and after.
        let mut later: Vec<Client> = (0..200).map(|_| server.connect()).collect();
        for (n, client) in later.iter_mut().enumerate() {
            client.send(format!("set later-{n} 0 0 4000\r\n"));
            client.send(vec![b'v'; 3000]);
        }
        for client in &mut later {
            client.send(vec![b'v'; 1000]);
            client.send("\r\n");
            client.expect_line("STORED");
        }
        half.send(vec![b'v'; 2000]);
        half.send("\r\n");
        half.expect_line("STORED");
        drop(slow);
    });
}

#[test]
fn many_multigets_at_once_are_all_served_in_the_end() {
    let mut stand = Stand::start(64, &["-c", "4000"]);
    stand.under("400 readers that take their time, values copied", |server| {
        let value = pattern(1, 4000);
        store(server, "small", &value);
        let line = format!("get{}\r\n", " small".repeat(250));
        let mut readers: Vec<TcpStream> = (0..400).map(|_| dial_narrow(server.address())).collect();
        for reader in &mut readers {
            reader.write_all(line.as_bytes()).expect("the server reads");
        }
        await_stuck(server, 400);
        let expected = [&value_reply("small", &value).repeat(250)[..], b"END\r\n"].concat();
        let mut got = vec![0; expected.len()];
        for reader in &mut readers {
            reader.read_exact(&mut got).expect("the whole reply");
            assert_same(&got, &expected);
        }
    });
}

#[test]
fn slow_readers_of_different_values_do_not_shut_the_cache_out() {
    let mut stand = Stand::start(64, &[]);
    stand.under_pressure("pins on all of memory", |server| {
        // More than all memory, one value for each reader.
        let slow: Vec<TcpStream> = (0..100)
            .map(|n| {
                store(server, &format!("large-{n}"), &pattern(n, 900_000));
                let mut stream = dial_narrow(server.address());
                let line = format!("get{}\r\n", format!(" large-{n}").repeat(4));
                stream.write_all(line.as_bytes()).expect("the server reads");
                stream
            })
            .collect();
        for len in [10, 1000, 20_000, 300_000, 900_000] {
            store(server, "mine", &pattern(len, len));
        }
        drop(slow);
    });
}

#[test]
fn values_that_are_being_sent_stay_whole_while_they_are_replaced() {
    let mut stand = Stand::start(64, &["-c", "2000"]);
    stand.under("thousands of references to one item", |server| {
        let old = pattern(1, 16_000);
        let mut writer = store(server, "one", &old);
        let line = format!("get{}\r\nmn\r\n", " one".repeat(200));
        let mut readers: Vec<TcpStream> = (0..300).map(|_| dial_narrow(server.address())).collect();
        for reader in &mut readers {
            reader.write_all(line.as_bytes()).expect("the server reads");
        }
        await_stuck(server, 300);
        for seed in 2..50 {
            writer.send(set("one", &pattern(seed, 16_000)));
            writer.expect_line("STORED");
        }
        let versions: Vec<Vec<u8>> = (1..50).map(|seed| value_reply("one", &pattern(seed, 16_000))).collect();
        for reader in readers.iter_mut().take(60) {
            let mut version = 0;
            let mut got = vec![0; versions[0].len()];
            for _ in 0..200 {
                reader.read_exact(&mut got).expect("all values come");
                // Never an older value than the one before it.
                version += versions[version..].iter().position(|known| *known == got).expect("a whole value");
            }
            let mut end = [0; 9];
            reader.read_exact(&mut end).expect("and the end");
            assert_eq!(&end, b"END\r\nMN\r\n");
        }
    });
}

#[test]
fn resets_in_mid_reply_leave_nothing_behind() {
    let mut stand = Stand::start(64, &[]);
    stand.under("500 resets in mid reply", |server| {
        let mut client = store(server, "large", &pattern(1, 400_000));
        let (total, open) = connections(&mut client);
        for n in 0..500 {
            let mut stream = dial(server.address());
            stream.write_all(format!("get{}\r\n", " large".repeat(30)).as_bytes()).expect("the server reads");
            let mut some = vec![0; n * 1000 + 1];
            stream.read_exact(&mut some).expect("a part of the reply");
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        await_connections(&mut client, total + 500, open);
        // Every page is free to move again: the whole cache can be filled with values of another size.
        for n in 0..150 {
            store(server, &format!("next-{n}"), &pattern(n, 200_000));
        }
    });
}

#[test]
fn resets_in_mid_value_leave_nothing_behind() {
    let mut stand = Stand::start(64, &[]);
    stand.under("500 resets in mid value", |server| {
        let mut client = server.connect();
        let (total, open) = connections(&mut client);
        for n in 0..500 {
            let mut stream = dial(server.address());
            stream.write_all(b"set gone 0 0 1000000\r\n").expect("the server reads");
            stream.write_all(&pattern(n, n * 1500)).expect("the server reads");
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
        }
        // Until the server has seen the last of them go, what they began holds memory.
        await_connections(&mut client, total + 500, open);
        store(server, "mine", &pattern(1, 1_000_000));
        client.send("get gone\r\n");
        client.expect_line("END");
    });
}

#[test]
fn a_peer_that_has_said_all_gets_every_reply() {
    let mut stand = Stand::start(64, &[]);
    stand.under("half-closed after a pipeline", |server| {
        let value = pattern(1, 3000);
        store(server, "k", &value);
        for requests in [1, 10, 1000, 20_000] {
            let mut stream = dial(server.address());
            let mut writer = stream.try_clone().expect("a descriptor");
            let expected = [&value_reply("k", &value)[..], b"END\r\n"].concat().repeat(requests);
            let replies = std::thread::scope(|scope| {
                scope.spawn(move || {
                    writer.write_all("get k\r\n".repeat(requests).as_bytes()).expect("the server reads");
                    writer.shutdown(Shutdown::Write).expect("connected");
                });
                let mut replies = Vec::new();
                stream.read_to_end(&mut replies).expect("replies and the end");
                replies
            });
            assert_same(&replies, &expected);
        }
        // Also with the end right behind the value, and with half a request before the end.
        let request = [&set("last", &value)[..], b"get last\r\nget la"].concat();
        let expected = [b"STORED\r\n", &value_reply("last", &value)[..], b"END\r\n"].concat();
        assert_same(&converse(dial(server.address()), &request), &expected);
    });
}

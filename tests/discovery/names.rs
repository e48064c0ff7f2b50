//! The list by name: addresses and services, when they are asked for again, and what a name server may do.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{fs, thread};

use rustix::process::Signal;

use crate::common::packet::{Play, ask};
use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};
use crate::name_server::{Manner, NameServer, Record};
use crate::{await_nodes, list};

const NAME: &str = "cache.example";
const SOURCE: &str = "dns:cache.example:11211";

fn serve(names: &NameServer, source: &str, more: &[&str]) -> Server {
    let resolver = names.text();
    Server::start(&[&["--cluster", source, "--cluster-resolver", &resolver, "-v"], more].concat())
}

/// Once the list is known.
fn await_list(client: &mut Client) -> (u64, String) {
    let since = Instant::now();
    while client.statistic("", "cluster_version").as_deref() == Some("0") {
        assert!(since.elapsed() < DEADLINE, "there is no list");
        thread::sleep(POLL_INTERVAL);
    }
    list(client)
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

#[test]
fn addresses_of_a_name_are_followed() {
    let names = NameServer::start(Manner::Well, 1);
    names.set_addresses(NAME, &["10.0.0.2", "10.0.0.1", "2001:db8::1"]);
    let before = unix_now();
    let server = serve(&names, SOURCE, &[]);
    let mut client = server.connect();
    let (version, nodes) = await_list(&mut client);
    assert_eq!(nodes, "10.0.0.1|10.0.0.1|11211 10.0.0.2|10.0.0.2|11211 2001:db8::1|2001:db8::1|11211");
    assert!((before..=unix_now()).contains(&version), "{version}");
    // No signal: the answers' time is over within a second.
    names.set_addresses(NAME, &["10.0.0.2", "10.0.0.3"]);
    let later = await_nodes(&mut client, "10.0.0.2|10.0.0.2|11211 10.0.0.3|10.0.0.3|11211");
    assert!(later > version, "{later} after {version}");
    // The same answer is the same list.
    let (asked, _) = names.asked();
    let since = Instant::now();
    while names.asked().0 < asked + 4 {
        assert!(since.elapsed() < DEADLINE, "nobody asks again");
        thread::sleep(POLL_INTERVAL);
    }
    assert_eq!(list(&mut client).0, later);
}

#[test]
fn a_failing_name_server_changes_nothing() {
    let names = NameServer::start(Manner::Well, 1);
    names.set_addresses(NAME, &["10.0.0.1"]);
    let server = serve(&names, SOURCE, &[]);
    let mut client = server.connect();
    let told = await_list(&mut client);
    names.behave(Manner::Failing);
    server.await_stderr("cluster list stays as it was: name=cache.example: the name server says ServerFailure");
    // Again, and it is not said again.
    server.signal(Signal::HUP);
    await_failures(&mut client, 2);
    assert_eq!(list(&mut client), told);
    // A name without addresses is no list either.
    names.set_addresses(NAME, &[]);
    names.behave(Manner::Well);
    server.signal(Signal::HUP);
    await_failures(&mut client, 3);
    assert_eq!(list(&mut client), told);
    assert_eq!(server.stderr().matches("cluster list stays as it was").count(), 1, "{}", server.stderr());
    names.set_addresses(NAME, &["10.0.0.9"]);
    server.signal(Signal::HUP);
    assert!(await_nodes(&mut client, "10.0.0.9|10.0.0.9|11211") > told.0);
    server.await_stderr("cluster name=cache.example is answered again");
}

fn await_failures(client: &mut Client, at_least: u64) {
    let since = Instant::now();
    loop {
        let failures = client.statistic("", "cluster_failures").expect("there is a list");
        if failures.parse::<u64>().expect("a number") >= at_least {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "{failures} failures");
        thread::sleep(POLL_INTERVAL * 10);
    }
}

#[test]
fn before_the_first_answer_there_is_no_list_and_all_else() {
    let names = NameServer::start(Manner::Failing, 1);
    let server = serve(&names, SOURCE, &[]);
    let mut client = server.connect();
    client.send("config get cluster\r\nget AmazonElastiCache:cluster\r\nset k 0 0 1\r\nv\r\n");
    client.expect("SERVER_ERROR cluster list not known yet\r\nEND\r\nSTORED\r\n");
    Play::on(&server).play(&ask(0x60, "cluster")).says(0x86, "Temporary failure");
    assert_eq!(client.statistic("", "cluster_version").as_deref(), Some("0"));
    names.set_addresses(NAME, &["10.0.0.1"]);
    names.behave(Manner::Well);
    server.signal(Signal::HUP);
    await_list(&mut client);
}

#[test]
fn services_have_ports_of_their_own() {
    let names = NameServer::start(Manner::Well, 1);
    let service = |target: &str, port| Record::Service { target: target.to_owned(), port };
    names.set("_memcache._tcp.cache.example", &[service("n2.example", 7), service("n1.example", 8)]);
    names.set_addresses("n1.example", &["2001:db8::1", "10.0.0.1"]);
    let server = serve(&names, "srv:_memcache._tcp.cache.example.", &[]);
    let mut client = server.connect();
    assert_eq!(await_list(&mut client).1, "n1.example|10.0.0.1|8 n2.example||7");
    names.set_addresses("n2.example", &["10.0.0.2"]);
    await_nodes(&mut client, "n1.example|10.0.0.1|8 n2.example|10.0.0.2|7");
}

#[test]
fn long_answers_come_over_tcp_and_forged_ones_count_for_nothing() {
    let many: Vec<String> = (0..200).map(|last| format!("10.0.0.{last}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for manner in [Manner::OverTcpOnly, Manner::AmongNoise] {
        let names = NameServer::start(manner, 60);
        names.set_addresses(NAME, &many);
        let server = serve(&names, SOURCE, &[]);
        let (_, nodes) = await_list(&mut server.connect());
        assert_eq!(nodes.split(' ').count(), 200, "{manner:?}");
        assert_eq!(names.asked().1 > 0, manner == Manner::OverTcpOnly);
    }
}

#[test]
fn the_next_name_server_is_asked_where_one_is_silent() {
    let names = NameServer::start(Manner::Well, 60);
    names.set_addresses(NAME, &["10.0.0.1"]);
    // Nobody listens there, which the kernel says at once: who has the port hears itself only, and lends it to nobody.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let closed = taken.local_addr().expect("bound");
    taken.connect(closed).expect("an address of this machine");
    let resolvers = format!("{closed},{}", names.text());
    let server = Server::start(&["--cluster", SOURCE, "--cluster-resolver", &resolvers]);
    assert_eq!(await_list(&mut server.connect()).1, "10.0.0.1|10.0.0.1|11211");
}

#[test]
fn a_confined_server_asks_on() {
    let names = NameServer::start(Manner::OverTcpOnly, 1);
    names.set_addresses(NAME, &["10.0.0.1"]);
    let server = serve(&names, SOURCE, &["-o", "drop_privileges"]);
    let since = Instant::now();
    let status = || fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the server lives");
    while !status().contains("Seccomp:\t2") {
        assert!(since.elapsed() < DEADLINE, "it is not confined");
        thread::sleep(POLL_INTERVAL);
    }
    let mut client = server.connect();
    await_list(&mut client);
    names.set_addresses(NAME, &["10.0.0.2"]);
    await_nodes(&mut client, "10.0.0.2|10.0.0.2|11211");
}

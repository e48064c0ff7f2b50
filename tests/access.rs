//! Who may connect: `--allow`, `--deny`, `--access-file`, over real sockets.

#[path = "common/mod.rs"]
mod common;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use common::neighbours::{connect_from, expect_flood_turned_away, expect_served, expect_turned_away};
use common::{Client, DEADLINE, Server};

#[test]
fn who_is_denied_gets_no_byte() {
    let server = Server::start(&["--deny", "127.0.0.2,127.0.1.0/24"]);
    expect_turned_away(&server, 2);
    expect_served(&server, 1);
    expect_served(&server, 3);
}

#[test]
fn where_some_are_allowed_nobody_else_is() {
    let server = Server::start(&["--allow", "127.0.0.0/30", "--allow", "127.0.0.9", "--deny", "127.0.0.2"]);
    expect_served(&server, 1);
    expect_served(&server, 9);
    expect_turned_away(&server, 2);
    expect_turned_away(&server, 4);
    server.await_stderr("connection denied address=127.0.0.2");
}

#[test]
fn the_file_is_read_again_when_it_changes() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = directory.path().join("access");
    // As it should be done: whoever reads gets all of the old file or all of the new one.
    let write = |text: &str| {
        let beside = path.with_extension("new");
        std::fs::write(&beside, text).expect("our own file");
        std::fs::rename(beside, &path).expect("our own file");
    };
    write("allow 127.0.0.1\n");
    let server = Server::start(&["--access-file", path.to_str().expect("UTF-8"), "-v"]);
    expect_served(&server, 1);
    expect_turned_away(&server, 2);
    write("allow 127.0.0.1\nallow 127.0.0.2\n");
    server.await_stderr("access list read again allow=2 deny=0");
    expect_served(&server, 2);
    write("allow 127.0.0.3\nallow everyone\n");
    server.await_stderr("line=2");
    expect_served(&server, 2);
    expect_turned_away(&server, 3);
    write("\n");
    server.await_stderr("names no network");
    expect_turned_away(&server, 3);
}

#[test]
fn datagrams_are_looked_at_as_well() {
    let server = Server::start(&["-U", "-1", "--deny", "127.0.0.2"]);
    let request = b"\0\x07\0\0\0\x01\0\0mn\r\n";
    let ask = |last: u8| {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0)).expect("an address of this machine");
        socket.send_to(request, server.udp_address()).expect("sent");
        socket
    };
    let denied = ask(2);
    // Its datagram was there before this one.
    let allowed = ask(1);
    allowed.set_read_timeout(Some(DEADLINE)).expect("not zero");
    let mut reply = [0; 64];
    let count = loop {
        match allowed.recv(&mut reply) {
            // A machine that was suspended interrupts waits that have a deadline.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received.expect("an answer"),
        }
    };
    assert_eq!(&reply[8..count], b"MN\r\n");
    denied.set_read_timeout(Some(Duration::from_millis(1))).expect("not zero");
    assert!(denied.recv(&mut reply).is_err());
}

#[test]
fn connections_that_are_turned_away_cost_no_memory() {
    let server = Server::start(&["--deny", "127.0.0.2"]);
    expect_served(&server, 1);
    expect_flood_turned_away(&server, 2);
    let mut client = Client::over(connect_from(&server, 1));
    // Those served before are counted out a moment after they have left.
    client.await_statistic("curr_connections", "1");
}

#[test]
fn a_wrong_list_is_refused_at_start() {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(common::server_path()).args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, line) = run(&["--allow", "10.0.0.0/8,everyone"]);
    assert_eq!(status, Some(64));
    assert_eq!(line, "larder: --allow \"10.0.0.0/8,everyone\" has what is no network; give such as 10.0.0.0/8,::1\n");
    let (status, line) = run(&["-p", "-1", "--access-file", "/nowhere/at/all"]);
    assert_eq!(status, Some(1));
    assert!(line.contains("larder: access_file=/nowhere/at/all: cannot be read: "), "{line}");
    // These would never end, or never begin.
    let directory = tempfile::tempdir().expect("a new directory");
    let pipe = directory.path().join("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::from(0o600), 0)
        .expect("a pipe");
    for path in ["/dev/zero", pipe.to_str().expect("UTF-8")] {
        let (status, line) = run(&["-p", "-1", "--access-file", path]);
        assert_eq!(status, Some(1));
        assert!(line.contains(": is no regular file; give one"), "{line}");
    }
}

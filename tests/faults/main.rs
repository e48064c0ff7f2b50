//! Faults of the machine that need no privileges to bring about: what the server does is what `docs/testing.md` states.
//! Those that do need them are in `run`, beside this file.

#[path = "../common/mod.rs"]
mod common;

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use common::{Client, DEADLINE, Server};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use socket2::{Domain, SockAddr, Socket, Type};

const PASSWORD: &str = "a password of the faults";

/// Runs the server under a limit of the shell's, where it cannot start.
fn refused(limit: &str, arguments: &[&str]) -> Output {
    let user: &[&str] = if rustix::process::geteuid().is_root() { &["-u", "root"] } else { &[] };
    Command::new("/bin/sh")
        .args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_larder")])
        .args(["-l", "127.0.0.1", "-p", "-1"])
        .args(user)
        .args(arguments)
        .output()
        .expect("there is a shell")
}

#[track_caller]
fn expect_refused(output: &Output, why: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(71), "{text}");
    assert!(text.contains(why), "{text}");
}

#[test]
fn too_little_address_space_ends_a_start_with_advice() {
    expect_refused(&refused("-v 2097152", &["-m", "4096"]), "cannot reserve memory: ");
}

/// The kernel sends SIGXFSZ, which would end the process without a word.
#[test]
fn a_limit_on_the_size_of_files_ends_a_start_with_a_reason() {
    let directory = tempfile::tempdir().expect("a new directory");
    let memory = directory.path().join("memory").display().to_string();
    expect_refused(&refused("-f 8192", &["-m", "64", "-e", &memory]), "File too large");
}

/// Memory of items is reserved at the start; that of connections is bounded, and with what the allocator reserves for its
/// threads it fits.
#[test]
fn a_server_that_gets_little_more_address_space_keeps_serving() {
    const SPARE_BYTES: u64 = 256 << 20;
    let server = Server::start(&["-m", "64", "-t", "2"]);
    let mut friend = server.connect();
    friend.send(format!("set small 0 0 4000\r\n{}\r\n", "v".repeat(4000)));
    friend.expect_line("STORED");
    limit(&server, Resource::As, server.memory_bytes("VmSize") + SPARE_BYTES);

    let hoards: Vec<TcpStream> = (0..400).map(|_| hoard(&server)).collect();
    for n in 0..3000 {
        friend.send(format!("set key-{n} 0 0 10000\r\n{}\r\n", "v".repeat(10_000)));
        friend.expect_line("STORED");
        friend.send_line(format!("mg key-{n} s"));
        friend.expect_line("HD s10000");
    }
    let mut late = server.connect();
    late.send_line("mn");
    late.expect_line("MN");
    drop(hoards);
}

/// Half of what was to be done would be done otherwise, and nobody would know which half.
#[test]
fn memory_that_the_allocator_does_not_get_ends_the_process_with_a_line() {
    let mut server = Server::start(&["-m", "64", "-t", "2"]);
    let mut friend = server.connect();
    friend.send(format!("set small 0 0 4000\r\n{}\r\n", "v".repeat(4000)));
    friend.expect_line("STORED");
    limit(&server, Resource::Data, 0);
    // Those that come late find nobody.
    let hoards: Vec<_> = (0..400).map_while(|_| try_hoard(&server).ok()).collect();
    let status = server.await_exit();
    assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{}", server.stderr());
    server.await_stderr("memory allocation of ");
    drop(hoards);
}

fn limit(server: &Server, resource: Resource, bytes: u64) {
    let pid = Pid::from_raw(server.pid().cast_signed()).expect("a child's process id is not 0");
    prlimit(Some(pid), resource, Rlimit { current: Some(bytes), maximum: Some(bytes) }).expect("our own child");
}

/// A client that asks for more than its connection takes, and does not read.
fn hoard(server: &Server) -> TcpStream {
    try_hoard(server).expect("the server accepts connections and reads")
}

fn try_hoard(server: &Server) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(4 << 10)?;
    socket.connect(&SockAddr::from(server.address()))?;
    let mut stream = TcpStream::from(socket);
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(format!("get{}\r\n", " small".repeat(400)).as_bytes())?;
    Ok(stream)
}

#[test]
fn a_users_file_that_vanishes_keeps_its_users_and_is_read_when_it_comes_back() {
    let directory = tempfile::tempdir().expect("a new directory");
    let file = directory.path().join("users");
    let aside = directory.path().join("aside");
    let add = |file: &Path, name: &str| {
        let mut passwd = Command::new(env!("CARGO_BIN_EXE_larder-passwd"));
        passwd.arg("-c").arg(file).args(["add", name]);
        let mut child = passwd.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
        writeln!(child.stdin.take().expect("asked for"), "{PASSWORD}").expect("it reads");
        assert!(child.wait().expect("it ends").success());
    };
    add(&file, "early");
    let server = Server::start(&["-v", "--users", file.to_str().expect("UTF-8")]);
    let mut friend = logged_in(&server, "early");

    std::fs::rename(&file, &aside).expect("our own file");
    server.signal(Signal::HUP);
    server.await_stderr("users stay as they were");
    friend.send_line("mn");
    friend.expect_line("MN");
    logged_in(&server, "early");

    // It comes back as another one, at once: the server looks by itself, too, and may do so at any moment.
    add(&aside, "late");
    std::fs::rename(&aside, &file).expect("our own file");
    server.await_stderr("users read again");
    logged_in(&server, "late");
    friend.send_line("mn");
    friend.expect_line("MN");
}

fn logged_in(server: &Server, user: &str) -> Client {
    let mut client = server.connect();
    let token = format!("{user} {PASSWORD}");
    client.send(format!("set _ _ _ {}\r\n{token}\r\n", token.len()));
    client.expect_line("STORED");
    client
}

//! The real binary as an operating system sees it: ports, sockets, files, users, signals, exit statuses.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use larder::sys::user::User;
use rustix::process::{Pid, Signal, getegid, geteuid, getsid, kill_process};
use support::{Server, ends, larder, process_link, run, status_line};

/// A start that fails: its exit status and its only line on standard error, without `larder: `.
fn refusal(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    let text = String::from_utf8(output.stderr).unwrap();
    let mut lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("larder: ")).collect();
    assert_eq!(lines.len(), 1, "standard error: {text}");
    (output.status.code(), lines.remove(0).to_owned())
}

#[test]
fn any_port_is_written_where_memcached_writes_it() {
    let server = Server::on_loopback(&[]);
    assert_eq!(server.ports(), [format!("TCP INET: {}", server.port())]);
    server.connect();
    server.stop();
}

#[test]
fn without_l_only_loopback_listens_on_both_families() {
    let server = Server::start(&["-p", "-1"]);
    let port = server.port();
    let mut expected = vec![format!("TCP INET: {port}")];
    if TcpListener::bind("[::1]:0").is_ok() {
        expected.push(format!("TCP INET6: {port}"));
        TcpStream::connect(("::1", port)).unwrap();
    }
    assert_eq!(server.ports(), expected);
    server.connect();
    // Any address but the one of the listener shows that it is not bound to all.
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
    assert!(!server.stop().contains("listening without authentication"));
}

#[test]
fn listening_on_a_network_without_a_login_warns() {
    let log = Server::start(&["-p", "-1", "-l", "0.0.0.0"]).stop();
    assert!(log.contains("level=warn") && log.contains("listening without authentication addr=0.0.0.0:"), "{log}");
}

#[test]
fn several_addresses_are_all_bound() {
    let server = Server::start(&["-p", "-1", "-l", "127.0.0.1,127.0.0.2", "-l", "127.0.0.3"]);
    let ports: Vec<u16> = server.ports().iter().map(|line| line["TCP INET: ".len()..].parse().unwrap()).collect();
    assert_eq!(ports.len(), 3);
    for (host, port) in ["127.0.0.1", "127.0.0.2", "127.0.0.3"].into_iter().zip(ports) {
        TcpStream::connect((host, port)).unwrap();
    }
    server.stop();
}

#[test]
fn unix_socket_has_its_mode_and_no_port_is_open() {
    let mut server = Server::start(&["-s", "{}/socket", "-a", "0770"]);
    let path = server.path("socket");
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o770);
    UnixStream::connect(&path).unwrap();
    assert!(!server.path("ports").exists());

    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists());
}

#[test]
fn unix_socket_is_given_away_before_anybody_can_connect() {
    // Others than root can only give to themselves.
    let own = (geteuid().as_raw(), getegid().as_raw());
    let (user, group) = if geteuid().is_root() { (4242, 77) } else { own };
    let nobody = if geteuid().is_root() { "nobody" } else { "" };
    for (names, expected) in [
        (format!("{user}:{group}"), (user, group)),
        (format!("{user}"), (user, own.1)),
        (format!(":{group}"), (own.0, group)),
    ] {
        // Started as root, it is made before the change of user.
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let flags = ["-s", "{}/socket", "-a", "0660", "--unix-owner", &names, "-u", nobody];
        let server = Server::start_in(directory, &flags);
        let found = fs::symlink_metadata(server.path("socket")).unwrap();
        assert_eq!((found.uid(), found.gid(), found.permissions().mode() & 0o7777), (expected.0, expected.1, 0o660));
        UnixStream::connect(server.path("socket")).unwrap();
        server.stop();
    }
}

#[test]
fn unix_socket_is_given_to_nobody_who_is_not_there() {
    let (status, line) = refusal(&["-s", "/no/such/directory/socket", "--unix-owner", "no-such-user"]);
    assert_eq!((status, &*line), (Some(67), "no such user=no-such-user; pass one that exists with --unix-owner"));
    let (status, line) = refusal(&["-s", "/no/such/directory/socket", "--unix-owner", ":no-such-group"]);
    assert_eq!((status, &*line), (Some(67), "no such group=no-such-group; pass one that exists with --unix-owner"));
}

#[test]
fn socket_of_a_killed_server_is_taken_over() {
    let mut server = Server::start(&["-s", "{}/socket"]);
    server.signal(Signal::KILL);
    assert_eq!(server.wait().code(), None);
    assert!(server.path("socket").exists());
    let server = Server::start_in(server.into_directory(), &["-s", "{}/socket"]);
    UnixStream::connect(server.path("socket")).unwrap();
    server.stop();
}

#[test]
fn limit_of_two_serves_two_and_tells_the_third() {
    let server = Server::on_loopback(&["-c", "2"]);
    let _clients = [server.connect(), server.connect()];
    let mut answer = String::new();
    server.connect().read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "ERROR Too many open connections\r\n");
    let log = server.stop();
    assert!(log.contains("connection refused: limit=2 reached; raise -c"), "{log}");
}

#[test]
fn stopping_signals_end_with_0_in_time() {
    let stop = |signal| {
        let mut server = Server::on_loopback(&[]);
        let _client = server.connect();
        let sent = Instant::now();
        server.signal(signal);
        assert_eq!(server.wait().code(), Some(0), "{signal:?}");
        let took = sent.elapsed();
        assert!(server.path("pid").exists(), "without -d the pid file stays, as memcached's");
        took
    };
    for signal in [Signal::INT, Signal::TERM, Signal::USR1] {
        // One of a few tries is in time, as other programs run on this machine too.
        let is_in_time = |took: Duration| took < Duration::from_secs(2);
        assert!((0..5).any(|_| is_in_time(stop(signal))), "{signal:?} takes longer");
    }
}

#[test]
fn hang_up_and_broken_pipes_do_not_end_the_server() {
    let mut server = Server::on_loopback(&["-v"]);
    server.signal(Signal::HUP);
    // One that ends it would overtake it.
    server.await_log("signal=SIGHUP");
    let ignored = u64::from_str_radix(&server.status_line("SigIgn"), 16).unwrap();
    assert_ne!(ignored & 1 << (Signal::PIPE.as_raw() - 1), 0);
    server.connect();
    let log = server.stop();
    assert!(
        log.contains("serving listen=127.0.0.1:") && log.contains("connections_max=1024 logins=no version="),
        "{log}"
    );
}

/// Starts a daemon with `arguments` and gives its process id; it serves when this returns.
fn daemon(directory: &Path, arguments: &[&str]) -> Pid {
    let pid_file = directory.join("pid");
    let status = larder(&["-d", "-p", "-1", "-l", "127.0.0.1", "-P", pid_file.to_str().unwrap()])
        .args(arguments)
        .env("MEMCACHED_PORT_FILENAME", directory.join("ports"))
        .stderr(fs::File::create(directory.join("log")).unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    let pid = fs::read_to_string(pid_file).expect("the pid file is there when the launcher returns");
    Pid::from_raw(pid.trim().parse().unwrap()).unwrap()
}

#[test]
fn daemon_leaves_directory_session_and_terminal_and_removes_its_pid_file() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, keeps_log) in [(&[][..], false), (&["-v"], true)] {
        let pid = daemon(directory.path(), arguments);
        let port = fs::read_to_string(directory.path().join("ports")).unwrap();
        TcpStream::connect(("127.0.0.1", port.trim()["TCP INET: ".len()..].parse().unwrap())).unwrap();

        assert_eq!(getsid(Some(pid)).unwrap(), pid);
        assert_eq!(process_link(pid, "cwd").unwrap(), Path::new("/"));
        let log = if keeps_log { directory.path().join("log") } else { "/dev/null".into() };
        assert_eq!(process_link(pid, "fd/2").unwrap(), log);

        kill_process(pid, Signal::TERM).unwrap();
        assert!(ends(pid));
        assert!(!directory.path().join("pid").exists());
    }
}

#[test]
fn daemon_that_cannot_start_says_so_to_its_launcher() {
    let (status, line) = refusal(&["-d", "-s", "/no/such/directory/socket"]);
    assert_eq!(status, Some(71));
    assert!(line.starts_with("cannot bind unix=/no/such/directory/socket: "), "{line}");
}

#[test]
fn pid_file_of_a_running_server_is_mentioned() {
    let server = Server::on_loopback(&[]);
    let (pid_file, pid) = (server.path("pid"), server.pid().as_raw_nonzero());
    let directory = tempfile::tempdir().unwrap();
    fs::copy(pid_file, directory.path().join("old")).unwrap();
    let log = larder_that_ends(&["-P", directory.path().join("old").to_str().unwrap()]);
    assert!(log.contains(&format!("names a running process pid={pid}; overwriting it")), "{log}");
}

/// The log of a server that is told to stop as soon as it serves, which its port file shows.
fn larder_that_ends(arguments: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let ports = directory.path().join("ports");
    let mut child = larder(&["-p", "-1", "-l", "127.0.0.1"])
        .args(arguments)
        .env("MEMCACHED_PORT_FILENAME", &ports)
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + support::PATIENCE;
    while !ports.exists() {
        assert!(Instant::now() < deadline && child.try_wait().unwrap().is_none(), "the server did not start");
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    fs::read_to_string(log).unwrap()
}

#[test]
fn what_cannot_be_bound_ends_with_71_and_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert_eq!(
        refusal(&["-l", "127.0.0.1", "-p", &port]),
        (Some(71), format!("cannot bind addr=127.0.0.1:{port}: in use; stop the other server or pass -p"))
    );
    let (status, line) = refusal(&["-l", "192.0.2.1", "-p", "-1"]);
    assert_eq!(status, Some(71));
    assert!(line.ends_with("no such address on this machine; pass one of its own with -l"), "{line}");
}

#[test]
fn nothing_to_listen_on_is_warned_of_and_has_an_empty_port_file() {
    let server = Server::start(&["-p", "0"]);
    assert!(server.ports().is_empty());
    let log = server.stop();
    assert!(log.contains("level=warn") && log.contains("nobody can connect: "), "{log}");
}

#[test]
fn protocol_of_the_listener_is_obeyed() {
    let noop = |magic| [magic, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let (binary, done) = (&noop(0x80), &noop(0x81));
    for (protocol, request, answer) in [
        ("auto", b"mn\r\n", b"MN\r\n"),
        ("ascii", b"mn\r\n", b"MN\r\n"),
        ("binary", b"mn\r\n", b""),
        ("binary", b"m", b""),
        ("auto", binary, done),
        ("ascii", binary, b""),
        ("ascii", b"\x80\r\n", b""),
        ("binary", binary, done),
    ] as [(&str, &[u8], &[u8]); 8]
    {
        let server = Server::on_loopback(&["-B", protocol]);
        let mut client = server.connect();
        client.write_all(request).unwrap();
        if !answer.is_empty() {
            client.shutdown(Shutdown::Write).unwrap();
        }
        let mut received = Vec::new();
        client.read_to_end(&mut received).expect("the connection ends in order");
        assert_eq!(received, answer, "{protocol} {request:?}");
    }
}

#[test]
fn more_connections_than_descriptors_end_with_71() {
    // Above any fs.nr_open, so that not even root gets them.
    let (status, line) = refusal(&["-c", "2147483647"]);
    assert_eq!(status, Some(71));
    assert!(line.starts_with("cannot serve connections=2147483647: open files are limited to "), "{line}");
    assert!(line.ends_with("; lower -c, raise the limit (ulimit -n) or start as root"), "{line}");
}

#[test]
fn locked_memory_is_had_or_warned_of() {
    let server = Server::on_loopback(&["-k"]);
    let locked = server.status_line("VmLck") != "0 kB";
    let log = server.stop();
    assert_eq!(locked, !log.contains("-k has no effect"), "{log}");
}

#[test]
fn root_serves_with_a_warning_unless_a_user_is_given() {
    if !geteuid().is_root() {
        return;
    }
    assert!(Server::on_loopback(&[]).stop().contains("serving as root"));
    assert!(!Server::on_loopback(&["-u", "root"]).stop().contains("serving as root"));
    let unknown = "no-such-user-of-larder";
    let expected = format!("no such user={unknown}; pass one that exists with -u");
    assert_eq!(refusal(&["-p", "-1", "-u", unknown]), (Some(67), expected));
}

#[test]
fn privileges_are_dropped_for_good_and_the_socket_belongs_to_the_user() {
    let Some(nobody) = User::find("nobody").unwrap().filter(|_| geteuid().is_root()) else { return };
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let server = Server::start_in(directory, &["-s", "{}/socket", "-u", "nobody"]);
    let all_four = |id: u32| [id.to_string(), id.to_string(), id.to_string(), id.to_string()].join("\t");
    assert_eq!(server.status_line("Uid"), all_four(nobody.uid));
    assert_eq!(server.status_line("Gid"), all_four(nobody.gid));
    assert_eq!(server.status_line("Groups"), "");
    assert_eq!(status_line(server.pid(), "CapEff").trim_start_matches('0'), "");
    assert_eq!(status_line(server.pid(), "NoNewPrivs"), "1");
    assert_eq!(status_line(server.pid(), "Seccomp"), "0", "only when it is asked for");
    assert_eq!(fs::symlink_metadata(server.path("socket")).unwrap().uid(), nobody.uid);
    server.stop();
}

/// Whether there is none, not even to pass on, by /proc/PID/status.
fn is_without_capabilities(pid: Pid) -> bool {
    ["CapInh", "CapPrm", "CapEff", "CapAmb"].iter().all(|name| status_line(pid, name) == "0000000000000000")
}

#[test]
fn an_ordinary_user_has_no_privilege_and_gets_no_new_one() {
    let nobody = if geteuid().is_root() { "nobody" } else { "" };
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let server = Server::start_in(directory, &["-p", "-1", "-l", "127.0.0.1", "-u", nobody]);
    assert_eq!(server.status_line("NoNewPrivs"), "1");
    assert!(is_without_capabilities(server.pid()));
    server.stop();
}

#[test]
fn drop_privileges_confines_every_thread_and_leaves_service_reload_and_stop() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(directory.path().join("access"), "allow 127.0.0.1\n").unwrap();
    let flags = ["-p", "-1", "-l", "127.0.0.1", "-v", "-o", "drop_privileges", "--access-file", "{}/access"];
    let server = Server::start_in(directory, &flags);
    let statuses = || {
        let threads = fs::read_dir(format!("/proc/{}/task", server.pid().as_raw_nonzero())).unwrap();
        threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("status")).unwrap()).collect::<Vec<_>>()
    };
    // The pid file, by which the start is known, is written before.
    let deadline = Instant::now() + support::PATIENCE;
    while !statuses().iter().all(|status| status.contains("Seccomp:\t2")) {
        assert!(Instant::now() < deadline, "no filter");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut client = server.connect();
    client.write_all(b"set k 0 0 1\r\nv\r\nget k\r\n").unwrap();
    let expected = b"STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n";
    let mut reply = vec![0; expected.len()];
    client.read_exact(&mut reply).unwrap();
    assert_eq!(reply, expected);
    server.signal(Signal::HUP);
    server.connect();
    let log = server.stop();
    assert!(log.contains("stopped"), "{log}");
}

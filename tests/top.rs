//! `larder-top` as its users meet it: the real binary against real nodes, logins and TLS, and against nodes that mean ill.

#[path = "common/mod.rs"]
mod common;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{DEADLINE, Server};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;

fn top(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_larder-top"))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// What it says as JSON, and whether all nodes were up.
fn json(arguments: &[&str]) -> (Value, bool) {
    let output = top(&[&["--json", "--interval", "1"], arguments].concat());
    assert_eq!(text(&output.stderr), "");
    let said = text(&output.stdout);
    (serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}")), output.status.success())
}

#[test]
fn nodes_and_their_total_are_shown_once() {
    let (first, second) = (Server::start(&[]), Server::start(&["-m", "128"]));
    let mut client = first.connect();
    client.send("set k 0 0 3\r\nabc\r\n");
    client.expect_line("STORED");
    let words = [first.address().to_string(), second.address().to_string(), "127.0.0.1:1".to_owned()];
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (said, all_up) = json(&words);
    assert!(!all_up, "a node that is down shows in the status");
    let node = |at: usize| &said["nodes"][at];
    assert_eq!(
        (&node(0)["up"], &node(0)["items"], &node(0)["memory_limit_bytes"]),
        (&true.into(), &1.into(), &(64 << 20).into())
    );
    assert_eq!((&node(1)["up"], &node(1)["items"]), (&true.into(), &0.into()));
    assert_eq!((&node(2)["up"], &node(2)["error"]), (&false.into(), &"connection refused".into()));
    assert_eq!((&said["total"]["items"], &said["total"]["memory_limit_bytes"]), (&1.into(), &(192 << 20).into()));

    let output = top(&[&["--interval", "1"], &words[..2]].concat());
    assert!(output.status.success());
    let table = text(&output.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[0].starts_with("NODE") && lines[1].starts_with(words[0]) && lines[3].contains("2/2 up"), "{table}");
}

#[test]
fn rates_are_those_of_the_time_between_two_readings() {
    let server = Server::start(&[]);
    let word = server.address().to_string();
    let gone = std::sync::atomic::AtomicBool::new(false);
    let (said, _) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.connect();
            while !gone.load(std::sync::atomic::Ordering::Relaxed) {
                client.send_line("get none");
                client.expect_line("END");
            }
        });
        let said = json(&[&word]);
        gone.store(true, std::sync::atomic::Ordering::Relaxed);
        said
    });
    assert!(said["nodes"][0]["gets"].as_f64().is_some_and(|gets| gets > 0.0), "{said}");
    assert_eq!(said["nodes"][0]["hit_percent"], 0.0, "{said}");
}

/// Over the network a password goes with TLS or not at all.
#[test]
fn it_logs_in_over_a_unix_socket_and_over_tls() {
    let directory = tempfile::tempdir().expect("a new directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let of_host = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = of_host.signed_by(&key, &authority).expect("a certificate");
    let client_key = KeyPair::generate().expect("a key");
    let of_client = CertificateParams::new(vec!["watcher".to_owned()]).expect("a name");
    let client_certificate = of_client.signed_by(&client_key, &authority).expect("a certificate");
    for (name, content) in [
        ("ca", authority.pem()),
        ("client_ca", authority.pem()),
        ("cert", certificate.pem()),
        ("key", key.serialize_pem()),
        ("client_cert", client_certificate.pem()),
        ("client_key", client_key.serialize_pem()),
    ] {
        std::fs::write(path(name), content).expect("our own file");
    }
    let mut passwd = Command::new(env!("CARGO_BIN_EXE_larder-passwd"));
    passwd.args(["-c", &path("users"), "add", "watcher", "--rights", "read"]).stdin(Stdio::piped());
    let mut passwd = passwd.spawn().expect("the binary runs");
    passwd.stdin.take().expect("a pipe").write_all(b"se cret\n").expect("it reads");
    assert!(passwd.wait().expect("it ends").success());
    std::fs::write(path("password"), "se cret\n").expect("our own file");
    std::fs::set_permissions(path("password"), std::fs::Permissions::from_mode(0o600)).expect("our own file");

    let files = format!("ssl_chain_cert={},ssl_key={}", path("cert"), path("key"));
    let server = Server::start(&["--users", &path("users"), "-Z", "-o", &files]);
    let node = format!("localhost:{}", server.address().port());
    let mutual = format!("{files},ssl_verify_mode=2,ssl_ca_cert={}", path("client_ca"));
    let mutual_server = Server::start(&["-Z", "-o", &mutual]);
    let mutual_node = format!("localhost:{}", mutual_server.address().port());
    let login = ["--user", "watcher", "--password-file", &path("password")].map(str::to_owned);
    let login: Vec<&str> = login.iter().map(String::as_str).collect();
    let ca = path("ca");
    let (said, up) = json(&[&login[..], &["--tls", "--ca", &ca, &node]].concat());
    assert!(up && said["nodes"][0]["version"].is_string(), "{said}");
    let (said, up) = json(&["--tls", "--ca", &ca, &node]);
    assert!(!up && said["nodes"][0]["error"].as_str().is_some_and(|why| why.contains("unauthenticated")), "{said}");
    let (said, up) = json(&["--tls", "--ca", &ca, &mutual_node]);
    assert!(!up && said["nodes"][0]["error"].as_str().is_some_and(|why| why.contains("ertificate")), "{said}");
    let own = ["--cert", &path("client_cert"), "--key", &path("client_key")].map(str::to_owned);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let (said, up) = json(&[&own[..], &["--tls", "--ca", &ca, &mutual_node]].concat());
    assert!(up, "{said}");
    let (said, up) = json(&[&node]);
    assert!(!up && said["nodes"][0]["error"] == "speaks TLS; give --tls", "{said}");
    let (said, up) = json(&["--tls", "--ca", &ca, &fake(b"ERROR\r\n", false)]);
    assert!(!up && said["nodes"][0]["error"] == "speaks no TLS; leave --tls away", "{said}");
    // The key of another authority.
    std::fs::write(
        path("ca"),
        CertifiedIssuer::self_signed(CertificateParams::default(), KeyPair::generate().expect("a key"))
            .expect("an authority")
            .pem(),
    )
    .expect("our own file");
    let (said, up) = json(&[&login[..], &["--tls", "--ca", &ca, &node]].concat());
    assert!(!up && said["nodes"][0]["up"] == false, "{said}");

    let socket = directory.path().join("socket");
    let _server = Server::start_unix(&socket, &["--users", &path("users")]);
    let (said, up) = json(&[&login[..], &[&path("socket")]].concat());
    assert!(up, "{said}");
}

/// A node that answers each connection with these bytes, again and again or once, and then is silent.
fn fake(reply: &'static [u8], again: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(reply);
            while again && stream.write_all(reply).is_ok() {}
            held.push(stream);
        }
    });
    address
}

#[test]
fn a_node_that_means_ill_neither_stalls_others_nor_reaches_the_terminal() {
    let good = Server::start(&[]);
    let nodes = [
        good.address().to_string(),
        fake(b"", false),
        fake(b"STAT a", true),
        fake(b"STAT version \x1b]0;owned\x07\x9b31m\r\nSTAT cmd_get 99999999999999999999\r\nEND\r\n", true),
        fake(b"\x1b[2J\xff\r\n", true),
    ];
    let words: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let began = Instant::now();
    let output = top(&[&["--once", "--interval", "1"], &words[..]].concat());
    assert!(began.elapsed() < DEADLINE, "nobody is waited for for ever");
    assert!(!output.status.success());
    let table = text(&output.stdout);
    assert!(!table.contains(|c: char| c.is_control() && c != '\n') && table.is_ascii(), "{table:?}");
    let lines: Vec<&str> = table.lines().collect();
    assert!(!lines[1].contains("down"), "{table}");
    assert!(lines[2].contains("down: no answer in time"), "{table}");
    assert!(lines[3].contains("down: answered without end"), "{table}");
    assert!(lines[5].contains("down: answered"), "{table}");
}

/// As a node does whose idle_timeout is shorter than the interval.
#[test]
fn a_node_that_closes_between_two_readings_is_up() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let word = listener.local_addr().expect("bound").to_string();
    std::thread::spawn(move || {
        for (connection, mut stream) in listener.incoming().flatten().enumerate() {
            let _ = stream.read(&mut [0; 64]);
            let _ = write!(stream, "STAT pid 7\r\nSTAT uptime 1\r\nSTAT cmd_get {}\r\nEND\r\n", 100 * connection);
        }
    });
    let (said, up) = json(&[&word]);
    assert!(up && said["nodes"][0]["gets"].as_f64().is_some_and(|gets| gets > 50.0), "{said}");
}

#[test]
fn wrong_command_lines_end_with_64_and_wrong_words_with_1() {
    for (arguments, status) in [
        (&["--interval", "0"][..], 64),
        (&["--bogus"], 64),
        (&["--password-file", "x"], 64),
        (&["--tls", "--ca", "x", "--cert", "x"], 64),
        (&["a:0"], 1),
        (&["--user", "u", "--password-file", "/nonexistent/file"], 1),
        (&["--tls", "--ca", "/nonexistent/file"], 1),
    ] {
        let output = top(arguments);
        let line = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {line}");
        assert!(line.starts_with("larder-top: ") && line.matches('\n').count() == 1, "{line}");
    }
}

/// `script` of util-linux gives the program a terminal.
#[test]
fn in_a_terminal_numbers_change_and_q_gives_it_back() {
    let server = Server::start(&[]);
    let program = env!("CARGO_BIN_EXE_larder-top");
    let command = format!("stty cols 100 rows 20; {program} --interval 1 {}; stty -a", server.address());
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script runs");
    let (mut input, mut output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let mut shown = String::new();
    let mut await_text = |wanted: &str| {
        let deadline = Instant::now() + DEADLINE + Duration::from_secs(5);
        let mut byte = [0];
        while !shown.contains(wanted) {
            assert_eq!(output.read(&mut byte).expect("a pipe"), 1, "it ended before {wanted:?}: {shown}");
            shown.push(byte[0].into());
            assert!(Instant::now() < deadline, "no {wanted:?} in {shown}");
        }
        shown.clear();
    };
    await_text("q quit");
    await_text("1/1 up");
    let mut client = server.connect();
    client.send("set k 0 0 100000\r\n");
    client.send(vec![b'v'; 100_000]);
    client.send("\r\n");
    client.expect_line("STORED");
    await_text("97.");
    input.write_all(b"\r").expect("it reads");
    await_text("USED CHUNKS");
    input.write_all(b"\x1b[A\x1b").expect("it reads");
    await_text("1/1 up");
    // No shell is there that could have it go on, so Ctrl-Z gives the terminal back and takes it again.
    input.write_all(b"\x1a").expect("it reads");
    await_text("\x1b[?25h\x1b[?1049l");
    await_text("\x1b[?1049h\x1b[?25l");
    await_text("1/1 up");
    input.write_all(b"q").expect("it reads");
    // Echo and line editing are back, and so are the cursor and the screen.
    await_text("\x1b[?25h\x1b[?1049l");
    await_text(" icanon");
    await_text(" echo ");
    drop(input);
    assert!(child.wait().expect("it ends").success());
}

/// The manual page is written by hand; this keeps it complete.
#[test]
fn the_manual_page_has_every_option() {
    let page = include_str!("../docs/larder-top.1").replace("\\-", "-");
    for option in larder::top::command().get_arguments().filter_map(clap::Arg::get_long) {
        assert!(page.contains(&format!("--{option}\\fR")), "--{option}");
    }
}

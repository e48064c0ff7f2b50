//! Who gets data, and what the page may do.

use std::os::unix::net::UnixStream;
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::stand::{address, connect, exchange, get, request, start};
use crate::support::{PATIENCE, Server, run};

const TOKEN: &str = "correct-horse-battery-staple";

fn with_token(more: &[&str]) -> Server {
    let directory: TempDir = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let arguments = ["-p", "-1", "-l", "127.0.0.1", "--admin", "127.0.0.1:0", "--admin-token-file", "{}/token"];
    Server::start_in(directory, &[&arguments, more].concat())
}

#[test]
fn data_needs_the_token_and_the_page_and_health_do_not() {
    let server = with_token(&[]);
    let mut stream = connect(&server);
    for path in ["/metrics", "/api/stats"] {
        let nearly = format!("{TOKEN}x");
        for wrong in ["", "wrong", &TOKEN[1..], &nearly, &TOKEN.to_uppercase()] {
            let headers = format!("Authorization: Bearer {wrong}\r\n");
            let answer = exchange(&mut stream, &request(path, &headers));
            assert_eq!(answer.status, 401, "{path} {wrong:?}");
            assert!(answer.headers["www-authenticate"].starts_with("Bearer"));
        }
        assert_eq!(exchange(&mut stream, &request(path, "")).status, 401, "{path}");
        let right = format!("Authorization: Bearer {TOKEN}\r\n");
        assert_eq!(exchange(&mut stream, &request(path, &right)).status, 200, "{path}");
    }
    for path in ["/", "/healthz", "/readyz"] {
        assert_eq!(exchange(&mut stream, &request(path, "")).status, 200, "{path}");
    }
    let log = server.stop();
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn a_new_token_holds_after_a_signal() {
    // Confined, too: the kernel allows the file to be read again.
    let server = with_token(&["-o", "drop_privileges"]);
    let mut stream = connect(&server);
    let mut ask =
        |token: &str| exchange(&mut stream, &request("/metrics", &format!("Authorization: Bearer {token}\r\n"))).status;
    assert_eq!((ask(TOKEN), ask("another-horse-battery")), (200, 401));
    std::fs::write(server.path("token"), "another-horse-battery").unwrap();
    server.signal(Signal::HUP);
    let deadline = Instant::now() + PATIENCE;
    while ask("another-horse-battery") != 200 {
        assert!(Instant::now() < deadline, "the new token never holds");
    }
    assert_eq!(ask(TOKEN), 401);
}

#[test]
fn names_of_other_sites_get_no_data_without_a_token() {
    let server = start(&[]);
    let mut stream = connect(&server);
    let mut ask =
        |host: &str| exchange(&mut stream, &format!("GET /api/stats HTTP/1.1\r\nHost: {host}\r\n\r\n")).status;
    let address = address(&server).to_string();
    for (host, status) in
        [("evil.example", 421), ("evil.example:80", 421), ("localhost:9150", 200), (&address, 200), ("[::1]:1", 200)]
    {
        assert_eq!(ask(host), status, "{host}");
    }
}

#[test]
fn a_unix_socket_serves_the_same() {
    // Confined, too: the kernel allows all that this takes, up to the removal.
    let mut server = Server::on_loopback(&["--admin", "{}/admin", "-o", "drop_privileges"]);
    let path = server.path("admin");
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for path in ["/healthz", "/readyz", "/", "/api/stats"] {
        assert_eq!(exchange(&mut stream, &request(path, "")).status, 200, "{path}");
    }
    assert!(exchange(&mut stream, &request("/metrics", "")).content.contains("memcached_up 1"));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    assert!(!path.exists(), "the socket is removed");
}

#[test]
fn a_network_address_needs_a_token_and_a_token_has_to_be_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "short").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, status, says) in [
        (&["--admin", "0.0.0.0:0"][..], 64, "is open to a network; give --admin-token-file"),
        (&["--admin-token-file", file], 64, "give --admin"),
        (&["-p", "-1", "--admin", "0.0.0.0:0", "--admin-token-file", file], 1, "holds no token"),
        (&["-p", "-1", "--admin", "127.0.0.1:0", "--admin-token-file", "/nowhere"], 1, "cannot be read"),
        (&["--admin", "somewhere"], 64, "is no address with a port"),
    ] {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
        assert!(!text.contains("short"), "{text}");
    }
}

#[test]
fn keys_are_shown_to_those_whom_the_server_would_tell_them() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("users"), "alice:secret\n").unwrap();
    let logins = ["-p", "-1", "-l", "127.0.0.1", "--admin", "127.0.0.1:0", "-Y", "{}/users"];
    let server = Server::start_in(directory, &logins);
    let stats = get(&server, "/api/stats").content;
    assert!(stats.contains("\"shows_keys\":false"), "{stats}");
    for (flags, shown) in [(&["-X"][..], false), (&[], true)] {
        let stats = get(&start(flags), "/api/stats").content;
        assert!(stats.contains(&format!("\"shows_keys\":{shown}")), "{flags:?} {stats}");
    }
    let stats =
        exchange(&mut connect(&with_token(&[])), &request("/api/stats", &format!("Authorization: Bearer {TOKEN}\r\n")));
    assert!(stats.content.contains("\"shows_keys\":true"), "{}", stats.content);
}

#[test]
fn the_page_may_run_nothing_but_its_own_script() {
    let server = start(&[]);
    let page = get(&server, "/");
    let policy = &page.headers["content-security-policy"];
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for path in ["/", "/metrics", "/api/stats", "/nowhere"] {
        let headers = get(&server, path).headers;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

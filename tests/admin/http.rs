//! HTTP/1.1 (RFC 9112), and what is sent in its place.

use std::io::{Read, Write};

use crate::stand::{connect, exchange, get, read_answer, request, start};

#[test]
fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = start(&[]);
    let mut stream = connect(&server);
    let paths = ["/healthz", "/nowhere", "/metrics", "/readyz", "/"];
    let all: String = paths.iter().map(|path| request(path, "")).collect();
    stream.write_all(all.repeat(20).as_bytes()).unwrap();
    for round in 0..20 {
        for (path, status) in paths.iter().zip([200, 404, 200, 200, 200]) {
            let answer = read_answer(&mut stream, true).expect("the connection stays");
            assert_eq!(answer.status, status, "{path} in round {round}");
            assert_eq!(answer.headers["connection"], "keep-alive", "{path}");
        }
    }
}

#[test]
fn requests_come_in_any_pieces() {
    let server = start(&[]);
    let mut stream = connect(&server);
    for byte in request("/healthz?query=1", "X: y\r\n").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(read_answer(&mut stream, true).unwrap().content, "ok\n");
}

#[test]
fn head_is_get_without_content() {
    let server = start(&[]);
    let mut stream = connect(&server);
    stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let head = read_answer(&mut stream, false).unwrap();
    assert_eq!(head.status, 200);
    assert_eq!(head.headers["content-length"], get(&server, "/").content.len().to_string());
    assert_eq!(exchange(&mut stream, &request("/healthz", "")).status, 200, "the next answer begins behind it");
}

#[test]
fn what_is_not_served_gets_its_status_and_the_end() {
    let server = start(&[]);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(100));
    let endless = "x".repeat(100_000);
    for (bytes, status) in [
        ("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 405),
        ("DELETE /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", 413),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n", 505),
        ("get greeting\r\n", 400),
        ("\0\0\0\0\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1}\0\u{a5}\u{1}", 400),
        (&long, 431),
        (&many, 431),
        (&endless, 431),
    ] {
        let mut stream = connect(&server);
        // It may be refused before all of it has left.
        let _ = stream.write_all(bytes.as_bytes());
        let answer = read_answer(&mut stream, true).expect("an answer");
        let shown = &bytes[..bytes.len().min(60)];
        assert_eq!(answer.status, status, "{shown:?}");
        assert_eq!(answer.headers["connection"], "close", "{shown:?}");
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "the connection ends: {shown:?}");
    }
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn whoever_asks_to_close_and_http_1_0_gets_the_end() {
    let server = start(&[]);
    for bytes in ["GET /healthz HTTP/1.0\r\n\r\n", &request("/healthz", "Connection: close\r\n")] {
        let mut stream = connect(&server);
        assert_eq!(exchange(&mut stream, bytes).content, "ok\n");
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0, "{bytes:?}");
    }
}

#[test]
fn those_who_never_finish_a_request_shut_nobody_out() {
    let server = start(&[]);
    let mut slow: Vec<_> = (0..200).map(|_| connect(&server)).collect();
    for stream in &mut slow {
        // Those that had to make room are gone.
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: loc");
    }
    assert_eq!(get(&server, "/healthz").status, 200);
    // The last ones were kept, until their time is over: then the connection ends without an answer.
    let mut last = slow.pop().unwrap();
    let mut rest = Vec::new();
    let _ = last.read_to_end(&mut rest);
    assert_eq!(rest, b"");
    assert_eq!(get(&server, "/healthz").status, 200);
}

#[test]
fn a_reader_that_does_not_read_holds_up_nobody() {
    let server = start(&[]);
    let mut stream = connect(&server);
    stream.set_write_timeout(Some(std::time::Duration::from_millis(200))).unwrap();
    let requests = request("/", "").repeat(50);
    // Until nothing goes in any more, as the answers do not leave.
    while stream.write_all(requests.as_bytes()).is_ok() {}
    assert_eq!(get(&server, "/healthz").status, 200);
}

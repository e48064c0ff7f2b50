//! The head of an HTTP/1.1 request (RFC 9112), as far as the admin port wants to know it.

use super::response::Status;

/// Bytes of a request line and its headers.
pub(super) const HEAD_BYTES_MAX: usize = 8 << 10;

/// Headers of one request.
const HEADERS_MAX: usize = 64;

/// What can be asked. There is nothing to change, so GET and HEAD are all.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    /// HEAD: the answer is sent without its content.
    pub(super) is_head: bool,
    /// The path without its query.
    pub(super) path: &'a str,
    /// The value of `Host`.
    pub(super) host: Option<&'a [u8]>,
    /// The value of `Authorization`.
    pub(super) authorization: Option<&'a [u8]>,
    /// Whether further requests may follow.
    pub(super) keeps_alive: bool,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// A request of so many bytes.
    Whole(Request<'a>, usize),
    /// The beginning of one.
    Partial,
    /// None that is answered; the connection ends after this status.
    Refused(Status),
}

/// Reads the request that `bytes` begin with.
pub(super) fn parse(bytes: &[u8]) -> Head<'_> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => match check(&parsed) {
            Ok(request) => Head::Whole(request, length),
            Err(status) => Head::Refused(status),
        },
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => Head::Refused(Status::HeadTooLarge),
        Err(httparse::Error::Version) => Head::Refused(Status::VersionUnsupported),
        Err(_) => Head::Refused(Status::BadRequest),
    }
}

fn check<'a>(parsed: &httparse::Request<'_, 'a>) -> Result<Request<'a>, Status> {
    let is_head = match parsed.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let is_newer = parsed.version == Some(1);
    let target = parsed.path.unwrap_or_default();
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let mut request = Request { is_head, path, host: None, authorization: None, keeps_alive: is_newer };
    for header in parsed.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("host") || is("authorization") {
            let field = if is("host") { &mut request.host } else { &mut request.authorization };
            // Two of them could be read differently by whoever stands in front.
            if field.replace(header.value).is_some() {
                return Err(Status::BadRequest);
            }
        } else if is("transfer-encoding") || is("content-length") && header.value.trim_ascii() != b"0" {
            return Err(Status::ContentRefused);
        } else if is("connection") {
            let mut words = header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            request.keeps_alive &= !words.any(|word| word.eq_ignore_ascii_case(b"close"));
        }
    }
    // RFC 9112, section 3.2.
    if is_newer && request.host.is_none() { Err(Status::BadRequest) } else { Ok(request) }
}

/// For the fuzzer: a head is whole at its last byte and not before, whatever follows it.
#[cfg(fuzzing)]
pub fn fuzz(bytes: &[u8]) {
    match parse(bytes) {
        Head::Whole(request, length) => {
            assert!(length <= bytes.len() && !request.path.bytes().any(|byte| byte.is_ascii_whitespace()));
            assert_eq!(parse(&bytes[..length]), Head::Whole(request, length));
            for cut in [length / 3, length / 2, length - 1] {
                assert_eq!(parse(&bytes[..cut]), Head::Partial, "of {cut} bytes");
            }
        }
        Head::Partial => assert!(bytes.len() < HEAD_BYTES_MAX),
        Head::Refused(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_far_as_they_matter() {
        let bytes = b"GET /metrics?x=1 HTTP/1.1\r\nhost: a\r\nAuthorization: Bearer t\r\n\r\nGET";
        let Head::Whole(request, length) = parse(bytes) else { panic!("no request") };
        assert_eq!((request.path, request.is_head, request.keeps_alive), ("/metrics", false, true));
        assert_eq!((request.host, request.authorization), (Some(&b"a"[..]), Some(&b"Bearer t"[..])));
        assert_eq!(&bytes[length..], b"GET");
        for (text, keeps_alive) in [
            ("HEAD / HTTP/1.0\r\n\r\n", false),
            ("HEAD / HTTP/1.1\r\nHost:\r\nConnection: x, Close\r\n\r\n", false),
            ("HEAD / HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n", true),
        ] {
            let Head::Whole(request, _) = parse(text.as_bytes()) else { panic!("{text:?}") };
            assert_eq!((request.is_head, request.keeps_alive), (true, keeps_alive), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_request_is_refused_or_waited_for() {
        for (text, status) in [
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
            ("GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Status::ContentRefused),
            ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Status::ContentRefused),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Status::VersionUnsupported),
            ("get greeting\r\n", Status::BadRequest),
            ("\x16\x03\x01\x02\x00\x01", Status::BadRequest),
            (&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEAD_BYTES_MAX)), Status::HeadTooLarge),
            (&format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1)), Status::HeadTooLarge),
        ] {
            assert_eq!(parse(text.as_bytes()), Head::Refused(status), "{text:?}");
        }
        for text in ["", "G", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"] {
            assert_eq!(parse(text.as_bytes()), Head::Partial, "{text:?}");
        }
    }
}

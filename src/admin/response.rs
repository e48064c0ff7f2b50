//! Answers of the admin port.

use std::borrow::Cow;

/// The status lines that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    BadRequest,
    Unauthorized,
    NotFound,
    MethodNotAllowed,
    ContentRefused,
    Misdirected,
    HeadTooLarge,
    Unavailable,
    VersionUnsupported,
}

impl Status {
    /// Code and reason (RFC 9110, section 15).
    fn line(self) -> &'static str {
        match self {
            Status::Ok => "200 OK",
            Status::BadRequest => "400 Bad Request",
            Status::Unauthorized => "401 Unauthorized",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::ContentRefused => "413 Content Too Large",
            Status::Misdirected => "421 Misdirected Request",
            Status::HeadTooLarge => "431 Request Header Fields Too Large",
            Status::Unavailable => "503 Service Unavailable",
            Status::VersionUnsupported => "505 HTTP Version Not Supported",
        }
    }

    /// The header that goes with it.
    fn header(self) -> &'static str {
        match self {
            Status::Unauthorized => "WWW-Authenticate: Bearer realm=\"larder\"\r\n",
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        }
    }
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: Status,
    /// The media type of the content.
    pub(super) media_type: &'static str,
    /// What a browser may do with it.
    pub(super) policy: &'static str,
    pub(super) content: Cow<'static, [u8]>,
}

/// What content may do that is no page: nothing.
const POLICY_NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

impl Response {
    /// Something to read.
    pub(super) fn text(status: Status, content: impl Into<Cow<'static, str>>) -> Response {
        let content = match content.into() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Response { status, media_type: "text/plain; charset=utf-8", policy: POLICY_NOTHING, content }
    }

    /// A status with its own line as content.
    pub(super) fn of(status: Status) -> Response {
        Response::text(status, format!("{}\n", status.line()))
    }

    /// Data for programs.
    pub(super) fn data(media_type: &'static str, content: Vec<u8>) -> Response {
        Response { status: Status::Ok, media_type, policy: POLICY_NOTHING, content: Cow::Owned(content) }
    }

    /// Appends it to `out`; for HEAD without the content.
    pub(super) fn write(&self, is_head: bool, keeps_alive: bool, out: &mut Vec<u8>) {
        let Response { status, media_type, policy, content } = self;
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: {}\r\n{}\
             Cache-Control: no-store\r\nContent-Security-Policy: {policy}\r\nX-Content-Type-Options: nosniff\r\n\
             Referrer-Policy: no-referrer\r\nCross-Origin-Resource-Policy: same-origin\r\n\r\n",
            status.line(),
            content.len(),
            if keeps_alive { "keep-alive" } else { "close" },
            status.header(),
        );
        out.extend_from_slice(head.as_bytes());
        if !is_head {
            out.extend_from_slice(content);
        }
    }
}

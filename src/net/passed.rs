//! Sockets that a service manager opened and passed (socket activation): checked, made ready, and served as their names
//! say.
//!
//! | name | served as |
//! |---|---|
//! | `larder`, or none | an entry of `-l` without a prefix: TLS when `-Z` is given, plain without it. Unix sockets are plain always; UDP sockets have this name, too |
//! | `larder-notls` `larder-tls` `larder-btls` `larder-mtls` | TCP as with that prefix of `-l`; `tls` is TLS with client certificates as `-o ssl_verify_mode` says |
//! | `larder-admin` `larder-admin-tls` `larder-admin-mtls` | the admin port, which is not served here |
//!
//! `.socket` at the end of a name is passed over: without `FileDescriptorName=` systemd gives the name of the unit.

use std::fmt;
use std::net;
use std::os::fd::AsRawFd;
use std::os::unix;
use std::path::PathBuf;

use mio::net::{TcpListener, UdpSocket, UnixListener};
use socket2::{Domain, Socket, Type};

use super::bind::{BindError, tune_listener, tune_udp};
use super::listen::{ListenSocket, Listener, UdpListener};
use super::listen_spec::ListenTls;
use crate::settings::{AdminTls, Settings};
use crate::sys::inherited::Inherited;

/// Makes listeners of passed sockets.
///
/// # Errors
/// When one is no socket that listens, of another family, or named as something that it is not or the settings forbid.
pub fn listeners(passed: Vec<Inherited>, settings: &Settings) -> Result<(Vec<Listener>, Vec<UdpListener>), BindError> {
    let (mut streams, mut datagrams) = (Vec::new(), Vec::new());
    for inherited in passed {
        let name = inherited.base_name().unwrap_or(PLAIN_NAME);
        let place = format!("fd={} name={}", inherited.fd.as_raw_fd(), name.escape_default());
        let refused = |why: Fault| BindError::new("serve the passed", &place, why.reason, why.advice);
        let kind = kind(name, settings.tls.enabled).map_err(refused)?;
        let socket = Socket::from(inherited.fd);
        match serve(socket, kind, settings).map_err(refused)? {
            Served::Stream(listener) => streams.push(listener),
            Served::Datagrams(listener) => datagrams.push(listener),
        }
    }
    Ok((streams, datagrams))
}

enum Served {
    Stream(Listener),
    Datagrams(UdpListener),
}

struct Fault {
    reason: String,
    advice: &'static str,
}

fn fault(reason: impl fmt::Display, advice: &'static str) -> Fault {
    Fault { reason: reason.to_string(), advice }
}

/// What the name says of TLS: `None` = nothing, so that the flags decide.
fn kind(name: &str, has_tls: bool) -> Result<Option<ListenTls>, Fault> {
    let kind = match name {
        PLAIN_NAME => return Ok(None),
        "larder-notls" => return Ok(Some(ListenTls::Plain)),
        "larder-tls" => ListenTls::Default,
        "larder-btls" => ListenTls::Server,
        "larder-mtls" => ListenTls::Mutual,
        _ if ADMIN_NAMES.iter().any(|(admin, _)| *admin == name) => {
            return Err(fault(
                "there is one admin port, and it was passed already",
                "give others another FileDescriptorName=",
            ));
        }
        _ => {
            let advice = "set FileDescriptorName= to larder, larder-notls, larder-tls, larder-btls or larder-mtls";
            return Err(fault("its name says nothing of how to serve it", advice));
        }
    };
    if !has_tls {
        return Err(fault("it is to speak TLS", "give -Z, or name it larder"));
    }
    Ok(Some(kind))
}

fn serve(socket: Socket, kind: Option<ListenTls>, settings: &Settings) -> Result<Served, Fault> {
    const ADVICE: &str = "pass a TCP, Unix or UDP socket that listens; with Accept=no";
    let failed = |error| fault(error, ADVICE);
    let protocol = settings.protocol;
    let (domain, form) = (socket.domain().map_err(failed)?, socket.r#type().map_err(failed)?);
    let is_network = domain == Domain::IPV4 || domain == Domain::IPV6;
    let is_udp = is_network && form == Type::DGRAM;
    if !is_udp && !socket.is_listener().map_err(failed)? {
        return Err(fault("it does not listen", ADVICE));
    }
    socket.set_nonblocking(true).map_err(failed)?;
    if domain == Domain::UNIX && form == Type::STREAM {
        if kind.is_some_and(|kind| kind != ListenTls::Plain) {
            return Err(fault("a Unix socket is served without TLS", "name it larder"));
        }
        let path = socket.local_addr().map_err(failed)?.as_pathname().map_or_else(PathBuf::new, PathBuf::from);
        let listener = UnixListener::from_std(unix::net::UnixListener::from(socket));
        return Ok(Served::Stream(Listener { socket: ListenSocket::Unix(listener, path), protocol, tls: None }));
    }
    if is_network && form == Type::STREAM {
        tune_listener(&socket).map_err(failed)?;
        let wanted = kind.unwrap_or(ListenTls::Default);
        let tls = Some(wanted).filter(|wanted| settings.tls.enabled && *wanted != ListenTls::Plain);
        let listener = TcpListener::from_std(net::TcpListener::from(socket));
        return Ok(Served::Stream(Listener { socket: ListenSocket::Tcp(listener), protocol, tls }));
    }
    if is_network && form == Type::DGRAM {
        if kind.is_some() {
            return Err(fault("a UDP socket speaks no TLS", "name it larder"));
        }
        tune_udp(&socket).map_err(failed)?;
        let socket = UdpSocket::from_std(net::UdpSocket::from(socket));
        let address = socket.local_addr().map_err(failed)?;
        return Ok(Served::Datagrams(UdpListener { socket, address, protocol }));
    }
    Err(fault("it is of another kind", ADVICE))
}

const PLAIN_NAME: &str = "larder";

/// What the socket of the admin port is called, and how it is spoken to then.
pub const ADMIN_NAMES: [(&str, AdminTls); 3] =
    [("larder-admin", AdminTls::Off), ("larder-admin-tls", AdminTls::Server), ("larder-admin-mtls", AdminTls::Mutual)];

#[cfg(test)]
mod tests {
    use std::os::fd::{AsFd, OwnedFd};

    use rustix::fs::{OFlags, fcntl_getfl};

    use super::*;

    fn one(fd: impl Into<OwnedFd>, name: Option<&str>, settings: &Settings) -> Result<String, String> {
        let passed = vec![Inherited { fd: fd.into(), name: name.map(str::to_owned) }];
        let (streams, datagrams) = listeners(passed, settings).map_err(|error| error.to_string())?;
        for listener in &streams {
            let fd = match &listener.socket {
                ListenSocket::Tcp(socket) => socket.as_fd(),
                ListenSocket::Unix(socket, _) => socket.as_fd(),
            };
            assert!(fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK));
        }
        let shown = streams.iter().map(Listener::to_string).chain(datagrams.iter().map(UdpListener::to_string));
        Ok(shown.collect())
    }

    fn tcp() -> net::TcpListener {
        net::TcpListener::bind("127.0.0.1:0").unwrap()
    }

    fn tls() -> Settings {
        let mut settings = Settings::default();
        settings.tls.enabled = true;
        settings
    }

    #[test]
    fn names_say_how_tcp_is_served() {
        let shown = |name, settings: &Settings| {
            let socket = tcp();
            let address = socket.local_addr().unwrap().to_string();
            one(socket, name, settings).unwrap().replace(&address, "")
        };
        let plain = Settings::default();
        for name in [None, Some("larder"), Some("larder.socket"), Some("larder-notls")] {
            assert_eq!(shown(name, &plain), "");
        }
        for (name, prefix) in [
            (None, "tls:"),
            (Some("larder"), "tls:"),
            (Some("larder-tls"), "tls:"),
            (Some("larder-btls.socket"), "tls:"),
            (Some("larder-mtls"), "mtls:"),
            (Some("larder-notls"), ""),
        ] {
            assert_eq!(shown(name, &tls()), prefix, "{name:?}");
        }
    }

    #[test]
    fn unix_and_udp_sockets_are_served() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let bind = || {
            let _ = std::fs::remove_file(&path);
            unix::net::UnixListener::bind(&path).unwrap()
        };
        assert_eq!(one(bind(), Some("larder"), &tls()), Ok(format!("unix:{}", path.display())));
        assert!(one(bind(), Some("larder-mtls"), &tls()).unwrap_err().ends_with("served without TLS; name it larder"));
        let udp = || net::UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(one(udp(), None, &Settings::default()).unwrap().starts_with("udp:127.0.0.1:"));
        assert!(one(udp(), Some("larder-tls"), &tls()).unwrap_err().contains("no TLS"));
    }

    #[test]
    fn whatever_does_not_listen_or_has_a_strange_name_is_refused() {
        let settings = Settings::default();
        let listener = tcp();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, datagrams) =
            (unix::net::UnixStream::pair().unwrap().0, unix::net::UnixDatagram::pair().unwrap().0);
        let file = tempfile::tempfile().unwrap();
        let fds: [OwnedFd; 4] = [client.into(), stream.into(), datagrams.into(), file.into()];
        for fd in fds {
            assert!(one(fd, None, &settings).unwrap_err().contains("Accept=no"));
        }
        for name in ["larder-mtsl", "larder-admin", "larder-admin-mtls", "unknown", "", "a\nb"] {
            let message = one(tcp(), Some(name), &settings).unwrap_err();
            assert!(message.contains("FileDescriptorName=") && !message.contains('\n'), "{message}");
        }
        assert!(one(tcp(), Some("larder-tls"), &settings).unwrap_err().contains("give -Z"));
    }
}

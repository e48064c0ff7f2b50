//! Sockets that the manager opened.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::stand::{Client, Manager, PATIENCE};

#[test]
fn tcp_unix_and_udp_sockets_are_served_and_none_is_opened() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let second = manager.listen("larder.socket");
    let path = manager.listen_unix("larder");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_address = datagrams.local_addr().unwrap();
    manager.pass("larder", datagrams);
    let own = manager.path("own.socket");
    let flags = ["-p", "-1", "-l", "127.0.0.1", "-U", "-1"];
    let service = manager.start_ready(&flags);
    Client::connect(address).set("k", "value");
    assert_eq!(Client::connect(second).get("k").as_deref(), Some("value"));
    assert_eq!(Client::on(UnixStream::connect(&path).unwrap()).get("k").as_deref(), Some("value"));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.send_to(b"\0\x01\0\0\0\x01\0\0mg k v\r\n", udp_address).unwrap();
    let mut reply = [0; 100];
    let count = loop {
        match client.recv(&mut reply) {
            // A machine that was suspended interrupts waits that have a deadline.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received.unwrap(),
        }
    };
    assert_eq!(&reply[8..count], b"VA 5\r\nvalue\r\n");
    let ports =
        format!("TCP INET: {}\nTCP INET: {}\nUDP INET: {}\n", address.port(), second.port(), udp_address.port());
    assert_eq!(fs::read_to_string(manager.path("ports")).unwrap(), ports);
    let log = manager.stop(service);
    assert!(log.contains(&format!("unix:{}", path.display())), "{log}");
    assert!(path.exists(), "a socket of the manager's stays");

    let service = manager.start_ready(&["-s", own.to_str().unwrap()]);
    assert_eq!(Client::connect(address).ask("mn").unwrap(), "MN");
    assert!(!own.exists());
    manager.stop(service);
}

/// Makes a certificate: the options for it, and what a client has to trust.
fn certify(manager: &Manager) -> (String, Arc<ClientConfig>) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(manager.path("chain.pem"), certified.cert.pem()).unwrap();
    fs::write(manager.path("key.pem"), certified.signing_key.serialize_pem()).unwrap();
    let files = |name: &str| manager.path(name).display().to_string();
    let mut roots = RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (format!("ssl_chain_cert={},ssl_key={}", files("chain.pem"), files("key.pem")), Arc::new(config))
}

fn connect_tls(address: SocketAddr, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), stream)
}

#[test]
fn names_decide_about_tls() {
    let mut manager = Manager::new();
    let plain = manager.listen("larder-notls");
    let encrypted = manager.listen("larder-tls");
    let default = manager.listen("larder");
    let strict = manager.listen("larder-mtls");
    let (options, config) = certify(&manager);
    let service = manager.start_ready(&["-Z", "-o", &options]);
    let connect = |address| Client::on(connect_tls(address, &config));
    Client::connect(plain).set("k", "value");
    assert_eq!(connect(encrypted).get("k").as_deref(), Some("value"));
    assert_eq!(connect(default).get("k").as_deref(), Some("value"));
    assert!(connect(strict).ask("mn").is_err(), "no certificate was shown");
    assert!(Client::connect(encrypted).ask("mn").is_err(), "plain text is no TLS");
    manager.stop(service);
}

#[test]
fn the_admin_port_is_passed_beside_others_or_alone() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let admin = manager.listen("larder-admin.socket");
    let service = manager.start_ready(&["--admin", "passed"]);
    Client::connect(address).set("k", "value");
    let mut stream = TcpStream::connect(admin).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
    manager.stop(service);

    let mut manager = Manager::new();
    manager.listen("larder-admin");
    let service = manager.start_ready(&["--admin", "passed", "-p", "-1", "-l", "127.0.0.1"]);
    let ports = fs::read_to_string(manager.path("ports")).unwrap();
    assert!(ports.contains("TCP INET: ") && ports.contains("ADMIN INET: "), "{ports}");
    manager.stop(service);
}

#[test]
fn names_decide_about_tls_at_the_admin_port() {
    // Without -Z, too.
    for (name, is_served) in [("larder-admin-tls", true), ("larder-admin-mtls.socket", false)] {
        let mut manager = Manager::new();
        let admin = manager.listen(name);
        let (options, config) = certify(&manager);
        let options = format!("{options},ssl_ca_cert={}", manager.path("chain.pem").display());
        let service = manager.start_ready(&["--admin", "passed", "-p", "-1", "-l", "127.0.0.1", "-o", &options]);
        let mut stream = connect_tls(admin, &config);
        let _ = stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let mut reply = String::new();
        assert_eq!(stream.read_to_string(&mut reply).is_ok(), is_served, "{name}: {reply}");
        assert_eq!(reply.starts_with("HTTP/1.1 200 "), is_served, "{name}: {reply}");
        manager.stop(service);
    }
}

#[test]
fn what_cannot_be_served_is_refused_in_one_line() {
    let refused = |name: &str, fd: OwnedFd, flags: &[&str], status: i32, reason: &str| {
        let mut manager = Manager::new();
        manager.pass(name, fd);
        let mut service = manager.start(flags, &[]);
        assert_eq!(service.wait().code(), Some(status), "{reason}");
        let log = service.log();
        assert!(log.contains(reason) && log.lines().filter(|line| line.starts_with("larder: ")).count() == 1, "{log}");
    };
    let tcp = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    refused("larder", tempfile::tempfile().unwrap().into(), &[], 71, "cannot serve the passed fd=3 name=larder: ");
    refused("larder", UnixStream::pair().unwrap().0.into(), &[], 71, "does not listen");
    refused("larder-tls", tcp().into(), &[], 71, "give -Z");
    refused("larder-mtsl", tcp().into(), &[], 71, "FileDescriptorName=");
    let admin = &["--admin", "passed"];
    refused("larder-admin", tcp().into(), &[], 71, "give --admin passed");
    refused(
        "larder",
        tcp().into(),
        admin,
        71,
        "no socket was passed for it; set FileDescriptorName= to one of larder-admin, ",
    );
    refused("larder-admin", UdpSocket::bind("127.0.0.1:0").unwrap().into(), admin, 71, "no TCP socket that listens");
    let near = unix::net::UnixListener::bind(tempfile::tempdir().unwrap().path().join("socket")).unwrap();
    refused("larder-admin", near.into(), admin, 71, "no TCP socket that listens");
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    refused("larder-admin", everywhere.try_clone().unwrap().into(), admin, 71, "give --admin-token-file");
    refused("larder-admin-tls", everywhere.into(), admin, 71, "give --admin-token-file");
    refused("larder-admin-tls", tcp().into(), admin, 71, "needs a certificate; give -o ssl_chain_cert");
    let authorities = &["--admin", "passed", "-o", "ssl_chain_cert=c"];
    refused("larder-admin-mtls", tcp().into(), authorities, 71, "needs authorities to verify clients by");
    let users = tempfile::NamedTempFile::new().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let users = users.path().display().to_string();
    refused("larder", udp.into(), &["--users", &users], 64, "logins do not go with UDP");

    let mut manager = Manager::new();
    manager.listen("larder-admin");
    manager.listen("larder-admin");
    let mut service = manager.start(admin, &[]);
    assert_eq!(service.wait().code(), Some(71));
    assert!(service.log().contains("there is one admin port"));

    let manager = Manager::new();
    let mut service = manager.start(&[], &[("LISTEN_FDS", "1")]);
    assert_eq!(service.wait().code(), Some(71));
    assert!(service.log().contains("LISTEN_FDS promises fd=3"));
}

/// Clients that connect all the time while the server is restarted several times: each of them gets through. One that
/// was connected when the server stopped may be hung up on, and tries again.
#[test]
fn no_connection_is_refused_over_restarts() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let over = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    let client = || {
        while !over.load(Ordering::Relaxed) {
            let mut stream = TcpStream::connect(address).expect("a connection is never refused");
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut reply = [0; 4];
            match stream.write_all(b"mn\r\n").and_then(|()| stream.read_exact(&mut reply)) {
                Ok(()) => {
                    assert_eq!(&reply, b"MN\r\n");
                    served.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => {
                    let kind = error.kind();
                    assert!(kind != std::io::ErrorKind::WouldBlock && kind != std::io::ErrorKind::TimedOut, "{error}");
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
        for _ in 0..5 {
            let service = manager.start_ready(&[]);
            let before = served.load(Ordering::Relaxed);
            while served.load(Ordering::Relaxed) < before + 200 && clients.iter().all(|client| !client.is_finished()) {
                std::thread::yield_now();
            }
            manager.stop(service);
        }
        let _service = manager.start_ready(&[]);
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().unwrap());
    });
    assert!(served.load(Ordering::Relaxed) >= 1000);
}

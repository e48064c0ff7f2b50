//! HTTPS at the admin port: who gets in, with what, and what becomes of the others.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rcgen::date_time_ymd;
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

use crate::authority::{Authority, Identity};
use crate::stand::{Answer, connect, exchange, read_answer, request};
use crate::support::{PATIENCE, Server, run};

const TOKEN: &str = "correct-horse-battery-staple";

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// An authority, and a server whose certificate is of it.
struct Stand {
    authority: Authority,
    server: Server,
}

impl Stand {
    /// The admin port is any free one of loopback, reached by way of `prefix`.
    fn new(prefix: &str, more: &[&str]) -> Stand {
        let (authority, directory) = prepare();
        let admin = format!("{prefix}127.0.0.1:0");
        let arguments = ["-p", "-1", "-l", "127.0.0.1", "--admin", &admin, "-o", OPTIONS];
        let server = Server::start_in(directory, &[&arguments, more].concat());
        Stand { authority, server }
    }

    fn config(&self, own: Option<&Identity>) -> ClientConfig {
        config(&self.authority, &[&TLS12, &TLS13], own)
    }

    fn connect(&self, config: &ClientConfig) -> Tls {
        connect_tls(&self.server, config)
    }

    /// One question by a client with this certificate; an error where it is not served.
    fn ask(&self, own: Option<&Identity>, request: &str) -> io::Result<Answer> {
        try_ask(&mut self.connect(&self.config(own)), request)
    }

    /// What a new connection is shown.
    fn shown(&self) -> Vec<u8> {
        let mut tls = self.connect(&self.config(None));
        assert_eq!(exchange(&mut tls, &request("/healthz", "")).status, 200);
        tls.conn.peer_certificates().unwrap()[0].to_vec()
    }

    /// When it says that its certificate ends.
    fn expiry(&self) -> f64 {
        let metrics = self.ask(None, &request("/metrics", "")).unwrap().content;
        let line =
            metrics.lines().find_map(|line| line.strip_prefix("larder_tls_certificate_expiry_timestamp_seconds "));
        line.and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Waits until so many handshakes have failed, and no more. A client reads why a moment before it is counted.
    fn await_failed(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut client = self.server.connect();
            client.write_all(b"stats\r\nquit\r\n").unwrap();
            let mut all = String::new();
            client.read_to_string(&mut all).unwrap();
            let row = all.lines().find_map(|line| line.strip_prefix("STAT ssl_handshake_errors "));
            let failed: usize = row.and_then(|number| number.parse().ok()).expect("a number");
            if failed == count {
                return;
            }
            assert!(failed < count && Instant::now() < deadline, "{failed} have failed");
        }
    }
}

const OPTIONS: &str = "ssl_chain_cert={}/cert,ssl_key={}/key,ssl_ca_cert={}/ca";

/// A directory with an authority, a server's certificate and a token.
fn prepare() -> (Authority, TempDir) {
    let (authority, directory) = (Authority::new("authority"), tempfile::tempdir().unwrap());
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("ca"), authority.certificate()).unwrap();
    std::fs::write(at("token"), TOKEN).unwrap();
    std::fs::set_permissions(at("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let own = authority.issue("server");
    std::fs::write(at("cert"), own.certificate).unwrap();
    std::fs::write(at("key"), own.key).unwrap();
    (authority, directory)
}

fn config(trusted: &Authority, versions: &[&'static SupportedProtocolVersion], own: Option<&Identity>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.certificate().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let builder = builder.with_root_certificates(roots);
    let Some(own) = own else { return builder.with_no_client_auth() };
    let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap()];
    builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap()).unwrap()
}

fn connect_tls(server: &Server, config: &ClientConfig) -> Tls {
    let name = ServerName::try_from("localhost").unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config.clone()), name).unwrap(), connect(server))
}

/// Sends a request and reads its answer, or why there is none.
fn try_ask(tls: &mut Tls, request: &str) -> io::Result<Answer> {
    tls.write_all(request.as_bytes())?;
    // A refusal comes in the place of the first byte.
    let mut first = [0];
    tls.read_exact(&mut first)?;
    read_answer(&mut first.chain(tls), true).ok_or_else(|| ErrorKind::UnexpectedEof.into())
}

/// Reads until the server ends the connection.
fn rest(socket: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match socket.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "the server ends it");
            bytes
        }
    }
}

#[test]
fn https_is_served_to_those_who_know_the_authority() {
    let stand = Stand::new("tls:", &[]);
    for version in [&TLS12, &TLS13] {
        let mut tls = stand.connect(&config(&stand.authority, &[version], None));
        for path in ["/healthz", "/readyz", "/", "/api/stats", "/metrics"] {
            assert_eq!(exchange(&mut tls, &request(path, "")).status, 200, "{path}");
        }
        // The certificate is good for no other name, so none is asked for again.
        let by_name = "GET /metrics HTTP/1.1\r\nHost: cache-1.example:9150\r\nConnection: close\r\n\r\n";
        let metrics = exchange(&mut tls, by_name);
        assert_eq!(metrics.status, 200);
        assert!(metrics.content.contains("\nlarder_tls_handshake_errors_total 0\n"), "no client is served by TLS");
        assert_eq!(rest(&mut tls), b"", "the end is said");
    }
    let stranger = config(&Authority::new("another"), &[&TLS12, &TLS13], None);
    let error = try_ask(&mut stand.connect(&stranger), &request("/healthz", "")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    stand.await_failed(1);
}

#[test]
fn http_1_is_spoken_and_named_and_no_other() {
    let stand = Stand::new("tls:", &[]);
    let offering = |names: &[&str]| {
        let mut config = stand.config(None);
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut tls = stand.connect(&config);
        try_ask(&mut tls, &request("/healthz", "")).map(|answer| {
            (answer.status, tls.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()))
        })
    };
    assert_eq!(offering(&[]).unwrap(), (200, None));
    assert_eq!(offering(&["h2", "http/1.1"]).unwrap(), (200, Some("http/1.1".to_owned())));
    assert_eq!(offering(&["http/1.0"]).unwrap(), (200, Some("http/1.0".to_owned())));
    let error = offering(&["h2"]).unwrap_err();
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn what_is_no_tls_is_refused_and_nobody_waits() {
    let stand = Stand::new("tls:", &[]);
    let hellos =
        [request("/metrics", "").into_bytes(), b"\0\0\0\0\r\n\r\n".to_vec(), vec![0x16; 20_000], b"get k\r\n".to_vec()];
    for hello in &hellos {
        let mut socket = connect(&stand.server);
        // It may be refused before all of it has left.
        let _ = socket.write_all(hello);
        let answer = rest(&mut socket);
        assert!(answer.is_empty() || answer[0] == 0x15, "an alert: {}", answer.escape_ascii());
    }
    assert_eq!(stand.ask(None, &request("/healthz", "")).unwrap().status, 200);
    stand.await_failed(hellos.len());
    let log = stand.server.stop();
    assert!(log.contains("TLS handshake failed at the admin port address=127.0.0.1: "), "{log}");
}

/// A plain port is not opened by what the other one takes.
#[test]
fn without_the_prefix_the_port_speaks_no_tls() {
    let stand = Stand::new("", &[]);
    assert!(stand.ask(None, &request("/healthz", "")).is_err());
    assert_eq!(exchange(&mut connect(&stand.server), &request("/metrics", "")).status, 200);
}

#[test]
fn a_certificate_opens_it_where_one_is_demanded_and_nothing_else_does() {
    let stand = Stand::new("mtls:", &[]);
    let good = stand.authority.issue("prometheus");
    let strangers = [Authority::new("another").issue("prometheus"), stand.authority.issue_until("prometheus", 2020)];
    for path in ["/healthz", "/readyz", "/", "/metrics", "/api/stats"] {
        assert_eq!(stand.ask(Some(&good), &request(path, "")).unwrap().status, 200, "{path}");
        for own in [None, Some(&strangers[0]), Some(&strangers[1])] {
            assert!(stand.ask(own, &request(path, "")).is_err(), "{path} {:?}", own.is_some());
        }
    }
    let versions = [&TLS12, &TLS13].map(|version| {
        let mut tls = stand.connect(&config(&stand.authority, &[version], None));
        try_ask(&mut tls, &request("/healthz", "")).unwrap_err().to_string()
    });
    assert!(versions[1].contains("CertificateRequired"), "whoever is refused reads why: {versions:?}");
    stand.await_failed(17);
}

#[test]
fn with_a_token_as_well_both_are_demanded() {
    let stand = Stand::new("mtls:", &["--admin-token-file", "{}/token"]);
    let good = stand.authority.issue("prometheus");
    let with_token = request("/metrics", &format!("Authorization: Bearer {TOKEN}\r\n"));
    assert_eq!(stand.ask(Some(&good), &with_token).unwrap().status, 200);
    assert_eq!(stand.ask(Some(&good), &request("/metrics", "")).unwrap().status, 401);
    assert_eq!(stand.ask(Some(&good), &request("/healthz", "")).unwrap().status, 200);
    assert!(stand.ask(None, &with_token).is_err());
}

/// Applications that use the cache have certificates, too.
#[test]
fn a_certificate_shows_no_keys_where_logins_are_asked_for() {
    let shows = |more: &[&str], token: &str| {
        let (authority, directory) = prepare();
        std::fs::write(directory.path().join("users"), "alice:secret\n").unwrap();
        let arguments = ["-p", "-1", "-l", "127.0.0.1", "--admin", "mtls:127.0.0.1:0", "-o", OPTIONS];
        let server = Server::start_in(directory, &[&arguments, more].concat());
        let stand = Stand { authority, server };
        let own = stand.authority.issue("app");
        stand.ask(Some(&own), &request("/api/stats", token)).unwrap().content.contains("\"shows_keys\":true")
    };
    assert!(shows(&[], ""));
    assert!(!shows(&["-Y", "{}/users"], ""));
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    assert!(shows(&["-Y", "{}/users", "--admin-token-file", "{}/token"], &token));
}

/// Neither of the admin port's own nor of another listener: a session would outlive the certificate.
#[test]
fn no_session_leads_in() {
    let listen = ["-Z", "-o", "ssl_session_cache"];
    let stand = Stand::new("mtls:", &listen);
    let good = stand.authority.issue("client");
    for version in [&TLS12, &TLS13] {
        // One configuration keeps the sessions of all connections by its name.
        let anonymous = config(&stand.authority, &[version], None);
        let known = config(&stand.authority, &[version], Some(&good));
        for (config, is_served) in [(&anonymous, false), (&known, true)] {
            let resumed = [(); 2].map(|()| {
                let name = ServerName::try_from("localhost").unwrap();
                let client = ClientConnection::new(Arc::new(config.clone()), name).unwrap();
                let mut cache = StreamOwned::new(client, stand.server.connect());
                cache.write_all(b"mn\r\n").unwrap();
                cache.read_exact(&mut [0; 4]).unwrap();
                cache.conn.handshake_kind() == Some(HandshakeKind::Resumed)
            });
            assert_eq!(resumed, [false, true], "where clients are served, sessions do resume");
            for _ in 0..2 {
                let mut tls = stand.connect(config);
                let answer = try_ask(&mut tls, &request("/metrics", ""));
                assert_eq!(answer.is_ok(), is_served);
                assert_ne!(tls.conn.handshake_kind(), Some(HandshakeKind::Resumed));
            }
        }
    }
}

#[test]
fn a_new_certificate_is_shown_to_new_connections_alone() {
    // Confined, too: the kernel allows the files to be read again.
    let stand = Stand::new("tls:", &["-o", "drop_privileges"]);
    let mut old = stand.connect(&stand.config(None));
    assert_eq!(exchange(&mut old, &request("/healthz", "")).status, 200);
    let before = old.conn.peer_certificates().unwrap()[0].to_vec();
    assert_eq!(stand.shown(), before);
    // Midnight of the last day of 2999; of that of the next ones.
    assert_eq!(stand.expiry(), 32_503_593_600.0);
    for (by_signal, year, expiry) in [(true, 2998, 32_472_057_600.0), (false, 2997, 32_440_521_600.0)] {
        let next = stand.authority.issue_until("next", year);
        for (name, text) in [("cert", &next.certificate), ("key", &next.key)] {
            std::fs::write(stand.server.path("beside"), text).unwrap();
            std::fs::rename(stand.server.path("beside"), stand.server.path(name)).unwrap();
        }
        if by_signal {
            stand.server.signal(Signal::HUP);
        }
        let expected = CertificateDer::from_pem_slice(next.certificate.as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while stand.shown() != *expected {
            assert!(Instant::now() < deadline, "the new certificate is never shown");
        }
        while stand.expiry() != expiry {
            assert!(Instant::now() < deadline, "the new certificate's end is never told");
        }
    }
    assert_eq!(exchange(&mut old, &request("/metrics", "")).status, 200);
    assert_eq!(old.conn.peer_certificates().unwrap()[0].to_vec(), before);
}

/// A certificate opens the port for as long as it is good, and not for as long as a connection is kept.
#[test]
fn a_kept_connection_ends_with_its_certificate() {
    let stand = Stand::new("mtls:", &[]);
    // On a busy machine the first may be over before it is looked at.
    let brief = [2, 4, 8, 16].into_iter().find_map(|seconds| {
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(seconds);
        let own = stand.authority.issue_with("prometheus", |params| params.not_after = date_time_ymd(1970, 1, 1) + end);
        let mut tls = stand.connect(&stand.config(Some(&own)));
        try_ask(&mut tls, &request("/metrics", "")).is_ok().then_some((own, tls))
    });
    let (own, mut tls) = brief.expect("one of them is good for long enough");
    let deadline = Instant::now() + 2 * PATIENCE;
    while let Ok(answer) = try_ask(&mut tls, &request("/metrics", "")) {
        assert_eq!(answer.status, 200);
        assert!(Instant::now() < deadline, "whoever keeps asking stays for good");
    }
    assert!(stand.ask(Some(&own), &request("/metrics", "")).is_err());
}

#[test]
fn kept_connections_end_when_authorities_are_read_again() {
    let stand = Stand::new("mtls:", &[]);
    let good = stand.authority.issue("prometheus");
    let mut kept = stand.connect(&stand.config(Some(&good)));
    for _ in 0..2 {
        assert_eq!(exchange(&mut kept, &request("/metrics", "")).status, 200);
    }
    let next = Authority::new("next");
    std::fs::write(stand.server.path("beside"), next.certificate()).unwrap();
    std::fs::rename(stand.server.path("beside"), stand.server.path("ca")).unwrap();
    stand.server.signal(Signal::HUP);
    let deadline = Instant::now() + PATIENCE;
    while let Ok(answer) = try_ask(&mut kept, &request("/metrics", "")) {
        assert_eq!(answer.status, 200);
        assert!(Instant::now() < deadline, "nobody would let it in any more, and it stays");
    }
    assert!(stand.ask(Some(&good), &request("/metrics", "")).is_err());
    assert_eq!(stand.ask(Some(&next.issue("prometheus")), &request("/metrics", "")).unwrap().status, 200);
}

#[test]
fn a_crowd_that_shows_nothing_pushes_out_nobody_who_has() {
    let stand = Stand::new("mtls:", &[]);
    let good = stand.authority.issue("prometheus");
    let mut kept = stand.connect(&stand.config(Some(&good)));
    assert_eq!(exchange(&mut kept, &request("/metrics", "")).status, 200);
    let _crowd: Vec<TcpStream> = (0..200).map(|_| connect(&stand.server)).collect();
    // It came behind all of them, so they have had their effect.
    assert_eq!(stand.ask(Some(&good), &request("/healthz", "")).unwrap().status, 200);
    assert_eq!(try_ask(&mut kept, &request("/metrics", "")).unwrap().status, 200);
}

#[test]
fn handshakes_that_never_end_shut_nobody_out_and_end() {
    let stand = Stand::new("mtls:", &[]);
    let mut hello = Vec::new();
    let name = ServerName::try_from("localhost").unwrap();
    ClientConnection::new(Arc::new(stand.config(None)), name).unwrap().write_tls(&mut hello).unwrap();
    let mut slow: Vec<TcpStream> = (0..200).map(|_| connect(&stand.server)).collect();
    for (number, socket) in slow.iter_mut().enumerate() {
        // Nothing, half a hello, or all of it. Those that had to make room are gone.
        let _ = socket.write_all(&hello[..[0, hello.len() / 2, hello.len()][number % 3]]);
    }
    let good = stand.authority.issue("client");
    assert_eq!(stand.ask(Some(&good), &request("/healthz", "")).unwrap().status, 200);
    for mut socket in slow {
        // What the server has said of its handshake, and the end.
        let said = rest(&mut socket);
        assert!(said.is_empty() || said[0] == 0x16, "{}", said.escape_ascii());
    }
    assert_eq!(stand.ask(Some(&good), &request("/healthz", "")).unwrap().status, 200);
    stand.await_failed(200);
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let stand = Stand::new("tls:", &[]);
    let mut tls = stand.connect(&stand.config(None));
    const COUNT: usize = 60;
    tls.write_all(request("/metrics", "").repeat(COUNT).as_bytes()).unwrap();
    // Until the server's answers fill all buffers, and it waits: others are served meanwhile.
    assert_eq!(stand.ask(None, &request("/healthz", "")).unwrap().status, 200);
    let mut bytes = 0;
    for number in 0..COUNT {
        let answer = read_answer(&mut tls, true).expect("the connection stays");
        assert_eq!(answer.status, 200, "{number}");
        assert!(answer.content.starts_with("# HELP memcached_up") && answer.content.ends_with('\n'), "{number}");
        bytes += answer.content.len();
    }
    assert!(bytes > COUNT * 10_000, "{bytes} bytes");
}

#[test]
fn a_network_is_let_in_by_certificate_or_by_token_and_not_warned_of() {
    let (_, directory) = prepare();
    let place = directory.path().display().to_string();
    let options = OPTIONS.replace("{}", &place);
    let without_authorities = options.split(",ssl_ca_cert").next().unwrap();
    let token = format!("{place}/token");
    for (arguments, status, says) in [
        (&["--admin", "tls:0.0.0.0:0", "-o", &options][..], 64, "--admin tls:0.0.0.0:0 is open to a network; give"),
        (&["--admin", "tls:127.0.0.1:0"], 64, "--admin tls:127.0.0.1:0 needs a certificate; give -o ssl_chain_cert"),
        (&["--admin", "mtls:127.0.0.1:0", "-o", without_authorities], 64, "needs authorities to verify clients by"),
        (&["--admin", "mtls:/a/b", "-o", &options], 64, "take the prefix away"),
        (&["--admin", "tls:127.0.0.1:0", "-o", "ssl_chain_cert=/nowhere", "-p", "-1"], 64, "cannot be read"),
    ] {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
    let log = |arguments: &[&str]| {
        let (_, directory) = prepare();
        Server::start_in(directory, &[&["-p", "-1", "-l", "127.0.0.1"], arguments].concat()).stop()
    };
    let warning = "token and numbers cross the network in the clear; give --admin tls:0.0.0.0:";
    let with_token = ["--admin-token-file", &token];
    for (arguments, is_warned_of) in
        [(&["--admin", "0.0.0.0:0"][..], true), (&["--admin", "tls:0.0.0.0:0", "-o", &options], false)]
    {
        let log = log(&[arguments, &with_token].concat());
        assert_eq!(log.contains(warning), is_warned_of, "{log}");
    }
    let log = log(&["--admin", "mtls:0.0.0.0:0", "-o", &options]);
    assert!(!log.contains("in the clear") && !log.contains("server::admin"), "{log}");
}

//! Logins that build on TLS: EXTERNAL by a certificate, and SCRAM that is bound to its connection.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use larder::auth::verifier::{Hash, Salts, Verifier};
use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::mechanisms::scram::SCRAM_SHA256_PLUS;
use rsasl::prelude::{ChannelBindingCallback, Mechanism, Mechname, Registry, SASLClient, SASLConfig, SessionError};
use rsasl::property::{AuthId, Password};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, SupportedProtocolVersion};

use crate::common::Server;
use crate::stand::{Stand, Tls};

const PASSWORD: &str = "pencil";

/// A server with the users `cert`, without a password, and `app`, with one.
fn serve(stand: &Stand) -> Server {
    let verifier = Verifier::of(PASSWORD, 4096, &Salts::derived(&[1; 32], "app")).expect("a password");
    let record = verifier.record(Hash::Sha256).expect("made").to_text();
    let users = format!("[users.cert]\nrights = ['read']\n[users.app]\npasswords = [{{ SCRAM-SHA-256 = '{record}' }}]");
    stand.write("users", &users);
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(stand.path("users"), std::fs::Permissions::from_mode(0o600)).expect("our own file");
    let path = stand.path("users");
    stand.serve(",ssl_ca_cert={ca},ssl_verify_mode=1", &["--users", path.to_str().expect("UTF-8")])
}

/// A client with the certificate of `name`, if there is one.
fn config(stand: &Stand, version: &'static SupportedProtocolVersion, name: Option<&str>) -> Arc<ClientConfig> {
    let own = name.map(|name| stand.authority.issue(name));
    Arc::new(stand.client(&[version], own.as_ref()))
}

/// What the server answers to a line, without its end.
fn ask(tls: &mut Tls, bytes: impl AsRef<[u8]>) -> String {
    tls.write_all(bytes.as_ref()).expect("sent");
    let (mut line, mut byte) = (Vec::new(), [0]);
    while !line.ends_with(b"\r\n") {
        tls.read_exact(&mut byte).expect("a line");
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text").trim_end().to_owned()
}

/// Sends a message of a login; what the server says, or asks.
fn step(tls: &mut Tls, words: &str, message: &[u8]) -> Result<Vec<u8>, String> {
    let line = format!("{words} {}\r\n", message.len());
    let answer = ask(tls, [line.as_bytes(), message, b"\r\n"].concat());
    let len = answer.strip_prefix("SASL_CONTINUE ").ok_or_else(|| answer.clone())?;
    let mut challenge = vec![0; len.parse::<usize>().expect("a length") + 2];
    tls.read_exact(&mut challenge).expect("a challenge");
    challenge.truncate(challenge.len() - 2);
    Ok(challenge)
}

#[test]
fn a_certificate_logs_in_its_user() {
    let stand = Stand::new();
    let server = serve(&stand);
    for (name, listed, answer, then) in [
        (Some("cert"), true, "SASL_OK", "END"),
        (Some("nobody"), true, "AUTH_ERROR authentication failure", "CLIENT_ERROR unauthenticated"),
        (None, false, "AUTH_ERROR authentication failure", "CLIENT_ERROR unauthenticated"),
    ] {
        let mut tls = Tls::begin(&config(&stand, &TLS13, name), server.address());
        assert_eq!(ask(&mut tls, "get k\r\n"), "CLIENT_ERROR unauthenticated", "no connection is logged in by itself");
        assert_eq!(ask(&mut tls, "sasl mech\r\n").contains(" EXTERNAL "), listed, "{name:?}");
        assert_eq!(ask(&mut tls, "sasl auth EXTERNAL 3\r\napp\r\n"), "AUTH_ERROR authentication failure", "{name:?}");
        assert_eq!(ask(&mut tls, "sasl auth EXTERNAL 0\r\n\r\n"), answer, "{name:?}");
        assert_eq!(ask(&mut tls, "get k\r\n"), then, "{name:?}");
    }
}

/// What a client knows, and what binds its connection.
struct Known([u8; 32]);

impl SessionCallback for Known {
    fn callback(&self, _: &SessionData, _: &Context<'_>, request: &mut Request<'_>) -> Result<(), SessionError> {
        request.satisfy::<AuthId>("app")?.satisfy::<Password>(PASSWORD.as_bytes())?;
        Ok(())
    }

    fn enable_channel_binding(&self) -> bool {
        true
    }
}

impl ChannelBindingCallback for Known {
    fn get_cb_data(&self, name: &str) -> Option<&[u8]> {
        (name == "tls-exporter").then_some(&self.0)
    }
}

/// Logs in by SCRAM-SHA-256-PLUS as a client for whose connection these are the data.
fn log_in(tls: &mut Tls, binding: [u8; 32]) -> String {
    static PLUS: &[Mechanism] = &[SCRAM_SHA256_PLUS];
    let registry = Registry::with_mechanisms(PLUS);
    let config = SASLConfig::builder().with_registry(registry).with_callback(Known(binding)).expect("a configuration");
    let name = Mechname::parse(b"SCRAM-SHA-256-PLUS").expect("a name");
    let mut client = SASLClient::with_cb(config, Known(binding)).start_suggested(&[name]).expect("it is known");
    let (mut words, mut challenge) = ("sasl auth SCRAM-SHA-256-PLUS", None);
    loop {
        let mut message = Vec::new();
        client.step(challenge.as_deref(), &mut message).expect("the server knows the password");
        match step(tls, words, &message) {
            Ok(next) => (words, challenge) = ("sasl auth", Some(next)),
            Err(answer) => return answer,
        }
    }
}

#[test]
fn a_proof_is_good_on_its_own_connection_alone() {
    let stand = Stand::new();
    let server = serve(&stand);
    let config = config(&stand, &TLS13, None);
    let connect = || Tls::begin(&config, server.address());
    let (mut tls, mut other) = (connect(), connect());
    assert_eq!(ask(&mut other, "get k\r\n"), "CLIENT_ERROR unauthenticated");
    assert_eq!(
        ask(&mut tls, "sasl mech\r\n"),
        "SASL_MECH SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN"
    );
    let export = |tls: &Tls| {
        tls.0.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).expect("the handshake is done")
    };
    let (own, another) = (export(&tls), export(&other));
    assert_ne!(own, another);
    // Somebody in the middle has the client's proof, which is of the connection to him.
    assert_eq!(log_in(&mut tls, another), "AUTH_ERROR authentication failure");
    assert_eq!(ask(&mut tls, "get k\r\n"), "CLIENT_ERROR unauthenticated");
    // Or he has told the client that there is nothing better.
    let downgraded = step(&mut tls, "sasl auth SCRAM-SHA-256", b"y,,n=app,r=abcdefgh");
    assert_eq!(downgraded, Err("AUTH_ERROR authentication failure".to_owned()));
    assert_eq!(log_in(&mut tls, own), "SASL_OK");
    assert_eq!(ask(&mut tls, "get k\r\n"), "END");
}

#[test]
fn tls_of_old_binds_nothing() {
    let stand = Stand::new();
    let server = serve(&stand);
    let mut tls = Tls::begin(&config(&stand, &TLS12, None), server.address());
    let offered = ask(&mut tls, "sasl mech\r\n");
    assert_eq!(offered, "SASL_MECH SCRAM-SHA-512 SCRAM-SHA-256 SCRAM-SHA-1 OAUTHBEARER PLAIN");
    // The client is right that this server cannot.
    assert!(step(&mut tls, "sasl auth SCRAM-SHA-256", b"y,,n=app,r=abcdefgh").is_ok());
}

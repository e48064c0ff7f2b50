//! A server with certificates of the test's own, and clients that speak TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;

pub(crate) use crate::authority::{Authority, Identity};
use crate::common::{Client, DEADLINE, Server, Wire};

/// A directory with what a server needs.
pub(crate) struct Stand {
    directory: TempDir,
    pub(crate) authority: Authority,
}

impl Stand {
    pub(crate) fn new() -> Stand {
        let stand =
            Stand { directory: tempfile::tempdir().expect("a new directory"), authority: Authority::new("authority") };
        stand.write("ca", &stand.authority.certificate());
        stand.install(&stand.authority.issue("server"));
        stand
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        // As it should be done: whoever reads gets all of the old file or all of the new one.
        let beside = self.path("beside");
        std::fs::write(&beside, text).expect("a file of our own");
        std::fs::rename(beside, self.path(name)).expect("a name of our own");
    }

    /// Puts a certificate and its key where the server looks for them.
    pub(crate) fn install(&self, identity: &Identity) {
        self.write("cert", &identity.certificate);
        self.write("key", &identity.key);
    }

    /// The words that switch TLS on, with further options.
    pub(crate) fn words(&self, options: &str) -> Vec<String> {
        let at = |name: &str| self.path(name).display().to_string();
        let list = format!("ssl_chain_cert={},ssl_key={}{options}", at("cert"), at("key"));
        ["-Z".to_owned(), "-o".to_owned(), list.replace("{ca}", &at("ca"))].into()
    }

    /// A server with further options (`{ca}` is the authority's file) and arguments.
    pub(crate) fn serve(&self, options: &str, arguments: &[&str]) -> Server {
        let words = self.words(options);
        let mut all: Vec<&str> = words.iter().map(String::as_str).collect();
        all.extend_from_slice(arguments);
        Server::start(&all)
    }

    /// What clients trust, and are.
    pub(crate) fn client(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        own: Option<&Identity>,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let pem = self.authority.certificate();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
        let builder = builder.with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_slice(own.certificate.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("a usable certificate")
            }
        }
    }

    /// A client of TLS 1.3 without a certificate.
    pub(crate) fn connect(&self, server: &Server) -> Client {
        connect(&Arc::new(self.client(&[&rustls::version::TLS13], None)), server.address())
    }
}

/// TLS over a socket.
pub(crate) struct Tls(pub(crate) StreamOwned<ClientConnection, TcpStream>);

impl Tls {
    /// Begins; the handshake is done with the first byte.
    pub(crate) fn begin(config: &Arc<ClientConfig>, address: SocketAddr) -> Tls {
        Tls::over(config, TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts connections"))
    }

    /// The same over a connection that is open already.
    pub(crate) fn over(config: &Arc<ClientConfig>, socket: TcpStream) -> Tls {
        socket.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let name = ServerName::try_from("localhost").expect("a name");
        Tls(StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a configuration"), socket))
    }

    /// Sends a request and returns the first line of the answer, or why there is none.
    pub(crate) fn ask(&mut self) -> io::Result<String> {
        self.write_all(b"mn\r\n")?;
        let mut answer = [0; 4];
        self.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The name that the server's certificate holds.
    pub(crate) fn server_certificate(&self) -> Vec<u8> {
        self.0.conn.peer_certificates().expect("the handshake is done")[0].to_vec()
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.0.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

impl Read for Tls {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Tls {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Wire for Tls {
    fn socket(&self) -> &TcpStream {
        &self.0.sock
    }
}

/// A client that has done its handshake when it first sends.
pub(crate) fn connect(config: &Arc<ClientConfig>, address: SocketAddr) -> Client {
    Client::over(Tls::begin(config, address))
}

/// The DER of a certificate.
pub(crate) fn der(identity: &Identity) -> Vec<u8> {
    CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("PEM").to_vec()
}

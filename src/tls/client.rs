//! The other side of a TLS connection, for `larder-top`: one authority's file, no certificate of its own.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// What clients of one set of authorities share.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Reads the authorities, certificates as PEM.
    ///
    /// # Errors
    /// One line when the file cannot be read or has no certificate that can be used.
    pub fn new(authorities: &Path) -> Result<Client, String> {
        let wrong = |what: String| format!("ca={} {what}", authorities.display());
        let bytes = std::fs::read(authorities).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = certificate.map_err(|error| wrong(format!("is not PEM: {error}")))?;
            roots.add(certificate).map_err(|error| wrong(format!("has a certificate that cannot be used: {error}")))?;
        }
        if roots.is_empty() {
            return Err(wrong("has no certificate; give certificates as PEM".to_owned()));
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| wrong(error.to_string()))?;
        Ok(Client(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    /// Speaks TLS over a connected socket. The handshake comes with the first bytes that are written.
    ///
    /// # Errors
    /// One line when no certificate can be for this host.
    pub fn connect<S: Read + Write>(&self, host: &str, socket: S) -> Result<impl Read + Write + use<S>, String> {
        let name =
            ServerName::try_from(host.to_owned()).map_err(|_| "no certificate can be for this name".to_owned())?;
        let connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(|error| error.to_string())?;
        Ok(StreamOwned::new(connection, socket))
    }
}

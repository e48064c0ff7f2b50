//! The other side of a TLS connection, for `larder-top`: one authority's file, and a certificate of its own if need be.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned};
use zeroize::Zeroizing;

/// What clients of one set of authorities share.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Reads the authorities, and certificate and key of our own, for servers that ask for one; all as PEM.
    ///
    /// # Errors
    /// One line when a file cannot be read, or has nothing that can be used.
    pub fn new(authorities: &Path, own: Option<(&Path, &Path)>) -> Result<Client, String> {
        let wrong = |what: String| format!("ca={} {what}", authorities.display());
        let mut roots = RootCertStore::empty();
        for certificate in certificates("ca", authorities)? {
            roots.add(certificate).map_err(|error| wrong(format!("has a certificate that cannot be used: {error}")))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| wrong(error.to_string()))?;
        let builder = builder.with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let wrong = |what: String| format!("key={} {what}", key.display());
                let chain = certificates("cert", certificate)?;
                let bytes = read("key", key)?;
                let key = PrivateKeyDer::from_pem_slice(&bytes)
                    .map_err(|error| wrong(format!("has no key; give one as PEM: {error}")))?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| wrong(format!("does not go with the certificate: {error}")))?
            }
        };
        Ok(Client(Arc::new(config)))
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

/// Whether this failure says that the other side speaks something else.
pub fn is_other_protocol(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::InvalidMessage(_)))
}

/// The certificates in a file, at least one; `label` names it to people.
fn certificates(label: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bytes = read(label, path)?;
    let certificates = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| format!("{label}={} is not PEM: {error}", path.display()))?;
    if certificates.is_empty() {
        return Err(format!("{label}={} has no certificate; give certificates as PEM", path.display()));
    }
    Ok(certificates)
}

fn read(label: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{label}={} cannot be read: {error}", path.display()))?;
    Ok(Zeroizing::new(bytes))
}

//! From files to what rustls serves with.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};

use super::identity::{Validity, validity};
use super::{ClientCertificates, Configs};
use crate::settings::{KeyFormat, TlsSettings};
use crate::source_file::{Fault, Kind, LoadError, read_file};

/// Reads all files.
pub(super) fn configs(settings: &TlsSettings) -> Result<Configs, LoadError> {
    let provider = CryptoProvider { cipher_suites: settings.ciphers.suites(), ..ring::default_provider() };
    let provider = Arc::new(provider);
    let Chain { path: chain_path, certificates: chain, expires } = chain(settings)?;
    let (key_path, key) = key(settings)?;
    let roots = authorities(settings)?;
    let build = |clients: ClientCertificates| {
        let verifier = verifier(clients, &roots, &provider)
            .map_err(|fault| fault.of(Kind::ClientAuthorities, settings.ca_cert.as_deref().unwrap_or(Path::new(""))))?;
        let built = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions(settings))
            .map(|builder| builder.with_client_cert_verifier(verifier))
            .and_then(|builder| builder.with_single_cert(chain.clone(), key.clone_key()));
        let mut config = built.map_err(|error| unusable(&error).of(Kind::PrivateKey, key_path))?;
        // Sessions live in what clients are given (RFC 5077, RFC 8446 section 4.6.1) and cost no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    };
    let of_clients = |clients| {
        let mut config = build(clients)?;
        if settings.session_cache {
            config.ticketer = ring::Ticketer::new()
                .map_err(|error| Fault::whole(error.to_string()).of(Kind::ChainCert, chain_path))?;
            config.send_tls13_tickets = TICKETS;
        }
        Ok(Arc::new(config))
    };
    let of_admin = |clients| {
        let mut config = build(clients)?;
        config.alpn_protocols = ADMIN_PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    };
    Ok(Configs {
        ignored: of_clients(ClientCertificates::Ignored)?,
        asked: of_clients(ClientCertificates::Asked)?,
        demanded: of_clients(ClientCertificates::Demanded)?,
        admin_ignored: of_admin(ClientCertificates::Ignored)?,
        admin_demanded: of_admin(ClientCertificates::Demanded)?,
        expires,
    })
}

/// What the admin port speaks (RFC 7301). A client that names others alone, such as HTTP/2, is told so in its handshake.
const ADMIN_PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Tickets for sessions of TLS 1.3 that a client gets, each of which is good for one further connection.
const TICKETS: usize = 2;

fn versions(settings: &TlsSettings) -> &'static [&'static SupportedProtocolVersion] {
    const BOTH: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
    if settings.min_version >= 3 { &BOTH[..1] } else { BOTH }
}

/// What an option that must be there names.
fn path_of(kind: Kind, path: Option<&Path>) -> Result<&Path, LoadError> {
    path.ok_or_else(|| Fault::whole("TLS needs this option; give a file").of(kind, Path::new("")))
}

/// What clients are shown.
struct Chain<'a> {
    path: &'a Path,
    certificates: Vec<CertificateDer<'static>>,
    /// When the first of them ends, in seconds of the Unix epoch.
    expires: i64,
}

fn chain(settings: &TlsSettings) -> Result<Chain<'_>, LoadError> {
    let path = path_of(Kind::ChainCert, settings.chain_cert.as_deref())?;
    let certificates = certificates(Kind::ChainCert, path)?;
    let fault = match validity(&certificates[0]) {
        Some(Validity::Until(expires)) => return Ok(Chain { path, certificates, expires }),
        Some(Validity::Over(when)) => format!("its first certificate was good until {when}; renew it"),
        Some(Validity::NotYet(when)) => format!("its first certificate is not good before {when}; look at the clock"),
        None => "its first certificate cannot be read; give an X.509 certificate as PEM".to_owned(),
    };
    Err(Fault::whole(fault).of(Kind::ChainCert, path))
}

/// At least one certificate.
fn certificates(kind: Kind, path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let wrong = |text: String| Fault::whole(text).of(kind, path);
    let bytes = read_file(kind, path).map_err(|fault| fault.of(kind, path))?;
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| wrong(format!("is not PEM: {error}; give certificates as PEM")))?;
    if found.is_empty() {
        return Err(wrong("has no certificate; give certificates as PEM, the server's own first".to_owned()));
    }
    Ok(found)
}

/// The key, which may be in the file of the certificates.
fn key(settings: &TlsSettings) -> Result<(&Path, PrivateKeyDer<'static>), LoadError> {
    let path = path_of(Kind::PrivateKey, settings.key.as_deref().or(settings.chain_cert.as_deref()))?;
    let bytes = read_file(Kind::PrivateKey, path).map_err(|fault| fault.of(Kind::PrivateKey, path))?;
    let wrong = |text: String| Fault::whole(text).of(Kind::PrivateKey, path);
    let key = match settings.key_format {
        KeyFormat::Pem => PrivateKeyDer::from_pem_slice(&bytes)
            .map_err(|error| wrong(format!("has no private key as PEM: {error}; give one without a passphrase")))?,
        KeyFormat::Der => PrivateKeyDer::try_from(bytes.to_vec())
            .map_err(|error| wrong(format!("is no private key as DER: {error}; give one without a passphrase")))?,
    };
    Ok((path, key))
}

/// Why certificate and key cannot be served with.
fn unusable(error: &Error) -> Fault {
    Fault::whole(match error {
        Error::InconsistentKeys(_) => {
            "is not the key of the certificate in ssl_chain_cert; give the two that belong together".to_owned()
        }
        error => format!("cannot be served with: {error}; give a key of RSA, ECDSA (P-256, P-384) or Ed25519"),
    })
}

/// The authorities that client certificates come from; `None` without `-o ssl_ca_cert`.
fn authorities(settings: &TlsSettings) -> Result<Option<Arc<RootCertStore>>, LoadError> {
    let Some(path) = settings.ca_cert.as_deref() else { return Ok(None) };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(Kind::ClientAuthorities, path)? {
        roots.add(certificate).map_err(|error| {
            Fault::whole(format!("has a certificate that cannot be used: {error}; take it away"))
                .of(Kind::ClientAuthorities, path)
        })?;
    }
    Ok(Some(Arc::new(roots)))
}

fn verifier(
    clients: ClientCertificates,
    roots: &Option<Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Fault> {
    let builder = match (clients, roots) {
        (ClientCertificates::Ignored, _) => return Ok(WebPkiClientVerifier::no_client_auth()),
        (_, None) => return Ok(Arc::new(Nobody)),
        (_, Some(roots)) => WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(provider)),
    };
    let builder = if clients == ClientCertificates::Asked { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|error| Fault::whole(format!("cannot be used: {error}")))
}

/// Takes no certificate, where one is demanded and no authority is known that it could come from.
#[derive(Debug)]
struct Nobody;

impl Nobody {
    fn refusal<T>() -> Result<T, Error> {
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ClientCertVerifier for Nobody {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Nobody::refusal()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Nobody::refusal()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Nobody::refusal()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

//! TLS: what is served with, from memcached's `ssl_` options, and one connection without its socket.
//!
//! The cryptography is rustls with ring; TLS 1.2 (RFC 5246, with forward secrecy and AEAD alone) and TLS 1.3 (RFC 8446).
//! A server holds one configuration for each kind of listener. They are read again as a whole, and connections that are
//! open keep the one they began with.

mod channel;
mod ciphers;
mod client;
mod identity;
mod load;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use rustls::ServerConfig;

pub use channel::{Channel, Handshake, Received};
pub use ciphers::Ciphers;
pub use client::{Client, is_other_protocol};

use crate::clock::{START, Seconds};
use crate::net::listen_spec::ListenTls;
use crate::settings::TlsSettings;
use crate::source_file::{FileStamp, LoadError, stamp};

/// What clients have to show (`-o ssl_verify_mode`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Nothing; they are not asked.
    #[default]
    Ignored,
    /// A certificate that is verified, or none.
    Asked,
    /// A certificate that is verified.
    Demanded,
}

impl ClientCertificates {
    /// What a listener asks for, whose entry of `-l` says `tls`.
    pub fn of(tls: ListenTls, default: ClientCertificates) -> ClientCertificates {
        match tls {
            ListenTls::Default | ListenTls::Plain => default,
            ListenTls::Server => ClientCertificates::Ignored,
            ListenTls::Mutual => ClientCertificates::Demanded,
        }
    }
}

/// One configuration for each of [`ClientCertificates`]. They share no session: one that began where no certificate was
/// asked for must not go on where one is demanded. Those of the admin port resume none at all: a certificate would open
/// it for as long as a session lives, which may be longer than the certificate.
#[derive(Debug)]
struct Configs {
    ignored: Arc<ServerConfig>,
    asked: Arc<ServerConfig>,
    demanded: Arc<ServerConfig>,
    admin_ignored: Arc<ServerConfig>,
    admin_demanded: Arc<ServerConfig>,
    /// When the certificate that all of them show ends, in seconds of the Unix epoch.
    expires: i64,
}

/// What is counted, in memcached's words.
#[derive(Debug, Default)]
pub struct Counters {
    /// `ssl_new_sessions`: handshakes that were none of an earlier session, where sessions can be resumed.
    pub new_sessions: AtomicU64,
    /// `ssl_handshake_errors`: handshakes that failed, those that took too long included.
    pub handshake_errors: AtomicU64,
    /// `ssl_proto_errors`: connections that failed after their handshake.
    pub proto_errors: AtomicU64,
}

/// The TLS of one server.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    configs: ArcSwap<Configs>,
    /// What the files were like when they were read last. Held while they are read.
    seen: Mutex<Vec<Option<FileStamp>>>,
    /// When they were read last.
    refreshed: AtomicU32,
    /// Counts since the last `stats reset`.
    pub counters: Counters,
}

impl Tls {
    /// Reads certificates and key.
    ///
    /// # Errors
    /// A file that cannot be read or does not hold what it should, a key that is none of the certificate, a certificate
    /// whose time is over.
    pub fn start(settings: TlsSettings) -> Result<Tls, LoadError> {
        let seen = stamps(&settings);
        let configs = ArcSwap::from_pointee(load::configs(&settings)?);
        let refreshed = AtomicU32::new(START);
        Ok(Tls { settings, configs, seen: Mutex::new(seen), refreshed, counters: Counters::default() })
    }

    /// A connection that begins at a listener whose entry of `-l` says `tls`.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn accept(&self, tls: ListenTls) -> Result<Channel, rustls::Error> {
        let configs = self.configs.load();
        let config = match ClientCertificates::of(tls, self.settings.client_certificates()) {
            ClientCertificates::Ignored => &configs.ignored,
            ClientCertificates::Asked => &configs.asked,
            ClientCertificates::Demanded => &configs.demanded,
        };
        Channel::new(Arc::clone(config))
    }

    /// A connection that begins at the admin port, where certificates are ignored or demanded.
    ///
    /// # Errors
    /// The same.
    pub fn accept_admin(&self, clients: ClientCertificates) -> Result<Channel, rustls::Error> {
        let configs = self.configs.load();
        let config = match clients {
            ClientCertificates::Ignored => &configs.admin_ignored,
            ClientCertificates::Asked | ClientCertificates::Demanded => &configs.admin_demanded,
        };
        Channel::new(Arc::clone(config))
    }

    /// Reads the files again. Connections that are open stay as they are.
    ///
    /// # Errors
    /// Those of [`Tls::start`], which are logged; what was read before stays in force.
    pub fn reload(&self, now: Seconds) -> Result<(), LoadError> {
        let mut seen = self.seen.lock();
        // Taken before: what changes while it is read is read again.
        *seen = stamps(&self.settings);
        let configs = load::configs(&self.settings)
            .inspect_err(|error| log::error!("certificates stay as they were: {error}"))?;
        self.configs.store(Arc::new(configs));
        self.refreshed.store(now, Ordering::Relaxed);
        log::info!("certificates read again");
        Ok(())
    }

    /// Does so if they have changed.
    pub fn reload_if_changed(&self, now: Seconds) {
        let changed = *self.seen.lock() != stamps(&self.settings);
        if changed {
            // It was said in the log.
            let _ = self.reload(now);
        }
    }

    /// When the files were read last.
    pub fn refreshed(&self) -> Seconds {
        self.refreshed.load(Ordering::Relaxed)
    }

    /// When the certificate that is shown ends, in seconds of the Unix epoch: its notAfter (RFC 5280 section 4.1.2.5).
    pub fn certificate_expires(&self) -> i64 {
        self.configs.load().expires
    }

    /// Whether sessions can be resumed.
    pub fn resumes(&self) -> bool {
        self.settings.session_cache
    }
}

fn stamps(settings: &TlsSettings) -> Vec<Option<FileStamp>> {
    let files: [&Option<PathBuf>; 3] = [&settings.chain_cert, &settings.key, &settings.ca_cert];
    files.into_iter().flatten().map(|path| stamp(path)).collect()
}

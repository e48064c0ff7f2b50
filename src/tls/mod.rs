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

/// After how many seconds files are tried again that could not be read.
const RETRY_SECS: Seconds = 60;

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

/// The last reading of the files.
#[derive(Debug)]
struct Seen {
    /// What they were like.
    stamps: Vec<Option<FileStamp>>,
    /// When it was, if they could not be used.
    failed: Option<Seconds>,
}

/// The TLS of one server.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    configs: ArcSwap<Configs>,
    /// Held while the files are read.
    seen: Mutex<Seen>,
    /// When they were read last.
    refreshed: AtomicU32,
    /// How often they were read again.
    reloads: AtomicU64,
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
        let seen = Seen { stamps: stamps(&settings), failed: None };
        let configs = ArcSwap::from_pointee(load::configs(&settings)?);
        Ok(Tls {
            settings,
            configs,
            seen: Mutex::new(seen),
            refreshed: AtomicU32::new(START),
            reloads: AtomicU64::new(0),
            counters: Counters::default(),
        })
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
        *seen = Seen { stamps: stamps(&self.settings), failed: Some(now) };
        let configs = load::configs(&self.settings)
            .inspect_err(|error| log::error!("certificates stay as they were: {error}"))?;
        seen.failed = None;
        self.configs.store(Arc::new(configs));
        self.reloads.fetch_add(1, Ordering::Release);
        self.refreshed.store(now, Ordering::Relaxed);
        log::info!("certificates read again");
        Ok(())
    }

    /// Does so if they have changed, or could not be read [`RETRY_SECS`] ago: what was wrong may pass without a change of
    /// the files, such as a certificate that begins in a moment.
    pub fn reload_if_changed(&self, now: Seconds) {
        let seen = self.seen.lock();
        let is_due = seen.failed.is_some_and(|failed| now.saturating_sub(failed) >= RETRY_SECS);
        let is_wanted = is_due || seen.stamps != stamps(&self.settings);
        drop(seen);
        if is_wanted {
            // It was said in the log.
            let _ = self.reload(now);
        }
    }

    /// How often the files were read again. Asked before a connection begins, it says later whether that began with what
    /// is in force.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Acquire)
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant, UNIX_EPOCH};

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn files_that_could_not_be_used_are_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let (chain, key) = (directory.path().join("chain"), directory.path().join("key"));
        let write = |begins_in: Duration| {
            let pair = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            params.not_before = date_time_ymd(1970, 1, 1) + now + begins_in;
            std::fs::write(&key, pair.serialize_pem()).unwrap();
            std::fs::write(&chain, params.self_signed(&pair).unwrap().pem()).unwrap();
        };
        write(Duration::ZERO);
        let settings =
            TlsSettings { chain_cert: Some(chain.clone()), key: Some(key.clone()), ..TlsSettings::default() };
        let tls = Tls::start(settings).unwrap();
        tls.reload_if_changed(100);
        assert_eq!((tls.reloads(), tls.seen.lock().failed), (0, None), "nothing has changed");
        write(Duration::from_secs(3600));
        tls.reload_if_changed(200);
        assert_eq!((tls.reloads(), tls.seen.lock().failed), (0, Some(200)), "it begins in an hour");
        tls.reload_if_changed(200 + RETRY_SECS - 1);
        assert_eq!(tls.seen.lock().failed, Some(200), "not yet");
        tls.reload_if_changed(200 + RETRY_SECS);
        assert_eq!(tls.seen.lock().failed, Some(200 + RETRY_SECS));
        write(Duration::from_secs(2));
        let (mut now, deadline) = (300, Instant::now() + Duration::from_secs(20));
        while tls.reloads() == 0 {
            assert!(Instant::now() < deadline, "it has begun, and is not in force");
            now += RETRY_SECS;
            tls.reload_if_changed(now);
        }
        assert_eq!(tls.seen.lock().failed, None);
        tls.reload_if_changed(now + RETRY_SECS);
        assert_eq!(tls.reloads(), 1, "it is in force");
    }
}

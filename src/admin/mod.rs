//! The admin port (`--admin`): metrics, health and a page to look at, over HTTP/1.1, on one thread of its own.
//!
//! It serves before items of the last server are restored, so that `/healthz` and `/readyz` can tell the two states
//! apart, and until the workers have ended. It only reads: there is nothing that a request could change.

mod api;
mod connection;
mod door;
pub mod metrics;
mod page;
mod request;
mod response;
mod routes;
mod serve;
mod snapshot;
mod token;
mod wire;

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use door::Door;
#[cfg(fuzzing)]
pub use request::fuzz as fuzz_request;
pub use token::Token;

use parking_lot::Mutex;

use crate::net::mailbox::Mailbox;
use crate::net::pulse::Pulse;
use crate::settings::AdminTls;
use crate::shared::Shared;
use crate::tls::{ClientCertificates, Tls};
use serve::Entry;
use snapshot::{Snapshot, Snapshots};

/// How long a worker may not turn before the server counts as ill.
const WORKER_PATIENCE: Duration = Duration::from_secs(5);

/// The admin port of a running server.
#[derive(Debug)]
pub struct Admin {
    state: Arc<State>,
    /// The thread ends when this is dropped.
    wake: UnixStream,
    thread: JoinHandle<()>,
}

/// What the thread answers from.
#[derive(Debug)]
struct State {
    /// Whom to ask; empty until the server serves.
    site: OnceLock<Site>,
    is_stopping: AtomicBool,
    /// What a request for data has to show.
    token: Option<Token>,
    /// Whether requests come by TCP in the clear, where a browser may be made to send them for another site's name. TLS
    /// shows a certificate, which is not good for that name.
    is_plain_tcp: bool,
}

/// The server that is told of.
#[derive(Debug)]
struct Site {
    shared: Arc<Shared>,
    /// One for probes and scrapes, so that alerts and `/healthz` say the same.
    pulse: Mutex<Pulse>,
    snapshots: Snapshots,
}

impl Site {
    fn snapshot(&self, now: Instant) -> Arc<Snapshot> {
        self.snapshots.take(&self.shared, &self.pulse, now)
    }
}

impl Admin {
    /// Serves at `door`, by `tls` if it is such a door, with data only for those who know `token`, if there is one.
    ///
    /// # Errors
    /// When the thread or what wakes it cannot be made; when the door needs TLS and there is none.
    pub fn start(door: Door, tls: Option<&Arc<Tls>>, token: Option<Token>) -> io::Result<Admin> {
        let secure = |clients| match tls {
            Some(tls) => Ok(Entry::Secure(Arc::clone(tls), clients)),
            None => Err(io::Error::other("no certificate was read")),
        };
        let entry = match door.tls() {
            AdminTls::Off => Entry::Plain,
            AdminTls::Server => secure(ClientCertificates::Ignored)?,
            AdminTls::Mutual => secure(ClientCertificates::Demanded)?,
        };
        let is_plain_tcp = door.tcp_address().is_some() && door.tls() == AdminTls::Off;
        let state = Arc::new(State { site: OnceLock::new(), is_stopping: AtomicBool::new(false), token, is_plain_tcp });
        let (wake, woken) = UnixStream::pair()?;
        let of_thread = Arc::clone(&state);
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || serve::Server::new(door, entry, woken, of_thread).run())?;
        Ok(Admin { state, wake, thread })
    }

    /// From now on tells of this server, whose workers have these mailboxes. To be called once.
    pub fn tell_of(&self, shared: Arc<Shared>, workers: Vec<Arc<Mailbox>>) {
        let site =
            Site { shared, pulse: Mutex::new(Pulse::new(workers, WORKER_PATIENCE)), snapshots: Snapshots::default() };
        let first = self.state.site.set(site).is_ok();
        debug_assert!(first, "an admin port has one server");
    }

    /// What opens it, if it is locked.
    pub fn token(&self) -> Option<&Token> {
        self.state.token.as_ref()
    }

    /// From now on the server is not ready any more.
    pub fn begin_stop(&self) {
        self.state.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Closes everything and ends the thread.
    pub fn stop(self) {
        drop(self.wake);
        if self.thread.join().is_err() {
            log::error!("the admin thread had panicked");
        }
    }
}

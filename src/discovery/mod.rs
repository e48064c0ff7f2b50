//! The list of nodes that clients discover (`--cluster`): what it is now, where it comes from, and when it is replaced.
//!
//! The list is told by ElastiCache's command `config get cluster` and its kin (`crate::exec::cluster`). This module knows no
//! wire format but the payload, which all forms of the answer share. A source that fails changes nothing: the last good
//! list stays. The answer is rendered once for each list, so that a client that asks costs a copy.
//!
//! Locks: what was seen of the file has one, which only the thread that looks at files and the one of the signals take.
//! Readers of the list take none.

mod dns;
mod file;
mod node;
mod version;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

pub use dns::{DNS_PORT, is_dns_name};
pub use node::Node;
#[cfg(fuzzing)]
pub use {dns::fuzz as fuzz_replies, file::fuzz as fuzz_file};

use crate::settings::{ClusterSource, Settings};
use crate::source_file::LoadError;
use file::Watched;
use version::{Refusal, Stated};

/// The key that servers older than memcached 1.4.14 have the list under (ElastiCache).
pub const OLD_KEY: &[u8] = b"AmazonElastiCache:cluster";

/// The only key of `config get`.
pub const CONFIG_KEY: &[u8] = b"cluster";

/// A list as clients are told it.
#[derive(Debug, PartialEq, Eq)]
pub struct Announced {
    /// Never goes back, so that clients can tell a new list from an old one.
    pub version: u64,
    /// In the order of their hosts, and then their ports.
    pub nodes: Vec<Node>,
    /// `<version>\n<nodes>\n`.
    pub payload: Vec<u8>,
}

impl Announced {
    fn new(version: u64, nodes: Vec<Node>) -> Announced {
        let payload = node::payload(version, &nodes);
        Announced { version, nodes, payload }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Discovery {
    source: Source,
    before_login: bool,
    /// `None` as long as a name server has not answered.
    announced: ArcSwapOption<Announced>,
    /// Times that the source could not be read.
    failures: AtomicU64,
}

#[derive(Debug)]
enum Source {
    File(Mutex<Watched>),
    Dns(dns::Follower),
}

impl Discovery {
    /// What `--cluster` asks for; `None` without it. A file is read; a name server is asked later, by
    /// [`Discovery::follow`], as this may be the first node and be in no list before it serves.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is wrong.
    pub fn start(settings: &Settings) -> Result<Option<Discovery>, LoadError> {
        let Some(source) = &settings.cluster else { return Ok(None) };
        let resolvers = settings.cluster_resolvers.clone();
        let discovery = |source| Discovery {
            source,
            before_login: settings.cluster_before_login,
            announced: ArcSwapOption::empty(),
            failures: AtomicU64::new(0),
        };
        match source {
            ClusterSource::File(path) => {
                // As seen from here: a background process has another directory.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let mut watched = Watched::new(path);
                let list = watched.read()?;
                let discovery = discovery(Source::File(Mutex::new(watched)));
                discovery.announced.store(Some(Arc::new(Announced::new(list.stated.number(), list.nodes))));
                Ok(Some(discovery))
            }
            source => Ok(Some(discovery(Source::Dns(dns::Follower::new(source, resolvers))))),
        }
    }

    /// The list; `None` as long as a name server has not answered.
    pub fn announced(&self) -> Option<Arc<Announced>> {
        self.announced.load_full()
    }

    /// Whether clients are told before they log in.
    pub fn is_told_before_login(&self) -> bool {
        self.before_login
    }

    /// Times that the source could not be read.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether the source is a file that may change.
    pub fn has_file(&self) -> bool {
        matches!(self.source, Source::File(_))
    }

    /// Reads the file again, if the source is one. If there is a fault in it, the list stays as it is.
    pub fn reload(&self) {
        if let Source::File(watched) = &self.source {
            self.read_again(&mut watched.lock());
        }
    }

    /// Does so if the file has changed and nobody is writing it any more.
    pub fn reload_if_changed(&self) {
        if let Source::File(watched) = &self.source {
            let mut watched = watched.lock();
            if watched.has_settled() {
                self.read_again(&mut watched);
            }
        }
    }

    fn read_again(&self, watched: &mut Watched) {
        let announced = watched.read().and_then(|list| {
            self.announce(list.nodes, list.stated).map_err(|refusal| watched.fault(refusal.to_string()))
        });
        if let Err(error) = announced {
            self.failures.fetch_add(1, Ordering::Relaxed);
            log::error!("cluster list stays as it was: {error}");
        }
    }

    /// Asks name servers, if the source is a name, as often as their answers want, until the sender of `wake` is gone. A
    /// message asks for an answer now.
    pub fn follow(&self, wake: &mpsc::Receiver<()>) {
        let Source::Dns(follower) = &self.source else { return };
        follower.run(wake, |outcome| match outcome {
            // Nobody has lowered or raised a version here, so none is refused.
            Ok(nodes) => drop(self.announce(nodes, Stated::observed_now())),
            Err(()) => drop(self.failures.fetch_add(1, Ordering::Relaxed)),
        });
    }

    /// Makes these nodes the list, with a version that follows the last one.
    fn announce(&self, nodes: Vec<Node>, stated: Stated) -> Result<(), Refusal> {
        let last = self.announced.load();
        let version = version::next(last.as_deref().map(|last| (last.version, last.nodes == nodes)), stated)?;
        if last.as_deref().is_some_and(|last| last.version == version) {
            return Ok(());
        }
        let count = nodes.len();
        self.announced.store(Some(Arc::new(Announced::new(version, nodes))));
        // What the log tells of can be asked for.
        log::info!("cluster list announced version={version} nodes={count}");
        Ok(())
    }
}

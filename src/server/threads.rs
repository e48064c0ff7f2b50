//! The threads of a running server and their orderly end.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::discovery::Discovery;
use crate::net::acceptor::Acceptor;
use crate::net::listen::{Listener, UdpListener};
use crate::net::mailbox::{Mailbox, Message};
use crate::net::watchers::WatchThread;
use crate::net::worker::Worker;
use crate::shared::Shared;

/// All threads but the main one.
#[derive(Debug)]
pub(super) struct Threads {
    acceptor: Acceptor,
    workers: Vec<Worker>,
    watch: WatchThread,
    /// The maintenance thread ends when this is dropped.
    maintenance: mpsc::Sender<()>,
    /// So does the one that looks whether files have changed.
    files: Option<mpsc::Sender<()>>,
    /// So does the one that asks name servers; a message has it ask now.
    names: Option<mpsc::Sender<()>>,
}

/// Whether everything ended in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// All workers sent what they owed and ended.
    Complete,
    /// Some still had something to send.
    TimedOut,
}

impl Threads {
    /// Starts the workers, among whom the sockets of `udp` are dealt out, and then accepts from `listeners`.
    ///
    /// # Errors
    /// When a thread or its poll cannot be made. Threads that were started go on; the caller ends the process.
    pub(super) fn start(listeners: Vec<Listener>, udp: Vec<UdpListener>, shared: &Arc<Shared>) -> io::Result<Threads> {
        let mut shares: Vec<Vec<UdpListener>> = (0..shared.settings.threads).map(|_| Vec::new()).collect();
        for (number, listener) in udp.into_iter().enumerate() {
            shares[number % shared.settings.threads].push(listener);
        }
        let watch = WatchThread::start(Arc::clone(shared))?;
        let workers = shares
            .into_iter()
            .enumerate()
            .map(|(index, share)| Worker::start(index, share, watch.watchers(), Arc::clone(shared)))
            .collect::<io::Result<Vec<Worker>>>()?;
        let mailboxes = workers.iter().map(|worker| Arc::clone(&worker.mailbox)).collect();
        let acceptor = Acceptor::start(listeners, mailboxes, Arc::clone(shared))?;
        let maintenance = start_maintenance(Arc::clone(shared))?;
        let files = watch_files(Arc::clone(shared))?;
        let names = follow_names(Arc::clone(shared))?;
        Ok(Threads { acceptor, workers, watch, maintenance, files, names })
    }

    /// Where to leave messages for the workers, in their order.
    pub(super) fn mailboxes(&self) -> Vec<Arc<Mailbox>> {
        self.workers.iter().map(|worker| Arc::clone(&worker.mailbox)).collect()
    }

    /// Asks name servers now, if any are asked.
    pub(super) fn look_up(&self) {
        if let Some(names) = &self.names {
            // The thread lives as long as this sender.
            let _ = names.send(());
        }
    }

    /// Closes the listeners, lets each worker finish, and waits for them until `bound` is over.
    pub(super) fn stop(self, bound: Duration) -> Ending {
        let deadline = Instant::now() + bound;
        // First this, so that no connection comes to a worker behind its order to stop.
        self.acceptor.stop();
        drop(self.maintenance);
        drop(self.files);
        drop(self.names);
        for worker in &self.workers {
            if let Err(error) = worker.mailbox.post(Message::Stop) {
                log::error!("cannot wake a worker to stop it: {error}");
            }
        }
        // Joining has no deadline, so a thread of its own does it and hangs up when it is through.
        let (all_joined, joined) = mpsc::channel::<()>();
        let (workers, watch) = (self.workers, self.watch);
        let joiner = std::thread::Builder::new().name("join".to_owned()).spawn(move || {
            for worker in workers {
                if worker.thread.join().is_err() {
                    log::error!("a worker had panicked");
                }
            }
            // Last, so that watchers hear how the connections end.
            watch.stop();
            drop(all_joined);
        });
        let left = deadline.saturating_duration_since(Instant::now());
        match (joiner, joined.recv_timeout(left)) {
            (Ok(_), Err(RecvTimeoutError::Disconnected) | Ok(())) => Ending::Complete,
            (Err(_), _) | (_, Err(RecvTimeoutError::Timeout)) => Ending::TimedOut,
        }
    }
}

/// Does a slice of background work ten times a second, until the sender is dropped. While there is memory above a
/// lowered limit, giving that back goes first, in smaller steps.
fn start_maintenance(shared: Arc<Shared>) -> io::Result<mpsc::Sender<()>> {
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::Builder::new().name("maintenance".to_owned()).spawn(move || {
        let mut pause = MAINTENANCE_PERIOD;
        while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
            if shared.shrink() {
                pause = SHRINK_PAUSE;
            } else {
                let mut pace = Pace::starting();
                shared.maintain(|| pace.rest());
                pause = MAINTENANCE_PERIOD;
            }
        }
    })?;
    Ok(stop)
}

/// Keeps background work to a quarter of a thread's time, in small pieces.
struct Pace {
    /// When the piece under way began.
    since: Instant,
}

impl Pace {
    fn starting() -> Pace {
        Pace { since: Instant::now() }
    }

    /// Leaves processor and locks to the clients for three times as long as the work since the last rest took.
    fn rest(&mut self) {
        std::thread::sleep(RESTS_PER_WORK * self.since.elapsed());
        self.since = Instant::now();
    }
}

/// Looks every second whether users, certificates, access list or list of nodes have changed, until the sender is dropped.
fn watch_files(shared: Arc<Shared>) -> io::Result<Option<mpsc::Sender<()>>> {
    let has_nodes = shared.discovery.as_ref().is_some_and(Discovery::has_file);
    if shared.authority.is_none() && shared.tls.is_none() && !shared.access.has_file() && !has_nodes {
        return Ok(None);
    }
    let (stop, stopped) = mpsc::channel::<()>();
    std::thread::Builder::new().name("files".to_owned()).spawn(move || {
        while stopped.recv_timeout(LOOK_PERIOD) == Err(RecvTimeoutError::Timeout) {
            if let Some(authority) = &shared.authority {
                authority.reload_if_changed();
            }
            if let Some(tls) = &shared.tls {
                tls.reload_if_changed(shared.clock.now());
            }
            shared.access.reload_if_changed();
            if let Some(discovery) = &shared.discovery {
                discovery.reload_if_changed();
            }
        }
    })?;
    Ok(Some(stop))
}

/// Asks name servers for the list of nodes, if it comes from there, until the sender is dropped.
fn follow_names(shared: Arc<Shared>) -> io::Result<Option<mpsc::Sender<()>>> {
    if shared.discovery.as_ref().is_none_or(Discovery::has_file) {
        return Ok(None);
    }
    let (wake, woken) = mpsc::channel::<()>();
    std::thread::Builder::new().name("discovery".to_owned()).spawn(move || {
        if let Some(discovery) = &shared.discovery {
            discovery.follow(&woken);
        }
    })?;
    Ok(Some(wake))
}

/// Time between two slices of background work.
const MAINTENANCE_PERIOD: Duration = Duration::from_millis(100);

/// How long background work rests for each time that it has worked.
const RESTS_PER_WORK: u32 = 3;

/// How often files are looked at.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Time between two steps down to a lowered limit.
const SHRINK_PAUSE: Duration = Duration::from_millis(2);

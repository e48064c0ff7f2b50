//! What the service manager is told (sd_notify(3)): ready, reloading, stopping, alive, how it goes.
//!
//! Nothing waits for the manager, and one that is not there is no reason not to serve.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fmt, io, mem, thread};

use crate::net::mailbox::Mailbox;
use crate::net::pulse::Pulse;
use crate::shared::Shared;
use crate::sys::notify::{self, Notifier};

/// How often the manager hears how it goes.
const STATUS_PERIOD: Duration = Duration::from_secs(10);

/// Looks at the workers in the time within which the manager wants a sign of life.
const LOOKS_PER_WATCHDOG: u32 = 4;

/// How long the manager is to go on waiting for something long, and how often it is told so.
const EXTENSION: Duration = Duration::from_secs(60);
const EXTENSION_PERIOD: Duration = Duration::from_secs(20);

/// How often at most: half an hour is more than any memory takes.
const EXTENSIONS_MAX: usize = 90;

/// The service manager, if there is one.
#[derive(Clone, Debug)]
pub(super) struct Service {
    notifier: Option<Arc<Notifier>>,
}

/// Has the manager wait while it exists.
#[derive(Debug)]
pub(super) struct Patience {
    _ended: mpsc::Sender<()>,
}

/// Tells the manager how it goes while it exists.
#[derive(Debug)]
pub(super) struct Reports {
    _ended: mpsc::Sender<()>,
}

impl Service {
    /// The manager that started this process, if it wants to hear from it.
    pub(super) fn find() -> Service {
        let notifier = Notifier::from_environment().unwrap_or_else(|error| {
            log::warn!("the service manager cannot be told anything: NOTIFY_SOCKET: {error}");
            None
        });
        Service { notifier: notifier.map(Arc::new) }
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.notifier.is_some()
    }

    /// All listeners serve.
    pub(super) fn ready(&self, shared: &Shared) {
        self.say(&format!("READY=1\nSTATUS={}", Status::of(shared)));
    }

    /// Files are being read again; [`Service::ready`] says when that is done.
    pub(super) fn reloading(&self) {
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={}", notify::monotonic_microseconds()));
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=stopping");
    }

    /// Keeps the manager from giving up while `what` goes on.
    pub(super) fn wait_for(&self, what: &str) -> Option<Patience> {
        self.notifier.as_ref()?;
        self.say(&format!("STATUS={what}\n{}", extension()));
        let service = self.clone();
        let (ended, end) = mpsc::channel::<()>();
        let extend = move || {
            for _ in 0..EXTENSIONS_MAX {
                if end.recv_timeout(EXTENSION_PERIOD) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                service.say(&extension());
            }
        };
        let thread = thread::Builder::new().name("patience".to_owned()).spawn(extend);
        thread.map(|_| Patience { _ended: ended }).ok()
    }

    /// Leaves a descriptor for the next server.
    pub(super) fn store(&self, name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        match &self.notifier {
            Some(notifier) => notifier.store(name, fd),
            None => Err(io::Error::other("there is no service manager")),
        }
    }

    /// Has the manager forget what was left under that name.
    pub(super) fn forget(&self, name: &str) {
        if let Some(notifier) = &self.notifier {
            complain(notifier.forget(name));
        }
    }

    /// Starts to tell the manager how it goes, and that it goes at all, as often as it wants to hear it, as long as the
    /// workers of these mailboxes answer.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub(super) fn report(&self, shared: Arc<Shared>, mailboxes: Vec<Arc<Mailbox>>) -> io::Result<Option<Reports>> {
        let Some(notifier) = self.notifier.clone() else { return Ok(None) };
        let (ended, end) = mpsc::channel::<()>();
        let watchdog = notify::watchdog_period().map(|period| period / LOOKS_PER_WATCHDOG);
        let thread = thread::Builder::new().name("service".to_owned());
        thread.spawn(move || report(&notifier, &shared, mailboxes, watchdog, &end))?;
        Ok(Some(Reports { _ended: ended }))
    }

    fn say(&self, state: &str) {
        if let Some(notifier) = &self.notifier {
            complain(notifier.say(state));
        }
    }
}

/// The loop of the thread. It writes no log: that could wait for the same thing that a worker waits for.
fn report(
    notifier: &Notifier,
    shared: &Shared,
    mailboxes: Vec<Arc<Mailbox>>,
    watchdog: Option<Duration>,
    end: &mpsc::Receiver<()>,
) {
    // Woken at one look, a worker has until the next one.
    let mut pulse = Pulse::new(mailboxes, Duration::ZERO);
    pulse.silent_workers(Instant::now());
    let mut told = String::new();
    let mut is_silent = false;
    let mut status_due = Instant::now() + STATUS_PERIOD;
    let pause = watchdog.unwrap_or(STATUS_PERIOD).min(STATUS_PERIOD);
    while end.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        let silent = pulse.silent_workers(Instant::now()).first().copied();
        if watchdog.is_some() && silent.is_none() {
            let _ = notifier.say("WATCHDOG=1");
        }
        // A worker that answers again is told at once, or the complaint about it would stand.
        let was_silent = mem::replace(&mut is_silent, silent.is_some());
        if silent.is_none() && !was_silent && Instant::now() < status_due {
            continue;
        }
        status_due = Instant::now() + STATUS_PERIOD;
        let status = match silent {
            // A worker that holds a lock would have this thread wait for it as well.
            Some(worker) => format!("worker {worker} does not answer"),
            None => Status::of(shared).to_string(),
        };
        if status != told {
            let _ = notifier.say(&format!("STATUS={status}"));
            told = status;
        }
    }
}

fn extension() -> String {
    format!("EXTEND_TIMEOUT_USEC={}", EXTENSION.as_micros())
}

fn complain(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        log::warn!("the service manager does not hear us: {error}");
    }
}

/// How it goes, for people.
struct Status {
    items: u64,
    connections: i64,
    gets: u64,
    misses: u64,
}

impl Status {
    fn of(shared: &Shared) -> Status {
        let totals = shared.store.totals();
        Status {
            items: totals.curr_items,
            connections: shared.connections.current.load(Ordering::Relaxed),
            gets: shared.counters.iter().map(|worker| worker.cmd_get.value()).sum(),
            misses: shared.counters.iter().map(|worker| worker.get_misses.value()).sum(),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "items={} connections={}", self.items, self.connections)?;
        if self.gets > 0 {
            write!(f, " hit_ratio={:.3}", self.gets.saturating_sub(self.misses) as f64 / self.gets as f64)?;
        }
        Ok(())
    }
}

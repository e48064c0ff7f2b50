//! The cache over a restart (`-e`, `--memory-fd`): taken over at the start, left behind at the end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::service::Service;
use crate::clock::{Clock, Moment, wall_clock};
use crate::exit_status;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::store::{Config, Refusal, Restored, Store};
use crate::sys::inherited::Inherited;
use crate::sys::memory_fd::MemoryFd;
use crate::sys::memory_file::MemoryFile;

/// What the service manager's store knows the descriptors of `--memory-fd` by.
const MEMORY_NAME: &str = "larder-memory";
const STATE_NAME: &str = "larder-state";

/// Where the memory stays while no server runs.
#[derive(Debug)]
pub(super) enum Keeper {
    /// `-e`.
    File(MemoryFile),
    /// `--memory-fd`.
    Descriptors(MemoryFd),
}

impl Keeper {
    fn memory(&self) -> &Arc<File> {
        match self {
            Keeper::File(file) => file.file(),
            Keeper::Descriptors(fds) => fds.memory(),
        }
    }

    fn is_new(&self) -> bool {
        match self {
            Keeper::File(file) => file.is_new(),
            Keeper::Descriptors(fds) => fds.is_new(),
        }
    }

    fn take_state(&self, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        match self {
            Keeper::File(file) => file.take_state(bytes_max),
            Keeper::Descriptors(fds) => fds.take_state(bytes_max),
        }
    }

    fn write_state(&self, state: &[u8]) -> io::Result<()> {
        match self {
            Keeper::File(file) => file.write_state(state),
            Keeper::Descriptors(fds) => fds.write_state(state),
        }
    }

    /// For log lines.
    fn place(&self) -> String {
        match self {
            Keeper::File(file) => format!("memory_file={}", file.path().display()),
            Keeper::Descriptors(_) => "memory_fd".to_owned(),
        }
    }
}

/// What earlier servers left in the service manager's store.
#[derive(Debug, Default)]
pub(super) struct Left {
    memory: Option<OwnedFd>,
    state: Option<OwnedFd>,
}

/// Takes out of `passed` what is memory; the rest are sockets.
pub(super) fn take_left(passed: &mut Vec<Inherited>) -> Left {
    let mut take = |name: &str| {
        let at = passed.iter().position(|inherited| inherited.name.as_deref() == Some(name))?;
        let first = passed.remove(at);
        passed.retain(|inherited| inherited.name.as_deref() != Some(name));
        Some(first.fd)
    };
    Left { memory: take(MEMORY_NAME), state: take(STATE_NAME) }
}

/// Opens the file of `-e`, or takes what was `left` or makes the like for `--memory-fd`.
pub(super) fn open(settings: &Settings, left: Left, service: &Service) -> Result<Option<Keeper>, Failure> {
    let is_left = left.memory.is_some() || left.state.is_some();
    if let (true, Left { memory: Some(memory), state: Some(state) }) = (settings.memory_fd, left) {
        match MemoryFd::adopt(memory, state) {
            Ok(fds) => return Ok(Some(Keeper::Descriptors(fds))),
            Err(error) => log::warn!("{MEMORY_NAME}, {STATE_NAME}: {error}; the cache starts empty"),
        }
    }
    if is_left {
        forget(service);
    }
    if settings.memory_fd && !service.is_there() {
        log::warn!("--memory-fd has no effect: there is no service manager (NOTIFY_SOCKET); items go with the server");
        return Ok(None);
    }
    match &settings.memory_file {
        Some(path) => open_file(path, settings).map(|file| Some(Keeper::File(file))),
        None if settings.memory_fd => create().map(Some),
        None => Ok(None),
    }
}

fn open_file(path: &Path, settings: &Settings) -> Result<MemoryFile, Failure> {
    let file = MemoryFile::open(path).map_err(|error| refused(&format!("memory_file={}", path.display()), &error))?;
    if !file.is_in_ram() {
        log::warn!("memory_file={} is not in RAM: the disk will slow the cache down; use a tmpfs", path.display());
    }
    match file.room() {
        Ok(room) if room < settings.memory_limit_bytes => log::warn!(
            "memory_file={} has room for bytes={room} only, less than -m: items go earlier; enlarge the file system or \
             lower -m",
            path.display()
        ),
        _ => {}
    }
    if settings.large_pages {
        log::warn!("-L has no effect on memory_file={}; mount its tmpfs with huge=", path.display());
    }
    Ok(file)
}

fn create() -> Result<Keeper, Failure> {
    MemoryFd::create().map(Keeper::Descriptors).map_err(|error| refused("memory_fd", &error))
}

fn forget(service: &Service) {
    service.forget(MEMORY_NAME);
    service.forget(STATE_NAME);
}

/// The store of `config` and its clock: taken over from the last server where that is possible, else empty.
pub(super) fn store(config: Config, keeper: &mut Option<Keeper>, service: &Service) -> Result<(Store, Clock), Failure> {
    let Some(kept) = keeper else { return Ok((Store::new(config).map_err(no_memory)?, Clock::start())) };
    if let Some(taken) = take_over(&config, kept, service)? {
        return Ok(taken);
    }
    // The length of these is for good, and may be another one now.
    if matches!(kept, Keeper::Descriptors(fds) if !fds.is_new()) {
        forget(service);
        *kept = create()?;
    }
    let store = Store::new(config_on(config, kept)).map_err(no_memory)?;
    if let Keeper::Descriptors(fds) = kept {
        fds.seal().map_err(|error| refused("memory_fd", &error))?;
        let stored = service
            .store(MEMORY_NAME, fds.memory().as_fd())
            .and_then(|()| service.store(STATE_NAME, fds.state().as_fd()));
        if let Err(error) = stored {
            log::warn!("memory_fd cannot be left to the service manager: {error}; items go with the server");
        }
    }
    Ok((store, Clock::start()))
}

/// What the last server left, if it left all of it.
fn take_over(config: &Config, keeper: &Keeper, service: &Service) -> Result<Option<(Store, Clock)>, Failure> {
    let place = keeper.place();
    // One byte more, so that what is too long shows.
    let state = keeper.take_state(config.state_bytes_max() as u64 + 1).map_err(|error| refused(&place, &error))?;
    let begun = Instant::now();
    let Some(state) = state else {
        if !keeper.is_new() {
            log::warn!("{place} was left by no graceful stop: the cache starts empty");
        }
        return Ok(None);
    };
    let _patience = service.wait_for("taking items over");
    // The time that taking over needs passes for the items, too.
    let moment = Moment::now();
    match Store::restore(config_on(config.clone(), keeper), &state, moment.unix) {
        Ok(Restored { store, now }) => {
            tell_restored(&store, &place, begun.elapsed());
            Ok(Some((store, Clock::showing(now, moment))))
        }
        Err(refusal) => {
            tell_refused(&place, &refusal);
            Ok(None)
        }
    }
}

fn config_on(config: Config, keeper: &Keeper) -> Config {
    Config { memory_file: Some(Arc::clone(keeper.memory())), huge_pages: false, ..config }
}

/// Leaves the cache to the next server. The workers have ended.
pub(super) fn leave(keeper: &Keeper, shared: &Shared, service: &Service) {
    let begun = Instant::now();
    let place = keeper.place();
    let items = shared.store.totals().curr_items;
    let _patience = service.wait_for("leaving items to the next server");
    let Ok(state) = shared.store.save(shared.clock.shown(), wall_clock()) else {
        log::warn!("{place} is of no use: a value was still being received; the next start is empty");
        return;
    };
    match keeper.write_state(&state) {
        Ok(()) => log::info!("left {place} items={items} ms={}", begun.elapsed().as_millis()),
        Err(error) => log::error!("cannot write the state of {place}: {error}; the next start is empty"),
    }
}

fn no_memory(error: io::Error) -> Failure {
    Failure::new(exit_status::OS_ERROR, format_args!("cannot reserve memory: {error}; lower -m"))
}

fn refused(place: &str, error: &io::Error) -> Failure {
    Failure::new(exit_status::OS_ERROR, format_args!("cannot use {place}: {error}"))
}

fn tell_restored(store: &Store, place: &str, time: Duration) {
    let totals = store.totals();
    let per_second = totals.curr_items as f64 / time.as_secs_f64().max(0.001);
    log::info!(
        "restored {place} items={} bytes={} ms={} items_per_second={per_second:.0}",
        totals.curr_items,
        totals.bytes,
        time.as_millis()
    );
}

fn tell_refused(place: &str, refusal: &Refusal) {
    log::warn!("{place} is not taken over, the cache starts empty: {refusal}");
}

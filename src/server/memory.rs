//! The cache over a restart (`-e`): taken over at the start, left behind at the end.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::failure::Failure;
use crate::clock::{Clock, Moment, wall_clock};
use crate::exit_status;
use crate::settings::Settings;
use crate::shared::Shared;
use crate::store::{Config, Refusal, Restored, Store};
use crate::sys::memory_file::MemoryFile;

/// Opens the file of `-e`, if there is one.
pub(super) fn open(settings: &Settings) -> Result<Option<MemoryFile>, Failure> {
    let Some(path) = &settings.memory_file else { return Ok(None) };
    let file = MemoryFile::open(path).map_err(|error| refused(path, &error))?;
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
    Ok(Some(file))
}

/// The store of `config` and its clock: taken over from the last server where that is possible, else empty.
pub(super) fn store(config: Config, file: Option<&MemoryFile>) -> Result<(Store, Clock), Failure> {
    let no_memory = |error: io::Error| {
        Failure::new(exit_status::OS_ERROR, format_args!("cannot reserve memory: {error}; lower -m"))
    };
    let Some(file) = file else { return Ok((Store::new(config).map_err(no_memory)?, Clock::start())) };
    let path = file.path();
    let config = Config { memory_file: Some(file.file().clone()), huge_pages: false, ..config };
    // One byte more, so that what is too long shows.
    let state = file.take_state(config.state_bytes_max() as u64 + 1).map_err(|error| refused(path, &error))?;
    let begun = Instant::now();
    let Some(state) = state else {
        if !file.is_new() {
            log::warn!("memory_file={} was left by no graceful stop: the cache starts empty", path.display());
        }
        return Ok((Store::new(config).map_err(no_memory)?, Clock::start()));
    };
    // The time that taking over needs passes for the items, too.
    let moment = Moment::now();
    match Store::restore(config.clone(), &state, moment.unix) {
        Ok(Restored { store, now }) => {
            tell_restored(&store, path, begun.elapsed());
            Ok((store, Clock::showing(now, moment)))
        }
        Err(refusal) => {
            tell_refused(path, &refusal);
            Ok((Store::new(config).map_err(no_memory)?, Clock::start()))
        }
    }
}

/// Leaves the cache to the next server. The workers have ended.
pub(super) fn leave(file: &MemoryFile, shared: &Shared) {
    let begun = Instant::now();
    let path = file.path().display();
    let items = shared.store.totals().curr_items;
    let Ok(state) = shared.store.save(shared.clock.shown(), wall_clock()) else {
        log::warn!("memory_file={path} is of no use: a value was still being received; the next start is empty");
        return;
    };
    match file.write_state(&state) {
        Ok(()) => log::info!("left memory_file={path} items={items} ms={}", begun.elapsed().as_millis()),
        Err(error) => log::error!("cannot write the state of memory_file={path}: {error}; the next start is empty"),
    }
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::new(exit_status::OS_ERROR, format_args!("cannot use memory_file={}: {error}", path.display()))
}

fn tell_restored(store: &Store, path: &Path, time: Duration) {
    let totals = store.totals();
    let per_second = totals.curr_items as f64 / time.as_secs_f64().max(0.001);
    log::info!(
        "restored memory_file={} items={} bytes={} ms={} items_per_second={per_second:.0}",
        path.display(),
        totals.curr_items,
        totals.bytes,
        time.as_millis()
    );
}

fn tell_refused(path: &Path, refusal: &Refusal) {
    log::warn!("memory_file={} is not taken over, the cache starts empty: {refusal}", path.display());
}

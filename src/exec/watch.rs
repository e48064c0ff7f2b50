//! What commands tell those who watch, and who may watch. Nothing here costs more than one relaxed load while nobody
//! does.
//!
//! While somebody does, items are looked at once more beside the command itself. Another client's command can come in
//! between, so a line may describe an item as it was a moment before or after.

use super::Context;
use crate::clock::NEVER;
use crate::command::{Mode, WatchKinds};
use crate::store::{DeltaOutcome, DeltaTerms, Glance, Miss, Outcome, Put, Remains, Removal, RemoveOutcome};
use crate::watch::{Event, Seat, Status};

/// What became of watch.
#[derive(Debug)]
pub enum WatchOutcome {
    /// The connection is a watcher's from now on.
    Seated(Seat),
    /// `-W`.
    Refused,
    /// It came together with requests before it.
    Pipelined,
    /// A word is no kind of event.
    UnknownKind,
    /// There are enough watchers.
    TooMany,
}

/// The command that deletes an item, as watchers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// delete.
    Delete,
    /// md.
    Meta,
}

/// What is under a key before a command changes it; `None` when nobody wants to know.
pub(super) type Before = Option<Result<Glance, Miss>>;

impl Context<'_> {
    /// watch, for events of `kinds` (`None`: a word was none of them). `is_first`: no request came before it in the
    /// same batch.
    pub fn watch(&self, kinds: Option<WatchKinds>, is_first: bool) -> WatchOutcome {
        if !self.shared.settings.watch {
            return WatchOutcome::Refused;
        }
        if !is_first {
            return WatchOutcome::Pipelined;
        }
        let Some(kinds) = kinds else { return WatchOutcome::UnknownKind };
        self.shared.watch.seat(kinds).map_or(WatchOutcome::TooMany, WatchOutcome::Seated)
    }

    /// What is under `key` now, if events of `kind` are watched.
    #[inline]
    pub(super) fn before(&self, kind: WatchKinds, key: &[u8]) -> Before {
        if self.shared.watch.wants(kind) { Some(self.shared.store.glance(key, self.now)) } else { None }
    }

    /// A command looks `key` up.
    #[inline]
    pub(super) fn note_lookup(&self, key: &[u8]) {
        if let Some(found) = self.before(WatchKinds::FETCHERS, key) {
            self.tell_lookup(key, found);
        }
    }

    #[cold]
    pub(super) fn tell_lookup(&self, key: &[u8], found: Result<Glance, Miss>) {
        let (status, class, size) = match found {
            Ok(item) => (Status::Found, item.class, item.value_len),
            Err(Miss::Absent) => (Status::NotFound, 0, 0),
            Err(Miss::Expired) => (Status::Expired, 0, 0),
            Err(Miss::Flushed) => (Status::Flushed, 0, 0),
        };
        self.shared.watch.note(&Event::Fetched { key, status, class, fd: self.fd, size });
    }

    /// A storage command is through; `before` is what was under its key.
    #[inline]
    pub(super) fn note_stored(&self, put: &Put<'_>, value_len: usize, before: Before, outcome: Outcome) {
        // What finds no room is refused before anything is looked up.
        if let Some(found) = before
            && !matches!(outcome, Outcome::TooLarge | Outcome::NoMemory)
        {
            self.tell_lookup(put.key, found);
        }
        if self.shared.watch.wants(WatchKinds::MUTATIONS) {
            self.tell_stored(put, value_len, outcome);
        }
    }

    #[cold]
    fn tell_stored(&self, put: &Put<'_>, value_len: usize, outcome: Outcome) {
        let (status, item) = match outcome {
            Outcome::Stored { .. } => return self.tell_new(put, value_len),
            Outcome::NotStored => ("not_stored", self.offered(put, value_len)),
            Outcome::Exists => ("exists", self.offered(put, value_len)),
            Outcome::NotFound => ("not_found", self.offered(put, value_len)),
            Outcome::TooLarge => ("too_large", NOTHING),
            Outcome::NoMemory => ("no_memory", NOTHING),
        };
        self.tell_value(put, status, item);
    }

    /// What was stored, as it is now: append and prepend keep the expiry and make the value longer.
    fn tell_new(&self, put: &Put<'_>, value_len: usize) {
        // It can be gone again, or have been stored expired.
        let item = self.shared.store.glance(put.key, self.now).unwrap_or_else(|_| self.offered(put, value_len));
        self.tell_value(put, "stored", item);
    }

    /// The item that a value would make.
    fn offered(&self, put: &Put<'_>, value_len: usize) -> Glance {
        let class = self.shared.store.class_for(put.key, put.client_flags, value_len);
        Glance { class, value_len, expiry: put.expiry }
    }

    fn tell_value(&self, put: &Put<'_>, status: &'static str, item: Glance) {
        let Glance { class, value_len: size, expiry } = item;
        let command = match put.mode {
            Mode::Set => "set",
            Mode::Add => "add",
            Mode::Replace => "replace",
            Mode::Append => "append",
            Mode::Prepend => "prepend",
            Mode::Cas(_) => "cas",
        };
        // Below 0 for a value that was stored expired, which memcached prints as a large number.
        let ttl = if expiry == NEVER { 0 } else { expiry.wrapping_sub(self.now) };
        self.shared.watch.note(&Event::Stored { key: put.key, status, command, ttl, class, fd: self.fd, size });
    }

    /// incr and its kin are through; a number that was not there before was stored.
    #[inline]
    pub(super) fn note_number(&self, terms: &DeltaTerms, key: &[u8], outcome: DeltaOutcome) {
        if let DeltaOutcome::Value { created: true, .. } = outcome
            && let Some(create) = terms.create
            && self.shared.watch.wants(WatchKinds::MUTATIONS)
        {
            let digits = create.initial.checked_ilog10().unwrap_or(0) as usize + 1;
            self.tell_new(&Put { key, client_flags: 0, expiry: create.expiry, mode: Mode::Add }, digits);
        }
    }

    /// A deleting command is through; `before` is what was under its key.
    #[inline]
    pub(super) fn note_removed(
        &self,
        key: &[u8],
        removal: &Removal,
        command: Deletion,
        before: Before,
        outcome: RemoveOutcome,
    ) {
        const CONCERNED: WatchKinds = WatchKinds::FETCHERS.and(WatchKinds::MUTATIONS).and(WatchKinds::DELETIONS);
        if self.shared.watch.wants(CONCERNED) {
            self.tell_removed(key, removal, command, before, outcome);
        }
    }

    #[cold]
    fn tell_removed(&self, key: &[u8], removal: &Removal, command: Deletion, before: Before, outcome: RemoveOutcome) {
        if let Some(found) = before {
            self.tell_lookup(key, found);
        }
        if outcome != RemoveOutcome::Done {
            return;
        }
        if let Remains::Empty { client_flags, expiry } | Remains::StaleEmpty { client_flags, expiry } = removal.remains
        {
            self.tell_new(&Put { key, client_flags, expiry, mode: Mode::Set }, 0);
        }
        let Some(Ok(item)) = before else { return };
        let size = match removal.remains {
            Remains::Nothing => item.value_len,
            Remains::Empty { .. } => 0,
            // Nothing was deleted.
            Remains::Stale { .. } | Remains::StaleEmpty { .. } => return,
        };
        let command = match command {
            Deletion::Delete => "delete",
            Deletion::Meta => "md",
        };
        self.shared.watch.note(&Event::Deleted { key, command, class: item.class, size });
    }
}

/// What stands in a line about a value that was never placed.
const NOTHING: Glance = Glance { class: 0, value_len: 0, expiry: NEVER };

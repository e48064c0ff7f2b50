//! append and prepend to what does not fit in a megabyte: the joined value is built beside the old one, a megabyte at a
//! time and without the lock, and then takes its place, if the old one is still there. So readers see the old value or
//! the new one, and nobody waits for the copy. If somebody else was faster, it begins again with what is there now.

use super::large::{Chain, Span};
use super::shard::Shard;
use super::upload::{Attempt, Finish, Upload};
use super::{Mode, Outcome, Store};
use crate::clock::Seconds;
use crate::slab::items::{Handle, Head, Items, state};

/// The longest joined value that is copied under the lock, in bytes: `-I 1m` allows no longer one.
pub(super) const JOINED_AT_ONCE_MAX: usize = 1 << 20;

/// Bytes that one step copies.
const STEP_BYTES: usize = 1 << 20;

/// Chunks taken under one lock.
const CHUNKS_TAKEN: usize = 8;

/// A value that is being joined to an old one.
#[derive(Debug)]
pub(super) struct Join {
    /// Pinned.
    old: Handle,
    joined: Chain,
    /// The two parts in their order.
    sources: [Source; 2],
}

/// What is still to be copied of a value.
#[derive(Clone, Copy, Debug)]
struct Source {
    span: Span,
    left: usize,
}

impl Source {
    fn of(items: &Items, item: Handle) -> Source {
        Source { span: items.first_span(item), left: items.value_len(item) }
    }
}

impl Store {
    /// Whether append and prepend may take more than one step, so that they want an [`Upload`].
    #[inline]
    pub fn joins_in_steps(&self) -> bool {
        self.inner.config.item_max_bytes as usize > JOINED_AT_ONCE_MAX
    }
}

impl Shard {
    /// Begins to join the complete value of `chain` to that of `old`; `None` when there is no memory for it.
    pub(super) fn start_join(&mut self, chain: &Chain, old: Handle, mode: Mode, now: Seconds) -> Option<Join> {
        if self.pins(old) == u16::MAX {
            return None;
        }
        let items = self.items();
        let key = items.key(old).to_vec();
        let head = Head {
            key: &key,
            client_flags: items.client_flags(old),
            expiry: items.expiry(old),
            accessed: now,
            value_len: items.value_len(old) + items.value_len(chain.item),
        };
        let mut sources = [old, chain.item].map(|item| Source::of(items, item));
        if mode == Mode::Prepend {
            sources.reverse();
        }
        // Making room may not take the old item away.
        self.pin_regardless(old);
        let Some(joined) = self.start_chain(&head, now) else {
            self.unpin(old);
            return None;
        };
        Some(Join { old, joined, sources })
    }

    /// Ends an attempt. What was copied goes with it.
    pub(super) fn abandon_join(&mut self, join: &Join) {
        self.abandon_chain(&join.joined);
        self.unpin(join.old);
    }

    /// Puts the joined value in the place of the old one, which is still there.
    fn publish_join(&mut self, hash: u64, join: &mut Join, now: Seconds, cas: u64) -> Outcome {
        let items = self.items_mut();
        let expiry = items.expiry(join.old);
        let form = items.state(join.old) & state::BINARY_KEY;
        items.set_accessed(join.joined.item, now);
        items.set_expiry(join.joined.item, expiry);
        let outcome = self.publish_chain(hash, &join.joined, cas, expiry, now);
        if matches!(outcome, Outcome::Stored { .. }) {
            self.mark(join.joined.item, form);
        }
        self.unpin(join.old);
        outcome
    }
}

impl Upload {
    /// Goes on with a join: copies a megabyte, or puts the joined value in its place.
    pub(super) fn go_on(mut self, mut join: Join, now: Seconds) -> Finish {
        match self.copy(&mut join, now) {
            Copied::Some => {
                self.join = Some(join);
                Finish::Later(Box::new(self))
            }
            Copied::All => self.conclude(join, now),
            Copied::NoMemory => {
                self.lock().abandon_join(&join);
                Finish::Done(Outcome::NotStored)
            }
        }
    }

    fn copy(&mut self, join: &mut Join, now: Seconds) -> Copied {
        let mut copied = 0;
        while copied < STEP_BYTES {
            let Some(source) = join.sources.iter_mut().find(|source| source.left > 0) else { return Copied::All };
            let Some(&(to, room)) = join.joined.open.front() else {
                let mut shard = self.lock();
                if (0..CHUNKS_TAKEN).take_while(|_| shard.extend_chain(&mut join.joined, now)).count() == 0 {
                    return Copied::NoMemory;
                }
                continue;
            };
            let len = room.min(source.span.len).min(source.left);
            // What is being built is known to nobody else, and what is copied is pinned or this upload's own.
            self.items.arena.copy_within(source.span.at, to, len);
            join.joined.filled(len);
            source.left -= len;
            source.span.at += len;
            source.span.len -= len;
            if source.span.len == 0 {
                source.span = self.items.next_span(source.span);
            }
            copied += len;
        }
        Copied::Some
    }

    fn conclude(self, mut join: Join, now: Seconds) -> Finish {
        let mut shard = self.lock();
        let cas = self.next_cas();
        shard.begin(now);
        if shard.live(self.hash, &self.key, now) == Some(join.old) {
            let outcome = shard.publish_join(self.hash, &mut join, now, cas);
            return Finish::Done(outcome);
        }
        shard.abandon_join(&join);
        drop(shard);
        self.decide(now, Attempt::Further)
    }
}

/// How far a step came.
enum Copied {
    Some,
    All,
    NoMemory,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{NEVER, START};
    use crate::store::tests::{finish, get_at, verify, verify_nothing_held};
    use crate::store::{Config, Put};

    const LEN: usize = 5 << 20;

    fn store() -> Store {
        Store::new(Config { item_max_bytes: 16 << 20, ..Config::new(128 << 20, 1) }).expect("address space")
    }

    fn upload(store: &Store, mode: Mode, value: &[u8]) -> Upload {
        let put = Put { key: b"k", client_flags: 7, expiry: NEVER, mode };
        let mut upload = store.upload(&put, value.len(), START).expect("memory");
        upload.write(value, START).expect("memory");
        upload
    }

    fn set(store: &Store, value: &[u8]) {
        assert!(matches!(finish(upload(store, Mode::Set, value), START), Outcome::Stored { .. }));
    }

    fn some(value: &[u8]) -> Option<Vec<u8>> {
        Some(value.to_vec())
    }

    fn later(finish: Finish) -> Upload {
        match finish {
            Finish::Later(upload) => *upload,
            Finish::Done(outcome) => panic!("done: {outcome:?}"),
        }
    }

    #[test]
    fn long_values_are_joined_at_either_end_and_seen_whole() {
        let store = store();
        let first: Vec<u8> = (0..LEN).map(|n| (n % 251) as u8).collect();
        for (mode, part_len) in [(Mode::Append, 3), (Mode::Prepend, 3), (Mode::Append, LEN), (Mode::Prepend, LEN)] {
            set(&store, &first);
            let part: Vec<u8> = (0..part_len).map(|n| (n % 239) as u8).collect();
            let mut joining = upload(&store, mode, &part);
            let mut steps = 0;
            let outcome = loop {
                match joining.finish(START) {
                    Finish::Done(outcome) => break outcome,
                    Finish::Later(rest) => joining = *rest,
                }
                steps += 1;
                assert_eq!(get_at(&store, b"k", START), some(&first));
            };
            assert!(steps >= LEN / STEP_BYTES, "{steps}");
            assert!(matches!(outcome, Outcome::Stored { value_len, .. } if value_len == LEN + part_len));
            let parts = if mode == Mode::Append { [&first[..], &part] } else { [&part[..], &first] };
            assert_eq!(get_at(&store, b"k", START), Some(parts.concat()));
            verify(&store);
        }
        store.delete(b"k", START).expect("there");
        store.flush(START, START);
        verify_nothing_held(&store);
        verify(&store);
    }

    #[test]
    fn a_value_that_changes_meanwhile_is_joined_as_it_is_then() {
        let store = store();
        set(&store, &[b'a'; LEN]);
        let joining = later(later(upload(&store, Mode::Append, b"+").finish(START)).finish(START));
        set(&store, &[b'b'; LEN]);
        assert!(matches!(finish(joining, START), Outcome::Stored { .. }));
        assert_eq!(get_at(&store, b"k", START), Some([&[b'b'; LEN][..], b"+"].concat()));
        let joining = later(upload(&store, Mode::Append, b"+").finish(START));
        set(&store, b"short");
        assert!(matches!(finish(joining, START), Outcome::Stored { .. }));
        assert_eq!(get_at(&store, b"k", START), some(b"short+"));
        set(&store, &[b'a'; LEN]);
        let joining = later(upload(&store, Mode::Append, b"+").finish(START));
        store.delete(b"k", START).expect("there");
        assert_eq!(finish(joining, START), Outcome::NotStored);
        verify_nothing_held(&store);
        verify(&store);
    }

    #[test]
    fn an_abandoned_join_leaves_the_old_value_and_no_trace() {
        let store = store();
        set(&store, &[b'a'; LEN]);
        drop(later(later(upload(&store, Mode::Append, &[b'b'; LEN]).finish(START)).finish(START)));
        assert_eq!(get_at(&store, b"k", START), some(&[b'a'; LEN]));
        assert_eq!(finish(upload(&store, Mode::Append, &[b'b'; 12 << 20]), START), Outcome::NotStored, "-I");
        verify_nothing_held(&store);
        verify(&store);
    }
}

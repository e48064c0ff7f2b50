//! Whether a history of operations of several threads can be told as one operation after the other.
//!
//! The judgement is that of Wing and Gong, made while the history goes by: a set of all worlds that are possible so far,
//! each a state and the operations under way that have taken effect in it. An answer that none of them gives ends it. As
//! a thread has one operation at a time, there are few.

use std::collections::HashSet;
use std::hash::Hash;

/// Something that operations change.
pub(crate) trait Object: Clone + Eq + Hash {
    type Operation;

    /// The state behind an operation with this answer, if it can give it.
    fn step(&self, operation: &Self::Operation) -> Option<Self>;
}

/// One operation with its answer. No two moments of a history are alike.
#[derive(Clone, Debug)]
pub(crate) struct Entry<O> {
    /// Below 64.
    pub(crate) thread: usize,
    pub(crate) called: u64,
    pub(crate) answered: u64,
    pub(crate) operation: O,
}

/// The first entry, in the order of answers, that no order explains.
pub(crate) fn unexplained<S: Object>(history: &[Entry<S::Operation>], initial: S) -> Option<&Entry<S::Operation>> {
    let calls = history.iter().map(|entry| (entry.called, false, entry));
    let answers = history.iter().map(|entry| (entry.answered, true, entry));
    let mut moments: Vec<_> = calls.chain(answers).collect();
    moments.sort_by_key(|(at, ..)| *at);
    let mut under_way: Vec<&Entry<S::Operation>> = Vec::new();
    let mut worlds = HashSet::from([(initial, 0u64)]);
    for (_, is_answer, entry) in moments {
        if !is_answer {
            under_way.push(entry);
            continue;
        }
        worlds = with_effect(worlds, &under_way, entry.thread);
        if worlds.is_empty() {
            return Some(entry);
        }
        under_way.retain(|other| other.thread != entry.thread);
    }
    None
}

/// All worlds in which the operation of `thread` has taken effect, behind any of the others under way. It is forgotten in
/// them, as it is over.
fn with_effect<S: Object>(
    worlds: HashSet<(S, u64)>,
    under_way: &[&Entry<S::Operation>],
    thread: usize,
) -> HashSet<(S, u64)> {
    let mut seen = worlds.clone();
    let mut open: Vec<(S, u64)> = worlds.into_iter().collect();
    let mut explained = HashSet::new();
    while let Some((state, done)) = open.pop() {
        if done & 1 << thread != 0 {
            explained.insert((state, done & !(1 << thread)));
            continue;
        }
        for entry in under_way.iter().filter(|entry| done & 1 << entry.thread == 0) {
            if let Some(next) = state.step(&entry.operation) {
                let world = (next, done | 1 << entry.thread);
                if seen.insert(world.clone()) {
                    open.push(world);
                }
            }
        }
    }
    explained
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Register(u32);

    enum Act {
        Write(u32),
        Read(u32),
    }

    impl Object for Register {
        type Operation = Act;

        fn step(&self, operation: &Act) -> Option<Register> {
            match operation {
                Act::Write(value) => Some(Register(*value)),
                Act::Read(value) => (*value == self.0).then(|| self.clone()),
            }
        }
    }

    fn entry(thread: usize, called: u64, answered: u64, operation: Act) -> Entry<Act> {
        Entry { thread, called, answered, operation }
    }

    fn first_wrong(history: &[Entry<Act>]) -> Option<u64> {
        unexplained(history, Register(0)).map(|entry| entry.answered)
    }

    #[test]
    fn overlapping_operations_may_take_effect_in_any_order() {
        for seen in [0, 1, 2] {
            let history =
                [entry(0, 0, 10, Act::Write(1)), entry(1, 1, 9, Act::Write(2)), entry(2, 2, 3, Act::Read(seen))];
            assert_eq!(first_wrong(&history), None, "{seen}");
        }
    }

    #[test]
    fn a_read_of_what_was_overwritten_before_it_began_is_wrong() {
        let history = [entry(0, 0, 1, Act::Write(1)), entry(0, 2, 3, Act::Write(2)), entry(1, 4, 5, Act::Read(1))];
        assert_eq!(first_wrong(&history), Some(5));
    }

    #[test]
    fn two_readers_must_agree_on_the_order() {
        let reads = |first: u32, second: u32| {
            [
                entry(0, 0, 20, Act::Write(1)),
                entry(1, 1, 21, Act::Write(2)),
                entry(2, 2, 3, Act::Read(first)),
                entry(3, 4, 5, Act::Read(second)),
                entry(2, 6, 7, Act::Read(first)),
            ]
        };
        assert_eq!(first_wrong(&reads(1, 2)), Some(7), "1, 2, 1 would take a third write");
        assert_eq!(first_wrong(&reads(2, 2)), None);
    }
}

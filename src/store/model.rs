//! The store against a model of it: whatever is evicted, what is found is right.
//!
//! The model knows what the store may hold at most. That the store has evicted an item it learns when the store denies
//! it; from then on the item must stay away until something is stored again.

use std::collections::HashMap;

use proptest::prelude::*;

use super::lease::Create;
use super::remove::{Remains, Removal, RemoveOutcome};
use super::terms::{CreateNumber, DeltaTerms, Missing, Older, Terms};
use super::tests::{finish, verify, verify_nothing_held};
use super::*;
use crate::clock::{NEVER, START};
use crate::command::{Delta, KeyForm};

#[derive(Clone, Debug)]
enum Op {
    Put { key: u8, how: How, value: Value, ttl: u32 },
    Number { key: u8, delta: Delta, aim: Aim, create: bool },
    Read { key: u8, how: Reading },
    Pin { key: u8 },
    Unpin,
    Remove { key: u8, what: Leave, aim: Aim, ttl: u32 },
    Upload { key: u8, len: usize, finish: bool },
    Flush { delay: u32 },
    Wait { secs: u32 },
    Maintain,
    Limit { mib: u64 },
}

/// The mode of a put, and what it asks beyond that.
#[derive(Clone, Copy, Debug)]
enum How {
    Set,
    Add,
    Replace,
    Join { mode: Mode, aim: Aim, create: bool },
    Cas { aim: Aim, older: Older },
}

/// Which CAS number a command names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    Any,
    Right,
    Lower,
    Higher,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    Letters(usize),
    Number(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Get,
    Look,
    Touch(u32),
    Create(u32),
    Claim,
}

#[derive(Clone, Copy, Debug)]
enum Leave {
    Nothing,
    Empty,
    Stale,
    StaleUntil,
    StaleEmpty,
}

fn lengths() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0usize..300, 3 => 300usize..20_000, 2 => 32_600usize..33_000, 2 => 33_000usize..300_000]
}

fn values() -> impl Strategy<Value = Value> {
    let numbers = prop_oneof![0u64..1000, Just(u64::MAX - 3)];
    prop_oneof![4 => lengths().prop_map(Value::Letters), 1 => numbers.prop_map(Value::Number)]
}

fn aims() -> impl Strategy<Value = Aim> {
    prop_oneof![3 => Just(Aim::Any), 3 => Just(Aim::Right), 1 => Just(Aim::Lower), 1 => Just(Aim::Higher)]
}

fn hows() -> impl Strategy<Value = How> {
    let modes = prop_oneof![Just(Mode::Append), Just(Mode::Prepend)];
    let joins = (modes, aims(), any::<bool>()).prop_map(|(mode, aim, create)| How::Join { mode, aim, create });
    let olders = prop_oneof![Just(Older::Refuse), Just(Older::Stale)];
    let compared = (aims(), olders).prop_map(|(aim, older)| How::Cas { aim, older });
    prop_oneof![8 => Just(How::Set), 2 => Just(How::Add), 2 => Just(How::Replace), 4 => joins, 4 => compared]
}

fn readings() -> impl Strategy<Value = Reading> {
    prop_oneof![
        6 => Just(Reading::Get),
        1 => Just(Reading::Look),
        2 => (0u32..20).prop_map(Reading::Touch),
        2 => (0u32..20).prop_map(Reading::Create),
        1 => Just(Reading::Claim),
    ]
}

fn deltas() -> impl Strategy<Value = Delta> {
    (prop_oneof![0u64..2000, Just(u64::MAX)], any::<bool>())
        .prop_map(|(by, up)| if up { Delta::Incr(by) } else { Delta::Decr(by) })
}

fn leaves() -> impl Strategy<Value = Leave> {
    prop_oneof![
        3 => Just(Leave::Nothing),
        1 => Just(Leave::Empty),
        1 => Just(Leave::Stale),
        1 => Just(Leave::StaleUntil),
        1 => Just(Leave::StaleEmpty),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = 0u8..60;
    let op = prop_oneof![
        16 => (key.clone(), hows(), values(), 0u32..20).prop_map(|(key, how, value, ttl)| Op::Put { key, how, value, ttl }),
        4 => (key.clone(), deltas(), aims(), any::<bool>())
            .prop_map(|(key, delta, aim, create)| Op::Number { key, delta, aim, create }),
        10 => (key.clone(), readings()).prop_map(|(key, how)| Op::Read { key, how }),
        3 => key.clone().prop_map(|key| Op::Pin { key }),
        2 => Just(Op::Unpin),
        3 => (key.clone(), leaves(), aims(), 0u32..20)
            .prop_map(|(key, what, aim, ttl)| Op::Remove { key, what, aim, ttl }),
        3 => (key, lengths(), any::<bool>()).prop_map(|(key, len, finish)| Op::Upload { key, len, finish }),
        1 => (0u32..5).prop_map(|delay| Op::Flush { delay }),
        2 => (0u32..5).prop_map(|secs| Op::Wait { secs }),
        2 => Just(Op::Maintain),
        1 => (1u64..3).prop_map(|mib| Op::Limit { mib }),
    ];
    proptest::collection::vec(op, 1..250)
}

/// An item as the model remembers it, or as the store shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    value: Vec<u8>,
    client_flags: u32,
    expiry: Seconds,
    cas: u64,
    marks: Marks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Marks {
    stale: bool,
    claimed: bool,
}

impl Item {
    fn seen(found: &Found<'_>) -> Item {
        let mut value = Vec::new();
        found.copy_to(&mut value);
        assert_eq!(value.len(), found.value_len());
        let marks = Marks { stale: found.is_stale(), claimed: found.is_claimed() };
        Item { value, client_flags: found.client_flags(), expiry: found.expiry(), cas: found.cas(), marks }
    }
}

/// The number that a value begins with: digits, and its end or a blank behind them, whatever follows that.
fn number_in(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.split(' ').next()?.parse().ok()
}

fn key_of(key: u8) -> Vec<u8> {
    // Keys of very different lengths.
    format!("{key}-{}", "k".repeat(usize::from(key) * 4)).into_bytes()
}

/// A store, and what it may hold at most.
struct Model {
    store: Store,
    items: HashMap<u8, Item>,
    pins: Vec<(Pinned, Vec<u8>)>,
    now: Seconds,
    flush_at: Option<Seconds>,
    last_cas: u64,
    /// Other for each operation, so that values differ.
    fill: u8,
}

impl Model {
    fn wait(&mut self, secs: u32) {
        self.now += secs;
        if self.flush_at.is_some_and(|at| at <= self.now) {
            self.items.clear();
            self.flush_at = None;
        }
        let now = self.now;
        self.items.retain(|_, item| item.expiry == NEVER || item.expiry > now);
    }

    fn until(&self, ttl: u32) -> Seconds {
        if ttl == 0 { NEVER } else { self.now + ttl }
    }

    fn known(&self, key: u8) -> &Item {
        self.items.get(&key).expect("the store found what should be gone")
    }

    /// The number that `aim` names.
    fn aimed(&self, key: u8, aim: Aim) -> Option<u64> {
        let right = self.items.get(&key).map_or(7, |item| item.cas);
        match aim {
            Aim::Any => None,
            Aim::Right => Some(right),
            Aim::Lower => Some(right - 1),
            Aim::Higher => Some(right + 1),
        }
    }

    fn check_aim(&self, key: u8, cas: Option<u64>) {
        assert!(cas.is_none_or(|cas| cas == self.known(key).cas), "key {key}: changed in spite of its CAS number");
    }

    fn check_refusal(&self, key: u8, cas: Option<u64>) {
        assert!(cas.is_some_and(|cas| cas != self.known(key).cas), "key {key}: refused for its own CAS number");
    }

    /// A new CAS number is higher than all before it.
    fn note_cas(&mut self, cas: u64) {
        assert!(cas > self.last_cas, "CAS number {cas} after {}", self.last_cas);
        self.last_cas = cas;
    }

    /// What the store holds of a key that was just changed.
    fn look(&self, key: u8) -> Item {
        self.store.inspect(&key_of(key), self.now, Item::seen).expect("it was just changed")
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Put { key, how, value, ttl } => {
                let value = match value {
                    Value::Letters(len) => vec![b'a' + self.fill % 26; len],
                    Value::Number(number) => number.to_string().into_bytes(),
                };
                self.put(key, how, &value, self.until(ttl));
            }
            Op::Number { key, delta, aim, create } => self.number(key, delta, aim, create),
            Op::Read { key, how } => self.read(key, how),
            Op::Pin { key } => {
                if let Ok(Some(pinned)) = self.store.fetch(&key_of(key), &Fetch::GET, self.now, |found| found.pin()) {
                    let value = self.known(key).value.clone();
                    self.pins.push((pinned, value));
                }
            }
            Op::Unpin if self.pins.is_empty() => {}
            Op::Unpin => {
                let at = usize::from(self.fill) % self.pins.len();
                let (pinned, value) = self.pins.swap_remove(at);
                check_pin(&pinned, &value);
            }
            Op::Remove { key, what, aim, ttl } => self.remove(key, what, aim, self.until(ttl)),
            Op::Upload { key, len, finish } => self.upload(key, len, finish),
            Op::Flush { delay } => {
                self.store.flush(self.now + delay, self.now);
                self.flush_at = Some(self.now + delay);
                self.wait(0);
            }
            Op::Wait { secs } => self.wait(secs),
            Op::Maintain => {
                self.store.shrink(self.now);
                self.store.maintain(1, Sweep::On, self.now, || ());
            }
            Op::Limit { mib } => {
                self.store.set_memory_limit(mib << 20);
            }
        }
    }

    fn put(&mut self, key: u8, how: How, value: &[u8], expiry: Seconds) {
        let mut terms = Terms::PLAIN;
        let mode = match how {
            How::Set => Mode::Set,
            How::Add => Mode::Add,
            How::Replace => Mode::Replace,
            How::Join { mode, aim, create } => {
                terms.compare = self.aimed(key, aim);
                terms.missing = if create { Missing::Create } else { Missing::Refuse };
                mode
            }
            How::Cas { aim, older } => {
                terms.older = older;
                Mode::Cas(self.aimed(key, aim).unwrap_or(0))
            }
        };
        let client_flags = u32::from(self.fill & 1);
        let outcome =
            self.store.put_on(&terms, &Put { key: &key_of(key), client_flags, expiry, mode }, value, self.now);
        let is_known = self.items.contains_key(&key);
        match (outcome, mode) {
            (Outcome::Stored { cas, value_len }, _) => {
                self.note_cas(cas);
                let new = Item { value: value.to_vec(), client_flags, expiry, cas, marks: Marks::default() };
                let stored = match mode {
                    Mode::Set | Mode::Add => new,
                    Mode::Replace => {
                        assert!(is_known, "key {key}: replaced where nothing was");
                        new
                    }
                    Mode::Cas(asked) if asked == self.known(key).cas => new,
                    Mode::Cas(asked) => {
                        let old = self.known(key);
                        assert!(terms.older == Older::Stale && 0 < asked && asked < old.cas, "key {key}: stored");
                        Item { expiry: old.expiry, marks: Marks { stale: true, ..old.marks }, ..new }
                    }
                    // Where it was evicted, the value may be stored by itself.
                    Mode::Append | Mode::Prepend if terms.missing == Missing::Create && value_len == value.len() => {
                        let seen = self.look(key);
                        if seen.value == value && !(is_known && self.known(key).value.is_empty()) { new } else { seen }
                    }
                    Mode::Append | Mode::Prepend => {
                        self.check_aim(key, terms.compare);
                        let old = self.known(key);
                        let parts = if mode == Mode::Append { [&old.value, value] } else { [value, &old.value] };
                        // Whether marks stay depends on where the longer value lies.
                        Item { value: parts.concat(), cas, marks: self.look(key).marks, ..old.clone() }
                    }
                };
                assert_eq!(value_len, stored.value.len());
                self.items.insert(key, stored);
            }
            (Outcome::NotStored, Mode::Add) => assert!(is_known, "key {key}: something is where nothing should be"),
            (Outcome::NotStored, Mode::Replace) => drop(self.items.remove(&key)),
            // Nothing is there, or it would get too long.
            (Outcome::NotStored, Mode::Append | Mode::Prepend) => {}
            (Outcome::Exists, Mode::Cas(asked)) => self.check_refusal(key, Some(asked)),
            (Outcome::Exists, Mode::Append | Mode::Prepend) => self.check_refusal(key, terms.compare),
            (Outcome::NotFound, Mode::Cas(_)) => drop(self.items.remove(&key)),
            (Outcome::NoMemory, _) => {}
            other => panic!("key {key}: {other:?}"),
        }
    }

    fn number(&mut self, key: u8, delta: Delta, aim: Aim, is_created: bool) {
        let create = is_created.then(|| CreateNumber { initial: u64::from(self.fill), expiry: self.until(9) });
        let terms = DeltaTerms { compare: self.aimed(key, aim), create, ..DeltaTerms::PLAIN };
        match self.store.add_delta_on(&terms, &key_of(key), delta, self.now) {
            DeltaOutcome::Value { number, cas, created: true, .. } => {
                let create = create.expect("nothing was to be created");
                assert_eq!(number, create.initial);
                self.note_cas(cas);
                let value = number.to_string().into_bytes();
                let item = Item { value, client_flags: 0, expiry: create.expiry, cas, marks: Marks::default() };
                self.items.insert(key, item);
            }
            DeltaOutcome::Value { number, cas, expiry, created: false } => {
                self.check_aim(key, terms.compare);
                self.note_cas(cas);
                let old = self.known(key);
                let before = number_in(&old.value).expect("a number");
                let expected = match delta {
                    Delta::Incr(by) => before.wrapping_add(by),
                    Delta::Decr(by) => before.saturating_sub(by),
                };
                assert_eq!((number, expiry), (expected, old.expiry));
                // Blanks behind it, and whether marks stay, depend on where it lies.
                let new = self.look(key);
                assert_eq!(number_in(&new.value), Some(number));
                assert!(new.value.len() <= old.value.len().max(number.to_string().len()));
                assert_eq!((new.cas, new.expiry, new.client_flags), (cas, old.expiry, old.client_flags));
                self.items.insert(key, new);
            }
            DeltaOutcome::NonNumeric => assert_eq!(number_in(&self.known(key).value), None),
            DeltaOutcome::Exists => self.check_refusal(key, terms.compare),
            DeltaOutcome::NotFound => {
                assert!(create.is_none());
                self.items.remove(&key);
            }
            DeltaOutcome::NoMemoryForNew => drop(self.items.remove(&key)),
            DeltaOutcome::NoMemory => {}
        }
    }

    fn read(&mut self, key: u8, how: Reading) {
        let expiry = match how {
            Reading::Touch(ttl) | Reading::Create(ttl) => self.until(ttl),
            _ => NEVER,
        };
        let fetch = match how {
            Reading::Get | Reading::Look | Reading::Claim => Fetch::GET,
            Reading::Touch(_) => Fetch::touch(expiry),
            Reading::Create(_) => {
                Fetch { create: Some(Create { expiry, next_cas: None, key_form: KeyForm::Text }), ..Fetch::GET }
            }
        };
        let seen = if how == Reading::Look {
            self.store.inspect(&key_of(key), self.now, |found| (Item::seen(found), false))
        } else {
            self.store.fetch(&key_of(key), &fetch, self.now, |found| {
                let seen = Item::seen(found);
                if how == Reading::Claim {
                    found.claim();
                }
                (seen, found.created().is_some())
            })
        };
        match seen {
            Err(_) => drop(self.items.remove(&key)),
            Ok((seen, true)) => {
                let cas = seen.cas;
                self.note_cas(cas);
                let created = Item { value: Vec::new(), client_flags: 0, expiry, cas, marks: Marks::default() };
                assert_eq!(seen, created);
                self.items.insert(key, created);
            }
            Ok((seen, false)) => {
                assert!(seen == *self.known(key), "key {key}: {seen:?} instead of {:?}", self.known(key));
                let item = self.items.get_mut(&key).expect("known");
                match how {
                    Reading::Touch(_) => item.expiry = expiry,
                    Reading::Claim => item.marks.claimed = true,
                    _ => {}
                }
            }
        }
    }

    fn remove(&mut self, key: u8, what: Leave, aim: Aim, expiry: Seconds) {
        let client_flags = u32::from(self.fill & 1);
        let remains = match what {
            Leave::Nothing => Remains::Nothing,
            Leave::Empty => Remains::Empty { client_flags, expiry },
            Leave::Stale => Remains::Stale { expiry: None },
            Leave::StaleUntil => Remains::Stale { expiry: Some(expiry) },
            Leave::StaleEmpty => Remains::StaleEmpty { client_flags, expiry },
        };
        let removal = Removal { compare: self.aimed(key, aim), remains, next_cas: None };
        match self.store.remove(&key_of(key), &removal, self.now) {
            RemoveOutcome::Done => {
                self.check_aim(key, removal.compare);
                let old = self.items.remove(&key).expect("known");
                let stale = Marks { stale: true, claimed: false };
                let left = match what {
                    Leave::Nothing => return,
                    Leave::Empty => Item { value: Vec::new(), client_flags, expiry, marks: Marks::default(), ..old },
                    Leave::Stale => Item { marks: stale, ..old },
                    Leave::StaleUntil => Item { expiry, marks: stale, ..old },
                    Leave::StaleEmpty => Item { value: Vec::new(), client_flags, expiry, marks: stale, ..old },
                };
                let cas = self.look(key).cas;
                if matches!(what, Leave::Empty) {
                    assert_eq!(cas, left.cas);
                } else {
                    self.note_cas(cas);
                }
                self.items.insert(key, Item { cas, ..left });
            }
            RemoveOutcome::NotFound(_) => drop(self.items.remove(&key)),
            RemoveOutcome::Exists => self.check_refusal(key, removal.compare),
            RemoveOutcome::NoMemory => {}
        }
    }

    fn upload(&mut self, key: u8, len: usize, is_finished: bool) {
        let put = Put { key: &key_of(key), client_flags: 0, expiry: NEVER, mode: Mode::Set };
        let Ok(mut upload) = self.store.upload(&put, len, self.now) else { return };
        let value = vec![b'a' + self.fill % 26; len];
        if is_finished
            && upload.write(&value, self.now).is_ok()
            && let Outcome::Stored { cas, .. } = finish(upload, self.now)
        {
            self.note_cas(cas);
            self.items.insert(key, Item { value, client_flags: 0, expiry: NEVER, cas, marks: Marks::default() });
        }
    }
}

fn check_pin(pinned: &Pinned, value: &[u8]) {
    let mut slices = Vec::new();
    assert!(pinned.gather(&mut slices, usize::MAX));
    let sent: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
    assert!(sent == *value, "a pinned value changed");
}

fn run(ops: &[Op], memory_bytes: u64, evictions: bool) {
    let store = Store::new(Config { evictions, track_sizes: true, ..Config::new(memory_bytes, 1) }).expect("memory");
    let items = HashMap::new();
    let mut model = Model { store, items, pins: Vec::new(), now: START, flush_at: None, last_cas: 0, fill: 0 };
    for (n, op) in ops.iter().enumerate() {
        model.fill = n as u8;
        model.apply(op);
    }
    for (pinned, value) in model.pins.drain(..) {
        check_pin(&pinned, &value);
    }
    verify(&model.store);
    verify_nothing_held(&model.store);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_found_is_right(ops in ops(), small in any::<bool>(), evictions in any::<bool>()) {
        run(&ops, if small { 1 << 20 } else { 4 << 20 }, evictions);
    }
}

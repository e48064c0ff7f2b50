//! Several threads at few keys: what each was answered fits one order of all operations that keeps to their times.
//!
//! Once straight at the store, where threads meet most often, and once over connections to a server with several
//! workers. `LARDER_HISTORIES` asks for more histories than the usual few.

mod checker;
#[path = "../common/mod.rs"]
mod common;
mod item;

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use checker::{Entry, unexplained};
use common::{Client, Server};
use item::{Act, Answer, Item};
use larder::clock::NEVER;
use larder::command::{Delta, Mode};
use larder::store::{Config, DeltaOutcome, Fetch, Outcome, Put, Store};

const THREADS: usize = 6;
const KEYS: usize = 3;
const ACTS: usize = 300;
const NOW: u32 = 100;

/// Something with keys that threads share.
trait Place {
    fn act(&mut self, key: usize, act: &Act) -> Answer;
}

#[test]
fn threads_at_the_store_see_one_order() {
    let store = Store::new(Config::new(16 << 20, THREADS)).expect("memory");
    run(200, |history| Direct { store: &store, history });
}

#[test]
fn clients_of_a_server_see_one_order() {
    let server = Server::start(&["-t", "4"]);
    run(10, |history| Remote { client: server.connect(), history });
}

/// Has threads do random things with fresh keys, again and again, and judges each key's history by itself.
fn run<P: Place>(histories: u64, place: impl Fn(u64) -> P + Sync) {
    let histories = std::env::var("LARDER_HISTORIES").map_or(histories, |many| many.parse().expect("a number"));
    for history in 0..histories {
        let (moments, begin) = (AtomicU64::new(0), Barrier::new(THREADS));
        let keys: Vec<Vec<Entry<(Act, Answer)>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| {
                    let (moments, begin, place) = (&moments, &begin, &place);
                    scope.spawn(move || {
                        let mut place = place(history);
                        begin.wait();
                        one_thread(thread, history, moments, &mut place)
                    })
                })
                .collect();
            let mut keys = vec![Vec::new(); KEYS];
            for thread in threads {
                for (key, entry) in thread.join().expect("no thread panics") {
                    keys[key].push(entry);
                }
            }
            keys
        });
        for (key, entries) in keys.iter().enumerate() {
            if let Some(wrong) = unexplained(entries, Item::default()) {
                let about_then = entries.iter().filter(|entry| entry.answered + 60 > wrong.called);
                let lines: Vec<_> = about_then.map(|entry| format!("{entry:?}")).collect();
                panic!(
                    "history {history}, key {key}: no order explains {wrong:?}; from then on:\n{}",
                    lines.join("\n")
                );
            }
        }
    }
}

fn one_thread(
    thread: usize,
    history: u64,
    moments: &AtomicU64,
    place: &mut impl Place,
) -> Vec<(usize, Entry<(Act, Answer)>)> {
    let mut random = fastrand::Rng::with_seed(history << 8 | thread as u64);
    let mut seen = [0; KEYS];
    let mut entries = Vec::with_capacity(ACTS);
    for _ in 0..ACTS {
        let key = random.usize(..KEYS);
        let act = some_act(&mut random, seen[key]);
        let called = moments.fetch_add(1, Ordering::SeqCst);
        let answer = place.act(key, &act);
        let answered = moments.fetch_add(1, Ordering::SeqCst);
        if let Answer::Found(_, cas) | Answer::Stored(cas) | Answer::Number(_, cas) = answer {
            seen[key] = cas;
        }
        entries.push((key, Entry { thread, called, answered, operation: (act, answer) }));
    }
    entries
}

fn some_act(random: &mut fastrand::Rng, seen_cas: u64) -> Act {
    let digits = |random: &mut fastrand::Rng| random.u32(..1000).to_string().into_bytes();
    match random.u32(..20) {
        0..5 => Act::Get,
        5 => Act::Set(digits(random)),
        6..8 => Act::Add(digits(random)),
        8 => Act::Replace(digits(random)),
        9..11 => Act::Append(b"7".to_vec()),
        11 => Act::Prepend(b"3".to_vec()),
        12..15 => Act::Cas(seen_cas, digits(random)),
        15..17 => Act::Increment(random.u64(1..100)),
        17 => Act::Decrement(random.u64(1..100)),
        _ => Act::Delete,
    }
}

struct Direct<'a> {
    store: &'a Store,
    history: u64,
}

impl Place for Direct<'_> {
    fn act(&mut self, key: usize, act: &Act) -> Answer {
        let key = format!("{}-{key}", self.history);
        let key = key.as_bytes();
        let put = |mode, value: &[u8]| {
            let put = Put { key, client_flags: 0, expiry: NEVER, mode };
            match self.store.put(&put, value, NOW) {
                Outcome::Stored { cas, .. } => Answer::Stored(cas),
                Outcome::NotStored => Answer::NotStored,
                Outcome::Exists => Answer::Exists,
                Outcome::NotFound => Answer::Missing,
                refused => panic!("{refused:?} with little in the store"),
            }
        };
        let count = |delta| match self.store.add_delta(key, delta, NOW) {
            DeltaOutcome::Value { number, cas, .. } => Answer::Number(number, cas),
            DeltaOutcome::NotFound => Answer::Missing,
            DeltaOutcome::NonNumeric => Answer::NoNumber,
            refused => panic!("{refused:?} of a number"),
        };
        match act {
            Act::Get => {
                let mut value = Vec::new();
                let read = self.store.fetch(key, &Fetch::GET, NOW, |item| {
                    item.copy_to(&mut value);
                    item.cas()
                });
                read.map_or(Answer::Missing, |cas| Answer::Found(value, cas))
            }
            Act::Set(value) => put(Mode::Set, value),
            Act::Add(value) => put(Mode::Add, value),
            Act::Replace(value) => put(Mode::Replace, value),
            Act::Append(piece) => put(Mode::Append, piece),
            Act::Prepend(piece) => put(Mode::Prepend, piece),
            Act::Cas(unique, value) => put(Mode::Cas(*unique), value),
            Act::Increment(delta) => count(Delta::Incr(*delta)),
            Act::Decrement(delta) => count(Delta::Decr(*delta)),
            Act::Delete => self.store.delete(key, NOW).map_or(Answer::Missing, |()| Answer::Deleted),
        }
    }
}

struct Remote {
    client: Client,
    history: u64,
}

impl Place for Remote {
    fn act(&mut self, key: usize, act: &Act) -> Answer {
        let key = format!("{}-{key}", self.history);
        let store = |mode: &str, value: &[u8]| {
            [format!("ms {key} {} c{mode}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
        };
        let request = match act {
            Act::Get => format!("mg {key} v c\r\n").into_bytes(),
            Act::Set(value) => store("", value),
            Act::Add(value) => store(" ME", value),
            Act::Replace(value) => store(" MR", value),
            Act::Append(piece) => store(" MA", piece),
            Act::Prepend(piece) => store(" MP", piece),
            Act::Cas(unique, value) => store(&format!(" C{unique}"), value),
            Act::Increment(delta) => format!("ma {key} v c D{delta}\r\n").into_bytes(),
            Act::Decrement(delta) => format!("ma {key} v c MD D{delta}\r\n").into_bytes(),
            Act::Delete => format!("md {key}\r\n").into_bytes(),
        };
        self.client.send(request);
        let line = String::from_utf8(self.client.line()).expect("text");
        let cas = || line.split(" c").nth(1).and_then(|word| word.parse().ok()).expect("a CAS number was asked for");
        match (line.get(..2), act) {
            (Some("VA"), _) => {
                let bytes = line.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a length");
                let value = self.client.take(bytes);
                self.client.expect("\r\n");
                match act {
                    Act::Get => Answer::Found(value, cas()),
                    _ => Answer::Number(std::str::from_utf8(&value).expect("text").parse().expect("a number"), cas()),
                }
            }
            (Some("HD"), Act::Delete) => Answer::Deleted,
            (Some("HD"), _) => Answer::Stored(cas()),
            (Some("EN" | "NF"), _) => Answer::Missing,
            (Some("NS"), _) => Answer::NotStored,
            (Some("EX"), _) => Answer::Exists,
            (Some("CL"), Act::Increment(_) | Act::Decrement(_)) => Answer::NoNumber,
            _ => panic!("{line:?} to {act:?}"),
        }
    }
}

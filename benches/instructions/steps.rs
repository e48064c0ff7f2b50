//! Steps inside of the crate, each as often as one likes.

use std::hint::black_box;

use larder::clock::{NEVER, START};
use larder::command::Mode;
use larder::protocol::binary::request::Header;
use larder::protocol::meta::parse::{self as meta, Command};
use larder::protocol::text::parse as text;
use larder::store::{Config, Fetch, Put, Removal, Store};

/// Takes the step `name` `count` times.
///
/// # Panics
/// When there is no such step.
pub(crate) fn run(name: &str, count: u64) {
    match name {
        "parse-get" => {
            repeat(count, || assert!(text::parse(black_box(b"get 0123456789abcdef0123456789abcdef\r\n")).is_ok()));
        }
        "parse-set" => {
            let line = b"set 0123456789abcdef0123456789abcdef 0 0 100\r\n";
            repeat(count, || assert!(text::parse(black_box(line)).is_ok()));
        }
        "parse-mg" => {
            let words = b" 0123456789abcdef0123456789abcdef v k q O123";
            repeat(count, || assert!(meta::parse(Command::Get, black_box(words)).is_ok()));
        }
        "parse-binary" => {
            let mut header = [0; 24];
            (header[0], header[1], header[3], header[11]) = (0x80, 0x09, 32, 32);
            repeat(count, || assert!(Header::read(black_box(&header)).is_ok()));
        }
        "store-get" => {
            let store = filled(KEYS);
            let mut n = 0;
            repeat(count, || {
                n = (n + 1) % KEYS;
                let len = store.fetch(&key(n), &Fetch::GET, START, |found| found.parts().value_len);
                assert_eq!(len, Ok(VALUE.len()));
            });
        }
        "store-set" => {
            let store = filled(KEYS);
            let mut n = 0;
            repeat(count, || {
                n = (n + 1) % KEYS;
                put(&store, n);
            });
        }
        "store-add-delete" => {
            // Many, and ever another one: where the index puts a key, and so what it costs, is another place in every
            // process.
            let store = filled(MANY_KEYS);
            let mut n = 0;
            repeat(count, || {
                n = (n + 1) % MANY_KEYS;
                put(&store, MANY_KEYS + 1 + n);
                store.remove(&key(MANY_KEYS + 1 + n), &Removal::PLAIN, START);
            });
        }
        "store-evict" => {
            let store = filled(FULL_KEYS);
            let mut n = FULL_KEYS;
            repeat(count, || {
                n += 1;
                put(&store, n);
            });
        }
        other => panic!("there is no step {other}"),
    }
}

fn repeat(count: u64, mut step: impl FnMut()) {
    for _ in 0..count {
        step();
    }
}

fn filled(keys: u64) -> Store {
    let store = Store::new(Config::new(MEMORY, 1)).expect("address space");
    (0..=keys).for_each(|n| put(&store, n));
    store
}

fn put(store: &Store, n: u64) {
    let put = Put { key: &key(n), client_flags: 0, expiry: NEVER, mode: Mode::Set };
    black_box(store.put(&put, black_box(&VALUE), START));
}

/// Eight bytes of the number, spread, four times.
fn key(n: u64) -> [u8; 32] {
    let bytes = n.to_be_bytes();
    std::array::from_fn(|at| b'a' + (bytes[at % 8] >> (at / 8 * 2) & 0x0f))
}

const MEMORY: u64 = 8 << 20;
const VALUE: [u8; 100] = [b'v'; 100];
const KEYS: u64 = 1000;
const MANY_KEYS: u64 = 20_000;
/// More than fit.
const FULL_KEYS: u64 = 100_000;

//! A cache that ended and begins again over what became of its files: it starts empty, or with items that are right.
//!
//! The input: pieces of four bytes, each of which changes one place: in the state or in the memory, where (as a share of
//! the length) and to what; a piece that begins with 255 cuts the state there.

#![no_main]

use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Duration;

use larder::command::Mode;
use larder::store::{Config, Fetch, Outcome, Put, Store};
use libfuzzer_sys::fuzz_target;

const ITEMS: usize = 40;
const NOW: u32 = 100;
const UNIX: Duration = Duration::from_secs(1_700_000_000);

fuzz_target!(|input: &[u8]| {
    let memory = Arc::new(tempfile::tempfile().expect("a file"));
    let config = Config { memory_file: Some(Arc::clone(&memory)), item_max_bytes: 64 << 10, ..Config::new(8 << 20, 1) };
    let store = Store::new(config.clone()).expect("memory");
    for n in 0..ITEMS {
        let put = Put { key: &key(n), client_flags: n as u32, expiry: u32::MAX, mode: Mode::Set };
        assert!(matches!(store.put(&put, &value(n), NOW), Outcome::Stored { .. }));
    }
    assert!((0..ITEMS).all(|n| store.fetch(&key(n), &Fetch::GET, NOW, |_| ()).is_ok()), "no room for all");
    let mut state = store.save(Duration::from_secs(NOW.into()), UNIX).expect("nothing is being received");
    drop(store);
    let length = memory.metadata().expect("a file").len();
    for piece in input.chunks_exact(4) {
        let place = u64::from(u16::from_be_bytes([piece[1], piece[2]]));
        match piece[0] {
            255 => state.truncate((place as usize).min(state.len())),
            choice if choice % 2 == 0 => {
                let at = place as usize % state.len().max(1);
                if let Some(byte) = state.get_mut(at) {
                    *byte = piece[3];
                }
            }
            choice => {
                let at = (place * 8 + u64::from(choice) / 32) % length;
                memory.write_all_at(&piece[3..], at).expect("room");
            }
        }
    }
    let Ok(restored) = Store::restore(config, &state, UNIX) else { return };
    let mut there = 0;
    for n in 0..ITEMS {
        let found = restored.store.fetch(&key(n), &Fetch::GET, NOW, |item| {
            let mut bytes = Vec::new();
            item.copy_to(&mut bytes);
            (item.client_flags(), bytes)
        });
        if let Ok(found) = found {
            assert!(found == (n as u32, value(n)), "item {n} is another");
            there += 1;
        }
    }
    assert_eq!(there, ITEMS, "some came back and some did not");
});

fn key(n: usize) -> Vec<u8> {
    format!("key-{n}").into_bytes()
}

fn value(n: usize) -> Vec<u8> {
    (0..n * n * 3).map(|at| (at * 31 + n) as u8).collect()
}

//! Stores that end and begin again: everything comes back, or nothing does.

use std::collections::HashMap;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::tests::{get_at, verify};
use super::super::*;
use super::state::{ShardState, State};
use crate::clock::{NEVER, START};

/// Late in its second, and so is the server's clock.
const UNIX: Duration = Duration::from_millis(1_700_000_000_900);
const NOW: Seconds = START + 100;
const SHOWN: Duration = Duration::from_millis(NOW as u64 * 1000 + 700);

fn config(memory_bytes: u64, threads: usize) -> Config {
    let memory_file = Some(Arc::new(tempfile::tempfile().expect("a file")));
    Config { memory_file, item_max_bytes: 4 << 20, ..Config::new(memory_bytes, threads) }
}

fn begin(config: &Config) -> Store {
    Store::new(config.clone()).expect("memory")
}

fn put(store: &Store, key: &str, client_flags: u32, expiry: Seconds, value: &[u8]) -> u64 {
    let put = Put { key: key.as_bytes(), client_flags, expiry, mode: Mode::Set };
    match store.put(&put, value, NOW) {
        Outcome::Stored { cas, .. } => cas,
        other => panic!("{key}: {other:?}"),
    }
}

fn save(store: &Store) -> Vec<u8> {
    store.save(SHOWN, UNIX).expect("nothing is being received")
}

/// Restores it `seconds` later.
fn restore(config: &Config, state: &[u8], seconds: u64) -> Result<Store, Refusal> {
    let passed = Duration::from_secs(seconds);
    let restored = Store::restore(config.clone(), state, UNIX + passed)?;
    assert_eq!(restored.now, SHOWN + passed);
    verify(&restored.store);
    Ok(restored.store)
}

fn again(config: &Config, store: Store, seconds: u64) -> Store {
    let state = save(&store);
    drop(store);
    restore(config, &state, seconds).expect("as it was left")
}

fn value(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + len) as u8).collect()
}

#[test]
fn items_of_all_sizes_come_back_with_flags_expiry_and_cas() {
    for cas in [true, false] {
        let config = Config { cas, ..config(64 << 20, 2) };
        let store = begin(&config);
        assert!(store.inner.slots.len() > 1);
        let mut expected = Vec::new();
        for (n, len) in
            [0, 1, 25, 1000, 32_000, 32_720, 32_768, 40_000, 65_536, 100_000, 3 << 20].into_iter().enumerate()
        {
            for (client_flags, expiry) in [(0, NEVER), (u32::MAX, NEVER), (7, NOW + 1000)] {
                let key = format!("{n}-{client_flags}");
                let unique = put(&store, &key, client_flags, expiry, &value(len));
                expected.push((key, len, client_flags, expiry, unique));
            }
        }
        let before = store.totals();
        let store = again(&config, store, 10);
        let now = NOW + 10;
        let after = store.totals();
        assert_eq!((after.curr_items, after.bytes), (before.curr_items, before.bytes));
        assert_eq!(after.total_items, after.curr_items, "as memcached counts");
        for (key, len, client_flags, expiry, unique) in expected {
            assert_eq!(get_at(&store, key.as_bytes(), now), Some(value(len)), "{key} of {len}");
            let head =
                store.fetch(key.as_bytes(), &Fetch::GET, now, |item| (item.client_flags(), item.expiry(), item.cas()));
            assert_eq!(head, Ok((client_flags, expiry, unique)), "{key} of {len}");
        }
        let next = put(&store, "next", 0, NEVER, b"");
        assert_eq!(next, if cas { 34 } else { 0 }, "CAS numbers go on");
    }
}

#[test]
fn what_expired_meanwhile_is_gone_and_its_memory_free() {
    let config = config(32 << 20, 1);
    let store = begin(&config);
    for (key, expiry) in [("short", NOW + 5), ("long", NOW + 500), ("never", NEVER)] {
        put(&store, key, 0, expiry, b"small");
        put(&store, &format!("{key} large"), 0, expiry, &value(200_000));
    }
    let store = again(&config, store, 5);
    assert_eq!(store.totals().curr_items, 4);
    for key in ["long", "never", "long large", "never large"] {
        assert!(get_at(&store, key.as_bytes(), NOW + 5).is_some(), "{key}");
    }
    let chunks: u64 = store.classes(NOW + 5).iter().map(|class| class.gauges.used_chunks).sum();
    assert_eq!(chunks, 2 + 2 * 7, "two small items and two of 200,000 bytes in chunks of 32 KiB");
    assert_eq!(get_at(&store, b"long", NOW + 500), None);
}

#[test]
fn marks_of_stale_and_claimed_items_stay() {
    let config = config(32 << 20, 1);
    let store = begin(&config);
    let removal = Removal { compare: None, remains: Remains::Stale { expiry: None }, next_cas: None };
    for key in ["stale", "claimed"] {
        put(&store, key, 1, NOW + 50, b"old");
        assert_eq!(store.remove(key.as_bytes(), &removal, NOW), RemoveOutcome::Done);
    }
    store.fetch(b"claimed", &Fetch::GET, NOW, |item| item.claim()).expect("there");
    let store = again(&config, store, 1);
    let marks = |key: &[u8]| store.inspect(key, NOW + 1, |item| (item.is_stale(), item.is_claimed()));
    assert_eq!(marks(b"stale"), Ok((true, false)));
    assert_eq!(marks(b"claimed"), Ok((true, true)));
}

#[test]
fn what_was_pinned_or_half_received_leaves_nothing_behind() {
    let config = config(32 << 20, 1);
    let store = begin(&config);
    for key in ["read", "replaced"] {
        put(&store, key, 0, NEVER, &value(100_000));
    }
    let pin = |key: &[u8]| store.fetch(key, &Fetch::GET, NOW, |item| item.pin()).expect("there");
    let pins = [pin(b"read"), pin(b"replaced")];
    put(&store, "replaced", 0, NEVER, b"new");
    let upload = Put { key: b"half", client_flags: 0, expiry: NEVER, mode: Mode::Set };
    let mut upload = store.upload(&upload, 300_000, NOW).expect("room");
    upload.write(&value(200_000), NOW).expect("room");
    assert_eq!(store.save(SHOWN, UNIX), Err(StillReceiving));
    drop(upload);
    let state = save(&store);
    // Their readers are gone with the server; here they would wait for its lock.
    std::mem::forget(pins);
    drop(store);

    let store = restore(&config, &state, 0).expect("as it was left");
    assert_eq!(get_at(&store, b"read", NOW), Some(value(100_000)));
    assert_eq!(get_at(&store, b"replaced", NOW), Some(b"new".to_vec()));
    assert_eq!(get_at(&store, b"half", NOW), None);
    let chunks: u64 = store.classes(NOW).iter().map(|class| class.gauges.used_chunks).sum();
    assert_eq!(chunks, 4 + 1);
    store.delete(b"read", NOW).expect("there");
    assert_eq!(store.classes(NOW).iter().map(|class| class.gauges.used_chunks).sum::<u64>(), 1, "no pin is left");
}

#[test]
fn a_full_store_comes_back_and_goes_on_evicting_within_its_limit() {
    let config = config(16 << 20, 1);
    let store = begin(&config);
    let fill = |store: &Store, from: usize| {
        for n in from..from + 60_000 {
            put(store, &format!("key{n}"), 0, NEVER, &value(n % 700));
        }
    };
    fill(&store, 0);
    let before = store.totals();
    let store = again(&config, store, 1);
    let after = store.totals();
    assert_eq!((after.curr_items, after.bytes), (before.curr_items, before.bytes));
    assert!(after.resident_pages <= before.resident_pages);
    fill(&store, 60_000);
    verify(&store);
    let resident = store.totals().resident_pages * PAGE as u64;
    assert!(resident + store.totals().index_bytes <= 16 << 20);
    again(&config, store, 1);
}

#[test]
fn a_flush_to_come_comes() {
    let config = config(32 << 20, 1);
    let store = begin(&config);
    put(&store, "k", 0, NEVER, b"v");
    store.flush(NOW + 10, NOW);
    let store = again(&config, store, 5);
    assert!(get_at(&store, b"k", NOW + 9).is_some());
    assert!(get_at(&store, b"k", NOW + 10).is_none());
}

#[test]
fn other_settings_are_told() {
    let config = config(64 << 20, 2);
    let store = begin(&config);
    let state = save(&store);
    let refusal = |config: Config| Store::restore(config, &state, UNIX).expect_err("refused").to_string();
    assert_eq!(refusal(Config { memory_bytes: 32 << 20, ..config.clone() }), "-m was 67108864 and is 33554432");
    assert_eq!(refusal(Config { item_max_bytes: 1 << 20, ..config.clone() }), "-I was 4194304 and is 1048576");
    assert_eq!(refusal(Config { cas: false, ..config.clone() }), "-C was 0 and is 1");
    assert!(Store::restore(Config { evictions: false, ..config }, &state, UNIX).is_ok());
}

/// A small store with an item of each kind, its file's bytes and its state.
fn left_behind() -> (Config, Vec<u8>) {
    let config = Config { item_max_bytes: 128 << 10, ..config(1 << 20, 1) };
    let store = begin(&config);
    put(&store, "small", 0, NEVER, b"value");
    put(&store, "flags", 9, NOW + 100, b"value");
    put(&store, "large", 1, NEVER, &value(100_000));
    put(&store, "gone", 1, NEVER, &value(70_000));
    store.delete(b"gone", NOW).expect("there");
    let state = save(&store);
    (config, state)
}

/// Nothing, or exactly what was left.
fn check_right_or_empty(config: &Config, state: &[u8]) -> bool {
    let Ok(Restored { store, now }) = Store::restore(config.clone(), state, UNIX) else { return false };
    let now = now.as_secs() as Seconds;
    verify(&store);
    for (key, expected) in [("small", b"value".to_vec()), ("flags", b"value".to_vec()), ("large", value(100_000))] {
        assert_eq!(get_at(&store, key.as_bytes(), now), Some(expected), "{key}");
    }
    assert_eq!(store.totals().curr_items, 3);
    true
}

#[test]
fn a_state_with_any_byte_changed_or_missing_is_refused() {
    let (config, state) = left_behind();
    for at in 0..state.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = state.clone();
            damaged[at] ^= change;
            assert!(!check_right_or_empty(&config, &damaged), "byte {at}");
        }
        assert!(!check_right_or_empty(&config, &state[..at]), "cut at {at}");
    }
    assert!(!check_right_or_empty(&config, &[&state[..], b"x"].concat()));
    assert!(check_right_or_empty(&config, &state));
}

#[test]
fn memory_that_is_missing_is_refused() {
    let (config, state) = left_behind();
    let file = config.memory_file.as_ref().expect("a file");
    let len = file.metadata().expect("facts").len();
    for missing in [1, 4096, len - 100, len] {
        file.set_len(len - missing).expect("shorter");
        assert!(!check_right_or_empty(&config, &state), "{missing} bytes less");
    }
}

#[test]
fn nothing_of_an_earlier_life_shows_in_a_store_that_begins_empty() {
    let (config, _) = left_behind();
    let file = config.memory_file.as_ref().expect("a file");
    let store = begin(&config);
    assert_eq!(file.metadata().expect("facts").blocks(), 0, "the memory was given back");
    let store = again(&config, store, 0);
    assert_eq!(store.totals().curr_items, 0);
}

/// The state as it would be had the memory been written by a server: with checksums that are right.
fn forge(config: &Config, state: &[u8]) -> Vec<u8> {
    let mut state = State::decode(state, config).expect("a state");
    let store = Store::over(config.clone(), state.seeds).expect("memory");
    let slot = &store.inner.slots[0];
    let mut shard = slot.shard.lock();
    let ShardState { pages, .. } = &mut state.shards[0];
    for (id, page) in (0..).zip(pages.iter_mut()) {
        if shard.slabs.adopt(page.class, page.carved).is_ok() {
            page.checksum = super::state::checksum(shard.slabs.carved_bytes(&shard.slabs.pages[id as usize], id));
        }
    }
    drop(shard);
    state.encode(config)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 200 }))]

    #[test]
    fn damaged_memory_is_refused_or_does_not_matter(at in 0..512usize << 10, change in 1..=255u8) {
        let (config, state) = left_behind();
        let file = config.memory_file.as_ref().expect("a file");
        let mut byte = [0];
        let at = HEADER_BYTES + at as u64;
        file.read_exact_at(&mut byte, at).expect("read");
        file.write_all_at(&[byte[0] ^ change], at).expect("written");
        check_right_or_empty(&config, &state);
    }

    /// Somebody who may write the file and knows how checksums are made gets no further than into the values.
    #[test]
    fn forged_memory_does_no_harm(
        changes in prop::collection::vec((0..6u64, 0..3u64, 0..40u64, prop_oneof![any::<u8>(), 0..8u8]), 1..6),
    ) {
        let (config, state) = left_behind();
        let file = config.memory_file.as_ref().expect("a file");
        for (page, chunk, byte, value) in changes {
            // The first bytes of chunks, whatever their size.
            let chunk_bytes = [56, 64, 32_768][chunk as usize];
            let at = HEADER_BYTES + page * PAGE as u64 + chunk_bytes * (chunk & 1) + byte;
            file.write_all_at(&[value], at).expect("written");
        }
        let state = forge(&config, &state);
        if let Ok(Restored { store, now }) = Store::restore(config.clone(), &state, UNIX) {
            let now = now.as_secs() as Seconds;
            verify(&store);
            for key in ["small", "flags", "large", "gone"] {
                let _ = get_at(&store, key.as_bytes(), now);
            }
            for n in 0..50 {
                let key = format!("k{n}");
                let put = Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Set };
                store.put(&put, &value(n * 2000), now);
            }
            verify(&store);
            store.flush(now, now);
            verify(&store);
        }
    }

    /// What was there before is there after, through several lives.
    #[test]
    fn lives_follow_each_other(
        lives in prop::collection::vec(
            prop::collection::vec((0..40u8, 0..5u8, 0..120_000usize, any::<bool>()), 1..60), 1..4
        ),
        cas in any::<bool>(),
    ) {
        let config = Config { cas, ..config(64 << 20, 2) };
        let mut store = begin(&config);
        let mut model: HashMap<u8, (Vec<u8>, u32)> = HashMap::new();
        for life in lives {
            for (key, action, len, short) in life {
                let name = format!("key {key}");
                let len = if short { len % 300 } else { len };
                match action {
                    0 => {
                        model.remove(&key);
                        let _ = store.delete(name.as_bytes(), NOW);
                    }
                    1 if model.contains_key(&key) => {
                        let put = Put { key: name.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Append };
                        let outcome = store.put(&put, &value(len), NOW);
                        prop_assert!(matches!(outcome, Outcome::Stored { .. }), "{:?}", outcome);
                        model.entry(key).and_modify(|entry| entry.0.extend(value(len)));
                    }
                    _ => {
                        put(&store, &name, u32::from(action) - u32::from(action.min(3)), NEVER, &value(len));
                        model.insert(key, (value(len), u32::from(action) - u32::from(action.min(3))));
                    }
                }
            }
            store = again(&config, store, 0);
            prop_assert_eq!(store.totals().curr_items as usize, model.len());
            for (key, (value, client_flags)) in &model {
                let name = format!("key {key}");
                let kept = get_at(&store, name.as_bytes(), NOW);
                prop_assert_eq!(kept.as_ref(), Some(value));
                let found = store.fetch(name.as_bytes(), &Fetch::GET, NOW, |item| item.client_flags());
                prop_assert_eq!(found, Ok(*client_flags));
            }
        }
    }
}

//! The store against expectations; what checks its books is used by other tests, too. `model.rs` has random operations.

use super::*;
use crate::clock::{EXPIRED, NEVER, START};
use crate::command::Delta;
use crate::slab::classes::ClassId;
use crate::slab::items::{Handle, state};
use crate::slab::pages::NO_CLASS;

const NOW: Seconds = START;

fn store(memory_bytes: u64) -> Store {
    Store::new(Config::new(memory_bytes, 1)).expect("address space")
}

fn set(store: &Store, key: &[u8], value: &[u8]) -> Outcome {
    store.put(&Put { key, client_flags: 0, expiry: NEVER, mode: Mode::Set }, value, NOW)
}

fn put(store: &Store, mode: Mode, key: &[u8], value: &[u8]) -> Outcome {
    store.put(&Put { key, client_flags: 3, expiry: NEVER, mode }, value, NOW)
}

pub(super) fn get_at(store: &Store, key: &[u8], now: Seconds) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    store.fetch(key, &Fetch::GET, now, |found| found.copy_to(&mut value)).ok()?;
    Some(value)
}

fn get(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    get_at(store, key, NOW)
}

fn cas_of(store: &Store, key: &[u8]) -> u64 {
    store.fetch(key, &Fetch::GET, NOW, |found| found.cas()).expect("present")
}

/// Stores a complete value, in as many steps as that takes.
pub(super) fn finish(mut upload: Upload, now: Seconds) -> Outcome {
    loop {
        match upload.finish(now) {
            Finish::Done(outcome) => return outcome,
            Finish::Later(rest) => upload = *rest,
        }
    }
}

/// Recounts everything that is kept incrementally.
pub(super) fn verify(store: &Store) {
    for shard in store.shards() {
        let slabs = &shard.slabs;
        let mut live_total = 0;
        let mut used = vec![0; slabs.classes.len()];
        let mut live = vec![0; slabs.classes.len()];
        let mut bytes = vec![0; slabs.classes.len()];
        let mut resident = slabs.free_pages();
        for (id, page) in slabs.pages.iter().enumerate().filter(|(_, page)| page.class != NO_CLASS) {
            resident += 1;
            let class = page.class as usize;
            assert_eq!(slabs.by_class[class].pages.iter().filter(|&&p| p as usize == id).count(), 1);
            used[class] += usize::from(page.used);
            let mut live_here = 0;
            for number in 0..page.carved {
                let item = slabs.chunk(id as u32, number);
                if shard.items().state(item) & state::LIVE == 0 {
                    continue;
                }
                live_here += 1;
                bytes[class] += shard.items().item_bytes(item);
                let expiry = shard.items().expiry(item);
                assert!(expiry == NEVER || page.expiry_min != NEVER && page.expiry_min <= expiry);
                let hash = shard.hash_of(item);
                assert_eq!(shard.index.find(hash, |other| other == item), Some(item), "live but not indexed");
                check_chain(&shard, item);
            }
            assert_eq!(live_here, usize::from(page.live), "live items of page {id}");
            live[class] += live_here;
            live_total += live_here;
        }
        assert_eq!(live_total, shard.index.len());
        assert_eq!(resident, slabs.resident());
        for class in 0..slabs.classes.len() {
            assert_eq!(used[class], slabs.by_class[class].used, "used chunks of class {class}");
            assert_eq!(live[class], slabs.by_class[class].live, "live items of class {class}");
            assert_eq!(bytes[class], shard.classes[class].bytes, "bytes of class {class}");
        }
    }
}

fn check_chain(shard: &Shard, item: Handle) {
    if !shard.items().is_large(item) {
        return;
    }
    let (mut before, mut piece) = (Handle::NONE, shard.items().first_piece(item));
    while piece != Handle::NONE {
        assert_eq!(shard.items().owner(piece), item);
        assert_eq!(shard.items().piece_before(piece), before);
        assert_ne!(shard.items().state(piece) & state::PIECE, 0);
        (before, piece) = (piece, shard.items().next_piece(piece));
    }
}

/// Nothing keeps a page in place once all pins and uploads are gone.
pub(super) fn verify_nothing_held(store: &Store) {
    for shard in store.shards() {
        assert_eq!(shard.upload_bytes, 0);
        assert!(shard.held_chains.is_empty());
        for page in &shard.slabs.pages {
            assert_eq!(page.held, 0, "{page:?}");
        }
    }
}

#[test]
fn modes_store_or_refuse() {
    let store = store(1 << 20);
    assert_eq!(put(&store, Mode::Replace, b"k", b"v"), Outcome::NotStored);
    assert_eq!(put(&store, Mode::Append, b"k", b"v"), Outcome::NotStored);
    assert_eq!(put(&store, Mode::Prepend, b"k", b"v"), Outcome::NotStored);
    assert_eq!(put(&store, Mode::Cas(1), b"k", b"v"), Outcome::NotFound);
    assert!(matches!(put(&store, Mode::Add, b"k", b"v"), Outcome::Stored { .. }));
    assert_eq!(put(&store, Mode::Add, b"k", b"w"), Outcome::NotStored);
    assert!(matches!(put(&store, Mode::Replace, b"k", b"w"), Outcome::Stored { .. }));
    assert_eq!(put(&store, Mode::Cas(u64::MAX), b"k", b"x"), Outcome::Exists);
    assert_eq!(put(&store, Mode::Cas(0), b"k", b"x"), Outcome::Exists);
    let cas = cas_of(&store, b"k");
    assert!(matches!(put(&store, Mode::Cas(cas), b"k", b"mid"), Outcome::Stored { .. }));
    assert_ne!(cas_of(&store, b"k"), cas);
    assert!(matches!(put(&store, Mode::Append, b"k", b">"), Outcome::Stored { .. }));
    assert!(matches!(put(&store, Mode::Prepend, b"k", b"<"), Outcome::Stored { .. }));
    assert_eq!(get(&store, b"k").as_deref(), Some(&b"<mid>"[..]));
    assert_eq!(store.delete(b"k", NOW), Ok(()));
    assert_eq!(store.delete(b"k", NOW), Err(Miss::Absent));
    verify(&store);
}

#[test]
fn append_keeps_flags_and_expiry_of_old_item() {
    let store = store(1 << 20);
    let first = Put { key: b"k", client_flags: 42, expiry: 50, mode: Mode::Set };
    store.put(&first, b"a", NOW);
    for value in [&b"b"[..], &[b'c'; 500], &[b'd'; 70_000]] {
        let more = Put { key: b"k", client_flags: 7, expiry: 99, mode: Mode::Append };
        assert!(matches!(store.put(&more, value, NOW), Outcome::Stored { .. }));
        let seen = store.fetch(b"k", &Fetch::GET, NOW, |found| (found.client_flags(), found.expiry()));
        assert_eq!(seen, Ok((42, 50)));
    }
    assert_eq!(get(&store, b"k").map(|value| value.len()), Some(1 + 1 + 500 + 70_000));
    verify(&store);
    verify_nothing_held(&store);
}

#[test]
fn append_stops_at_the_item_limit() {
    let store = Store::new(Config { item_max_bytes: 100_000, ..Config::new(4 << 20, 1) }).expect("address space");
    assert!(matches!(set(&store, b"k", &[b'a'; 60_000]), Outcome::Stored { .. }));
    for mode in [Mode::Append, Mode::Prepend] {
        assert_eq!(put(&store, mode, b"k", &[b'b'; 50_000]), Outcome::NotStored);
        assert_eq!(get(&store, b"k").map(|value| value.len()), Some(60_000));
    }
    assert_eq!(set(&store, b"k", &[b'a'; 100_000]), Outcome::TooLarge);
}

#[test]
fn cas_without_cas_numbers_never_matches() {
    let store = Store::new(Config { cas: false, ..Config::new(1 << 20, 1) }).expect("address space");
    assert_eq!(set(&store, b"k", b"v"), Outcome::Stored { cas: 0, value_len: 1 });
    assert_eq!(cas_of(&store, b"k"), 0);
    assert_eq!(put(&store, Mode::Cas(0), b"k", b"w"), Outcome::Exists);
    assert_eq!(get(&store, b"k").as_deref(), Some(&b"v"[..]));
}

#[test]
fn every_value_that_is_stored_counts() {
    let store = store(1 << 20);
    set(&store, b"k", &[b'a'; 100]);
    for mode in [Mode::Set, Mode::Replace, Mode::Append, Mode::Prepend] {
        let before = store.totals().total_items;
        // The one fits into the chunk that is there, the other does not.
        for value in [&[b'b'; 1][..], &[b'c'; 5000]] {
            assert!(matches!(put(&store, mode, b"k", value), Outcome::Stored { .. }));
        }
        assert_eq!(store.totals().total_items, before + 2, "{mode:?}");
    }
}

#[test]
fn numbers_step_wrap_and_keep_their_length() {
    let store = store(1 << 20);
    set(&store, b"n", b"100");
    let step = |delta| match store.add_delta(b"n", delta, NOW) {
        DeltaOutcome::Value { number, .. } => number,
        other => panic!("{other:?}"),
    };
    assert_eq!(step(Delta::Decr(1)), 99);
    assert_eq!(get(&store, b"n").as_deref(), Some(&b"99 "[..]), "padded to the length it had");
    assert_eq!(step(Delta::Incr(1000)), 1099);
    assert_eq!(get(&store, b"n").as_deref(), Some(&b"1099"[..]));
    assert_eq!(step(Delta::Decr(u64::MAX)), 0);
    assert_eq!(step(Delta::Incr(u64::MAX)), u64::MAX);
    assert_eq!(step(Delta::Incr(2)), 1);
    assert_eq!(store.add_delta(b"none", Delta::Incr(1), NOW), DeltaOutcome::NotFound);
    let padded = [&b"41 "[..], &[b'x'; 40_000]].concat();
    set(&store, b"n", &padded);
    assert_eq!(step(Delta::Incr(1)), 42);
    assert_eq!(
        get(&store, b"n").map(|value| (value.len(), value.trim_ascii().to_vec())),
        Some((40_003, b"42".to_vec()))
    );
    for value in [&b""[..], b"x", &[b'1'; 40_000]] {
        set(&store, b"n", value);
        assert_eq!(store.add_delta(b"n", Delta::Incr(1), NOW), DeltaOutcome::NonNumeric);
    }
    verify(&store);
}

#[test]
fn items_expire_and_can_be_touched() {
    let store = store(1 << 20);
    let until =
        |key: &'static [u8], expiry| store.put(&Put { key, client_flags: 0, expiry, mode: Mode::Set }, b"v", NOW);
    until(b"short", 10);
    until(b"long", 20);
    until(b"dead", EXPIRED);
    assert!(get_at(&store, b"dead", NOW).is_none());
    assert!(get_at(&store, b"short", 9).is_some());
    assert_eq!(store.fetch(b"long", &Fetch::touch(40), 9, |_| ()), Ok(()));
    assert_eq!(store.fetch(b"short", &Fetch::GET, 10, |_| ()), Err(Miss::Expired));
    assert_eq!(store.fetch(b"short", &Fetch::GET, 10, |_| ()), Err(Miss::Absent));
    assert!(get_at(&store, b"long", 39).is_some());
    assert!(get_at(&store, b"long", 40).is_none());
    verify(&store);
}

#[test]
fn flush_kills_what_was_stored_and_nothing_later() {
    let store = store(1 << 20);
    set(&store, b"a", &[b'x'; 100_000]);
    set(&store, b"b", b"small");
    let mut pinned = store.fetch(b"a", &Fetch::GET, NOW, |found| found.pin()).expect("present").expect("pinned");
    store.flush(NOW, NOW);
    assert!(get(&store, b"a").is_none() && get(&store, b"b").is_none());
    assert_eq!(store.totals().bytes, 0);
    set(&store, b"b", b"again");
    assert_eq!(get(&store, b"b").as_deref(), Some(&b"again"[..]));
    let mut slices = Vec::new();
    assert!(pinned.gather(&mut slices, 100));
    assert!(slices.iter().flat_map(|slice| slice.iter()).take(100_000).all(|&byte| byte == b'x'));
    drop(slices);
    pinned.advance(100_000);
    assert_eq!(pinned.left(), 0);
    drop(pinned);
    verify(&store);
    verify_nothing_held(&store);

    store.flush(NOW + 5, NOW);
    assert!(get_at(&store, b"b", NOW + 4).is_some());
    assert!(get_at(&store, b"b", NOW + 5).is_none());
    set(&store, b"c", b"later");
    assert!(get_at(&store, b"c", NOW + 6).is_some());
    verify(&store);
}

#[test]
fn a_full_cache_evicts_and_stays_within_its_pages() {
    let store = store(2 << 20);
    for n in 0..100_000u32 {
        assert!(matches!(set(&store, format!("key-{n}").as_bytes(), &[b'v'; 100]), Outcome::Stored { .. }), "{n}");
    }
    let totals = store.totals();
    assert!(totals.curr_items > 8_000, "{totals:?}");
    assert!(totals.resident_pages as usize * PAGE + totals.index_bytes as usize <= 2 << 20, "{totals:?}");
    assert!(get(&store, b"key-99999").is_some());
    verify(&store);
}

/// With items of these lengths the segments of the index are about to grow when the cache is full, and pages go for it.
#[test]
fn used_items_outlive_unused_ones() {
    const HOT: u32 = 100;
    for len in [40, 100, 104] {
        let store = store(2 << 20);
        let hot = |n: u32| format!("hot-{:06}", n % HOT);
        for n in 0..200_000u32 {
            set(&store, format!("new-{n:06}").as_bytes(), &vec![b'c'; len]);
            // Spread over the pages, and all there before the first page goes.
            if n < 80 * HOT && n % 80 == 0 {
                set(&store, hot(n / 80).as_bytes(), &vec![b'h'; len]);
            }
            assert!(n < 80 * HOT || get(&store, hot(n).as_bytes()).is_some(), "hot item of {len} bytes lost at {n}");
        }
    }
}

/// The hand comes by less often than they are stored again; nobody reads them.
#[test]
fn items_that_are_stored_again_outlive_those_that_are_not() {
    const HOT: u32 = 3000;
    let lost = |lengths: [usize; 2]| {
        let store = store(2 << 20);
        let mut lost = 0;
        for n in 0..60 * HOT {
            set(&store, format!("new-{n:06}").as_bytes(), &[b'c'; 100]);
            let key = format!("hot-{:06}", n % HOT);
            lost += u32::from(n >= HOT && store.inspect(key.as_bytes(), NOW, |_| ()).is_err());
            set(&store, key.as_bytes(), &vec![b'h'; lengths[(n / HOT % 2) as usize]]);
        }
        lost
    };
    // Some of them the hand meets before they are stored a second time. Of 59 times 3000, a first-in-first-out cache loses
    // a quarter.
    for (lengths, most) in [([100, 100], HOT / 5), ([100, 140], 59 * HOT / 10)] {
        let lost = lost(lengths);
        assert!(lost < most, "{lost} lost of those with {lengths:?} bytes");
    }
}

#[test]
fn without_evictions_a_full_cache_refuses() {
    let store = Store::new(Config { evictions: false, ..Config::new(1 << 20, 1) }).expect("address space");
    let mut stored = 0u32;
    while set(&store, format!("key-{stored}").as_bytes(), &[b'v'; 1000]) != Outcome::NoMemory {
        stored += 1;
        assert!(stored < 2000, "never full");
    }
    for n in 0..stored {
        assert!(get(&store, format!("key-{n}").as_bytes()).is_some());
    }
    store.delete(b"key-0", NOW).expect("present");
    assert!(matches!(set(&store, b"other", &[b'v'; 1000]), Outcome::Stored { .. }));
    verify(&store);
}

#[test]
fn pages_move_after_a_shift_of_sizes() {
    let store = store(16 << 20);
    for n in 0..150_000u32 {
        set(&store, format!("small-{n}").as_bytes(), &[b's'; 100]);
    }
    let large = vec![b'L'; 100_000];
    for n in 0..300u32 {
        assert!(matches!(set(&store, format!("large-{n}").as_bytes(), &large), Outcome::Stored { .. }));
    }
    let kept = (0..300u32).filter(|n| get(&store, format!("large-{n}").as_bytes()).is_some()).count();
    // Without page moves it would be one.
    assert!(kept >= 30, "only {kept} large items kept");
    verify(&store);
}

#[test]
fn uploads_arrive_in_parts_and_leave_no_trace_when_dropped() {
    let store = store(4 << 20);
    for len in [0usize, 1, 100, 32_000, 32_768, 65_500, 70_000, 500_000] {
        let value: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let head = Put { key: b"up", client_flags: 9, expiry: NEVER, mode: Mode::Set };
        let mut upload = store.upload(&head, len, NOW).expect("memory");
        let (first, rest) = value.split_at(len / 3);
        upload.write(first, NOW).expect("memory");
        let mut sent = first.len();
        while upload.left() > 0 {
            let spare = upload.spare(NOW).expect("memory");
            let mut filled = 0;
            for range in spare {
                let part = range.len().min(10_007);
                range[..part].copy_from_slice(&value[sent..sent + part]);
                sent += part;
                filled += part;
                if part < range.len() {
                    break;
                }
            }
            upload.filled(filled);
        }
        assert_eq!(rest.len() + first.len(), sent);
        assert!(matches!(finish(upload, NOW), Outcome::Stored { .. }));
        assert_eq!(get(&store, b"up").as_deref(), Some(&value[..]), "length {len}");
        verify(&store);
        let mut dropped = store.upload(&head, len, NOW).expect("memory");
        dropped.write(first, NOW).expect("memory");
        drop(dropped);
        assert_eq!(get(&store, b"up").as_deref(), Some(&value[..]));
        verify_nothing_held(&store);
    }
    let add = Put { key: b"up", client_flags: 0, expiry: NEVER, mode: Mode::Add };
    assert_eq!(finish(store.upload(&add, 0, NOW).expect("memory"), NOW), Outcome::NotStored);
    let append = Put { key: b"up", client_flags: 0, expiry: NEVER, mode: Mode::Append };
    let mut upload = store.upload(&append, 3, NOW).expect("memory");
    upload.write(b"end", NOW).expect("memory");
    assert!(matches!(finish(upload, NOW), Outcome::Stored { .. }));
    assert!(get(&store, b"up").expect("present").ends_with(b"end"));
    verify_nothing_held(&store);
}

#[test]
fn unfinished_uploads_cannot_shut_the_cache_out() {
    let store = store(4 << 20);
    let mut open = Vec::new();
    for n in 0..100u32 {
        let key = format!("up-{n}");
        let head = Put { key: key.as_bytes(), client_flags: 0, expiry: NEVER, mode: Mode::Set };
        let Ok(mut upload) = store.upload(&head, 500_000, NOW) else { continue };
        if upload.write(&[b'u'; 400_000], NOW).is_ok() {
            open.push(upload);
        }
    }
    assert!(!open.is_empty() && open.len() < 10, "{} uploads of 400 KB in 4 MB", open.len());
    for n in 0..10_000u32 {
        assert!(matches!(set(&store, format!("key-{n}").as_bytes(), &[b'v'; 50]), Outcome::Stored { .. }));
    }
    drop(open);
    verify(&store);
    verify_nothing_held(&store);
}

#[test]
fn the_sweep_gives_back_what_expired() {
    let store = store(8 << 20);
    for n in 0..20_000u32 {
        let key = format!("key-{n}");
        store.put(&Put { key: key.as_bytes(), client_flags: 0, expiry: 10, mode: Mode::Set }, &[b'v'; 200], NOW);
    }
    assert_eq!(store.totals().curr_items, 20_000);
    store.maintain(1, Sweep::On, 9, || ());
    assert_eq!(store.totals().curr_items, 20_000);
    for _ in 0..100 {
        store.maintain(1, Sweep::On, 11, || ());
    }
    let totals = store.totals();
    assert_eq!((totals.curr_items, totals.bytes), (0, 0));
    assert_eq!(totals.free_pages, totals.resident_pages, "all pages are in the pool");
    verify(&store);
}

#[test]
fn a_lower_limit_gives_memory_back_and_a_higher_one_is_used() {
    let store = store(32 << 20);
    for n in 0..200_000u32 {
        set(&store, format!("key-{n}").as_bytes(), &[b'v'; 100]);
    }
    let before = store.totals();
    assert!(store.set_memory_limit(8 << 20));
    while store.shrink(NOW) {}
    let after = store.totals();
    assert!(after.resident_pages as usize * PAGE + after.index_bytes as usize <= 8 << 20, "{after:?}");
    assert!(after.curr_items > 0 && after.curr_items < before.curr_items);
    assert!(store.set_memory_limit(64 << 20));
    for n in 0..500_000u32 {
        set(&store, format!("key-{n}").as_bytes(), &[b'v'; 100]);
    }
    assert!(store.totals().curr_items > before.curr_items);
    assert!(!store.set_memory_limit(u64::MAX / 2));
    verify(&store);
}

#[test]
fn no_request_and_no_step_pays_for_a_lowered_limit_alone() {
    let few = 16;
    let resident = |store: &Store| store.totals().resident_pages as usize;
    let fill = |store: &Store| {
        for n in 0..4000u32 {
            set(store, &n.to_be_bytes(), &[b'v'; 8000]);
        }
        resident(store)
    };
    let store = store(32 << 20);
    let full = fill(&store);
    assert!(full > 400, "{full} pages");
    assert!(store.set_memory_limit(8 << 20));
    assert_eq!(resident(&store), full, "nothing is given back yet");
    let mut pages = full;
    for n in 0..20_000u32 {
        // Many small items, for which the index grows.
        set(&store, format!("small-{n}").as_bytes(), b"");
        let left = resident(&store);
        assert!(left + few >= pages, "from {pages} to {left} pages by item {n}");
        pages = left;
    }
    while store.shrink(NOW) {
        let left = resident(&store);
        assert!(left < pages && left + few >= pages, "from {pages} to {left} pages in one step");
        pages = left;
    }
    assert!(resident(&store) * PAGE <= 8 << 20);
    verify(&store);

    // Neither are empty pages given back all at once.
    assert!(store.set_memory_limit(32 << 20));
    let full = fill(&store);
    store.flush(NOW, NOW);
    assert!(store.set_memory_limit(8 << 20));
    assert_eq!(resident(&store), full);
    while store.shrink(NOW) {}
    assert!(resident(&store) * PAGE <= 8 << 20);
    verify(&store);
}

#[test]
fn without_evictions_nothing_is_given_up_in_the_background() {
    let store = Store::new(Config { evictions: false, ..Config::new(8 << 20, 1) }).expect("address space");
    // The index grows to the last, and its growth costs pages.
    let stored: Vec<String> = (0..400_000u32)
        .map(|n| format!("k{n}"))
        .filter(|key| matches!(set(&store, key.as_bytes(), b""), Outcome::Stored { .. }))
        .collect();
    assert!(stored.len() > 100_000 && stored.len() < 400_000, "{}", stored.len());
    store.maintain(1, Sweep::On, NOW, || ());
    while store.shrink(NOW) {}
    assert_eq!(stored.iter().filter(|key| get(&store, key.as_bytes()).is_none()).count(), 0);
    verify(&store);
}

#[test]
fn shards_follow_memory_threads_and_item_size() {
    let count = |mib: u64, threads, item_mib: u32| {
        Config { item_max_bytes: item_mib << 20, ..Config::new(mib << 20, threads) }.shard_count()
    };
    assert_eq!(count(1, 4, 1), 1);
    assert_eq!(count(64, 4, 1), 2);
    assert_eq!(count(256, 1, 1), 4);
    assert_eq!(count(1024, 4, 1), 16);
    assert_eq!(count(1024, 64, 1), 32);
    assert_eq!(count(1024, 4, 128), 1);
    // 200,000 MiB by one thread: more than four arenas reach.
    assert_eq!(count(200_000, 1, 1), 8);
}

#[test]
fn keys_that_share_a_class_do_not_share_bytes() {
    let store = store(1 << 20);
    for round in 0..3u8 {
        for n in 0..500u32 {
            set(&store, format!("k{n}").as_bytes(), &vec![round ^ n as u8; (n % 64) as usize]);
        }
        for n in 0..500u32 {
            let value = get(&store, format!("k{n}").as_bytes()).expect("no eviction yet");
            assert!(value.len() == (n % 64) as usize && value.iter().all(|&byte| byte == round ^ n as u8));
        }
    }
}

#[test]
fn classes_are_reported_from_one() {
    let store = store(1 << 20);
    set(&store, b"k", b"v");
    let reports = store.classes(NOW);
    assert_eq!(reports[0].class, 1);
    assert_eq!(reports.iter().map(|report| report.gauges.number).sum::<u64>(), 1);
    let class = reports.iter().find(|report| report.gauges.number == 1).expect("one class");
    assert_eq!(store.list_class(class.class, 10, 100, NOW).len(), 1);
    assert!(store.list_class(0, 10, 100, NOW).is_empty() && store.list_class(99, 10, 100, NOW).is_empty());
    assert!(store.classes(NOW).len() <= usize::from(ClassId::MAX));
}

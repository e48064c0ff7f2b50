//! Tests of the way from events to lines.

use std::sync::atomic::AtomicUsize;

use super::*;

fn fetched(key: &[u8]) -> Event<'_> {
    Event::Fetched { key, status: Status::NotFound, class: 0, fd: 5, size: 0 }
}

/// The lines that wait, without their time.
fn taken(watch: &Watch, seat: &Seat) -> Vec<String> {
    let mut batch = Batch::default();
    watch.take(&mut batch);
    let wanted = batch.lines().filter(|line| seat.wants(line));
    wanted.map(|line| String::from_utf8_lossy(line.text).split_once(' ').expect("a time").1.to_owned()).collect()
}

#[test]
fn lines_are_kept_only_for_who_watches_their_kind() {
    let watch = Watch::new(1, 64 << 10);
    watch.note(&fetched(b"before"));
    assert_eq!(watch.counts(), Counts::default());
    let seat = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    watch.note(&fetched(b"k"));
    watch.note(&Event::PageMoved { from: 1, to: 2 });
    let deletions = watch.seat(WatchKinds::DELETIONS).expect("a seat");
    assert_eq!(taken(&watch, &deletions), [""; 0]);
    watch.note(&fetched(b"k"));
    let lines = taken(&watch, &seat);
    assert_eq!(lines, ["gid=4 type=item_get key=k status=not_found clsid=0 cfd=5 size=0\n"]);
    drop(seat);
    watch.note(&fetched(b"after"));
    assert_eq!(watch.counts().written, 2);
}

#[test]
fn line_from_before_the_watcher_came_is_not_for_it() {
    let watch = Watch::new(1, 64 << 10);
    let early = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    watch.note(&fetched(b"first"));
    let late = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    watch.note(&fetched(b"second"));
    let mut batch = Batch::default();
    watch.take(&mut batch);
    let count = |seat: &Seat| batch.lines().filter(|line| seat.wants(line)).count();
    assert_eq!((count(&early), count(&late)), (2, 1));
}

#[test]
fn twenty_may_watch_and_a_seat_is_free_again_when_left() {
    let watch = Watch::new(1, 1 << 10);
    let mut seats: Vec<_> = (0..WATCHERS_MAX).map(|_| watch.seat(WatchKinds::FETCHERS).expect("a seat")).collect();
    assert!(watch.seat(WatchKinds::DELETIONS).is_none());
    assert!(!watch.wants(WatchKinds::DELETIONS));
    seats.pop();
    seats.push(watch.seat(WatchKinds::DELETIONS).expect("a seat"));
    assert!(watch.wants(WatchKinds::DELETIONS));
    assert_eq!(watch.watchers(), WATCHERS_MAX);
    seats.clear();
    assert!(!watch.wants(WatchKinds::FETCHERS) && !watch.wants(WatchKinds::DELETIONS));
}

#[test]
fn full_buffer_drops_and_counts_until_it_is_taken() {
    let watch = Watch::new(1, 4 << 10);
    let seat = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    for _ in 0..1000 {
        watch.note(&fetched(&[b'#'; 250]));
    }
    let counts = watch.counts();
    assert_eq!(counts.written + counts.dropped, 1000);
    assert!((1..5).contains(&counts.written), "{counts:?}");
    assert_eq!(taken(&watch, &seat).len() as u64, counts.written);
    watch.note(&fetched(b"k"));
    assert_eq!(watch.counts().written, counts.written + 1);
    watch.reset_counts();
    assert_eq!(watch.counts(), Counts::default());
}

#[test]
fn lines_of_all_threads_come_in_order_of_their_numbers() {
    let watch = Watch::new(3, 1 << 20);
    let seat = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    std::thread::scope(|scope| {
        for index in 0..3 {
            let watch = &watch;
            scope.spawn(move || {
                begin_worker(index);
                (0..500).for_each(|_| watch.note(&fetched(b"k")));
            });
        }
    });
    watch.note(&fetched(b"k"));
    let mut batch = Batch::default();
    watch.take(&mut batch);
    let numbers: Vec<u64> = batch.lines().map(|line| line.number).collect();
    assert_eq!(numbers, (2..1503).collect::<Vec<_>>());
    drop(seat);
}

#[test]
fn sleeping_thread_is_woken_once_and_a_half_full_buffer_wakes_always() {
    let watch = Watch::new(1, 4 << 10);
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    watch.set_alarm(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let seat = watch.seat(WatchKinds::FETCHERS).expect("a seat");
    assert!(watch.may_sleep());
    watch.note(&fetched(b"k"));
    watch.note(&fetched(b"k"));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert!(!watch.may_sleep(), "there are lines to take");
    for _ in 0..100 {
        watch.note(&fetched(b"k"));
    }
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    drop(seat);
}

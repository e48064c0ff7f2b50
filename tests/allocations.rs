//! No request allocates memory once buffers and index have grown to what the load needs.
#![allow(unsafe_code, reason = "an allocator is counted through the only door there is")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use larder::conn::{Next, Outbox, Session};
use larder::exec::Context;
use larder::settings::Settings;
use larder::shared::Shared;

/// The system's allocator, which notes how often this thread asked.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: all is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    // # Safety
    // The caller promises what the system's allocator asks for.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    // # Safety
    // As above.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as promised by the caller.
        unsafe { System.dealloc(at, layout) }
    }

    // # Safety
    // As above.
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        // SAFETY: as promised by the caller.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often memory is asked for while `requests` are answered 1,000 times.
fn allocations(shared: &Shared, requests: &[u8]) -> u64 {
    let cx = Context { shared, counters: &shared.counters[0], now: 10, fd: -1 };
    let (mut session, mut out) = (Session::default(), Outbox::default());
    let mut serve = || {
        let progress = session.feed(requests, &mut out, &cx, u32::MAX);
        assert_eq!(progress.consumed, requests.len(), "{}", String::from_utf8_lossy(requests));
        assert!(matches!(progress.next, Next::Input { .. }));
        out.send_share(&mut std::io::sink(), usize::MAX).expect("a sink takes all");
    };
    (0..2000).for_each(|_| serve());
    let before = ASKED.get();
    (0..1000).for_each(|_| serve());
    ASKED.get() - before
}

fn binary(opcode: u8, extras: &[u8], key: &[u8], value: &[u8]) -> Vec<u8> {
    let body = extras.len() + key.len() + value.len();
    let mut request = vec![0x80, opcode, 0, key.len() as u8, extras.len() as u8, 0, 0, 0];
    request.extend((body as u32).to_be_bytes());
    request.extend([0; 12]);
    for part in [extras, key, value] {
        request.extend(part);
    }
    request
}

#[test]
fn no_request_allocates_in_the_steady_state() {
    let shared = Shared::new(Settings::default()).expect("address space");
    let value = "v".repeat(100);
    let many: String = (0..100).map(|n| format!(" key{n}")).collect();
    let pipeline: String = (0..100).map(|n| format!("set key{n} 0 0 100\r\n{value}\r\nget key{n}\r\n")).collect();
    let text = [
        pipeline,
        format!("get{many}\r\ngets{many} absent\r\n"),
        format!("set k 7 100 100\r\n{value}\r\nset k 0 0 100 noreply\r\n{value}\r\nreplace k 0 0 100\r\n{value}\r\n"),
        format!("add k 0 0 100\r\n{value}\r\ndelete k\r\nadd k 0 0 100\r\n{value}\r\ncas k 0 0 100 1\r\n{value}\r\n"),
        "set n 0 0 2\r\n10\r\nincr n 5\r\ndecr n 3\r\ntouch n 100\r\ngat 100 n\r\ndelete absent\r\n".to_owned(),
        "set a 0 0 3\r\nabc\r\nappend a 0 0 3\r\ndef\r\nprepend a 0 0 3\r\n012\r\nget a\r\n".to_owned(),
        format!(
            "ms k 100\r\n{value}\r\nms k 100 T100 F7 c k O123 q\r\n{value}\r\nmg k v\r\nmg k s t f c k O123 v\r\nmn\r\n"
        ),
        "mg absent v\r\nmg absent v q\r\nma n D2 v\r\nmd absent q\r\nms k 1 I C1\r\nx\r\nmd absent\r\nverbosity 0\r\n"
            .to_owned(),
        "no such command\r\nget\r\nset x\r\nversion\r\n".to_owned(),
    ];
    let key = b"0123456789abcdef";
    let quiet_gets: Vec<u8> = (0..32).flat_map(|_| binary(0x09, b"", key, b"")).collect();
    let numbers = [&1u64.to_be_bytes()[..], &7u64.to_be_bytes(), &0u32.to_be_bytes()].concat();
    let binary = [
        [binary(0x01, &[0; 8], key, value.as_bytes()), quiet_gets, binary(0x0a, b"", b"", b"")].concat(),
        [binary(0x11, &[0; 8], key, value.as_bytes()), binary(0x0c, b"", key, b""), binary(0x00, b"", b"absent", b"")]
            .concat(),
        [binary(0x1d, &[0; 4], key, b""), binary(0x1c, &[0; 4], key, b""), binary(0x05, &numbers, b"number", b"")]
            .concat(),
    ];
    let requests = text.iter().map(|text| text.as_bytes()).chain(binary.iter().map(|bytes| &bytes[..]));
    for requests in requests {
        assert_eq!(allocations(&shared, requests), 0, "{}", String::from_utf8_lossy(requests));
    }
}

#[test]
fn what_allocates_is_noticed() {
    let shared = Shared::new(Settings::default()).expect("address space");
    assert!(allocations(&shared, b"stats\r\n") >= 1000);
}

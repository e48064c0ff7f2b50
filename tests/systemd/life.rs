//! What the manager is told while a server starts, reloads, works, hangs and stops.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::stand::{Client, Manager, has};

#[test]
fn a_life_is_told_in_order() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    for flags in [&["-t", "2"][..], &["-o", "drop_privileges"]] {
        let mut service = manager.start(flags, &[]);
        let ready = manager.hear();
        assert!(ready.starts_with("READY=1\nSTATUS=items=0 connections=0"), "{ready}");
        assert_eq!(Client::connect(address).ask("mn").unwrap(), "MN");
        service.signal(Signal::HUP);
        let reloading = manager.hear();
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("a reload");
        assert!(since.parse::<u64>().unwrap() > 0);
        assert!(has(&manager.hear(), "READY=1"));
        service.signal(Signal::TERM);
        assert!(has(&manager.hear(), "STOPPING=1"));
        assert_eq!(service.wait().code(), Some(0));
        assert!(!service.log().contains("level=warn target=larder::server::service"));
    }
}

#[test]
fn a_server_without_a_manager_and_one_whose_manager_is_gone_serve() {
    let manager = Manager::new();
    for name in ["", "/nowhere/notify", "@larder-nobody", "vsock:2:1"] {
        let mut service = manager.start(&["-p", "-1", "-l", "127.0.0.1", "--memory-fd"], &[("NOTIFY_SOCKET", name)]);
        let port = loop {
            if let Ok(ports) = std::fs::read_to_string(manager.path("ports")) {
                break ports.trim().strip_prefix("TCP INET: ").unwrap().parse().unwrap();
            }
            std::thread::yield_now();
        };
        assert_eq!(Client::connect(([127, 0, 0, 1], port).into()).ask("mn").unwrap(), "MN");
        service.signal(Signal::TERM);
        assert_eq!(service.wait().code(), Some(0), "{name}");
    }
}

/// A worker waits for nothing but its poll, short locks, and standard error when it logs. So one that logs into a pipe
/// that nobody reads is as stuck as one can be.
#[test]
fn the_watchdog_is_fed_as_long_as_all_workers_answer() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let mut service = manager.start(&["-t", "2", "-vv"], &[("WATCHDOG_USEC", "200000")]);
    manager.await_message("WATCHDOG=1");
    manager.await_message("WATCHDOG=1");

    let mut talkative = TcpStream::connect(address).unwrap();
    talkative.write_all(&b"mn\r\n".repeat(4000)).unwrap();
    manager.await_message("STATUS=worker 0 does not answer");
    // On a busy machine it may have been slow before it stood still: from some moment on nothing is fed for longer than
    // the watchdog would wait.
    assert!((0..400).any(|_| manager.silence().is_none()), "a worker stands still, and the watchdog is fed");

    let mut waiting = [0; 1 << 16];
    let stderr = service.take_stderr();
    let reader = std::thread::spawn(move || {
        let mut stderr = stderr;
        while stderr.read(&mut waiting).is_ok_and(|count| count > 0) {}
    });
    manager.await_message("WATCHDOG=1");
    manager.await_message("STATUS=items=0 connections=1");
    service.signal(Signal::TERM);
    manager.await_message("STOPPING=1");
    assert_eq!(service.wait().code(), Some(0));
    reader.join().unwrap();
}

#[test]
fn a_watchdog_of_another_process_is_not_fed() {
    let mut manager = Manager::new();
    manager.listen("larder");
    let _service = manager.start(&[], &[("WATCHDOG_USEC", "100000"), ("WATCHDOG_PID", "1")]);
    manager.await_message("READY=1");
    assert_eq!(manager.silence(), None);
}

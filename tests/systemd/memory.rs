//! The cache over a restart by way of the manager's store for descriptors (`--memory-fd`).

use rustix::process::Signal;

use crate::stand::{Client, Manager, has};

const NAMES: [&str; 2] = ["larder-memory", "larder-state"];

#[test]
fn a_restart_keeps_items() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    for flags in [&["--memory-fd"][..], &["--memory-fd", "-o", "drop_privileges"]] {
        manager.store.clear();
        let service = manager.start_ready(flags);
        assert_eq!(manager.stored_names(), NAMES, "both are there before anyone is served");
        let mut client = Client::connect(address);
        for n in 0..1000 {
            client.set(&format!("key{n}"), &format!("value{n}"));
        }
        let log = manager.stop(service);
        assert!(log.contains("left memory_fd items=1000 "), "{log}");
        for round in 1..=3 {
            let service = manager.start(flags, &[]);
            let message = manager.hear();
            assert!(has(&message, "STATUS=taking items over") && message.contains("EXTEND_TIMEOUT_USEC="), "{message}");
            manager.await_message("READY=1");
            assert_eq!(manager.stored_names(), NAMES, "none comes on top");
            let mut client = Client::connect(address);
            for n in 0..1000 {
                assert_eq!(client.get(&format!("key{n}")), Some(format!("value{n}")), "{round}");
            }
            let log = manager.stop(service);
            assert!(log.contains("restored memory_fd items=1000 "), "{log}");
        }
    }
}

#[test]
fn after_a_crash_the_cache_is_empty_and_the_next_restart_keeps_items() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let service = manager.start_ready(&["--memory-fd"]);
    Client::connect(address).set("k", "first");
    manager.stop(service);
    // What the first one left must not serve twice.
    let mut service = manager.start_ready(&["--memory-fd"]);
    Client::connect(address).set("k", "second");
    service.signal(Signal::KILL);
    service.wait();
    let service = manager.start_ready(&["--memory-fd"]);
    assert_eq!(manager.stored_names(), NAMES);
    assert_eq!(Client::connect(address).get("k"), None);
    Client::connect(address).set("k", "third");
    let log = manager.stop(service);
    assert!(log.contains("memory_fd was left by no graceful stop"), "{log}");
    let service = manager.start_ready(&["--memory-fd"]);
    assert_eq!(Client::connect(address).get("k").as_deref(), Some("third"));
    manager.stop(service);
}

#[test]
fn other_settings_start_empty_and_without_the_flag_the_memory_is_let_go() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    let service = manager.start_ready(&["--memory-fd", "-m", "64"]);
    Client::connect(address).set("k", "value");
    manager.stop(service);
    let service = manager.start_ready(&["--memory-fd", "-m", "128"]);
    assert_eq!(manager.stored_names(), NAMES);
    assert_eq!(Client::connect(address).get("k"), None);
    Client::connect(address).set("k", "larger");
    let log = manager.stop(service);
    assert!(log.contains("memory_fd is not taken over"), "{log}");
    let service = manager.start_ready(&["--memory-fd", "-m", "128"]);
    assert_eq!(Client::connect(address).get("k").as_deref(), Some("larger"));
    manager.stop(service);
    let service = manager.start_ready(&["-m", "128"]);
    assert!(manager.stored_names().is_empty());
    manager.stop(service);
}

#[test]
fn what_is_not_larders_is_let_go() {
    let mut manager = Manager::new();
    let address = manager.listen("larder");
    for name in NAMES {
        manager.store.push((name.to_owned(), tempfile::tempfile().unwrap().into()));
    }
    let service = manager.start_ready(&["--memory-fd"]);
    assert_eq!(manager.stored_names(), NAMES);
    Client::connect(address).set("k", "value");
    let log = manager.stop(service);
    assert!(log.contains("no descriptors of larder"), "{log}");
    // A store with room for one.
    manager.store.pop();
    let service = manager.start_ready(&["--memory-fd"]);
    assert_eq!(manager.stored_names(), NAMES);
    assert_eq!(Client::connect(address).get("k"), None);
    manager.stop(service);
}

//! What the accept thread does when the process has no descriptor left. Alone in its process, whose limit it changes.

use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use larder::net::acceptor::Acceptor;
use larder::net::bind::bind_all;
use larder::net::listen::{ListenSocket, Listener};
use larder::net::mailbox::{Mailbox, Message};
use larder::settings::{ProtocolChoice, Settings};
use larder::shared::Shared;
use libc::EMFILE;
use mio::{Events, Poll, Token};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

const PATIENCE: Duration = Duration::from_secs(20);

fn wait(poll: &mut Poll, events: &mut Events, timeout: Duration) {
    match poll.poll(events, Some(timeout)) {
        // A machine that was suspended interrupts waits.
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        waited => waited.unwrap(),
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
fn exhausted_descriptors_do_not_spin_and_serving_resumes() {
    let socket = bind_all(&["127.0.0.1:0".parse().unwrap()], 8).unwrap().remove(0);
    let address = socket.local_addr().unwrap();
    let listener = Listener { socket: ListenSocket::Tcp(socket), protocol: ProtocolChoice::Auto, tls: None };
    let mut poll = Poll::new().unwrap();
    let mailbox = Arc::new(Mailbox::new(poll.registry(), Token(0)).unwrap());
    let shared = Arc::new(Shared::new(Settings::default()).expect("memory"));
    let acceptor = Acceptor::start(vec![listener], vec![Arc::clone(&mailbox)], Arc::clone(&shared)).unwrap();

    // Descriptors left: exactly one, for the client's end.
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum }).unwrap();
    let mut hoard: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    hoard.pop();
    // accept(2) takes a descriptor before it sees that nobody waits, so the one may be gone for a moment.
    let _client = loop {
        match TcpStream::connect(address) {
            Ok(client) => break client,
            Err(error) => assert_eq!(error.raw_os_error(), Some(EMFILE)),
        }
    };

    let deadline = Instant::now() + PATIENCE;
    while shared.connections.listen_disabled.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "it never ran out");
        std::thread::sleep(Duration::from_millis(1));
    }

    // Nothing is delivered while descriptors are missing; this wait is the observation.
    let mut events = Events::with_capacity(4);
    let cpu_before = cpu_time();
    wait(&mut poll, &mut events, Duration::from_millis(400));
    assert!(events.is_empty());
    assert!(cpu_time() - cpu_before < Duration::from_millis(200), "used {:?}", cpu_time() - cpu_before);
    assert!(!shared.connections.accepting.load(Ordering::Relaxed));
    assert_eq!(shared.connections.listen_disabled.load(Ordering::Relaxed), 1);

    hoard.truncate(hoard.len() - 8);
    while events.is_empty() {
        wait(&mut poll, &mut events, PATIENCE);
        assert!(Instant::now() < deadline, "serving never resumes");
    }
    assert!(matches!(mailbox.take()[..], [Message::Serve(_)]));
    assert!(shared.connections.accepting.load(Ordering::Relaxed));
    assert!(shared.connections.listen_disabled_us.load(Ordering::Relaxed) > 0);
    acceptor.stop();
}

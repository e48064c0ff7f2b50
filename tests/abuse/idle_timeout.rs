//! `-o idle_timeout` ends those who do nothing, and only those.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};
use crate::stand::{dial, dial_narrow, pattern, set, value_reply};

const VALUE_BYTES: usize = 8 << 20;

/// Far less than all of it before the test is over, far more than nothing.
const SIP_BYTES: usize = 8 << 10;

/// Whoever did nothing for so long may have been idle by the server's clock, of whole seconds.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// How long the test itself did nothing: the machine may have had something else to do.
struct Pace {
    last: Cell<Instant>,
    longest: Cell<Duration>,
}

impl Pace {
    /// Something was done just now.
    fn step(&self) {
        self.longest.set(self.longest.get().max(self.last.replace(Instant::now()).elapsed()));
    }
}

/// Tries again where the test fails and was held up itself, so that its own clients idled. The last try counts anyway.
fn unless_held_up(test: impl Fn(&Pace)) {
    const TRIES: usize = 5;
    for left in (0..TRIES).rev() {
        let pace = Pace { last: Cell::new(Instant::now()), longest: Cell::default() };
        let outcome = catch_unwind(AssertUnwindSafe(|| test(&pace)));
        pace.step();
        match outcome {
            Ok(()) => return,
            Err(failure) if left == 0 || pace.longest.get() < PAUSE_MAX => resume_unwind(failure),
            Err(_) => println!("held up for {:?}", pace.longest.get()),
        }
    }
}

fn ask_for_large(server: &Server) -> TcpStream {
    let mut stream = dial_narrow(server.address());
    stream.write_all(b"get large\r\n").expect("the server reads");
    stream
}

/// Whether an error says that there was nothing to read yet. A machine that was suspended interrupts reads that have a deadline.
fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// Whether the server has hung up, after a moment's wait for it.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => panic!("nothing was asked for"),
        Err(error) if is_early(&error) => false,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn who_reads_slowly_or_is_sending_a_value_is_not_idle() {
    unless_held_up(read_slowly_and_send_a_value);
}

fn read_slowly_and_send_a_value(pace: &Pace) {
    let server = Server::start(&["-m", "64", "-t", "1", "-I", "16m", "-o", "idle_timeout=1"]);
    let value = pattern(1, VALUE_BYTES);
    pace.step();
    let mut writer = server.connect();
    writer.send(set("large", &value));
    pace.step();
    writer.expect_line("STORED");
    pace.step();
    let mut half: Client = server.connect();
    half.send("set half 0 0 4\r\nha");
    let mut reader = ask_for_large(&server);
    let mut got = Vec::new();
    // As long as it takes to hang up on two who do nothing, one after the other.
    for _ in 0..2 {
        let mut idle = dial(server.address());
        idle.set_read_timeout(Some(POLL_INTERVAL * 10)).expect("not zero");
        while !is_closed(&mut idle) {
            pace.step();
            let mut sip = [0; SIP_BYTES];
            let len = match reader.read(&mut sip) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.expect("the reply goes on"),
            };
            assert!(len > 0, "hung up on after {} bytes", got.len());
            got.extend_from_slice(&sip[..len]);
        }
    }
    half.send("lf\r\n");
    half.expect_line("STORED");
    let expected = [&value_reply("large", &value)[..], b"END\r\n"].concat();
    assert!(got.len() < expected.len(), "the reply was over before the time was");
    let from = got.len();
    got.resize(expected.len(), 0);
    for part in got[from..].chunks_mut(SIP_BYTES) {
        pace.step();
        reader.read_exact(part).expect("the whole reply");
    }
    assert!(got == expected, "another value");
}

#[test]
fn who_does_not_read_is_idle() {
    unless_held_up(do_not_read);
}

fn do_not_read(pace: &Pace) {
    let server = Server::start(&["-m", "64", "-t", "1", "-I", "16m", "-o", "idle_timeout=1"]);
    let mut client = server.connect();
    client.send(set("large", &pattern(1, VALUE_BYTES)));
    pace.step();
    client.expect_line("STORED");
    let stuck = ask_for_large(&server);
    let since = Instant::now();
    while client.statistic("", "idle_kicks").as_deref() != Some("1") {
        pace.step();
        assert!(since.elapsed() < DEADLINE, "not hung up on");
        std::thread::sleep(POLL_INTERVAL);
    }
    drop(stuck);
}

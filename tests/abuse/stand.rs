//! The stand on which every attack takes place: a server, a thousand canary items, and a client that keeps reading them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::common::{Client, DEADLINE, POLL_INTERVAL, Server};

const CANARIES: usize = 1000;

/// Resident memory that a server may have beyond `-m` at any time.
const MEMORY_SPARE_BYTES: u64 = 64 << 20;

/// The same when it is left alone, beside a twentieth of `-m`.
const STEADY_SPARE_BYTES: u64 = 16 << 20;

/// A server under attack.
pub(crate) struct Stand {
    pub(crate) server: Server,
    friend: Client,
    memory_limit_bytes: u64,
}

impl Stand {
    /// A server with `-m memory_mib` and further arguments.
    pub(crate) fn start(memory_mib: u64, arguments: &[&str]) -> Stand {
        let memory = memory_mib.to_string();
        let server = Server::start(&[&["-m", &memory, "-t", "2"], arguments].concat());
        let mut friend = server.connect();
        for n in 0..CANARIES {
            let value = canary(n);
            friend.send(format!("set canary-{n} {n} 0 {} noreply\r\n", value.len()));
            friend.send(value);
            friend.send("\r\n");
        }
        let mut stand = Stand { server, friend, memory_limit_bytes: memory_mib << 20 };
        stand.read_canaries(0..CANARIES);
        stand
    }

    /// Carries out `attack` while a well-behaved client reads, and looks at the server afterwards.
    pub(crate) fn under(&mut self, name: &str, attack: impl FnOnce(&Server) + Send) {
        self.carry_out(name, attack);
        self.read_canaries(0..CANARIES);
    }

    /// The same where the attack takes so much of the memory that canaries may be evicted; those that are not are right.
    pub(crate) fn under_pressure(&mut self, name: &str, attack: impl FnOnce(&Server) + Send) {
        self.carry_out(name, attack);
        println!("{name}: canaries_left={} of {CANARIES}", self.surviving());
    }

    fn carry_out(&mut self, name: &str, attack: impl FnOnce(&Server) + Send) {
        let over = AtomicBool::new(false);
        let mut latencies = Vec::new();
        let Stand { server, friend, .. } = self;
        let result = thread::scope(|scope| {
            let attacker = scope.spawn(|| {
                let _told = OnDrop(|| over.store(true, Ordering::Release));
                attack(server)
            });
            let mut n = 0;
            while !over.load(Ordering::Acquire) {
                let since = Instant::now();
                read_canary(friend, n);
                latencies.push(since.elapsed());
                n = (n + 1) % CANARIES;
            }
            attacker.join()
        });
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
        self.assert_well(name, &mut latencies);
    }

    fn assert_well(&mut self, name: &str, latencies: &mut [Duration]) {
        latencies.sort_unstable();
        let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
        let peak = self.server.memory_bytes("VmHWM");
        println!(
            "{name}: resident_peak_mib={} limit_mib={} friend_gets={} p50={:?} p99={:?} max={:?}",
            peak >> 20,
            self.memory_limit_bytes >> 20,
            latencies.len(),
            at(0.5),
            at(0.99),
            latencies.last().copied().unwrap_or_default()
        );
        assert!(
            peak <= self.memory_limit_bytes + MEMORY_SPARE_BYTES,
            "{name}: {} MiB resident at -m {}",
            peak >> 20,
            self.memory_limit_bytes >> 20
        );
    }

    /// Left alone, the server comes back to the memory that it keeps in ordinary times.
    #[track_caller]
    pub(crate) fn await_steady(&self) {
        let bound = self.memory_limit_bytes + self.memory_limit_bytes / 20 + STEADY_SPARE_BYTES;
        let since = Instant::now();
        loop {
            let resident = self.server.memory_bytes("VmRSS");
            if resident <= bound {
                println!("left alone: resident_mib={} bound_mib={}", resident >> 20, bound >> 20);
                return;
            }
            assert!(since.elapsed() < DEADLINE, "{} MiB stay resident, bound {}", resident >> 20, bound >> 20);
            thread::sleep(POLL_INTERVAL);
        }
    }

    fn read_canaries(&mut self, which: std::ops::Range<usize>) {
        read_canaries(&mut self.friend, which);
    }

    /// The canaries were flushed on purpose: they are gone, all of them.
    pub(crate) fn expect_flushed(&mut self) {
        for n in 0..CANARIES {
            self.friend.send_line(format!("get canary-{n}"));
            self.friend.expect_line("END");
        }
    }

    /// The canaries that are still there are right; how many these are.
    pub(crate) fn surviving(&mut self) -> usize {
        (0..CANARIES).filter(|&n| read_canary(&mut self.friend, n)).count()
    }
}

/// Calls it when dropped, also by a panic.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// 1 to 2,000 bytes that tell the item by itself.
fn canary(n: usize) -> Vec<u8> {
    pattern(n, 1 + n * 37 % 2000)
}

/// Whether it is there; it is right then.
fn read_canary(friend: &mut Client, n: usize) -> bool {
    friend.send_line(format!("get canary-{n}"));
    let line = friend.line();
    if line == b"END" {
        return false;
    }
    let value = canary(n);
    assert_eq!(line, format!("VALUE canary-{n} {n} {}", value.len()).as_bytes());
    friend.expect([&value[..], b"\r\nEND\r\n"].concat());
    true
}

fn read_canaries(friend: &mut Client, which: std::ops::Range<usize>) {
    let keys: String = which.clone().map(|n| format!(" canary-{n}")).collect();
    friend.send_line(format!("get{keys}"));
    for n in which {
        let value = canary(n);
        friend.expect_line(format!("VALUE canary-{n} {n} {}", value.len()));
        friend.expect([&value[..], b"\r\n"].concat());
    }
    friend.expect_line("END");
}

/// Connections that there have been, and that there are.
pub(crate) fn connections(client: &mut Client) -> (usize, usize) {
    let mut count = |name| client.statistic("", name).expect("there is one").parse().expect("a number");
    (count("total_connections"), count("curr_connections"))
}

/// Waits until so many connections have been taken in, and so many of all are left.
#[track_caller]
pub(crate) fn await_connections(client: &mut Client, total: usize, open: usize) {
    let since = Instant::now();
    while connections(client) != (total, open) {
        assert!(since.elapsed() < DEADLINE, "{:?} instead of {:?}", connections(client), (total, open));
        thread::sleep(POLL_INTERVAL);
    }
}

/// `len` bytes that depend on `seed`, line ends among them.
pub(crate) fn pattern(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|n| ((n / 7 + n * 13 + seed * 31) % 251) as u8).collect()
}

/// The bytes of a storage command.
pub(crate) fn set(key: &str, value: &[u8]) -> Vec<u8> {
    [format!("set {key} 0 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// One value as `get` replies it.
pub(crate) fn value_reply(key: &str, value: &[u8]) -> Vec<u8> {
    [format!("VALUE {key} 0 {}\r\n", value.len()).as_bytes(), value, b"\r\n"].concat()
}

/// A bare connection with a deadline on everything.
pub(crate) fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("the server accepts connections");
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
    stream
}

/// A connection whose kernel takes in little, so that replies get stuck soon.
pub(crate) fn dial_narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4 << 10).expect("before connecting");
    socket.connect(&SockAddr::from(address)).expect("the server accepts connections");
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
    stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
    stream
}

/// Sends `request` and the end of the stream, reads meanwhile, and returns all replies.
pub(crate) fn converse(mut stream: TcpStream, request: &[u8]) -> Vec<u8> {
    thread::scope(|scope| {
        let mut reader = stream.try_clone().expect("a descriptor");
        let replies = scope.spawn(move || {
            let mut replies = Vec::new();
            reader.read_to_end(&mut replies).expect("replies and then the end of the connection");
            replies
        });
        stream.write_all(request).expect("the server reads");
        stream.shutdown(Shutdown::Write).expect("connected");
        replies.join().expect("the reader does not panic")
    })
}

/// Sends `chunk` again and again, `bytes` in all, or until the server hangs up; whether it took everything.
pub(crate) fn flood(stream: &mut TcpStream, chunk: &[u8], bytes: usize) -> bool {
    (0..bytes.div_ceil(chunk.len())).all(|_| stream.write_all(chunk).is_ok())
}

/// Compares long replies without printing them.
#[track_caller]
pub(crate) fn assert_same(got: &[u8], expected: &[u8]) {
    let at = got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(got.len().min(expected.len()));
    assert!(
        got == expected,
        "{} bytes instead of {}, different from byte {at} on: {:?} instead of {:?}",
        got.len(),
        expected.len(),
        got[at..got.len().min(at + 80)].escape_ascii().to_string(),
        expected[at..expected.len().min(at + 80)].escape_ascii().to_string(),
    );
}

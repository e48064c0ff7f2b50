//! One node over its own connection: a thread that reads statistics again and again and leaves the latest for the
//! screen. Whatever the node does, a reading ends by its deadline and keeps no more than a bound of bytes.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use zeroize::Zeroizing;

use super::address::Address;
use super::sample::{Sample, shown};
use crate::tls::{self, Client};

/// The longest reply that is read, in bytes; a `stats slabs` of all classes is a tenth of it.
const REPLY_BYTES_MAX: usize = 256 * 1024;
/// The longest that connecting, login or a reading may take.
pub(super) const READING_SECS_MAX: u64 = 3;

/// How the answer of a node begins that speaks TLS to one who does not: with an alert (RFC 8446 section 5.1).
const TLS_ALERT: [u8; 2] = [21, 3];

/// How nodes are spoken to.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) login: Option<(String, Zeroizing<String>)>,
    pub(super) allow_plain: bool,
    pub(super) tls: Option<Client>,
    pub(super) interval: Duration,
    /// The time between the first two readings, of which there is something to show.
    pub(super) interval_first: Duration,
}

/// What is known of a node.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nothing that rates could come of yet: it is being asked, or answered once.
    Asked,
    /// Why the last reading failed: a few words, fit to be shown.
    Down(String),
    /// The last two readings and the time between them.
    Up(Box<(Sample, Sample, Duration)>),
}

/// A node as the screen and its thread share it.
#[derive(Debug)]
pub(super) struct Node {
    /// As on the command line, fit to be shown.
    pub(super) name: String,
    address: Address,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether somebody looks at the slab classes.
    pub(super) detailed: AtomicBool,
}

impl Node {
    /// A node that nobody has asked yet.
    pub(super) fn new(word: &str, address: Address) -> Arc<Node> {
        Arc::new(Node {
            name: shown(word.as_bytes()),
            address,
            state: Mutex::new(State::Asked),
            changed: Condvar::new(),
            detailed: AtomicBool::new(false),
        })
    }

    /// What is known now.
    pub(super) fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Waits for two readings, or one that failed; at `deadline` the node counts as down.
    pub(super) fn await_rates(&self, deadline: Instant) -> State {
        let mut state = self.state.lock();
        while matches!(*state, State::Asked) {
            if self.changed.wait_until(&mut state, deadline).timed_out() {
                return State::Down("no answer in time".to_owned());
            }
        }
        state.clone()
    }

    /// Reads for as long as the process lives.
    pub(super) fn watch(&self, terms: &Terms) {
        let mut link = None;
        let mut last: Option<(Sample, Instant)> = None;
        loop {
            let began = Instant::now();
            let reading = self.reading(terms, &mut link);
            let now = Instant::now();
            let mut interval = terms.interval;
            let state = match reading {
                Ok(sample) => match last.replace((sample.clone(), now)).filter(|(before, _)| sample.goes_on(before)) {
                    Some((before, at)) => State::Up(Box::new((before, sample, now - at))),
                    None => {
                        interval = terms.interval_first;
                        State::Asked
                    }
                },
                Err(why) => {
                    last = None;
                    State::Down(why)
                }
            };
            *self.state.lock() = state;
            self.changed.notify_all();
            std::thread::sleep(interval.saturating_sub(began.elapsed()));
        }
    }

    /// A reading over the connection that is kept, or a new one: nodes close those that are idle for too long, which is no
    /// failure yet.
    fn reading(&self, terms: &Terms, kept: &mut Option<Box<dyn Link>>) -> Result<Sample, String> {
        let deadline = Instant::now() + Duration::from_secs(READING_SECS_MAX);
        if let Some(mut link) = kept.take() {
            link.until(deadline);
            if let Ok(sample) = self.read(&mut link) {
                *kept = Some(link);
                return Ok(sample);
            }
        }
        let mut link = connect(&self.address, terms, deadline)?;
        let sample = self.read(&mut link)?;
        *kept = Some(link);
        Ok(sample)
    }

    fn read(&self, link: &mut Box<dyn Link>) -> Result<Sample, String> {
        let mut sample = Sample::default();
        ask(link, b"stats\r\n", |line| sample.take(line))?;
        if self.detailed.load(Ordering::Relaxed) {
            ask(link, b"stats slabs\r\n", |line| sample.take(line))?;
        }
        Ok(sample)
    }
}

/// A connection whose reads and writes end by a deadline.
trait Link: Read + Write + Send {
    fn until(&mut self, deadline: Instant);
}

/// A socket with a deadline. TLS lies above it, and shares the deadline.
#[derive(Debug)]
struct Timed<S> {
    socket: S,
    deadline: Arc<Mutex<Instant>>,
}

/// Sockets whose next call can be bounded.
trait Bounded: Read + Write {
    fn bound(&self, time: Duration) -> io::Result<()>;
}

impl Bounded for TcpStream {
    fn bound(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

impl Bounded for UnixStream {
    fn bound(&self, time: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(time)).and_then(|()| self.set_write_timeout(Some(time)))
    }
}

impl<S: Bounded> Timed<S> {
    fn socket(&mut self) -> io::Result<&mut S> {
        let left = self.deadline.lock().saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.socket.bound(left)?;
        Ok(&mut self.socket)
    }
}

impl<S: Bounded> Read for Timed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket()?.read(buffer)
    }
}

impl<S: Bounded> Write for Timed<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is spoken over, plain or TLS, and the deadline below it.
struct Line<S> {
    stream: S,
    deadline: Arc<Mutex<Instant>>,
}

impl<S: Read> Read for Line<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl<S: Write> Write for Line<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<S: Read + Write + Send> Link for Line<S> {
    fn until(&mut self, deadline: Instant) {
        *self.deadline.lock() = deadline;
    }
}

fn connect(address: &Address, terms: &Terms, until: Instant) -> Result<Box<dyn Link>, String> {
    let deadline = Arc::new(Mutex::new(until));
    let (mut link, private): (Box<dyn Link>, bool) = match address {
        Address::Unix(path) => {
            let socket = UnixStream::connect(path).map_err(|error| failed(&error))?;
            let stream = Timed { socket, deadline: Arc::clone(&deadline) };
            (Box::new(Line { stream, deadline }), true)
        }
        Address::Tcp(host, port) => {
            let socket = dial(host, *port, until)?;
            let local = socket.peer_addr().is_ok_and(|peer| peer.ip().is_loopback());
            let stream = Timed { socket, deadline: Arc::clone(&deadline) };
            match &terms.tls {
                Some(client) => {
                    let stream = client.connect(host, stream)?;
                    (Box::new(Line { stream, deadline }), true)
                }
                None => (Box::new(Line { stream, deadline }), local),
            }
        }
    };
    if let Some((name, password)) = &terms.login {
        if !private && !terms.allow_plain {
            return Err("no login without TLS; give --tls or --allow-plain".to_owned());
        }
        log_in(&mut link, name, password)?;
    }
    Ok(link)
}

/// Tries each address of the host in its turn, so that one that swallows what is sent leaves time for the others.
fn dial(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, String> {
    let mut why = "has no address".to_owned();
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(|error| failed(&error))?.collect();
    for (address, untried) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
        let share = deadline.saturating_duration_since(Instant::now()) / untried;
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(socket) => return Ok(socket),
            Err(error) => why = failed(&error),
        }
    }
    Err(why)
}

/// memcached's login over text: user and password in the value of a `set`.
fn log_in(link: &mut Box<dyn Link>, name: &str, password: &str) -> Result<(), String> {
    let length = name.len() + 1 + password.len();
    let request = Zeroizing::new(format!("set login 0 0 {length}\r\n{name} {password}\r\n"));
    ask(link, request.as_bytes(), |line| match line {
        b"STORED" => Ok(true),
        line => Err(format!("login: {}", shown(line))),
    })
}

/// Sends a request and gives the lines of its reply to `take`, until that says that this was the last.
fn ask(
    link: &mut Box<dyn Link>,
    request: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<bool, String>,
) -> Result<(), String> {
    link.write_all(request).and_then(|()| link.flush()).map_err(|error| failed(&error))?;
    let (mut reply, mut parsed) = (Vec::new(), 0);
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = match link.read(&mut buffer) {
            Ok(0) => return Err("closed the connection".to_owned()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(&error)),
        };
        let searched = reply.len().max(parsed);
        reply.extend_from_slice(&buffer[..count]);
        if reply.starts_with(&TLS_ALERT) {
            return Err("speaks TLS; give --tls".to_owned());
        }
        let mut from = searched;
        while let Some(at) = memchr::memchr(b'\n', &reply[from..]).map(|at| from + at) {
            let line = &reply[parsed..at];
            (parsed, from) = (at + 1, at + 1);
            if take(line.strip_suffix(b"\r").unwrap_or(line))? {
                return Ok(());
            }
        }
        if reply.len() > REPLY_BYTES_MAX {
            return Err("answered without end".to_owned());
        }
    }
}

/// A failure in few words.
fn failed(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ if tls::is_other_protocol(error) => "speaks no TLS; leave --tls away".to_owned(),
        _ => shown(error.to_string().as_bytes()),
    }
}

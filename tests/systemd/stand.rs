//! The part of systemd that a service sees, and a client.

use std::io::{BufRead, BufReader, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The longest that anything here may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Descriptors that are to be passed must be open across exec for a moment: no other child may start meanwhile.
static SPAWNING: Mutex<()> = Mutex::new(());

/// Several times as long as a watchdog waits in these tests.
const SILENCE: Duration = Duration::from_millis(600);

/// Numbers from here on are used by nobody else.
const PASSED_FIRST: i32 = 100;

/// The service manager and what it holds for one service.
pub(crate) struct Manager {
    directory: TempDir,
    notifications: UnixDatagram,
    sockets: Vec<(String, OwnedFd)>,
    /// Its descriptor store.
    pub(crate) store: Vec<(String, OwnedFd)>,
}

impl Manager {
    pub(crate) fn new() -> Manager {
        let directory = tempfile::tempdir().unwrap();
        let notifications = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        notifications.set_read_timeout(Some(PATIENCE)).unwrap();
        Manager { directory, notifications, sockets: Vec::new(), store: Vec::new() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A socket unit.
    pub(crate) fn pass(&mut self, name: &str, fd: impl Into<OwnedFd>) {
        self.sockets.push((name.to_owned(), fd.into()));
    }

    /// A socket unit with a TCP socket.
    pub(crate) fn listen(&mut self, name: &str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        self.pass(name, listener);
        address
    }

    /// A socket unit with a Unix socket.
    pub(crate) fn listen_unix(&mut self, name: &str) -> PathBuf {
        let path = self.path("passed.socket");
        self.pass(name, UnixListener::bind(&path).unwrap());
        path
    }

    /// Starts the service with flags and further variables.
    pub(crate) fn start(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Service {
        let passed: Vec<_> = self.sockets.iter().chain(&self.store).collect();
        let names: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
        let fds: Vec<OwnedFd> = passed.iter().map(|(_, fd)| fcntl_dupfd_cloexec(fd, PASSED_FIRST).unwrap()).collect();
        let moves = (3..).zip(&fds).map(|(to, fd)| format!("{to}<&{0} {0}<&-", fd.as_raw_fd()));
        let script = format!("export LISTEN_PID=$$; exec \"$0\" \"$@\" {}", moves.collect::<Vec<_>>().join(" "));
        let mut command = Command::new("bash");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_larder")]).args(arguments).arg("-v");
        command.env_remove("RUST_LOG").env("NOTIFY_SOCKET", self.path("notify"));
        command.env("MEMCACHED_PORT_FILENAME", self.path("ports")).envs(variables.iter().copied());
        if !fds.is_empty() {
            command.env("LISTEN_FDS", fds.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
        }
        let _ = std::fs::remove_file(self.path("ports"));
        let _alone = SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
        for fd in &fds {
            fcntl_setfd(fd, FdFlags::empty()).unwrap();
        }
        let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("bash runs");
        // Closed before another child can start.
        drop(fds);
        Service { child }
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start_ready(&mut self, arguments: &[&str]) -> Service {
        let service = self.start(arguments, &[]);
        self.await_message("READY=1");
        service
    }

    /// The next message, descriptors put into the store or taken out of it.
    pub(crate) fn hear(&mut self) -> String {
        let mut buffer = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let received = recvmsg(&self.notifications, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
            .expect("the service says something");
        let fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds.collect::<Vec<_>>()),
            _ => None,
        });
        let fds: Vec<OwnedFd> = fds.flatten().collect();
        let message = String::from_utf8(buffer[..received.bytes].to_vec()).unwrap();
        let name = message.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored");
        if has(&message, "FDSTORE=1") {
            self.store.extend(fds.into_iter().map(|fd| (name.to_owned(), fd)));
        } else {
            assert!(fds.is_empty(), "{message}");
        }
        if has(&message, "FDSTOREREMOVE=1") {
            self.store.retain(|(stored, _)| stored != name);
        }
        message
    }

    /// Hears messages until one has this line, which it returns.
    pub(crate) fn await_message(&mut self, line: &str) -> String {
        loop {
            let message = self.hear();
            if has(&message, line) {
                return message;
            }
        }
    }

    /// The first `WATCHDOG=1` that comes within a time in which several were due; `None` when there is none.
    pub(crate) fn silence(&mut self) -> Option<String> {
        let until = Instant::now() + SILENCE;
        while self.is_told(until.saturating_duration_since(Instant::now())) {
            let message = self.hear();
            if has(&message, "WATCHDOG=1") {
                return Some(message);
            }
        }
        None
    }

    /// Stops it as `systemctl stop` does; returns its log.
    pub(crate) fn stop(&mut self, mut service: Service) -> String {
        service.signal(Signal::TERM);
        self.await_message("STOPPING=1");
        assert_eq!(service.wait().code(), Some(0));
        while self.is_told(Duration::ZERO) {
            self.hear();
        }
        service.log()
    }

    /// Whether a message comes within that time.
    fn is_told(&self, time: Duration) -> bool {
        let wait = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        poll(&mut [PollFd::new(&self.notifications, PollFlags::IN)], Some(&wait)) == Ok(1)
    }

    pub(crate) fn stored_names(&self) -> Vec<&str> {
        self.store.iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Whether one of the lines of `message` is `line`.
pub(crate) fn has(message: &str, line: &str) -> bool {
    message.lines().any(|found| found == line)
}

/// A running server; killed when dropped.
pub(crate) struct Service {
    child: Child,
}

impl Service {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// All that it wrote to standard error. It has ended.
    pub(crate) fn log(&mut self) -> String {
        let mut text = String::new();
        self.take_stderr().read_to_string(&mut text).unwrap();
        text
    }

    pub(crate) fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of the text protocol.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

impl Client<TcpStream> {
    pub(crate) fn connect(address: SocketAddr) -> Client<TcpStream> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client::on(stream)
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn on(stream: S) -> Client<S> {
        Client { stream: BufReader::new(stream) }
    }

    /// The reply's line to a request's; an error when the server went away.
    pub(crate) fn ask(&mut self, request: &str) -> std::io::Result<String> {
        self.stream.get_mut().write_all(format!("{request}\r\n").as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(line) => Ok(line.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) {
        assert_eq!(self.ask(&format!("ms {key} {}\r\n{value}", value.len())).unwrap(), "HD");
    }

    /// The value of a key of one line.
    pub(crate) fn get(&mut self, key: &str) -> Option<String> {
        let head = self.ask(&format!("mg {key} v")).unwrap();
        if head == "EN" {
            return None;
        }
        let mut value = String::new();
        self.stream.read_line(&mut value).unwrap();
        Some(value.trim_end().to_owned())
    }
}

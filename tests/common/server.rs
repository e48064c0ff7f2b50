//! One server process: started on a free port, ready when `start` returns, killed by its process id on drop.
//!
//! The port is learnt from the file named by `MEMCACHED_PORT_FILENAME`, which memcached and Larder write once every
//! listener is open; so no port is fixed, and two test files never meet.

use std::ffi::OsString;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::{Client, DEADLINE, POLL_INTERVAL};

/// What kind of server a binary is; the two differ where `docs/compatibility.md` says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavour {
    /// Ours.
    Larder,
    /// A memcached put in Larder's place to prove the tests themselves.
    Memcached,
}

/// The binary under test: `LARDER_BIN` when set, else the one cargo built.
pub(crate) fn server_path() -> PathBuf {
    match std::env::var_os("LARDER_BIN") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => PathBuf::from(env!("CARGO_BIN_EXE_larder")),
    }
}

/// Whether a binary is a memcached, judged by its file name.
pub(crate) fn is_memcached(binary: &Path) -> bool {
    binary.file_name().is_some_and(|name| name.to_string_lossy().starts_with("memcached"))
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    flavour: Flavour,
    /// `None` for a server that listens on a Unix socket only.
    tcp_port: Option<u16>,
    printed: Arc<Mutex<Vec<u8>>>,
    /// Fills `printed`; taken when the server has ended.
    reader: Option<JoinHandle<()>>,
    /// Holds the port file; removed with the server.
    _directory: TempDir,
}

impl Server {
    /// Starts the server under test on a free TCP port of 127.0.0.1, with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::start_binary(&server_path(), arguments)
    }

    /// Starts any memcached-compatible binary on a free TCP port of 127.0.0.1.
    pub(crate) fn start_binary(binary: &Path, arguments: &[&str]) -> Server {
        let mut all = vec!["-l", "127.0.0.1", "-p", "-1", "-U", "0"];
        all.extend_from_slice(arguments);
        let mut server = Server::spawn(binary, &all);
        server.await_tcp_port(binary);
        server
    }

    /// Starts the server under test where `arguments` say.
    pub(crate) fn start_listening(arguments: &[&str]) -> Server {
        let binary = server_path();
        let mut all = vec!["-p", "-1"];
        all.extend_from_slice(arguments);
        let mut server = Server::spawn(&binary, &all);
        server.await_tcp_port(&binary);
        server
    }

    /// The TCP ports of the server, in the order of its listeners, each at the address of 127.0.0.0/8 that its place
    /// gives it: the first at 127.0.0.1, the second at 127.0.0.2.
    pub(crate) fn tcp_addresses(&self) -> Vec<SocketAddr> {
        let text = std::fs::read_to_string(self._directory.path().join("ports")).expect("it was there");
        let ports = text.lines().filter_map(|line| line.strip_prefix("TCP INET: "));
        let address = |(at, port): (usize, &str)| {
            let port = port.trim().parse().expect("a port number");
            SocketAddr::from((Ipv4Addr::new(127, 0, 0, 1 + at as u8), port))
        };
        ports.enumerate().map(address).collect()
    }

    /// Starts the server under test on a Unix socket.
    pub(crate) fn start_unix(socket: &Path, arguments: &[&str]) -> Server {
        let binary = server_path();
        let socket_text = socket.to_str().expect("the tests choose paths in UTF-8");
        let mut all = vec!["-s", socket_text];
        all.extend_from_slice(arguments);
        let mut server = Server::spawn(&binary, &all);
        let since = Instant::now();
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            server.assert_starting(&binary, since);
            thread::sleep(POLL_INTERVAL);
        }
        server
    }

    fn spawn(binary: &Path, arguments: &[&str]) -> Server {
        let directory = tempfile::tempdir().expect("the temporary directory takes a new directory");
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        if geteuid().is_root() {
            // memcached does not start as root without it, and Larder warns.
            all.extend(["-u", "root"].map(OsString::from));
        }
        let mut child = Command::new(binary)
            .args(&all)
            .env("MEMCACHED_PORT_FILENAME", directory.path().join("ports"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start binary={} reason={error}", binary.display()));
        let mut stderr = child.stderr.take().expect("stderr was asked to be a pipe");
        let printed = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&printed);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                sink.lock().expect("no holder panics").extend_from_slice(&buffer[..count]);
            }
        });
        let flavour = if is_memcached(binary) { Flavour::Memcached } else { Flavour::Larder };
        Server { child, flavour, tcp_port: None, printed, reader: Some(reader), _directory: directory }
    }

    fn await_tcp_port(&mut self, binary: &Path) {
        let file = self._directory.path().join("ports");
        let since = Instant::now();
        loop {
            // The file appears by a rename, so what can be read is complete.
            if let Ok(text) = std::fs::read_to_string(&file) {
                let port = text.lines().find_map(|line| line.strip_prefix("TCP INET: "));
                let port = port.unwrap_or_else(|| panic!("no line `TCP INET: <port>` in the port file: {text:?}"));
                self.tcp_port = Some(port.trim().parse().expect("the port file holds a port number"));
                return;
            }
            self.assert_starting(binary, since);
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Fails the test when the server has ended, or is not ready within the deadline.
    fn assert_starting(&mut self, binary: &Path, since: Instant) {
        if let Some(status) = self.try_wait() {
            panic!("{} ended while starting: {status}\n{}", binary.display(), self.stderr());
        }
        assert!(since.elapsed() < DEADLINE, "{} not ready in {DEADLINE:?}\n{}", binary.display(), self.stderr());
    }

    /// How the server has ended, if it has; all that it printed has been read then.
    fn try_wait(&mut self) -> Option<ExitStatus> {
        let status = self.child.try_wait().expect("the child is ours to wait for")?;
        // Nobody else has the other end of the pipe, so it is over.
        if let Some(reader) = self.reader.take() {
            reader.join().expect("it only reads");
        }
        Some(status)
    }

    /// The UDP port of the server (`-U -1`) at 127.0.0.1.
    pub(crate) fn udp_address(&self) -> SocketAddr {
        let text = std::fs::read_to_string(self._directory.path().join("ports")).expect("it was there");
        let port = text.lines().find_map(|line| line.strip_prefix("UDP INET: ")).expect("this server has UDP");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port.trim().parse().expect("a port number")))
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.tcp_port.expect("this server listens on TCP")))
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Ours, or a memcached in its place.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A line of /proc/PID/status that counts memory (`VmRSS`, `VmHWM`), in bytes.
    pub(crate) fn memory_bytes(&self, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the server lives");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("such a line");
        let kibibytes = line.trim().strip_suffix(" kB").expect("it is a size").trim();
        kibibytes.parse::<u64>().expect("it is a number") << 10
    }

    /// What the server has printed on stderr so far.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.printed.lock().expect("no holder panics")).into_owned()
    }

    /// Waits until stderr holds `text`.
    pub(crate) fn await_stderr(&self, text: &str) {
        let since = Instant::now();
        while !self.stderr().contains(text) {
            assert!(since.elapsed() < DEADLINE, "stderr never showed {text:?}; it holds:\n{}", self.stderr());
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a child's process id is not 0");
        kill_process(pid, signal).expect("the child has not been waited for, so its id is still its own");
    }

    /// Waits for the server to end on its own; `stderr` holds all that it printed then.
    pub(crate) fn await_exit(&mut self) -> ExitStatus {
        let since = Instant::now();
        loop {
            if let Some(status) = self.try_wait() {
                return status;
            }
            assert!(since.elapsed() < DEADLINE, "the server still runs after {DEADLINE:?}\n{}", self.stderr());
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the child has ended and been waited for, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if thread::panicking() && !self.stderr().is_empty() {
            eprintln!("--- stderr of the server\n{}---", self.stderr());
        }
    }
}

//! The real binary as a child process, in a directory of its own, on a port that was free.

// Each test file compiles its own copy of this module and uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tempfile::TempDir;

/// The longest that anything here may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A command that runs the binary, without what the caller's environment would change.
pub(crate) fn larder(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
    command.args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG").env_remove("MEMCACHED_PORT_FILENAME");
    command
}

/// Runs the binary where it is expected to end by itself.
pub(crate) fn run(arguments: &[&str]) -> Output {
    larder(arguments).output().expect("the binary runs")
}

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    directory: TempDir,
    /// What it has written to standard error, as far as it was read.
    log: String,
}

impl Server {
    /// Starts it and waits until it serves. Words with `{}` get the server's own directory put in.
    pub(crate) fn start(arguments: &[&str]) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), arguments)
    }

    /// The same in a directory that exists.
    pub(crate) fn start_in(directory: TempDir, arguments: &[&str]) -> Server {
        let place = directory.path().display().to_string();
        let arguments: Vec<String> = arguments.iter().map(|word| word.replace("{}", &place)).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let pid_file = directory.path().join("pid");
        let _ = fs::remove_file(&pid_file);
        let child = larder(&arguments)
            .arg("-P")
            .arg(&pid_file)
            .env("MEMCACHED_PORT_FILENAME", directory.path().join("ports"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut server = Server { child, directory, log: String::new() };
        server.await_that("the server serves", |server| match server.child.try_wait().unwrap() {
            Some(status) => panic!("ended with {status}: {}", server.stderr()),
            None => pid_file.exists(),
        });
        server
    }

    /// Starts it on any free port of 127.0.0.1.
    pub(crate) fn on_loopback(arguments: &[&str]) -> Server {
        Server::start(&[&["-p", "-1", "-l", "127.0.0.1"], arguments].concat())
    }

    /// A file in the server's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The directory, for the next server.
    pub(crate) fn into_directory(mut self) -> TempDir {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap())
    }

    /// The lines of the port file.
    pub(crate) fn ports(&self) -> Vec<String> {
        fs::read_to_string(self.path("ports")).unwrap().lines().map(str::to_owned).collect()
    }

    /// The port on IPv4.
    pub(crate) fn port(&self) -> u16 {
        let ports = self.ports();
        ports.iter().find_map(|line| line.strip_prefix("TCP INET: ")?.parse().ok()).expect("an IPv4 port")
    }

    /// A client.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port()))).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A line of /proc/PID/status, without its name.
    pub(crate) fn status_line(&self, name: &str) -> String {
        status_line(self.pid(), name)
    }

    /// Process id.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for the end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        assert!(ends(self.pid()), "the server does not end");
        self.child.wait().unwrap()
    }

    /// Stops it as an administrator does, and returns what it wrote to standard error.
    pub(crate) fn stop(mut self) -> String {
        self.signal(Signal::TERM);
        assert_eq!(self.wait().code(), Some(0));
        self.stderr()
    }

    /// Waits until it has written a text to standard error.
    pub(crate) fn await_log(&mut self, text: &str) {
        while !self.log.contains(text) {
            let pipe = self.child.stderr.as_mut().expect("piped");
            let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
            let is_readable = poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&patience)) == Ok(1);
            let mut buffer = [0; 4096];
            let count = if is_readable { pipe.read(&mut buffer).unwrap() } else { 0 };
            assert!(count > 0, "{text:?} is not in {}", self.log);
            self.log.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }

    fn stderr(&mut self) -> String {
        self.child.stderr.take().expect("read once").read_to_string(&mut self.log).unwrap();
        std::mem::take(&mut self.log)
    }

    /// Waits for something that nothing announces.
    fn await_that(&mut self, what: &str, mut condition: impl FnMut(&mut Server) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "never happened: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a process ends, be it a child or not; false if it does not.
pub(crate) fn ends(pid: Pid) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience)) == Ok(1)
}

/// A line of /proc/PID/status, without its name.
pub(crate) fn status_line(pid: Pid, name: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).expect("such a line");
    line.trim().to_owned()
}

/// Where a link in /proc/PID leads.
pub(crate) fn process_link(pid: Pid, name: &str) -> io::Result<PathBuf> {
    fs::read_link(Path::new("/proc").join(pid.as_raw_nonzero().to_string()).join(name))
}

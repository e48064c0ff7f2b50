//! A server as a child process.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::accounting::CpuTime;
use super::stats;

/// Which server to start, and how it is called in the tables.
#[derive(Clone, Debug)]
pub(crate) struct Contestant {
    /// Name in the tables.
    pub(crate) name: String,
    /// A program that runs it, with arguments of its own; empty for none.
    pub(crate) wrapper: Vec<String>,
    /// The program; a bare name is looked for in `PATH`.
    pub(crate) program: PathBuf,
    /// Arguments after the common ones.
    pub(crate) arguments: Vec<String>,
}

/// A running server; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    words: File,
    address: SocketAddr,
    version: String,
}

impl Contestant {
    /// The name under which Larder runs.
    pub(crate) const LARDER: &str = "larder";

    /// The name under which a third server runs.
    pub(crate) const RIVAL: &str = "rival";

    /// Whether the targets apply to it.
    pub(crate) fn is_judged(&self) -> bool {
        self.name == Self::LARDER
    }

    /// Whether a row does without it when it cannot do what the row asks.
    pub(crate) fn is_optional(&self) -> bool {
        self.name == Self::RIVAL
    }

    /// Starts the server on a free loopback port with `-t threads -m memory_mb -c connections_max` and waits until it
    /// answers.
    pub(crate) fn start(&self, threads: usize, memory_mb: u64, connections_max: usize) -> Result<Server, String> {
        let mut refusal = String::new();
        // The port may be taken between its choice and its use; a second choice settles that.
        for _ in 0..START_ATTEMPTS {
            match self.start_once(threads, memory_mb, connections_max) {
                Ok(server) => return Ok(server),
                Err(words) => refusal = words,
            }
        }
        Err(refusal)
    }

    fn start_once(&self, threads: usize, memory_mb: u64, connections_max: usize) -> Result<Server, String> {
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        // A file, not a pipe: nobody reads along, and a full pipe would stop the server.
        let words = tempfile::tempfile().map_err(|error| format!("no temporary file: {error}"))?;
        let stderr = words.try_clone().map_err(|error| format!("no second descriptor: {error}"))?;
        let mut command = match self.wrapper.split_first() {
            Some((wrapper, words)) => {
                let mut command = Command::new(wrapper);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(["-l", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-t", &threads.to_string(), "-m", &memory_mb.to_string(), "-c", &connections_max.to_string()]);
        if rustix::process::geteuid().is_root() {
            command.args(["-u", "root"]);
        }
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = command.spawn().map_err(|error| self.unstartable(&error))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server { child, words, address, version: String::new() };
        match server.await_version() {
            Ok(version) => {
                server.version = version;
                Ok(server)
            }
            Err(why) => Err(format!("{command:?} does not serve: {why}{}", server.last_words())),
        }
    }

    fn unstartable(&self, error: &io::Error) -> String {
        let program = self.program.display();
        format!("cannot start {program}: {error}; name the program with --{} PATH", self.flag())
    }

    fn flag(&self) -> &str {
        self.name.split([' ', '-']).next().unwrap_or(&self.name)
    }
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to `version`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Processor time used so far.
    pub(crate) fn cpu_time(&self) -> io::Result<CpuTime> {
        CpuTime::of(self.pid())
    }

    /// Waits until it does no work of its own (growing its index, moving items), but not for ever.
    pub(crate) fn settle(&self) -> io::Result<()> {
        let deadline = Instant::now() + SETTLE_TIME_MAX;
        while Instant::now() < deadline {
            let before = self.cpu_time()?;
            std::thread::sleep(SETTLE_PROBE);
            let used = self.cpu_time()? - before;
            if Duration::from_nanos(used.total_nanos) < SETTLE_PROBE / 50 {
                break;
            }
        }
        Ok(())
    }

    fn await_version(&mut self) -> Result<String, String> {
        let deadline = Instant::now() + START_TIME_MAX;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("it ended at once, {status}"));
            }
            let refusal = match stats::version(self.address) {
                Ok(version) => return Ok(version),
                Err(error) => error,
            };
            if Instant::now() > deadline {
                return Err(format!("no answer to `version`: {refusal}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it and returns what it said about its end.
    fn last_words(&mut self) -> String {
        self.stop();
        let mut words = String::new();
        // What cannot be read is not worth a second error.
        let _ = self.words.rewind().and_then(|()| (&self.words).take(2000).read_to_string(&mut words));
        match words.trim() {
            "" => String::new(),
            words => format!("; it said: {words}"),
        }
    }

    fn stop(&mut self) {
        let deadline = Instant::now() + STOP_TIME_MAX;
        // An error here means that it has ended by itself.
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM);
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

const START_ATTEMPTS: usize = 2;
const START_TIME_MAX: Duration = Duration::from_secs(5);
const STOP_TIME_MAX: Duration = Duration::from_secs(5);
const SETTLE_TIME_MAX: Duration = Duration::from_secs(5);
const SETTLE_PROBE: Duration = Duration::from_millis(100);

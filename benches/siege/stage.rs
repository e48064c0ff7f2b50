//! The server: with users, a plain listener and one with TLS, and bounds for each address.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server that runs; killed when dropped.
pub(crate) struct Stage {
    child: Child,
    directory: TempDir,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// `-m`.
    pub(crate) memory_bytes: u64,
}

/// Whose keys are checked, who asks for statistics, and whose login the foes have.
pub(crate) const FRIEND: &str = "friend";
pub(crate) const ADMIN: &str = "admin";
pub(crate) const FOE: &str = "foe";
pub(crate) const PASSWORD: &str = "a password of the siege";

impl Stage {
    /// Starts `larder` behind users made by `larder_passwd`.
    ///
    /// # Errors
    /// When either does not start, or the server does not serve.
    pub(crate) fn start(larder: &Path, larder_passwd: &Path, wrapper: &[String]) -> Result<Stage, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = |name: &str| directory.path().join(name);
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).map_err(|e| e.to_string())?;
        fs::write(path("cert"), identity.cert.pem()).map_err(|error| error.to_string())?;
        fs::write(path("key"), identity.signing_key.serialize_pem()).map_err(|error| error.to_string())?;
        for (user, rights) in [(FRIEND, "read,write"), (ADMIN, "read,write,admin"), (FOE, "read,write")] {
            add_user(larder_passwd, &path("users"), user, rights).map_err(|error| format!("{user}: {error}"))?;
        }
        let mut words: Vec<String> = wrapper.to_vec();
        words.push(larder.display().to_string());
        let options = format!("ssl_chain_cert={},ssl_key={}", path("cert").display(), path("key").display());
        let listeners = "notls:127.0.0.1,btls:127.0.0.2";
        let memory = MEMORY_MB.to_string();
        let given = ["-p", "-1", "-l", listeners, "-Z", "-o", &options, "-m", &memory, "-t", "2", "-c", "1600"];
        words.extend(given.map(str::to_owned));
        words.extend(["--max-connections-per-address", "200", "--users"].map(str::to_owned));
        words.push(path("users").display().to_string());
        if rustix::process::geteuid().is_root() {
            words.extend(["-u", "root"].map(str::to_owned));
        }
        // A file, not a pipe: nobody reads along, and a full pipe would stop the server.
        let log = fs::File::create(path("log")).map_err(|error| error.to_string())?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("MEMCACHED_PORT_FILENAME", path("ports")).env_remove("RUST_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().map_err(|error| format!("cannot start {words:?}: {error}"))?;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut stage = Stage { child, plain: nowhere, tls: nowhere, memory_bytes: MEMORY_MB << 20, directory };
        (stage.plain, stage.tls) = stage.await_ports()?;
        Ok(stage)
    }

    fn await_ports(&mut self) -> Result<(SocketAddr, SocketAddr), String> {
        let since = Instant::now();
        loop {
            if let Ok(text) = fs::read_to_string(self.directory.path().join("ports")) {
                let ports: Vec<u16> =
                    text.lines().filter_map(|line| line.strip_prefix("TCP INET: ")?.parse().ok()).collect();
                if let [plain, tls] = ports[..] {
                    let at = |last, port| SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port));
                    return Ok((at(1, plain), at(2, tls)));
                }
            }
            if since.elapsed() > START_TIME_MAX || !matches!(self.child.try_wait(), Ok(None)) {
                return Err(format!("the server does not serve: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn users_file(&self) -> PathBuf {
        self.directory.path().join("users")
    }

    /// What the server has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// For each thread of the server, how long it has been ready to run and had no processor.
    ///
    /// # Errors
    /// When the server is gone.
    pub(crate) fn waits(&self) -> io::Result<HashMap<PathBuf, Duration>> {
        let mut waits = HashMap::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let task = task?.path();
            // Threads of handshakes come and go.
            let Ok(text) = fs::read_to_string(task.join("schedstat")) else { continue };
            if let Some(nanos) = text.split(' ').nth(1).and_then(|word| word.parse().ok()) {
                waits.insert(task, Duration::from_nanos(nanos));
            }
        }
        Ok(waits)
    }

    /// # Errors
    /// When the server is gone.
    pub(crate) fn resident_peak_bytes(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        kib.map(|kib: u64| kib << 10).ok_or_else(|| io::Error::other("no VmHWM"))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn add_user(larder_passwd: &Path, file: &Path, user: &str, rights: &str) -> io::Result<()> {
    let mut child = Command::new(larder_passwd)
        .arg("-c")
        .arg(file)
        .args(["add", user, "--rights", rights])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    writeln!(child.stdin.take().expect("asked for"), "{PASSWORD}")?;
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

const MEMORY_MB: u64 = 128;
const START_TIME_MAX: Duration = Duration::from_secs(20);

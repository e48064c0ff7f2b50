//! Words to the service manager that started this process (sd_notify(3)): datagrams to the socket that `NOTIFY_SOCKET`
//! names.
//!
//! The socket is made once, as a confined process (`-o drop_privileges`) makes none, and is not connected, so that a
//! manager that is started anew is found again.

use std::env;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::process;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, sendmsg_addr};
use rustix::time::{ClockId, clock_gettime};

/// How long a manager that does not read may hold us up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The way to the service manager.
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddrUnix,
}

impl Notifier {
    /// The manager that `NOTIFY_SOCKET` names, if it names one.
    ///
    /// # Errors
    /// When the name is no Unix socket's, or no socket can be made.
    pub fn from_environment() -> io::Result<Option<Notifier>> {
        env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).map(|name| Notifier::to(&name)).transpose()
    }

    /// The manager at `name`: a path, or a name of the abstract namespace behind an `@`.
    ///
    /// # Errors
    /// As [`Notifier::from_environment`].
    pub fn to(name: &OsStr) -> io::Result<Notifier> {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddrUnix::new_abstract_name(rest)?,
            [b'/', ..] => SocketAddrUnix::new(name)?,
            _ => return Err(io::Error::other("it is neither a path nor an abstract name")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Notifier { socket, address })
    }

    /// Says `state`: assignments, one in a line.
    ///
    /// # Errors
    /// When the manager is not there or does not read.
    pub fn say(&self, state: &str) -> io::Result<()> {
        self.send(state, &[])
    }

    /// Leaves a descriptor in the manager's store, which passes it to the next process under that name. A manager that
    /// keeps none (`FileDescriptorStoreMax=0`, the default) closes it without a word.
    ///
    /// # Errors
    /// As [`Notifier::say`].
    pub fn store(&self, name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.send(&format!("FDSTORE=1\nFDNAME={name}"), &[fd])
    }

    /// Has the manager's store forget all descriptors of that name.
    ///
    /// # Errors
    /// As [`Notifier::say`].
    pub fn forget(&self, name: &str) -> io::Result<()> {
        self.say(&format!("FDSTOREREMOVE=1\nFDNAME={name}"))
    }

    fn send(&self, state: &str, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
            return Err(io::Error::other("too many descriptors for one message"));
        }
        let text = [IoSlice::new(state.as_bytes())];
        sendmsg_addr(&self.socket, &self.address, &text, &mut control, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// How often the manager wants to hear `WATCHDOG=1` from this process at least (sd_watchdog_enabled(3)); `None` = it does not.
pub fn watchdog_period() -> Option<Duration> {
    watchdog_period_of(process::id(), |name| env::var(name).ok())
}

fn watchdog_period_of(pid: u32, variable: impl Fn(&str) -> Option<String>) -> Option<Duration> {
    if variable("WATCHDOG_PID").is_some_and(|text| text.parse() != Ok(pid)) {
        return None;
    }
    let microseconds = variable("WATCHDOG_USEC")?.parse().ok().filter(|period| *period > 0)?;
    Some(Duration::from_micros(microseconds))
}

/// Microseconds of CLOCK_MONOTONIC, which a manager wants to know of a reload.
pub fn monotonic_microseconds() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

#[cfg(test)]
mod tests {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    use super::*;

    fn heard(manager: &UnixDatagram) -> String {
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = [0; 256];
        let count = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_at_a_path_is_heard_again_after_it_was_started_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str()).unwrap();
        notifier.say("READY=1\nSTATUS=well").unwrap();
        assert_eq!(heard(&manager), "READY=1\nSTATUS=well");
        drop(manager);
        assert!(notifier.say("READY=1").is_err());
        std::fs::remove_file(&path).unwrap();
        let manager = UnixDatagram::bind(&path).unwrap();
        notifier.store("memory", rustix::stdio::stderr()).unwrap();
        assert_eq!(heard(&manager), "FDSTORE=1\nFDNAME=memory");
        notifier.forget("memory").unwrap();
        assert_eq!(heard(&manager), "FDSTOREREMOVE=1\nFDNAME=memory");
    }

    #[test]
    fn a_manager_may_have_an_abstract_name_and_must_be_a_unix_socket() {
        let name = format!("larder-test-{}", process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Notifier::to(OsStr::new(&format!("@{name}"))).unwrap().say("STOPPING=1").unwrap();
        assert_eq!(heard(&manager), "STOPPING=1");
        assert!(Notifier::to(OsStr::new("vsock:2:1234")).is_err());
        assert!(Notifier::to(OsStr::new(&"/x".repeat(100))).is_err());
    }

    #[test]
    fn a_watchdog_of_another_process_is_none() {
        let of = |variables: &'static [(&str, &str)]| {
            let find =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            watchdog_period_of(42, find)
        };
        let second = Some(Duration::from_secs(1));
        assert_eq!(of(&[("WATCHDOG_USEC", "1000000")]), second);
        assert_eq!(of(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "42")]), second);
        assert_eq!(of(&[("WATCHDOG_USEC", "1000000"), ("WATCHDOG_PID", "41")]), None);
        assert_eq!(of(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(of(&[("WATCHDOG_PID", "42")]), None);
    }
}

//! Server assembly: from settings to a running server, and from a signal to a clean end.
//!
//! The order of the start, and why:
//! 0. what was passed is taken over (sockets of systemd, the memory it kept), while nothing else is open;
//! 1. limits, while the process may still raise them;
//! 2. the user is looked up, and ports are bound while they may be below 1024 and the terminal sees the errors; a Unix
//!    socket that is to be given away is made while it may be;
//! 3. fork into the background (`-d`), before there are threads, which would not survive it;
//! 4. privileges are dropped; what follows belongs to the user served as: locked memory, else the Unix socket;
//! 5. signals, items of the last server (`-e`), then threads: workers first, then the accept thread;
//! 6. port file and pid file: when they exist, the server serves;
//! 7. the launching process of `-d` is let go with exit status 0;
//! 8. system calls that only the start needs are given up (`-o drop_privileges`), by all threads at once;
//! 9. the service manager hears that the server serves.

mod admin;
mod failure;
mod logins;
mod memory;
mod privileges;
mod service;
mod signals;
mod threads;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use failure::Failure;

use memory::Keeper;
use service::{Reports, Service};
use signals::{Signals, Wish};
use threads::{Ending, Threads};

use crate::admin::{Admin, Door};
use crate::auth::access_list::Access;
use crate::discovery::{self, Discovery};
use crate::exit_status;
use crate::net::listen::{self, ListenSocket, Listener, UdpListener};
use crate::net::listen_spec::ListenTls;
use crate::net::passed;
use crate::net::port_file;
use crate::net::udp;
use crate::net::unix_socket::{self, SocketFile};
use crate::settings::{AdminTls, Settings, TlsSettings};
use crate::shared::{Doors, Shared};
use crate::sys::daemon::{self, Daemon, Keep};
use crate::sys::huge_pages;
use crate::sys::inherited::{self, Inherited};
use crate::sys::owner::OwnerNames;
use crate::sys::pid_file::{self, AtExit, PidFile};
use crate::tls::Tls;

/// Serves as `settings` say until a signal asks to stop. Returns the exit status of the process.
///
/// To be called once, from the main thread, while there is no other.
pub fn run(settings: Settings) -> i32 {
    match start(settings) {
        Ok(running) => running.serve(),
        Err(failure) => {
            // Not a log line: it has to be seen at any log level.
            eprintln!("larder: {failure}");
            failure.status
        }
    }
}

/// A server that accepts connections.
#[derive(Debug)]
struct Running {
    threads: Threads,
    shared: Arc<Shared>,
    signals: Signals,
    keeper: Option<Keeper>,
    service: Service,
    reports: Option<Reports>,
    admin: Option<Admin>,
    /// Removed when dropped, as the next one.
    unix_socket: Option<SocketFile>,
    pid_file: Option<PidFile>,
}

fn start(settings: Settings) -> Result<Running, Failure> {
    // First, while no descriptor is ours.
    let mut passed = inherited::take().map_err(|error| {
        Failure::new(exit_status::OS_ERROR, format_args!("what was passed cannot be used: {error}"))
    })?;
    let left = memory::take_left(&mut passed);
    let service = Service::find();
    if settings.large_pages && !huge_pages::are_available() {
        return Err(Failure::new(
            exit_status::FAILURE,
            "-L: the kernel has huge pages switched off; enable them or go without",
        ));
    }
    privileges::raise_limits(&settings)?;
    let user = privileges::user_to_become(&settings)?;
    let admin_passed = admin::take_passed(&mut passed);
    let are_passed = !passed.is_empty();
    let (mut listeners, udp_listeners) =
        if are_passed { serve_passed(passed, &settings)? } else { bind_network(&settings)? };
    let admin_door = admin::bind_tcp(&settings, admin_passed)?;
    let gives_away = settings.unix_owner.is_some() && !are_passed;
    let mut unix_socket = if gives_away { bind_unix(&settings, &mut listeners)? } else { None };
    let daemon = fork_if_asked(&settings)?;
    privileges::drop_to(user.as_ref(), &settings)?;
    privileges::give_up_rest(&settings);
    if settings.lock_memory {
        privileges::lock_memory();
    }
    if !gives_away && !are_passed {
        unix_socket = bind_unix(&settings, &mut listeners)?;
    }
    let admin_door = match admin_door {
        None => admin::bind_unix(&settings)?,
        door => door,
    };
    if listeners.is_empty() && udp_listeners.is_empty() {
        // As in memcached it serves all the same.
        log::warn!("nobody can connect: -p 0 takes the only listener away; pass -p, -U or -s");
    }
    let mut keeper = memory::open(&settings, left, &service)?;
    let authority = logins::authority(&settings)?;
    let access = access(&settings)?;
    let discovery = Discovery::start(&settings).map_err(|error| Failure::new(exit_status::FAILURE, error))?;
    if authority.is_some() && !udp_listeners.is_empty() {
        return Err(Failure::new(exit_status::USAGE, "logins do not go with UDP; pass no UDP socket"));
    }
    let admin_tls = admin_door.as_ref().map(Door::tls).unwrap_or_default();
    let tls = tls(&settings, &listeners, &udp_listeners, admin_tls)?;
    if authority.is_some() || tls.is_some() || settings.admin_token_file.is_some() {
        privileges::hide_memory(&settings);
    }
    listen::warn_if_exposed(&listeners, authority.is_some(), &settings.tls);
    udp::warn_if_exposed(&udp_listeners, &settings);
    let signals = Signals::install()
        .map_err(|error| Failure::new(exit_status::OS_ERROR, format_args!("cannot handle signals: {error}")))?;

    let summary = summary(&listeners, &udp_listeners, &settings, authority.is_some());
    let admin_address = admin_door.as_ref().and_then(Door::tcp_address);
    let admin = admin::start(admin_door, tls.as_ref(), &settings)?;
    let tcp_addresses: Vec<_> = listeners.iter().filter_map(Listener::tcp_address).collect();
    let udp_addresses: Vec<_> = udp_listeners.iter().map(|listener| listener.address).collect();
    let doors = Doors { access, tls, authority };
    let shared = Shared::with_store(settings, doors, |config| memory::store(config, &mut keeper, &service))?;
    if discovery.is_some() {
        // The items of the last server, which may have had no list, can have one under its key.
        shared.store.discard(discovery::OLD_KEY);
    }
    let shared = Arc::new(Shared { discovery, ..shared });
    let threads = Threads::start(listeners, udp_listeners, &shared)
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot start threads: {error}; lower -t")))?;
    if let Some(admin) = &admin {
        admin.tell_of(Arc::clone(&shared), threads.mailboxes());
    }
    log::info!("{summary}");

    let settings = &shared.settings;
    if settings.unix_socket.is_none() {
        write_port_file(&tcp_addresses, &udp_addresses, admin_address);
    }
    let pid_file = settings.pid_file.as_deref().and_then(|path| write_pid_file(path, settings));
    if let Some(daemon) = daemon {
        let keep = Keep { directory: settings.core_dumps, stdio: settings.verbosity > 0 };
        daemon.detach(keep).map_err(|error| {
            Failure::new(exit_status::FAILURE, format_args!("cannot detach from the terminal: {error}"))
        })?;
    }
    privileges::confine(settings)?;
    service.ready(&shared);
    let reports = service
        .report(Arc::clone(&shared), threads.mailboxes())
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot start a thread: {error}")))?;
    Ok(Running { threads, shared, signals, keeper, admin, service, reports, unix_socket, pid_file })
}

impl Running {
    fn reload(&self) {
        let Shared { access, authority, discovery, tls, .. } = &*self.shared;
        if let Some(authority) = authority {
            authority.reload();
        }
        if access.has_file() {
            access.reload();
        }
        if let Some(tls) = tls {
            // What is wrong was said in the log.
            let _ = tls.reload(self.shared.clock.now());
        }
        if let Some(discovery) = discovery {
            discovery.reload();
            self.threads.look_up();
        }
        let admin_token = self.admin.as_ref().and_then(Admin::token);
        if let Some(token) = admin_token {
            token.reload();
        }
        let has_source = discovery.is_some() || access.has_file();
        if authority.is_none() && tls.is_none() && !has_source && admin_token.is_none() {
            log::info!("signal=SIGHUP: there is no file to read again");
        }
    }

    fn serve(mut self) -> i32 {
        let signal = loop {
            match self.signals.wait() {
                Wish::Stop(signal) => break signal,
                Wish::Reload => {
                    self.service.reloading();
                    self.reload();
                    self.service.ready(&self.shared);
                }
            }
        };
        log::info!("stopping gracefully signal={signal}");
        self.service.stopping();
        drop(self.reports.take());
        if let Some(admin) = &self.admin {
            admin.begin_stop();
        }
        // While the listener is still open: its inode's number cannot have passed to another server's socket yet.
        drop(self.unix_socket.take());
        match self.threads.stop(STOP_TIME_MAX) {
            Ending::Complete => log::info!("stopped"),
            Ending::TimedOut => log::warn!("stopped with replies unsent: their readers were too slow"),
        }
        if let Some(admin) = self.admin {
            admin.stop();
        }
        if let Some(keeper) = &self.keeper {
            memory::leave(keeper, &self.shared, &self.service);
        }
        drop(self.pid_file);
        0
    }
}

/// Who may connect.
fn access(settings: &Settings) -> Result<Access, Failure> {
    let flags = settings.access.clone();
    let Some(path) = settings.access_file.clone() else { return Ok(Access::of_flags(flags)) };
    Access::of_file(flags, std::path::absolute(&path).unwrap_or(path))
        .map_err(|error| Failure::new(exit_status::FAILURE, error))
}

/// Certificates and keys, as the user served as can read them: they will be read again.
fn tls(
    settings: &Settings,
    listeners: &[Listener],
    udp: &[UdpListener],
    admin: AdminTls,
) -> Result<Option<Arc<Tls>>, Failure> {
    if !settings.tls.enabled && admin == AdminTls::Off {
        return Ok(None);
    }
    let refused = |why: &dyn fmt::Display| Failure::new(exit_status::USAGE, why);
    if settings.tls.enabled && udp.iter().any(|listener| listen::is_exposed(&listener.address)) {
        return Err(refused(&"-Z: UDP would be in the clear on a network; take -U away or serve this machine only"));
    }
    if settings.tls.ca_cert.is_none() && listeners.iter().any(|listener| listener.tls == Some(ListenTls::Mutual)) {
        log::warn!("mtls: nobody can connect, as no certificate is accepted; give -o ssl_ca_cert=FILE");
    }
    // As seen from here: a background process has another directory.
    let absolute = |path: &Option<PathBuf>| path.clone().map(|path| std::path::absolute(&path).unwrap_or(path));
    let files = TlsSettings {
        chain_cert: absolute(&settings.tls.chain_cert),
        key: absolute(&settings.tls.key),
        ca_cert: absolute(&settings.tls.ca_cert),
        ..settings.tls.clone()
    };
    Tls::start(files).map(|tls| Some(Arc::new(tls))).map_err(|error| refused(&error))
}

fn bind_network(settings: &Settings) -> Result<(Vec<Listener>, Vec<UdpListener>), Failure> {
    let refused = |error| Failure::new(exit_status::OS_ERROR, error);
    let tcp = listen::bind_network(settings).map_err(refused)?;
    Ok((tcp, listen::bind_udp(settings).map_err(refused)?))
}

/// Sockets of the service manager, in the place of those that the flags ask for.
fn serve_passed(passed: Vec<Inherited>, settings: &Settings) -> Result<(Vec<Listener>, Vec<UdpListener>), Failure> {
    let is_asked = !settings.listen.is_empty() || settings.unix_socket.is_some();
    if is_asked || settings.tcp_port != DEFAULT_PORT || settings.udp_port != 0 {
        log::warn!("-l, -p, -U and -s open nothing: the service manager has passed sockets");
    }
    passed::listeners(passed, settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error))
}

fn bind_unix(settings: &Settings, listeners: &mut Vec<Listener>) -> Result<Option<SocketFile>, Failure> {
    let Some(path) = &settings.unix_socket else { return Ok(None) };
    let owner = settings.unix_owner.as_ref().map(OwnerNames::find).transpose().map_err(|why| {
        Failure::new(exit_status::NO_USER, format_args!("{why}; pass one that exists with --unix-owner"))
    })?;
    let (socket, file) = unix_socket::bind(path, settings.unix_mask, owner, settings.listen_backlog)
        .map_err(|error| Failure::new(exit_status::OS_ERROR, error))?;
    listeners.push(Listener {
        socket: ListenSocket::Unix(socket, path.clone()),
        protocol: settings.protocol,
        tls: None,
    });
    Ok(Some(file))
}

fn fork_if_asked(settings: &Settings) -> Result<Option<Daemon>, Failure> {
    if !settings.daemon {
        return Ok(None);
    }
    daemon::fork_into_background()
        .map(Some)
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot go into the background: {error}")))
}

/// As in memcached, a port file that cannot be written is no reason not to serve.
fn write_port_file(tcp: &[SocketAddr], udp: &[SocketAddr], admin: Option<SocketAddr>) {
    let Some(path) = std::env::var_os(port_file::VARIABLE).map(PathBuf::from) else { return };
    if let Err(error) = port_file::write(&path, tcp, udp, admin) {
        log::warn!("cannot write {}={}: {error}", port_file::VARIABLE, path.display());
    }
}

/// As in memcached, a pid file that cannot be written is no reason not to serve.
fn write_pid_file(path: &Path, settings: &Settings) -> Option<PidFile> {
    if let Some(pid) = pid_file::running_pid(path) {
        log::warn!("pid_file={} names a running process pid={pid}; overwriting it", path.display());
    }
    let at_exit = if settings.daemon { AtExit::Remove } else { AtExit::Leave };
    PidFile::write(path, at_exit)
        .inspect_err(|error| log::warn!("cannot write pid_file={}: {error}; going on without", path.display()))
        .ok()
}

/// The line that tells what was started.
fn summary(listeners: &[Listener], udp: &[UdpListener], settings: &Settings, asks_for_logins: bool) -> String {
    let udp = udp.iter().map(UdpListener::to_string);
    let listen: Vec<String> = listeners.iter().map(Listener::to_string).chain(udp).collect();
    format!(
        "serving listen={} threads={} memory_bytes={} connections_max={} logins={} version={}",
        listen.join(","),
        settings.threads,
        settings.memory_limit_bytes,
        settings.conn_limit,
        if asks_for_logins { "yes" } else { "no" },
        env!("CARGO_PKG_VERSION"),
    )
}

/// The TCP port that nobody had to ask for.
const DEFAULT_PORT: i32 = 11211;

/// How long a stop may take: replies to readers that are slower are cut off.
const STOP_TIME_MAX: Duration = Duration::from_millis(1500);

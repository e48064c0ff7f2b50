//! Limits and the change of user at start: what a privileged process does before it becomes an ordinary one.

use rustix::thread::CapabilitySet;

use super::failure::Failure;
use crate::exit_status;
use crate::settings::{AdminAddress, ClusterSource, Settings};
use crate::sys::sandbox::{self, Needs};
use crate::sys::user::{self, User};
use crate::sys::{limits, privileges};

/// Raises the limits that `-c`, `-r` and `-k` need.
pub(super) fn raise_limits(settings: &Settings) -> Result<(), Failure> {
    if settings.core_dumps {
        limits::raise_core_files().map_err(|error| {
            let advice = "raise the limit (ulimit -c) or start as root";
            Failure::new(exit_status::OS_ERROR, format_args!("cannot make core files possible: {error}; {advice}"))
        })?;
    }
    if settings.lock_memory {
        limits::lift_locked_memory();
    }
    let clients = u64::from(settings.conn_limit);
    let wanted = settings.descriptors();
    match limits::raise_descriptors(wanted) {
        reached if reached < clients => Err(Failure::new(
            exit_status::OS_ERROR,
            format_args!(
                "cannot serve connections={clients}: open files are limited to {reached}; \
                 lower -c, raise the limit (ulimit -n) or start as root"
            ),
        )),
        reached => {
            if reached < wanted {
                // memcached starts, and has the same few connections less than -c.
                log::warn!(
                    "open files are limited to {reached}: connections={clients} need {wanted}; \
                     lower -c or raise the limit (ulimit -n)"
                );
            }
            Ok(())
        }
    }
}

/// The user to become: `-u` when started as root. Others cannot change, and memcached ignores `-u` for them.
pub(super) fn user_to_become(settings: &Settings) -> Result<Option<User>, Failure> {
    if !user::is_root() {
        return Ok(None);
    }
    let Some(name) = settings.user.as_deref().filter(|name| !name.is_empty()) else {
        log::warn!("serving as root; pass -u to serve as an ordinary user");
        return Ok(None);
    };
    match User::find(name) {
        Ok(Some(user)) => Ok(Some(user)),
        Ok(None) => {
            Err(Failure::new(exit_status::NO_USER, format_args!("no such user={name}; pass one that exists with -u")))
        }
        Err(error) => Err(Failure::new(exit_status::OS_ERROR, format_args!("cannot look up user={name}: {error}"))),
    }
}

/// Becomes `user`, if there is one to become.
pub(super) fn drop_to(user: Option<&User>, settings: &Settings) -> Result<(), Failure> {
    let Some(user) = user else { return Ok(()) };
    user.assume().map_err(|error| {
        Failure::new(exit_status::OS_ERROR, format_args!("cannot become user={}: {error}", user.name))
    })?;
    if settings.core_dumps
        && let Err(error) = limits::keep_core_files()
    {
        log::warn!("no core files after the change of user: {error}");
    }
    Ok(())
}

/// Gives up what is left of the rights it was started with. One that serves as root keeps them: it was warned.
pub(super) fn give_up_rest(settings: &Settings) {
    if let Err(error) = privileges::forbid_new() {
        log::warn!("cannot forbid new privileges: {error}");
    }
    if user::is_root() {
        return;
    }
    // Memory that is locked as it is mapped, later on, needs this where the limit is finite.
    let kept = if settings.lock_memory { CapabilitySet::IPC_LOCK } else { CapabilitySet::empty() };
    if let Err(error) = privileges::drop_capabilities(kept) {
        log::warn!("cannot give up capabilities: {error}");
    }
}

/// Has the kernel refuse system calls that serving does not need, if `-o drop_privileges` asks for it. To be called
/// when all is set up.
pub(super) fn confine(settings: &Settings) -> Result<(), Failure> {
    if !settings.drop_privileges {
        return Ok(());
    }
    let needs = Needs {
        user_database: settings.unix_peer_credentials,
        removes_files: settings.unix_socket.is_some()
            || settings.pid_file.is_some()
            || settings.memory_file.is_some()
            || matches!(settings.admin, Some(AdminAddress::Unix(_))),
        memory_file: settings.memory_file.is_some() || settings.memory_fd,
        name_servers: matches!(
            settings.cluster,
            Some(ClusterSource::Addresses { .. } | ClusterSource::Services { .. })
        ),
    };
    sandbox::confine(needs)
        .map_err(|error| Failure::new(exit_status::OS_ERROR, format_args!("-o drop_privileges: {error}; go without")))
}

/// Keeps credentials out of core files, unless `-r` asks for these.
pub(super) fn hide_memory(settings: &Settings) {
    if !settings.core_dumps
        && let Err(error) = limits::forbid_core_files()
    {
        log::warn!("core files cannot be forbidden, and may hold credentials: {error}");
    }
}

/// Locks memory (`-k`); not having it locked is no reason not to serve.
pub(super) fn lock_memory() {
    if let Err(error) = limits::lock_memory() {
        log::warn!("-k has no effect: {error}; raise the limit (ulimit -l unlimited) or start as root");
    }
}

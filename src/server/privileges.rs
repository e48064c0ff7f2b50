//! Limits and the change of user at start: what a privileged process does before it becomes an ordinary one.

use super::failure::Failure;
use crate::exit_status;
use crate::settings::Settings;
use crate::sys::limits;
use crate::sys::sandbox;
use crate::sys::user::{self, User};

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

/// From now on nothing in this process can get more rights than it has. An ordinary user also gives up the capabilities
/// it may have been given to bind a port; root needs its own to read files of others again.
pub(super) fn renounce() {
    let dropped = if user::is_root() { Ok(()) } else { sandbox::drop_capabilities() };
    if let Err(error) = sandbox::renounce_new_privileges().and(dropped) {
        log::warn!("privileges cannot be renounced: {error}");
    }
}

/// Leaves the system calls that serving needs (`-o drop_privileges`).
pub(super) fn confine() -> Result<(), Failure> {
    sandbox::confine().map_err(|error| {
        Failure::new(
            exit_status::OS_ERROR,
            format_args!("-o drop_privileges: cannot give up system calls: {error}; go without"),
        )
    })
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

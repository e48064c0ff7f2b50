//! The admin port (`--admin`) in the order of the start.

use std::fmt;
use std::os::fd::OwnedFd;

use super::Failure;
use crate::admin::{Admin, Door, Token};
use crate::exit_status;
use crate::net::passed::ADMIN_NAME;
use crate::settings::{AdminAddress, Settings};
use crate::sys::inherited::Inherited;

/// Its socket out of those that were `passed`; the rest are for clients.
pub(super) fn take_passed(passed: &mut Vec<Inherited>) -> Option<OwnedFd> {
    let at = passed.iter().position(|inherited| inherited.base_name() == Some(ADMIN_NAME))?;
    Some(passed.remove(at).fd)
}

/// Its TCP port, while ports below 1024 can be had.
pub(super) fn bind_tcp(settings: &Settings, passed: Option<OwnedFd>) -> Result<Option<Door>, Failure> {
    let refused = |why: &dyn fmt::Display| Failure::new(exit_status::OS_ERROR, format_args!("--admin: {why}"));
    match (&settings.admin, passed) {
        (Some(AdminAddress::Passed), Some(socket)) => {
            let door = Door::passed(socket).map_err(|error| refused(&error))?;
            if door.is_on_network() && settings.admin_token_file.is_none() {
                let why = format!(
                    "the passed {door} is open to a network; give --admin-token-file, or an address of this machine"
                );
                return Err(refused(&why));
            }
            Ok(Some(door))
        }
        (Some(AdminAddress::Passed), None) => {
            Err(refused(&format_args!("no socket was passed as {ADMIN_NAME}; set FileDescriptorName=")))
        }
        (_, Some(_)) => Err(refused(&format_args!("a socket was passed as {ADMIN_NAME}; give --admin passed"))),
        (_, None) => Door::tcp(settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error)),
    }
}

/// Its Unix socket, which belongs to the user served as.
pub(super) fn bind_unix(settings: &Settings) -> Result<Option<Door>, Failure> {
    Door::unix(settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error))
}

/// Its thread, which tells of no server yet.
pub(super) fn start(door: Option<Door>, settings: &Settings) -> Result<Option<Admin>, Failure> {
    let Some(door) = door else { return Ok(None) };
    let read = settings.admin_token_file.as_deref().map(Token::read).transpose();
    let token = read.map_err(|error| Failure::new(exit_status::FAILURE, error))?;
    if door.is_on_network() {
        log::warn!("admin={door}: token and numbers cross the network in the clear; put a proxy with TLS before it");
    }
    log::info!("serving admin={door}");
    Admin::start(door, token)
        .map(Some)
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot start the admin thread: {error}")))
}

//! The admin port (`--admin`) in the order of the start.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Failure;
use crate::admin::{Admin, Door, Token};
use crate::exit_status;
use crate::net::passed::ADMIN_NAMES;
use crate::settings::{AdminAddress, AdminTls, Settings};
use crate::sys::inherited::Inherited;
use crate::tls::Tls;

/// Its socket out of those that were `passed`, and how it is to be served; the rest are for clients.
pub(super) fn take_passed(passed: &mut Vec<Inherited>) -> Option<(OwnedFd, AdminTls)> {
    let kind = |inherited: &Inherited| {
        let name = inherited.base_name()?;
        ADMIN_NAMES.into_iter().find(|(admin, _)| *admin == name).map(|(_, tls)| tls)
    };
    let (at, tls) = passed.iter().enumerate().find_map(|(at, inherited)| Some((at, kind(inherited)?)))?;
    Some((passed.remove(at).fd, tls))
}

/// Its TCP port, while ports below 1024 can be had.
pub(super) fn bind_tcp(settings: &Settings, passed: Option<(OwnedFd, AdminTls)>) -> Result<Option<Door>, Failure> {
    let refused = |why: &dyn fmt::Display| Failure::new(exit_status::OS_ERROR, format_args!("--admin: {why}"));
    match (&settings.admin, passed) {
        (Some(AdminAddress::Passed), Some((socket, tls))) => {
            let door = Door::passed(socket, tls).map_err(|error| refused(&error))?;
            if door.is_on_network() && settings.admin_token_file.is_none() && tls != AdminTls::Mutual {
                return Err(refused(&format_args!(
                    "the passed {door} is open to a network; give --admin-token-file, name it larder-admin-mtls, or \
                     take an address of this machine"
                )));
            }
            match tls.lacks(&settings.tls) {
                Some(lacks) => Err(refused(&format_args!("the passed {door} {lacks}"))),
                None => Ok(Some(door)),
            }
        }
        (Some(AdminAddress::Passed), None) => {
            let names = ADMIN_NAMES.map(|(name, _)| name).join(", ");
            Err(refused(&format_args!("no socket was passed for it; set FileDescriptorName= to one of {names}")))
        }
        (_, Some(_)) => Err(refused(&"a socket was passed for it; give --admin passed")),
        (_, None) => Door::tcp(settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error)),
    }
}

/// Its Unix socket, which belongs to the user served as.
pub(super) fn bind_unix(settings: &Settings) -> Result<Option<Door>, Failure> {
    Door::unix(settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error))
}

/// Its thread, which tells of no server yet.
pub(super) fn start(door: Option<Door>, tls: Option<&Arc<Tls>>, settings: &Settings) -> Result<Option<Admin>, Failure> {
    let Some(door) = door else { return Ok(None) };
    let read = settings.admin_token_file.as_deref().map(Token::read).transpose();
    let token = read.map_err(|error| Failure::new(exit_status::FAILURE, error))?;
    if door.is_on_network() && door.tls() == AdminTls::Off {
        log::warn!(
            "admin={door}: token and numbers cross the network in the clear; give --admin tls:{door}, or call a passed \
             socket larder-admin-tls"
        );
    }
    log::info!("serving admin={door}");
    Admin::start(door, tls, token)
        .map(Some)
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot start the admin thread: {error}")))
}

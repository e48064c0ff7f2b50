//! The admin port (`--admin`) in the order of the start.

use super::Failure;
use crate::admin::{Admin, Door, Token};
use crate::exit_status;
use crate::settings::Settings;

/// Its TCP port, while ports below 1024 can be had.
pub(super) fn bind_tcp(settings: &Settings) -> Result<Option<Door>, Failure> {
    Door::tcp(settings).map_err(|error| Failure::new(exit_status::OS_ERROR, error))
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
    if door.tcp_address().is_some_and(|address| !address.ip().to_canonical().is_loopback()) {
        log::warn!("admin={door}: token and numbers cross the network in the clear; put a proxy with TLS before it");
    }
    log::info!("serving admin={door}");
    Admin::start(door, token)
        .map(Some)
        .map_err(|error| Failure::new(exit_status::FAILURE, format_args!("cannot start the admin thread: {error}")))
}

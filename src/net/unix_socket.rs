//! The Unix socket (`-s`, `-a`): binding it over what an earlier server left, and removing it.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};

use super::bind::BindError;
use crate::sys::owner::Owner;
use crate::sys::peer::peer_user;
use crate::sys::user::User;

/// The name of a bound Unix socket in the file system, removed on drop unless it belongs to another socket by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A server started meanwhile may have put its own socket there.
        if identity(&self.path).is_ok_and(|found| found == self.identity)
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove unix={}: {error}", self.path.display());
        }
    }
}

/// Listens on a Unix socket at `path` with the permission bits `mask`, given to `owner` if there is one. A socket that is there already is replaced,
/// as memcached does; any other file is left alone.
///
/// # Errors
/// When the path is too long, taken by another file, or not writable; when the socket cannot be given away.
pub fn bind(
    path: &Path,
    mask: u32,
    owner: Option<Owner>,
    backlog: i32,
) -> Result<(UnixListener, SocketFile), BindError> {
    let (socket, file) = try_bind(path).map_err(|error| explain(path, &error))?;
    let mode = mask & 0o777;
    // Nobody can connect before listen(2), so there is no moment with wider permissions. (A umask would do it in one
    // step, but belongs to the whole process.)
    match owner {
        None => fs::set_permissions(path, Permissions::from_mode(mode)).map_err(|error| explain(path, &error))?,
        Some(owner) => owner.take_over(path, mode).map_err(|error| {
            let place = format!("unix={}", path.display());
            BindError::new("give away", place, error, "start as root, or take --unix-owner away")
        })?,
    }
    socket.listen(backlog).map_err(|error| explain(path, &error))?;
    Ok((UnixListener::from_std(net::UnixListener::from(socket)), file))
}

fn try_bind(path: &Path) -> io::Result<(Socket, SocketFile)> {
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    socket.bind(&address)?;
    let file = SocketFile { path: std::path::absolute(path)?, identity: identity(path)? };
    Ok((socket, file))
}

/// The name of the user whose process has connected, if it has one. See [`User::name_of`] for how long that may take.
///
/// # Errors
/// When the kernel or the user database does not say.
pub(super) fn user_behind(stream: &UnixStream) -> io::Result<Option<Arc<str>>> {
    let Some(uid) = peer_user(stream)? else { return Ok(None) };
    Ok(User::name_of(uid)?.map(Arc::from))
}

/// Device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}

fn explain(path: &Path, error: &io::Error) -> BindError {
    let place = format!("unix={}", path.display());
    match error.kind() {
        ErrorKind::AddrInUse => {
            BindError::new("bind", place, "a file of that name is there", "remove it or pass another -s")
        }
        ErrorKind::InvalidInput => BindError::new("bind", place, "the path is too long or empty", "pass a shorter -s"),
        _ => BindError::new("bind", place, error, "pass a -s in a directory that exists and is writable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_has_the_mode_asked_for_and_goes_on_drop() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        for mask in [0o700, 0o777, 0o660, 0o4755] {
            let (_listener, file) = bind(&path, mask, None, 8).unwrap();
            let found = fs::symlink_metadata(&path).unwrap();
            assert!(found.file_type().is_socket());
            assert_eq!(found.permissions().mode() & 0o7777, mask & 0o777, "mask {mask:o}");
            drop(file);
            assert!(!path.exists());
        }
    }

    #[test]
    fn stale_socket_is_replaced_and_the_old_server_does_not_remove_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let (_old, old_file) = bind(&path, 0o700, None, 8).unwrap();
        let (new, _new_file) = bind(&path, 0o700, None, 8).unwrap();
        drop(old_file);
        let _client = net::UnixStream::connect(&path).unwrap();
        assert!(new.accept().is_ok());
    }

    #[test]
    fn file_that_is_no_socket_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("precious");
        fs::write(&path, "data").unwrap();
        let error = bind(&path, 0o700, None, 8).unwrap_err().to_string();
        assert!(error.ends_with("a file of that name is there; remove it or pass another -s"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "data");
    }

    #[test]
    fn impossible_paths_are_refused_with_advice() {
        let long = "x".repeat(200);
        for (path, advice) in [(long.as_str(), "pass a shorter -s"), ("/no/such/directory/socket", "writable")] {
            let error = bind(Path::new(path), 0o700, None, 8).unwrap_err().to_string();
            assert!(error.ends_with(advice), "{error}");
        }
    }
}

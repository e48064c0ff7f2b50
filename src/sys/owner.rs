//! Who a file is to belong to (`--unix-owner`).

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::process::geteuid;

use super::user::{User, group_number};

/// User and group by name, or by number as a container without a user database has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerNames {
    user: Option<String>,
    group: Option<String>,
}

/// User and group; `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    user: Option<u32>,
    group: Option<u32>,
}

impl OwnerNames {
    /// Reads `user`, `user:group` or `:group`.
    pub fn parse(text: &str) -> Option<OwnerNames> {
        let (user, group) = match text.split_once(':') {
            Some((_, "")) => return None,
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = Some(user).filter(|user| !user.is_empty());
        let is_fine = (user.is_some() || group.is_some()) && !text.contains('\0') && text.matches(':').count() < 2;
        is_fine.then(|| OwnerNames { user: user.map(str::to_owned), group: group.map(str::to_owned) })
    }

    /// Looks the names up. What is a number is one, unless it is a name.
    ///
    /// # Errors
    /// When a database cannot be read or does not know the name: what is wrong, in words.
    pub fn find(&self) -> Result<Owner, String> {
        let user = self.user.as_deref().map(|name| {
            let known = User::find(name).map(|user| user.map(|user| user.uid));
            number("user", name, known)
        });
        let group = self.group.as_deref().map(|name| number("group", name, group_number(name)));
        Ok(Owner { user: user.transpose()?, group: group.transpose()? })
    }
}

fn number(kind: &str, name: &str, known: io::Result<Option<u32>>) -> Result<u32, String> {
    let known = known.map_err(|error| format!("cannot look up {kind}={name}: {error}"))?;
    // The highest number means "as it is" to the kernel.
    let number = known.or_else(|| name.parse().ok().filter(|number| *number != u32::MAX));
    number.ok_or_else(|| format!("no such {kind}={name}"))
}

impl Owner {
    /// Gives the socket file at `path`, which this process has just made, permission bits and this owner. Whoever else
    /// may write in its directory cannot have another file given away: only a socket is that is ours and has no other
    /// name.
    ///
    /// # Errors
    /// When there is something else by that name, or the kernel refuses: only root gives files to other users, or to
    /// groups that it is not in.
    pub fn take_over(self, path: &Path, mode: u32) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let found = rustix::fs::fstat(&file)?;
        let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
        if !is_socket || found.st_uid != geteuid().as_raw() || found.st_nlink != 1 {
            return Err(io::Error::other("somebody else has put another file there"));
        }
        // A descriptor that is no more than a place in the file system has no fchmod.
        fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), Permissions::from_mode(mode))?;
        let (user, group) = (self.user.map(Uid::from_raw), self.group.map(Gid::from_raw));
        Ok(rustix::fs::chownat(&file, "", user, group, AtFlags::EMPTY_PATH)?)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn owners_are_named_as_chown_names_them() {
        let names = |user: Option<&str>, group: Option<&str>| {
            Some(OwnerNames { user: user.map(str::to_owned), group: group.map(str::to_owned) })
        };
        for (text, expected) in [
            ("app", names(Some("app"), None)),
            ("app:web", names(Some("app"), Some("web"))),
            (":web", names(None, Some("web"))),
            ("0:12", names(Some("0"), Some("12"))),
            ("", None),
            (":", None),
            ("app:", None),
            ("app:web:x", None),
            ("a\0", None),
        ] {
            assert_eq!(OwnerNames::parse(text), expected, "{text:?}");
        }
    }

    #[test]
    fn names_and_numbers_are_found() {
        let find = |text: &str| OwnerNames::parse(text).expect("well formed").find();
        let owner = |user, group| Ok(Owner { user, group });
        assert_eq!(find("root"), owner(Some(0), None));
        assert_eq!(find("root:root"), owner(Some(0), Some(0)));
        assert_eq!(find(":4242"), owner(None, Some(4242)));
        assert_eq!(find("4294967294:7"), owner(Some(u32::MAX - 1), Some(7)));
        assert_eq!(find("no-such-user:root"), Err("no such user=no-such-user".to_owned()));
        assert_eq!(find("root:no-such-group"), Err("no such group=no-such-group".to_owned()));
        for number in ["4294967295", "4294967296", "-1", "+ 1"] {
            assert_eq!(find(number), Err(format!("no such user={number}")));
        }
    }

    #[test]
    fn a_socket_is_given_away_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let (user, group) = (geteuid().as_raw(), rustix::process::getegid().as_raw());
        // Others than root can only give to themselves.
        let owner = if user == 0 {
            Owner { user: Some(4242), group: Some(77) }
        } else {
            Owner { user: Some(user), group: Some(group) }
        };
        let _listener = UnixListener::bind(path("socket")).expect("bound");
        owner.take_over(&path("socket"), 0o640).expect("it is ours");
        let found = fs::symlink_metadata(path("socket")).expect("it is there");
        assert_eq!((Some(found.uid()), Some(found.gid()), found.mode() & 0o7777), (owner.user, owner.group, 0o640));

        fs::write(path("file"), "").expect("room");
        std::os::unix::fs::symlink(path("socket"), path("link")).expect("room");
        let _other = UnixListener::bind(path("twice")).expect("bound");
        fs::hard_link(path("twice"), path("again")).expect("room");
        for name in ["file", "link", "twice", "again", "missing"] {
            let before = fs::metadata(path(name)).map(|found| (found.uid(), found.gid(), found.mode())).ok();
            assert!(owner.take_over(&path(name), 0o600).is_err(), "{name}");
            assert_eq!(fs::metadata(path(name)).map(|found| (found.uid(), found.gid(), found.mode())).ok(), before);
        }
    }
}

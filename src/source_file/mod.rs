//! One file of users, keys, certificates, networks or nodes, read whole: what it is, who may touch it, whether it has changed,
//! and no copy left of what it holds.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

mod fault;

pub use fault::Fault;

/// The largest file that is read.
pub(crate) const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a file is, and with it who may touch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    UsersFile,
    AuthFile,
    Pwdb,
    TokenKeys,
    AccessFile,
    ChainCert,
    PrivateKey,
    ClientAuthorities,
    AdminToken,
    ClusterFile,
}

impl Kind {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Kind::UsersFile => "users_file",
            Kind::AuthFile => "auth_file",
            Kind::Pwdb => "sasl_pwdb",
            Kind::TokenKeys => "token_keys",
            Kind::AccessFile => "access_file",
            Kind::ChainCert => "ssl_chain_cert",
            Kind::PrivateKey => "ssl_key",
            Kind::ClientAuthorities => "ssl_ca_cert",
            Kind::AdminToken => "admin_token_file",
            Kind::ClusterFile => "cluster",
        }
    }

    /// The permission bits that no such file may have. Whoever can write a file of users can log in as anyone, and whoever
    /// can write a list of networks or of authorities can let in any, or a list of nodes, send clients anywhere.
    fn refused_mode(self) -> u32 {
        match self {
            Kind::UsersFile | Kind::AdminToken => 0o006,
            _ => 0o002,
        }
    }

    /// The permission bits that earn a warning: memcached serves with passwords that everyone can read, and its own
    /// tests have such files.
    fn warned_mode(self) -> u32 {
        match self {
            Kind::AuthFile | Kind::Pwdb | Kind::PrivateKey => 0o004,
            _ => 0,
        }
    }
}

/// Why a file does not count. One line: which file, which line of it, what is wrong; what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    kind: Kind,
    path: PathBuf,
    fault: Fault,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.kind.label(), self.path.display())?;
        if let Some(line) = self.fault.line {
            write!(f, " line={line}")?;
        }
        write!(f, ": {}", self.fault.text)
    }
}

impl std::error::Error for LoadError {}

impl Fault {
    /// This fault in that file.
    pub(crate) fn of(self, kind: Kind, path: &Path) -> LoadError {
        LoadError { kind, path: path.to_owned(), fault: self }
    }
}

/// What a file was at one time: equal as long as it was not written, replaced or given other permissions. Device, inode,
/// length in bytes, and seconds and nanoseconds of the last write and of the last change of the inode.
pub(crate) type FileStamp = (u64, u64, u64, [i64; 4]);

/// What the file is now; `None` when it is not there.
pub(crate) fn stamp(path: &Path) -> Option<FileStamp> {
    let found = fs::metadata(path).ok()?;
    let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
    Some((found.dev(), found.ino(), found.len(), times))
}

/// The contents of a regular file of a bearable size that strangers have no business with. The memory is wiped.
pub(crate) fn read_file(kind: Kind, path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let unreadable = |error: io::Error| {
        Fault::whole(format!("cannot be read: {error}; give a file that the server's user can read"))
    };
    // Without waiting for whoever would write into a pipe of this name.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(Fault::whole("is no regular file; give one"));
    }
    if found.len() > FILE_BYTES_MAX {
        return Err(Fault::whole(format!("is longer than {FILE_BYTES_MAX} bytes; make it shorter")));
    }
    let others = |mode: u32| if mode & 0o002 == 0 { "read" } else { "write" };
    let refused = found.mode() & kind.refused_mode();
    if refused != 0 {
        let text = format!("others may {} it; chmod o= {}", others(refused), path.display());
        return Err(Fault::whole(text));
    }
    if found.mode() & kind.warned_mode() != 0 {
        let (label, path) = (kind.label(), path.display());
        log::warn!("{label}={path}: others may read its secrets; chmod o= {path}");
    }
    contents(file, found.len()).map_err(unreadable)
}

/// Reads without ever moving what was read, so that one copy is all there is to wipe.
fn contents(file: File, length: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(length).map_err(io::Error::other)? + 1;
    // A vector that is nearly full is read into by way of another buffer.
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 64));
    file.take(room as u64).read_to_end(&mut bytes)?;
    if bytes.len() == room {
        return Err(io::Error::other("it grew while it was read"));
    }
    Ok(bytes)
}

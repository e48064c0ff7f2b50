//! A users file that is replaced as a whole: readers see the old one or the new one, whatever happens in between.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::auth::sources::users_text;

use super::Refusal;

/// Holds back other edits in the same directory while it lives.
pub(super) struct Lock(#[expect(dead_code, reason = "the lock goes when the file is closed")] File);

/// Waits for other edits and keeps the next ones waiting.
pub(super) fn lock(path: &Path) -> Result<Lock, Refusal> {
    let directory = directory(path);
    let lock = || {
        let file = File::open(directory)?;
        file.lock()?;
        Ok(Lock(file))
    };
    lock().map_err(|error: io::Error| format!("cannot lock {}: {error}", directory.display()).into())
}

/// The text of the file; an empty one when it is not there and may be created.
pub(super) fn read(path: &Path, create: bool) -> Result<String, Refusal> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            // Replacing the link would part it from the file that others know.
            let text = format!("{} is a symbolic link; give the file that it leads to", path.display());
            Err(text.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => Ok(String::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("{} is not there; -c creates it", path.display()).into())
        }
        _ => users_text(path).map_err(|refusal| refusal.to_string().into()),
    }
}

/// Replaces the file, or creates it so that only its owner may read it. Owner and permissions of an old one stay.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Refusal> {
    replace(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let (file, beside) = create_beside(path)?;
    let written = fill(file, path, text).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // Without this the new name could be lost with the power.
    File::open(directory(path))?.sync_all()
}

fn fill(mut file: File, path: &Path, text: &str) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    if let Ok(old) = fs::metadata(path) {
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&file, Some(old.uid()), Some(old.gid()))?;
        }
        file.set_permissions(Permissions::from_mode(old.mode() & 0o777))?;
    }
    file.sync_all()
}

/// A new file in the same directory, under a name that nobody guesses.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it has no name"))?;
    let mut random = [0; 8];
    SystemRandom::new().fill(&mut random).map_err(|_| io::Error::other("no random bytes"))?;
    let beside = path.with_file_name(format!(".{}.{:016x}", name.display(), u64::from_ne_bytes(random)));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    Ok((file, beside))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

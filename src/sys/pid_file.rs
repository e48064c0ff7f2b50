//! The file that holds the process id (`-P`).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// What becomes of a [`PidFile`] at exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExit {
    /// It is removed (`-d`).
    Remove,
    /// It stays, as memcached leaves it without `-d`.
    Leave,
}

/// A written process id; removed on drop if that was asked for.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    at_exit: AtExit,
}

impl PidFile {
    /// Writes the id of this process to `path`. The number goes to `path.tmp` first, which is then renamed, so that
    /// nobody finds the file empty.
    ///
    /// # Errors
    /// When the directory is not writable, or `path.tmp` is a symbolic link: somebody else's trap.
    pub fn write(path: &Path, at_exit: AtExit) -> io::Result<PidFile> {
        let path = std::path::absolute(path)?;
        let temporary = path.with_added_extension("tmp");
        let no_follow = OFlags::NOFOLLOW.bits() as i32;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).custom_flags(no_follow).open(&temporary)?;
        writeln!(file, "{}", std::process::id())?;
        drop(file);
        fs::rename(&temporary, &path)?;
        Ok(PidFile { path, at_exit })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if self.at_exit == AtExit::Remove
            && let Err(error) = fs::remove_file(&self.path)
        {
            log::warn!("cannot remove pid_file={}: {error}", self.path.display());
        }
    }
}

/// The process that `path` names, if it runs.
pub fn running_pid(path: &Path) -> Option<i32> {
    let number: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    // 0 and negative numbers would mean groups of processes.
    let pid = Pid::from_raw(number.max(0))?;
    match test_kill_process(pid) {
        // Not permitted to signal it, but it is there.
        Ok(()) | Err(Errno::PERM) => Some(pid.as_raw_nonzero().get()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_file_holds_our_pid_and_goes_only_when_asked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("larder.pid");
        let content = format!("{}\n", std::process::id());

        drop(PidFile::write(&path, AtExit::Leave).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
        assert_eq!(running_pid(&path), Some(std::process::id() as i32));
        assert!(!path.with_added_extension("tmp").exists());

        drop(PidFile::write(&path, AtExit::Remove).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn pid_file_does_not_write_through_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("larder.pid");
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, path.with_added_extension("tmp")).unwrap();

        assert!(PidFile::write(&path, AtExit::Remove).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn pid_that_does_not_run_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("larder.pid");
        assert_eq!(running_pid(&path), None, "no file");
        for content in ["", "0\n", "-1\n", "nonsense\n", "4194305\n", "99999999999999999999\n"] {
            fs::write(&path, content).unwrap();
            assert_eq!(running_pid(&path), None, "content {content:?}");
        }
    }
}

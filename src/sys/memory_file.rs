//! The file that keeps items over a restart (`-e`), and the state file beside it.
//!
//! ```text
//! PATH        64 KiB: 16 bytes of MEMORY_MARK, then nothing │ memory, mapped by the store
//! PATH.meta   16 bytes of STATE_MARK │ what the store said at its end
//! PATH.meta.tmp  the same before it is whole; empty while a server runs
//! ```
//! The state exists only while no server runs: it is written as the last act of a graceful stop and removed before the
//! next server serves. So whoever finds none knows that the memory means nothing.
//!
//! Both are read and written as far as the user alone may write them; a file that is somebody else's, or that bears
//! another mark, is refused and left as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, OFlags, flock, fstatfs, fstatvfs};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Bytes at the start of the file that are not memory.
pub const HEADER_BYTES: u64 = 64 << 10;

const MEMORY_MARK: &[u8; 16] = b"larder memory 1\n";
const STATE_MARK: &[u8; 16] = b"larder state  1\n";

/// What statfs(2) calls the file systems that live in RAM: tmpfs, ramfs.
const RAM_FILE_SYSTEMS: [u64; 2] = [0x0102_1994, 0x8584_58f6];

/// An open memory file, which no other server has.
#[derive(Debug)]
pub struct MemoryFile {
    file: Arc<File>,
    path: PathBuf,
    is_new: bool,
    /// What is to be the state, still empty: a confined process (`-o drop_privileges`) opens nothing to write.
    unfinished: File,
}

impl MemoryFile {
    /// Opens the file at `path`, or makes it for this user alone.
    ///
    /// # Errors
    /// When it is no regular file of this user, others may write it, another server has it, or it holds something
    /// else.
    pub fn open(path: &Path) -> io::Result<MemoryFile> {
        let path = std::path::absolute(path)?;
        let file = options().create(true).truncate(false).open(&path).map_err(explain_link)?;
        check(&file)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::other("another server uses it; give each its own"),
            other => other.into(),
        })?;
        let is_new = file.metadata()?.len() == 0;
        if is_new {
            file.write_all_at(MEMORY_MARK, 0)?;
        } else {
            let mut mark = [0; MEMORY_MARK.len()];
            let is_ours = file.read_exact_at(&mut mark, 0).is_ok() && &mark == MEMORY_MARK;
            if !is_ours {
                return Err(io::Error::other("it holds something else; remove it or give another file"));
            }
        }
        let unfinished_path = unfinished_path(&path);
        match fs::remove_file(&unfinished_path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(explain_state(error)),
            _ => {}
        }
        let unfinished = options().create_new(true).open(unfinished_path).map_err(explain_state)?;
        Ok(MemoryFile { file: Arc::new(file), path, is_new, unfinished })
    }

    /// The file itself, its first [`HEADER_BYTES`] not to be touched.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether nothing was in it when it was opened.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file lives in RAM, as it should.
    pub fn is_in_ram(&self) -> bool {
        fstatfs(&self.file).is_ok_and(|system| RAM_FILE_SYSTEMS.contains(&(system.f_type as u64)))
    }

    /// Bytes that the file system lets it have, those included that it has.
    pub fn room(&self) -> io::Result<u64> {
        let system = fstatvfs(&self.file)?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize).saturating_add(self.file.metadata()?.blocks() * 512))
    }

    /// Reads the state that the last server left, and removes it. `None` when there is none. No more than `bytes_max`
    /// bytes are read; whoever gets so many knows that they are not all.
    ///
    /// # Errors
    /// When the state is somebody else's or something else, or cannot be read or removed.
    pub fn take_state(&self, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let path = self.state_path();
        let file = match options().open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(explain_state(explain_link(error))),
        };
        check(&file).map_err(explain_state)?;
        let mut mark = [0; STATE_MARK.len()];
        if (&file).read_exact(&mut mark).is_err() || &mark != STATE_MARK {
            return Err(explain_state(io::Error::other("it holds something else; remove it or give another file")));
        }
        let mut state = Vec::new();
        (&file).take(bytes_max).read_to_end(&mut state).map_err(explain_state)?;
        fs::remove_file(&path).map_err(explain_state)?;
        // On a disk the removal must not be undone by a loss of power: the state would then tell of other memory.
        self.sync_directory()?;
        Ok(Some(state))
    }

    /// Writes the state for the next server: under another name first, so that it is there whole or not at all. To be
    /// called once.
    ///
    /// # Errors
    /// When it cannot be written; no state is there then.
    pub fn write_state(&self, state: &[u8]) -> io::Result<()> {
        let mut file = &self.unfinished;
        file.write_all(STATE_MARK)?;
        file.write_all(state)?;
        file.sync_all()?;
        fs::rename(unfinished_path(&self.path), self.state_path())?;
        self.sync_directory()
    }

    fn state_path(&self) -> PathBuf {
        self.path.with_added_extension("meta")
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(self.path.parent().unwrap_or(Path::new("/")))?.sync_all()
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        // Not there any more when the state was written.
        let _ = fs::remove_file(unfinished_path(&self.path));
    }
}

fn unfinished_path(path: &Path) -> PathBuf {
    path.with_added_extension("meta.tmp")
}

/// For reading and writing, of this user alone, through no link.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
    options
}

fn explain_link(error: io::Error) -> io::Error {
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a symbolic link; give the file itself"),
        _ => error,
    }
}

fn explain_state(error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("its state (.meta): {error}"))
}

/// Whether the open file is one that only this user writes.
fn check(file: &File) -> io::Result<()> {
    let facts = file.metadata()?;
    let why = if !facts.is_file() {
        "it is no regular file"
    } else if facts.uid() != geteuid().as_raw() {
        "it belongs to another user"
    } else if facts.mode() & 0o022 != 0 {
        "others may write it; chmod 600"
    } else {
        return Ok(());
    };
    Err(io::Error::other(why))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    fn refusal(path: &Path) -> String {
        MemoryFile::open(path).expect_err("refused").to_string()
    }

    /// Opens what was closed a moment ago. A process that another test starts has it open, and locked, for as long as
    /// it is not yet another program.
    fn open_again(path: &Path) -> MemoryFile {
        let since = Instant::now();
        loop {
            match MemoryFile::open(path) {
                Err(error) if error.to_string().contains("another server") && since.elapsed().as_secs() < 20 => {
                    std::thread::yield_now();
                }
                outcome => return outcome.unwrap(),
            }
        }
    }

    #[test]
    fn a_new_file_is_for_its_user_alone_and_for_one_server() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let first = MemoryFile::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        assert!(refusal(&path).contains("another server"));
        drop(first);
        open_again(&path);
    }

    #[test]
    fn files_that_others_may_have_written_are_refused_and_stay_as_they_are() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("letter"), "dear reader, this is longer than a mark").unwrap();
        assert!(refusal(&path("letter")).contains("something else"));
        assert!(fs::read(path("letter")).unwrap().starts_with(b"dear"));

        drop(MemoryFile::open(&path("shared")).unwrap());
        fs::set_permissions(path("shared"), fs::Permissions::from_mode(0o620)).unwrap();
        assert!(refusal(&path("shared")).contains("others may write"));

        std::os::unix::fs::symlink(path("shared"), path("link")).unwrap();
        assert!(refusal(&path("link")).contains("symbolic link"));

        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(refusal(&path("pipe")).contains("no regular file"));
        assert!(MemoryFile::open(directory.path()).is_err());
    }

    #[test]
    fn a_state_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let memory = MemoryFile::open(&path).unwrap();
        assert_eq!(memory.take_state(100).unwrap(), None);
        memory.write_state(b"state").unwrap();
        drop(memory);
        fs::write(path.with_added_extension("meta.tmp"), "left by a server that was killed here").unwrap();
        let memory = open_again(&path);
        assert_eq!(fs::metadata(path.with_added_extension("meta")).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(memory.take_state(100).unwrap().as_deref(), Some(&b"state"[..]));
        assert_eq!(memory.take_state(100).unwrap(), None);
        memory.write_state(b"state").unwrap();
        drop(memory);
        let memory = open_again(&path);
        assert_eq!(memory.take_state(2).unwrap().as_deref(), Some(&b"st"[..]));
        drop(memory);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_state_of_somebody_else_is_refused_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let state = path.with_added_extension("meta");
        let memory = MemoryFile::open(&path).unwrap();
        for (content, mode) in [(&b""[..], 0o600), (b"larder state", 0o600), (b"larder state  1\nstate", 0o660)] {
            fs::write(&state, content).unwrap();
            fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
            memory.take_state(100).expect_err("refused");
            assert!(state.exists());
        }
        fs::remove_file(&state).unwrap();
        std::os::unix::fs::symlink(&path, &state).unwrap();
        assert!(memory.take_state(100).expect_err("refused").to_string().contains("symbolic link"));
    }
}

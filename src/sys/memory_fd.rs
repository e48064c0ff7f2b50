//! Memory for items, and the state beside it, as descriptors without a name in any file system (memfd_create(2)): what a
//! service manager's descriptor store keeps over a restart (`--memory-fd`).
//!
//! ```text
//! memory   64 KiB: 16 bytes of MEMORY_MARK, then nothing │ memory, mapped by the store
//! state    16 bytes of STATE_MARK │ what the store said at its end; empty while a server runs
//! ```
//! The state is emptied before a server serves and written as the last act of a graceful stop, its mark after all else.
//! So whoever finds no mark knows that the memory means nothing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::io::Errno;

const MEMORY_MARK: &[u8; 16] = b"larder memory 1\n";
const STATE_MARK: &[u8; 16] = b"larder state  1\n";

/// What holds for the memory once it has its length: whoever else has it cannot cut it off under us (SIGBUS).
const MEMORY_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Memory and state of one server.
#[derive(Debug)]
pub struct MemoryFd {
    memory: Arc<File>,
    state: File,
    is_new: bool,
}

impl MemoryFd {
    /// New ones, both empty.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn create() -> io::Result<MemoryFd> {
        let memory = create("larder-memory")?;
        memory.write_all_at(MEMORY_MARK, 0)?;
        Ok(MemoryFd { memory: Arc::new(memory), state: create("larder-state")?, is_new: true })
    }

    /// Those that an earlier server had.
    ///
    /// # Errors
    /// When they are something else.
    pub fn adopt(memory: OwnedFd, state: OwnedFd) -> io::Result<MemoryFd> {
        let is_sealed = fcntl_get_seals(&memory).is_ok_and(|seals| seals.contains(MEMORY_SEALS));
        let (memory, state) = (File::from(memory), File::from(state));
        let mut mark = [0; MEMORY_MARK.len()];
        let is_ours = memory.read_exact_at(&mut mark, 0).is_ok() && &mark == MEMORY_MARK;
        if !is_sealed || !is_ours || fcntl_get_seals(&state).is_err() {
            return Err(io::Error::other("these are no descriptors of larder"));
        }
        Ok(MemoryFd { memory: Arc::new(memory), state, is_new: false })
    }

    /// The memory, its first [`super::memory_file::HEADER_BYTES`] not to be touched.
    pub fn memory(&self) -> &Arc<File> {
        &self.memory
    }

    /// The state.
    pub fn state(&self) -> &File {
        &self.state
    }

    /// Whether it was made by this server.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Fixes the length of the memory, for good.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn seal(&self) -> io::Result<()> {
        Ok(fcntl_add_seals(&self.memory, MEMORY_SEALS)?)
    }

    /// Reads the state that the last server left, and empties it. `None` when there is none. No more than `bytes_max`
    /// bytes are read; whoever gets so many knows that they are not all.
    ///
    /// # Errors
    /// When it cannot be read or emptied.
    pub fn take_state(&self, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let mut file = &self.state;
        file.rewind()?;
        let mut mark = [0; STATE_MARK.len()];
        let is_whole = file.read_exact(&mut mark).is_ok() && &mark == STATE_MARK;
        let mut state = Vec::new();
        if is_whole {
            file.take(bytes_max).read_to_end(&mut state)?;
        }
        self.state.set_len(0)?;
        Ok(is_whole.then_some(state))
    }

    /// Writes the state for the next server. To be called once.
    ///
    /// # Errors
    /// When it cannot be written; no state is there then.
    pub fn write_state(&self, state: &[u8]) -> io::Result<()> {
        let mut file = &self.state;
        file.seek(SeekFrom::Start(STATE_MARK.len() as u64))?;
        file.write_all(state)?;
        file.rewind()?;
        file.write_all(STATE_MARK)
    }
}

fn create(name: &str) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let created = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        // Kernels before 6.3 do not know that memory may be no program.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    };
    Ok(File::from(created?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn successor(first: &MemoryFd) -> io::Result<MemoryFd> {
        MemoryFd::adopt(first.memory.try_clone().unwrap().into(), first.state.try_clone().unwrap().into())
    }

    #[test]
    fn a_state_is_read_once() {
        let first = MemoryFd::create().unwrap();
        assert_eq!(first.take_state(100).unwrap(), None);
        first.seal().unwrap();
        let second = successor(&first).unwrap();
        assert_eq!(second.take_state(100).unwrap(), None, "the first one was killed");
        second.write_state(b"state").unwrap();
        let third = successor(&second).unwrap();
        assert_eq!(third.take_state(2).unwrap().as_deref(), Some(&b"st"[..]));
        assert_eq!(successor(&third).unwrap().take_state(100).unwrap(), None);
    }

    #[test]
    fn a_state_without_its_mark_is_none() {
        let first = MemoryFd::create().unwrap();
        first.seal().unwrap();
        first.state.write_all_at(b"state", STATE_MARK.len() as u64).unwrap();
        let second = successor(&first).unwrap();
        assert_eq!(second.take_state(100).unwrap(), None);
        assert_eq!(second.state.metadata().unwrap().len(), 0);
    }

    #[test]
    fn sealed_memory_keeps_its_length_and_other_descriptors_are_refused() {
        let first = MemoryFd::create().unwrap();
        first.memory.set_len(1 << 20).unwrap();
        assert!(successor(&first).is_err(), "anyone could still cut it off");
        first.seal().unwrap();
        assert!(first.memory.set_len(0).is_err() && first.memory.set_len(2 << 20).is_err());
        assert!(successor(&first).is_ok());
        let file = || OwnedFd::from(tempfile::tempfile().unwrap());
        assert!(MemoryFd::adopt(file(), first.state.try_clone().unwrap().into()).is_err());
        assert!(MemoryFd::adopt(first.memory.try_clone().unwrap().into(), file()).is_err());
    }
}

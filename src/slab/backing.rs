//! Where an arena's memory comes from, and how single pages of it are asked for and given back.
//!
//! Anonymous memory appears at the touch and cannot run out within the limit. A file can: the file system may be smaller
//! than `-m`, and touching a page that it has no room for kills the process (SIGBUS). So each page of a file is asked
//! for before it is touched.

use std::fs::File;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};

use super::arena::Arena;

/// What stands behind the addresses of one arena.
#[derive(Debug)]
pub(crate) enum Backing {
    /// Memory of this process.
    Anonymous,
    /// A part of a file, which outlives the process.
    File {
        /// Shared by all shards.
        file: Arc<File>,
        /// Where the arena starts in it, in bytes.
        start: u64,
    },
}

impl Backing {
    /// Makes sure that the range can be touched. False when there is no room for it.
    pub(crate) fn commit(&self, at: usize, len: usize) -> bool {
        match self {
            Backing::Anonymous => true,
            Backing::File { file, start } => {
                fallocate(file, FallocateFlags::empty(), start + at as u64, len as u64).is_ok()
            }
        }
    }

    /// Gives the memory of the range back; it reads as zeroes afterwards, unless that fails: then it stays as it is.
    pub(crate) fn discard(&self, arena: &mut Arena, at: usize, len: usize) {
        match self {
            Backing::Anonymous => arena.discard(at, len),
            Backing::File { file, start } => {
                let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                // Bytes of a free page are written anew before they are read, so a page that stays does no harm.
                let _ = fallocate(file, hole, start + at as u64, len as u64);
            }
        }
    }
}

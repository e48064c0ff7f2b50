#![allow(unsafe_code)]
//! Going into the background (`-d`), in two steps: fork before any thread starts, and let go of the terminal once the
//! server serves.
//!
//! Between the two the launching process waits, so that `larder -d` returns when clients can connect and its exit
//! status tells whether it worked. (memcached's returns at once, and its child's errors go to /dev/null.) The
//! launcher learns of success by one byte in a pipe, and of failure by the pipe's end, as the child dies.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use rustix::process::{Pid, WaitOptions, chdir, setsid, waitpid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// The background process on its way to independence.
#[derive(Debug)]
pub struct Daemon {
    ready: PipeWriter,
}

/// What a daemon keeps of the process that launched it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The working directory (`-r`: where core files go); otherwise `/`.
    pub directory: bool,
    /// Standard input, output and error (`-v`); otherwise /dev/null.
    pub stdio: bool,
}

/// Splits off the background process and returns there, leader of a session of its own. The launching process waits
/// until that one calls [`Daemon::detach`] or ends, and exits with its status.
///
/// To be called while the process has one thread: a fork copies only the calling one.
///
/// # Errors
/// When pipe, fork or setsid fail.
pub fn fork_into_background() -> io::Result<Daemon> {
    let (outcome, ready) = io::pipe()?;
    // SAFETY: fork has no memory preconditions. In a process with one thread, which the caller promises, the child is
    // a full copy in which no lock is held by a thread that is missing.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            drop(outcome);
            setsid()?;
            Ok(Daemon { ready })
        }
        child => {
            drop(ready);
            std::process::exit(launcher_status(outcome, child));
        }
    }
}

impl Daemon {
    /// Lets go of the directory and the terminal and tells the launching process that all is well.
    ///
    /// # Errors
    /// When `/` or /dev/null cannot be used.
    pub fn detach(mut self, keep: Keep) -> io::Result<()> {
        if !keep.directory {
            chdir("/")?;
        }
        if !keep.stdio {
            let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
            dup2_stdin(&null)?;
            dup2_stdout(&null)?;
            dup2_stderr(&null)?;
        }
        // A launcher that was killed meanwhile is no reason to stop.
        let _ = self.ready.write_all(&[READY]);
        Ok(())
    }
}

/// What the launching process exits with, once it is known.
fn launcher_status(mut outcome: PipeReader, child: i32) -> i32 {
    let mut byte = [0];
    match outcome.read_exact(&mut byte) {
        Ok(()) => 0,
        Err(_) => Pid::from_raw(child)
            .and_then(|child| waitpid(Some(child), WaitOptions::empty()).ok().flatten())
            .and_then(|(_, status)| status.exit_status())
            .unwrap_or(1),
    }
}

const READY: u8 = b'.';

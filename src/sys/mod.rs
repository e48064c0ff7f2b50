//! The edge to the operating system: the process, its limits, its user, its files. Each function does one thing that
//! the standard library does not, and knows nothing of caches.

pub mod daemon;
pub mod huge_pages;
pub mod inherited;
pub mod limits;
pub mod memory_fd;
pub mod memory_file;
pub mod notify;
pub mod owner;
pub mod peer;
pub mod pid_file;
pub mod priority;
pub mod privileges;
pub mod sandbox;
pub mod unsent;
pub mod usage;
pub mod user;

use rustix::process::{Signal, getpid, kill_process};

/// Asks this process to stop gracefully, as SIGTERM from outside would: for the `shutdown` command.
pub fn request_stop() {
    // Fails only for a process that does not exist or is not ours; this one is.
    let _ = kill_process(getpid(), Signal::TERM);
}

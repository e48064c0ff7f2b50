//! Giving up for good what a process could do or become beyond an ordinary one.

use std::io;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
};

/// Makes sure that no program this process could start has more rights than it (`no_new_privs`).
///
/// # Errors
/// When the kernel does not know it (before Linux 3.5).
pub fn forbid_new() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Gives up all capabilities but `kept`, of which it keeps those it has, and passes none on. To be called while the
/// process has one thread: each has capabilities of its own.
///
/// # Errors
/// When the kernel refuses.
pub fn drop_capabilities(kept: CapabilitySet) -> io::Result<()> {
    clear_ambient_capability_set()?;
    let old = capabilities(None)?;
    let new = CapabilitySets {
        effective: old.effective & kept,
        permitted: old.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    // Where there is nothing to give up a service manager's filter may refuse even to say so (`SystemCallFilter=`).
    if new == old { Ok(()) } else { Ok(set_capabilities(None, new)?) }
}

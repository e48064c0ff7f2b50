//! Resource limits: descriptors (`-c`), core files (`-r`), locked memory (`-k`).

use std::io;

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};

/// Raises the limit on open descriptors to `wanted`, or as near as permitted, and returns what it is then. It is never
/// lowered.
pub fn raise_descriptors(wanted: u64) -> u64 {
    let old = getrlimit(Resource::Nofile);
    if reaches(old.current, wanted) {
        return old.current.unwrap_or(u64::MAX);
    }
    let maximum = old.maximum.map(|hard| hard.max(wanted));
    let whole = Rlimit { current: Some(wanted), maximum };
    let permitted = Rlimit { current: old.maximum.map(|hard| hard.min(wanted)), maximum: old.maximum };
    // Above the hard limit only a privileged process may go, and it only up to fs.nr_open.
    let _ = setrlimit(Resource::Nofile, whole).or_else(|_| setrlimit(Resource::Nofile, permitted));
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the limit on core files as far as permitted.
///
/// # Errors
/// When no core file could be written even so.
pub fn raise_core_files() -> io::Result<()> {
    let old = getrlimit(Resource::Core);
    let endless = Rlimit { current: None, maximum: None };
    let permitted = Rlimit { current: old.maximum, maximum: old.maximum };
    setrlimit(Resource::Core, endless).or_else(|_| setrlimit(Resource::Core, permitted))?;
    match getrlimit(Resource::Core).current {
        Some(0) => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        _ => Ok(()),
    }
}

/// Makes core files possible after a change of user, which switches them off.
///
/// # Errors
/// When the kernel refuses.
pub fn keep_core_files() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::Dumpable)?)
}

/// Makes core files impossible, and keeps other processes of the same user from reading this one's memory.
///
/// # Errors
/// When the kernel refuses.
pub fn forbid_core_files() -> io::Result<()> {
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

/// Lifts the limit on locked memory if this process may; to be called before privileges are dropped.
pub fn lift_locked_memory() {
    // `lock_memory` says what is wrong if this was not enough.
    let _ = setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None });
}

/// Keeps all memory of the process, present and future, from being swapped out; each page from its first use on, so
/// that reserved address space costs nothing.
///
/// # Errors
/// When the limit on locked memory is finite and applies: locking would succeed now, and a later allocation of the
/// running server fail.
pub fn lock_memory() -> io::Result<()> {
    let privileged = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if let (Some(limit), false) = (getrlimit(Resource::Memlock).current, privileged) {
        return Err(io::Error::other(format!("locked memory is limited to {limit} bytes")));
    }
    Ok(mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)?)
}

/// Whether a limit (`None` = endless) allows `wanted`.
fn reaches(limit: Option<u64>, wanted: u64) -> bool {
    limit.is_none_or(|limit| limit >= wanted)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::dumpable_behavior;

    use super::*;

    /// Set in a child, which is this test program again: the setting belongs to a whole process.
    const IN_CHILD: &str = "LARDER_TEST_LIMITS_CHILD";

    #[test]
    fn core_files_can_be_forbidden() {
        if std::env::var_os(IN_CHILD).is_some() {
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::Dumpable);
            forbid_core_files().unwrap();
            assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
            return;
        }
        let name = "sys::limits::tests::core_files_can_be_forbidden";
        let mut child = Command::new(std::env::current_exe().unwrap());
        assert!(child.args(["--exact", name]).env(IN_CHILD, "1").status().unwrap().success());
    }

    #[test]
    fn limit_on_descriptors_is_never_lowered() {
        let before = getrlimit(Resource::Nofile);
        let reached = raise_descriptors(1);
        assert_eq!(getrlimit(Resource::Nofile), before);
        assert!(reaches(before.current, reached) || before.current.is_none());
    }

    #[test]
    fn limit_on_descriptors_reaches_the_hard_one_when_too_much_is_wanted() {
        // More than any kernel's fs.nr_open, so that not even root gets it.
        let hard = getrlimit(Resource::Nofile).maximum;
        assert_eq!(raise_descriptors(1 << 40), hard.unwrap_or(u64::MAX));
        assert_eq!(getrlimit(Resource::Nofile).maximum, hard);
    }

    #[test]
    fn endless_limit_reaches_anything() {
        assert!(reaches(None, u64::MAX));
        assert!(reaches(Some(5), 5));
        assert!(!reaches(Some(4), 5));
    }
}

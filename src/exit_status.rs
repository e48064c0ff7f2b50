//! What the process ends with when it does not serve: the statuses of sysexits.h that memcached uses.

/// Everything that has no status of its own, wrong flags among it.
pub const FAILURE: i32 = 1;
/// The command line asks for something impossible (EX_USAGE).
pub const USAGE: i32 = 64;
/// No such user (`-u`; EX_NOUSER).
pub const NO_USER: i32 = 67;
/// The operating system refused (EX_OSERR).
pub const OS_ERROR: i32 = 71;

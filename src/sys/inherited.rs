//! Descriptors that whoever started this process passed to it, with their names: sockets that systemd listens on, and
//! what its descriptor store kept (sd_listen_fds(3)).
//!
//! The variables that tell of them stay in the environment: a server starts no programs, `LISTEN_PID` names this process
//! alone, and the descriptors are closed on exec.
#![allow(unsafe_code)]

use std::env;
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// A descriptor that was passed.
#[derive(Debug)]
pub struct Inherited {
    /// The descriptor, closed on exec from now on.
    pub fd: OwnedFd,
    /// What it is called, if the starter gave names at all.
    pub name: Option<String>,
}

impl Inherited {
    /// What it is called, without the `.socket` of a unit that names its sockets by itself.
    pub fn base_name(&self) -> Option<&str> {
        self.name.as_deref().map(|name| name.strip_suffix(".socket").unwrap_or(name))
    }
}

/// The first descriptor that is passed (SD_LISTEN_FDS_START).
const FIRST: RawFd = 3;

/// More than that is a mistake.
const COUNT_MAX: usize = 1000;

static TAKEN: AtomicBool = AtomicBool::new(false);

/// Takes what was passed; a second call finds nothing. To be called before this process opens any file, while it has one
/// thread.
///
/// # Errors
/// When the variables contradict each other, or a descriptor that they promise is not there.
pub fn take() -> io::Result<Vec<Inherited>> {
    if TAKEN.swap(true, Ordering::SeqCst) {
        return Ok(Vec::new());
    }
    let names = announced(process::id(), |name| env::var(name).ok()).map_err(io::Error::other)?;
    (FIRST..).zip(names).map(|(number, name)| Ok(Inherited { fd: own(number)?, name })).collect()
}

fn own(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is only asked whether it is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)
        .map_err(|error| io::Error::new(error.kind(), format!("LISTEN_FDS promises fd={number}: {error}")))?;
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and whoever starts a process with LISTEN_PID and LISTEN_FDS leaves it these descriptors to own;
    // `TAKEN` sees to it that nobody gets them twice.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The names of the descriptors that are for the process `pid`.
fn announced(pid: u32, variable: impl Fn(&str) -> Option<String>) -> Result<Vec<Option<String>>, String> {
    if variable("LISTEN_PID").is_none_or(|text| text.parse() != Ok(pid)) {
        return Ok(Vec::new());
    }
    let Some(text) = variable("LISTEN_FDS") else { return Ok(Vec::new()) };
    let count: usize = text.parse().ok().filter(|count| *count <= COUNT_MAX).ok_or("LISTEN_FDS is no number")?;
    let Some(names) = variable("LISTEN_FDNAMES") else { return Ok(vec![None; count]) };
    let names: Vec<_> = names.split(':').filter(|_| count > 0).map(|name| Some(name.to_owned())).collect();
    if names.len() != count {
        return Err(format!("LISTEN_FDNAMES has {} names for {count} descriptors", names.len()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &[(&str, &str)]) -> Result<Vec<Option<String>>, String> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        announced(42, find)
    }

    #[test]
    fn only_this_process_is_meant() {
        assert_eq!(names(&[]), Ok(vec![]));
        assert_eq!(names(&[("LISTEN_FDS", "1")]), Ok(vec![]));
        assert_eq!(names(&[("LISTEN_PID", "41"), ("LISTEN_FDS", "1")]), Ok(vec![]));
        assert_eq!(names(&[("LISTEN_PID", "42"), ("LISTEN_FDS", "2")]), Ok(vec![None, None]));
    }

    #[test]
    fn names_are_given_in_order_and_each_descriptor_has_one() {
        let of = |fds, names_text| names(&[("LISTEN_PID", "42"), ("LISTEN_FDS", fds), ("LISTEN_FDNAMES", names_text)]);
        assert_eq!(of("2", "a:b"), Ok(vec![Some("a".to_owned()), Some("b".to_owned())]));
        assert_eq!(of("0", ""), Ok(vec![]));
        for (fds, text) in [("2", "a"), ("1", "a:b"), ("-1", "a"), ("x", "a"), ("1001", "a")] {
            assert!(of(fds, text).is_err(), "{fds} {text}");
        }
    }
}

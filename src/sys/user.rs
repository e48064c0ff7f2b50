#![allow(unsafe_code)]
//! The databases of users and groups, and the user the process runs as (`-u`).

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use rustix::process::{getegid, geteuid, getuid};

/// An entry of the user database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name it was looked up by.
    pub name: String,
    /// User number.
    pub uid: u32,
    /// Number of its first group.
    pub gid: u32,
}

/// Whether the process runs with root's rights, real or effective.
pub fn is_root() -> bool {
    getuid().is_root() || geteuid().is_root()
}

impl User {
    /// Looks `name` up in the user database.
    ///
    /// # Errors
    /// When the database cannot be read. A name it does not know is `None`.
    pub fn find(name: &str) -> io::Result<Option<User>> {
        let Ok(wanted) = CString::new(name) else { return Ok(None) };
        let numbers = with_room(|text| look_up(&wanted, text))?;
        Ok(numbers.map(|(uid, gid)| User { name: name.to_owned(), uid, gid }))
    }

    /// The name of the user with this number, if it has one in UTF-8. Asking can take long where the database is on
    /// another machine.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn name_of(uid: u32) -> io::Result<Option<String>> {
        with_room(|text| look_up_name(uid, text))
    }

    /// Makes the whole process run as this user, with its first group and no supplementary ones, for good.
    ///
    /// # Errors
    /// When the kernel refuses; the process must not go on then.
    pub fn assume(&self) -> io::Result<()> {
        match drop_supplementary_groups() {
            // As in memcached: a process that may not even do this has few rights already.
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                log::warn!("cannot drop supplementary groups: {error}; keeping them");
            }
            done => done?,
        }
        // SAFETY: setgid takes a number and touches no memory of ours.
        check(unsafe { libc::setgid(self.gid) })?;
        // SAFETY: setuid takes a number and touches no memory of ours.
        check(unsafe { libc::setuid(self.uid) })?;
        let really = [getuid(), geteuid()].iter().all(|uid| uid.as_raw() == self.uid);
        if really && getegid().as_raw() == self.gid {
            Ok(())
        } else {
            Err(io::Error::other("the kernel kept the old identity"))
        }
    }
}

/// The number of the group of this name.
///
/// # Errors
/// When the database cannot be read. A name it does not know is `None`.
pub fn group_number(name: &str) -> io::Result<Option<u32>> {
    let Ok(wanted) = CString::new(name) else { return Ok(None) };
    with_room(|text| look_up_group(&wanted, text))
}

fn drop_supplementary_groups() -> io::Result<()> {
    // SAFETY: with a length of 0 setgroups reads nothing from the list, which may be null then.
    check(unsafe { libc::setgroups(0, ptr::null()) })
}

/// Asks the database with ever more room for the texts of an entry.
fn with_room<T>(mut ask: impl FnMut(&mut [c_char]) -> Result<T, i32>) -> io::Result<T> {
    let mut text = vec![0; TEXT_BYTES_MIN];
    loop {
        match ask(&mut text) {
            Err(libc::ERANGE) if text.len() < TEXT_BYTES_MAX => text.resize(text.len() * 2, 0),
            answer => return answer.map_err(io::Error::from_raw_os_error),
        }
    }
}

/// Asks the database for user and group number; `Err` is an errno, ERANGE when `text` is too small.
fn look_up(name: &CStr, text: &mut [c_char]) -> Result<Option<(u32, u32)>, i32> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for the call, `text` for the length given, and nothing is kept after it.
    let error =
        unsafe { libc::getpwnam_r(name.as_ptr(), entry.as_mut_ptr(), text.as_mut_ptr(), text.len(), &raw mut found) };
    if error != 0 {
        return Err(error);
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: getpwnam_r succeeded and found the user, so it has filled `entry`.
    let entry = unsafe { entry.assume_init() };
    Ok(Some((entry.pw_uid, entry.pw_gid)))
}

/// Asks the database for a name; `Err` is an errno, ERANGE when `text` is too small.
fn look_up_name(uid: u32, text: &mut [c_char]) -> Result<Option<String>, i32> {
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for the call, `text` for the length given, and nothing is kept after it.
    let error = unsafe { libc::getpwuid_r(uid, entry.as_mut_ptr(), text.as_mut_ptr(), text.len(), &raw mut found) };
    if error != 0 {
        return Err(error);
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: getpwuid_r succeeded and found the user, so it has filled `entry`.
    let entry = unsafe { entry.assume_init() };
    // SAFETY: its name is a string with an end, and lies in `text`, which is still there.
    let name = unsafe { CStr::from_ptr(entry.pw_name) };
    Ok(name.to_str().ok().map(str::to_owned))
}

/// Asks the database for a group's number; `Err` is an errno, ERANGE when `text` is too small.
fn look_up_group(name: &CStr, text: &mut [c_char]) -> Result<Option<u32>, i32> {
    let mut entry = MaybeUninit::<libc::group>::uninit();
    let mut found = ptr::null_mut();
    // SAFETY: all pointers are valid for the call, `text` for the length given, and nothing is kept after it.
    let error =
        unsafe { libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), text.as_mut_ptr(), text.len(), &raw mut found) };
    if error != 0 {
        return Err(error);
    }
    if found.is_null() {
        return Ok(None);
    }
    // SAFETY: getgrnam_r succeeded and found the group, so it has filled `entry`.
    Ok(Some(unsafe { entry.assume_init() }.gr_gid))
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// First room for the texts of an entry, and where we give up.
const TEXT_BYTES_MIN: usize = 1 << 10;
const TEXT_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_database_knows_root_and_not_nonsense() {
        let root = User::find("root").unwrap().expect("every Unix has root");
        assert_eq!((root.uid, root.gid), (0, 0));
        for name in ["no-such-user-of-larder", "", "ro\0ot", "root:x"] {
            assert_eq!(User::find(name).unwrap(), None, "name {name:?}");
        }
    }

    #[test]
    fn group_database_knows_root_and_not_nonsense() {
        assert_eq!(group_number("root").unwrap(), Some(0));
        for name in ["no-such-group-of-larder", "", "ro\0ot"] {
            assert_eq!(group_number(name).unwrap(), None, "name {name:?}");
        }
    }

    #[test]
    fn numbers_have_names() {
        assert_eq!(User::name_of(0).unwrap().as_deref(), Some("root"));
        assert_eq!(User::name_of(u32::MAX - 7).unwrap(), None);
        assert_eq!(look_up_name(0, &mut [0; 2]), Err(libc::ERANGE));
    }

    #[test]
    fn look_up_says_when_the_room_is_too_small() {
        assert_eq!(look_up(c"root", &mut []), Err(libc::ERANGE));
        assert_eq!(look_up(c"root", &mut [0; 2]), Err(libc::ERANGE));
    }
}

//! Files that an operator writes, or somebody who got hold of them, by the first byte: users, an access list, nodes, or
//! flags.

#![no_main]

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use larder::auth::access_list::AccessList;
use larder::auth::users_file::UsersFile;
use libfuzzer_sys::fuzz_target;

/// A file of flags, which is only read by its name; it goes with the process.
static FLAGS: LazyLock<File> = LazyLock::new(|| tempfile::tempfile().expect("a directory for temporary files"));

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let fault = match choice % 4 {
        0 => UsersFile::parse(text).err(),
        1 => AccessList::parse(text).err(),
        2 => return larder::discovery::fuzz_file(text),
        _ => return flags(text),
    };
    if let Some(fault) = fault {
        let lines = text.lines().count().max(1);
        assert!(fault.line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{fault:?} of {lines}");
    }
});

/// Settings, or one line that says what is wrong, with an exit status of the documented ones.
fn flags(text: &str) {
    FLAGS.set_len(0).and_then(|()| FLAGS.write_all_at(text.as_bytes(), 0)).expect("room");
    let path = format!("/proc/self/fd/{}", FLAGS.as_raw_fd());
    let line = [OsString::from("larder"), "--config".into(), path.into()];
    if let Err(exit) = larder::cli::parse(line) {
        assert!([0, 1, 64].contains(&exit.status), "{exit:?}");
        assert!(!exit.message.trim().is_empty(), "{exit:?}");
    }
}

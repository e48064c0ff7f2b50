//! Files that an operator writes, or somebody who got hold of them: a users file or an access list, by the first byte.

#![no_main]

use larder::auth::access_list::AccessList;
use larder::auth::users_file::UsersFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let fault = match choice % 2 {
        0 => UsersFile::parse(text).err(),
        _ => AccessList::parse(text).err(),
    };
    if let Some(fault) = fault {
        let lines = text.lines().count().max(1);
        assert!(fault.line.is_none_or(|line| (1..=lines + 1).contains(&line)), "{fault:?} of {lines}");
    }
});

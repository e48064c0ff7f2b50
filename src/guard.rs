//! Panics. One is a fault of ours and ends the process at once, before it can do harm; but what others' code may do to a
//! client's message is caught where it is called.

use std::cell::Cell;
use std::panic::{self, UnwindSafe, catch_unwind};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// From now on a panic outside of [`guarded`] ends the process, after the usual message.
pub fn abort_on_panic() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // Within, it says nothing: its message may have parts of a client's.
        if !IS_GUARDED.get() {
            tell(info);
            std::process::abort();
        }
    }));
}

/// What `work` gives; `None` if it panics.
pub fn guarded<R>(work: impl FnOnce() -> R + UnwindSafe) -> Option<R> {
    let outer = IS_GUARDED.replace(true);
    let result = catch_unwind(work);
    IS_GUARDED.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Set in a child, which is this test program again: the hook belongs to a whole process.
    const IN_CHILD: &str = "LARDER_TEST_GUARD_CHILD";

    #[test]
    fn panics_are_caught_within_and_end_the_process_elsewhere() {
        if std::env::var_os(IN_CHILD).is_some() {
            abort_on_panic();
            assert_eq!(guarded(|| 7), Some(7));
            assert_eq!(guarded(|| guarded(|| panic!("inner secret"))), Some(None::<()>));
            assert_eq!(guarded(|| -> u8 { panic!("outer secret") }), None);
            std::thread::spawn(|| panic!("unguarded")).join().expect_err("never gets here");
        }
        let name = "guard::tests::panics_are_caught_within_and_end_the_process_elsewhere";
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(IN_CHILD, "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{said}");
        assert!(said.contains("unguarded") && !said.contains("secret"), "{said}");
    }
}

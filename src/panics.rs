//! A panic ends the process, except where a library's panics are expected and contained.
//!
//! The release profile unwinds, because [`contain`] needs it. [`install`] makes every other panic end the process at
//! once all the same: a server that goes on with one thread less, or with half-made changes, is worse than none.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};

thread_local! {
    /// Whether this thread is inside [`contain`].
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Makes each panic outside [`contain`] print the usual message and abort the process. To be called first of all.
pub fn install() {
    let usual = take_hook();
    set_hook(Box::new(move |info| {
        // What a panic inside prints could hold what a client has sent.
        if CONTAINED.get() {
            return;
        }
        usual(info);
        std::process::abort();
    }));
}

/// What `work` returns, or `None` if it panics; nothing is printed then. What `work` has changed before it panicked
/// must not be used afterwards.
pub fn contain<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CONTAINED.set(outer);
    result.ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, Output};

    use super::*;

    /// Runs one of the ignored tests below, which end or could end their process.
    fn run(name: &str) -> Output {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", "--test-threads=1"]).arg(format!("panics::tests::{name}"));
        child.output().unwrap()
    }

    #[test]
    fn a_panic_ends_the_process_after_its_message() {
        let output = run("child_panics");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{text}");
        assert!(text.contains("the message of this panic"), "{text}");
    }

    #[test]
    fn a_contained_panic_is_silent_and_ends_nothing() {
        let output = run("child_contains");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        assert!(!text.contains("panicked"), "{text}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }

    #[test]
    fn a_panic_after_a_contained_one_ends_the_process() {
        assert_eq!(run("child_contains_and_panics").status.signal(), Some(libc::SIGABRT));
    }

    #[test]
    #[ignore = "ends its process; run by the tests above"]
    fn child_panics() {
        install();
        std::thread::spawn(|| panic!("the message of this panic")).join().expect_err("it has panicked");
    }

    #[test]
    #[ignore = "replaces the hook of its process; run by the tests above"]
    fn child_contains() {
        install();
        assert_eq!(contain(|| -> u32 { panic!("never seen") }), None);
        assert_eq!(contain(|| contain(|| -> u32 { panic!("never seen") }).unwrap_or(7)), Some(7));
    }

    #[test]
    #[ignore = "ends its process; run by the tests above"]
    fn child_contains_and_panics() {
        install();
        assert_eq!(contain(|| -> u32 { panic!("never seen") }), None);
        panic!("seen");
    }
}

//! The scheduler's idea of who goes first.

use rustix::process::nice;

/// Lets other threads go before the calling one from now on, by `steps` of nice: when all processors are busy, each step
/// is about a fifth less of their time. On Linux this concerns the one thread. Fails never in a way that matters.
pub fn give_way(steps: u8) {
    // Nothing is refused to who wants less; where a sandbox does so all the same, the thread goes on as it is.
    let _ = nice(i32::from(steps));
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn one_thread_gives_way_and_the_others_stay() {
        let before = getpriority_process(None).unwrap();
        let within = std::thread::spawn(|| {
            give_way(3);
            getpriority_process(None).unwrap()
        });
        assert_eq!(within.join().unwrap(), (before + 3).min(19));
        assert_eq!(getpriority_process(None).unwrap(), before);
    }
}

//! How the watch thread falls asleep without missing a line, and threads that write wake it without a lock of its own.
//!
//! Each writer's lines are behind a lock that the sleeper takes as well, to see whether there are any. The flag is raised
//! before that look: a line from before the look is seen by it, and whoever writes later sees the flag, through the same
//! lock. Writers pay one load of a line that hardly ever changes.

use std::sync::atomic::{AtomicBool, Ordering};

/// What the flag is made of: the standard library's, or that of a model checker.
pub(super) trait Flag {
    fn load(&self, ordering: Ordering) -> bool;
    fn store(&self, value: bool, ordering: Ordering);
    fn swap(&self, value: bool, ordering: Ordering) -> bool;
}

macro_rules! impl_flag {
    ($atomic:ty) => {
        impl Flag for $atomic {
            fn load(&self, ordering: Ordering) -> bool {
                self.load(ordering)
            }

            fn store(&self, value: bool, ordering: Ordering) {
                self.store(value, ordering);
            }

            fn swap(&self, value: bool, ordering: Ordering) -> bool {
                self.swap(value, ordering)
            }
        }
    };
}

impl_flag!(AtomicBool);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Doze<F = AtomicBool> {
    asleep: F,
}

impl<F: Flag> Doze<F> {
    /// To be called behind each line written, without its lock: whether the sleeper has to be woken. Of several writers
    /// one is told so.
    #[inline]
    pub(super) fn must_wake(&self) -> bool {
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::AcqRel)
    }

    /// Whether the sleeper may wait without a deadline. `is_idle` takes each writer's lock and looks for lines.
    pub(super) fn may_sleep(&self, is_idle: impl FnOnce() -> bool) -> bool {
        self.asleep.store(true, Ordering::Release);
        let idle = is_idle();
        if !idle {
            self.asleep.store(false, Ordering::Release);
        }
        idle
    }
}

#[cfg(test)]
mod tests {
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    use super::*;

    impl_flag!(loom::sync::atomic::AtomicBool);

    /// Writers with a buffer each and a sleeper that takes lines and falls asleep, in every order with up to three switches
    /// in the middle of one, and with every value that the memory model lets a load see: no line may be left while the
    /// sleeper sleeps and nobody was told to wake it.
    #[test]
    fn no_line_is_left_with_a_sleeper_that_nobody_wakes() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let doze = Arc::new(Doze { asleep: loom::sync::atomic::AtomicBool::new(false) });
            let logs: Arc<[Mutex<u32>; 2]> = Arc::new([Mutex::new(0), Mutex::new(0)]);
            let writers: Vec<_> = (0..2)
                .map(|own| {
                    let (doze, logs) = (Arc::clone(&doze), Arc::clone(&logs));
                    thread::spawn(move || {
                        *logs[own].lock().unwrap() += 1;
                        doze.must_wake()
                    })
                })
                .collect();
            let take = || logs.iter().for_each(|log| *log.lock().unwrap() = 0);
            let is_idle = || logs.iter().all(|log| *log.lock().unwrap() == 0);
            take();
            let sleeps = doze.may_sleep(is_idle);
            let wakes = writers.into_iter().map(|writer| writer.join().unwrap()).filter(|woke| *woke).count();
            assert!(wakes <= 1, "the sleeper slept once at most");
            if sleeps && wakes == 0 {
                assert!(is_idle(), "a line is left");
            }
        });
    }
}

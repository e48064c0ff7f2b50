//! What this process used up.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// CPU time of all threads, as `seconds.microseconds`.
#[derive(Clone, Debug)]
pub struct CpuTimes {
    /// In user space.
    pub user: String,
    /// In the kernel.
    pub system: String,
}

/// CPU time so far.
pub fn cpu_times() -> CpuTimes {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is to memory of the right size and alignment that lives until the call returns. (rustix has
    // no getrusage.)
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    debug_assert_eq!(result, 0, "getrusage of the own process");
    // SAFETY: all-zero bytes are a valid rusage, and the kernel wrote one over them.
    let usage = unsafe { usage.assume_init() };
    let format = |time: libc::timeval| format!("{}.{:06}", time.tv_sec, time.tv_usec);
    CpuTimes { user: format(usage.ru_utime), system: format(usage.ru_stime) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_with_six_digits() {
        let times = cpu_times();
        for time in [times.user, times.system] {
            let (_, micros) = time.split_once('.').expect("a point");
            assert_eq!(micros.len(), 6);
        }
    }
}

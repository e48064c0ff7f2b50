//! What a process has used, from the kernel's accounts.
//!
//! The total comes from `/proc/PID/task/*/schedstat`, which counts nanoseconds. The split into user and system time
//! comes from `/proc/PID/stat`, which counts ticks of 10 ms, so it means little for runs below a second.

use std::fs;
use std::io;
use std::ops::Sub;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time of a process since its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// On a processor, in nanoseconds.
    pub(crate) total_nanos: u64,
    /// In user mode, in ticks.
    pub(crate) user_ticks: u64,
    /// In the kernel, in ticks.
    pub(crate) system_ticks: u64,
}

impl CpuTime {
    /// The account of process `pid`. Threads that ended are missing, so read it twice only while none ends.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let (user_ticks, system_ticks) = ticks(&fs::read_to_string(format!("/proc/{pid}/stat"))?)?;
        let mut total_nanos = 0;
        for task in fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may end between the listing and the reading.
            let Ok(account) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            total_nanos += field(&account, 0)?;
        }
        Ok(CpuTime { total_nanos, user_ticks, system_ticks })
    }

    /// Share of user time; one half if no tick was counted.
    pub(crate) fn user_share(self) -> f64 {
        match self.user_ticks + self.system_ticks {
            0 => 0.5,
            ticks => self.user_ticks as f64 / ticks as f64,
        }
    }
}

impl Sub for CpuTime {
    type Output = CpuTime;

    fn sub(self, earlier: CpuTime) -> CpuTime {
        CpuTime {
            total_nanos: self.total_nanos.saturating_sub(earlier.total_nanos),
            user_ticks: self.user_ticks.saturating_sub(earlier.user_ticks),
            system_ticks: self.system_ticks.saturating_sub(earlier.system_ticks),
        }
    }
}

/// Resident memory of a process, in bytes, from `/proc/PID/smaps_rollup`: exact, where `status` may lag.
pub(crate) fn resident_bytes(pid: u32) -> io::Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or_else(unexpected)?;
    Ok(field(line, 0)? * 1024)
}

/// Processor time of this process.
pub(crate) fn own_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// `utime` and `stime`: the 12th and 13th field after the command, which stands in parentheses and may hold blanks.
fn ticks(stat: &str) -> io::Result<(u64, u64)> {
    let (_, fields) = stat.rsplit_once(')').ok_or_else(unexpected)?;
    Ok((field(fields, 11)?, field(fields, 12)?))
}

fn field(line: &str, position: usize) -> io::Result<u64> {
    line.split_whitespace().nth(position).and_then(|word| word.parse().ok()).ok_or_else(unexpected)
}

fn unexpected() -> io::Error {
    io::Error::other("an account in /proc has an unexpected form")
}

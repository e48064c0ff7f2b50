//! What a process that serves can still ask of the kernel: no new privileges ever, and, where the operator wants it, only
//! the system calls that serving needs.

use std::collections::BTreeMap;

use rustix::io;
use rustix::thread::{CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

/// No program that this thread, or one that it starts, could ever run gets more rights than it has itself.
///
/// # Errors
/// The kernel's; none is known.
pub fn renounce_new_privileges() -> io::Result<()> {
    set_no_new_privs(true)
}

/// Gives up the capabilities of the calling thread and of those that it starts, which an ordinary user may have been
/// given to bind a port.
///
/// # Errors
/// The kernel's; none is known.
pub fn drop_capabilities() -> io::Result<()> {
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// From now on, all threads get EPERM for any system call that serving does not need, and for opening a file other than
/// to read it: an error like others, which ends nothing. The kernel ends the process (SIGSYS) at what nothing in it ever
/// asks for and an intruder would: to start a process, to run a program, to look into another process.
///
/// # Errors
/// When the kernel has no seccomp(2) or the processor's calls are not known, in words.
pub fn confine() -> Result<(), String> {
    let programs = programs().map_err(|error| error.to_string())?;
    // Of several filters the kernel obeys the strictest.
    programs.iter().try_for_each(|program| apply_filter_all_threads(program)).map_err(|error| error.to_string())
}

type Rules = Vec<(libc::c_long, Vec<SeccompRule>)>;

fn programs() -> Result<[BpfProgram; 3], seccompiler::Error> {
    // glibc starts threads by clone3, whose flags a filter cannot see, and falls back to clone where there is none.
    let no_clone3 = vec![(libc::SYS_clone3, vec![])];
    Ok([
        filter(no_clone3, SeccompAction::Allow, errno(libc::ENOSYS))?,
        filter(hostile()?, SeccompAction::Allow, SeccompAction::KillProcess)?,
        // The last one, as it refuses further filters.
        filter(needed()?, errno(libc::EPERM), SeccompAction::Allow)?,
    ])
}

fn errno(code: i32) -> SeccompAction {
    SeccompAction::Errno(code.cast_unsigned())
}

fn filter(calls: Rules, otherwise: SeccompAction, for_these: SeccompAction) -> Result<BpfProgram, seccompiler::Error> {
    let calls: BTreeMap<_, _> = calls.into_iter().collect();
    let filter = SeccompFilter::new(calls, otherwise, for_these, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}

/// One condition on the lower half of an argument.
fn when(argument: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?])
}

fn needed() -> Result<Rules, seccompiler::Error> {
    let writes = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC) as u64;
    let reads = |flags_at| Ok::<_, seccompiler::Error>(vec![when(flags_at, SeccompCmpOp::MaskedEq(writes), 0)?]);
    let to_ourselves = || Ok::<_, seccompiler::Error>(vec![when(0, SeccompCmpOp::Eq, std::process::id().into())?]);
    let asks = IOCTLS.iter().map(|request| when(1, SeccompCmpOp::Eq, *request));
    let mut calls: Rules = CALLS.iter().map(|call| (*call, vec![])).collect();
    calls.extend([
        (libc::SYS_openat, reads(2)?),
        #[cfg(target_arch = "x86_64")]
        (libc::SYS_open, reads(1)?),
        (libc::SYS_kill, to_ourselves()?),
        (libc::SYS_tgkill, to_ourselves()?),
        (libc::SYS_prctl, vec![when(0, SeccompCmpOp::Eq, libc::PR_SET_NAME.cast_unsigned().into())?]),
        (libc::SYS_ioctl, asks.collect::<Result<_, _>>()?),
        // Threads; see `hostile` and `programs`.
        (libc::SYS_clone, vec![]),
        (libc::SYS_clone3, vec![]),
    ]);
    Ok(calls)
}

fn hostile() -> Result<Rules, seccompiler::Error> {
    let no_thread = when(0, SeccompCmpOp::MaskedEq(libc::CLONE_THREAD as u64), 0)?;
    let mut calls: Rules = HOSTILE.iter().map(|call| (*call, vec![])).collect();
    calls.push((libc::SYS_clone, vec![no_thread]));
    Ok(calls)
}

/// What nothing in this process ever asks for.
const HOSTILE: &[libc::c_long] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
];

/// Bytes that a socket holds, whether it waits, and whether standard error is a terminal.
const IOCTLS: &[u64] = &[libc::TIOCOUTQ, libc::FIONREAD, libc::FIONBIO, libc::TCGETS];

/// What is needed on every processor.
#[rustfmt::skip]
const CALLS: &[libc::c_long] = &[
    // Connections and datagrams.
    libc::SYS_accept4, libc::SYS_read, libc::SYS_readv, libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_write,
    libc::SYS_writev, libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_shutdown, libc::SYS_close, libc::SYS_getsockopt,
    libc::SYS_setsockopt, libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_fcntl,
    // Waiting.
    libc::SYS_epoll_ctl, libc::SYS_epoll_pwait, libc::SYS_futex, libc::SYS_ppoll, libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep, libc::SYS_sched_yield, libc::SYS_restart_syscall,
    // Memory.
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise, libc::SYS_brk,
    // Files that are read again, and names that are removed at the end.
    libc::SYS_lseek, libc::SYS_pread64, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_statx, libc::SYS_readlinkat,
    libc::SYS_unlinkat, libc::SYS_getdents64,
    // Time, randomness, accounting.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_getrandom,
    libc::SYS_getrusage, libc::SYS_prlimit64, libc::SYS_uname, libc::SYS_sysinfo,
    // Threads, which may take less of the processor than others, and their end.
    libc::SYS_getpriority, libc::SYS_setpriority,
    libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_set_tid_address, libc::SYS_gettid, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
    libc::SYS_sched_getaffinity, libc::SYS_membarrier, libc::SYS_exit, libc::SYS_exit_group,
    // Signals.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    // What newer calls have replaced, where the processor has it.
    #[cfg(target_arch = "x86_64")] libc::SYS_epoll_wait,
    #[cfg(target_arch = "x86_64")] libc::SYS_poll,
    #[cfg(target_arch = "x86_64")] libc::SYS_stat,
    #[cfg(target_arch = "x86_64")] libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")] libc::SYS_readlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")] libc::SYS_access,
    #[cfg(target_arch = "x86_64")] libc::SYS_time,
];

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::ExitStatusExt as _;
    use std::path::PathBuf;
    use std::process::{Command, Output};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Set in a child, which is this test program again: a filter is for good.
    const IN_CHILD: &str = "LARDER_TEST_SANDBOX_CHILD";

    /// Runs the test of this name in a child, with a directory of its own.
    fn in_child(name: &str) -> Output {
        let directory = tempfile::tempdir().expect("a directory");
        Command::new(std::env::current_exe().expect("we are a program"))
            .args(["--exact", &format!("sys::sandbox::tests::{name}"), "--nocapture"])
            .env(IN_CHILD, directory.path())
            .output()
            .expect("it runs")
    }

    fn confine_all() {
        renounce_new_privileges().expect("always possible");
        confine().expect("the kernel has seccomp");
    }

    #[test]
    fn what_serving_needs_works_and_all_else_is_refused() {
        let Some(directory) = std::env::var_os(IN_CHILD).map(PathBuf::from) else {
            let output = in_child("what_serving_needs_works_and_all_else_is_refused");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            return;
        };
        let (old, new) = (directory.join("old"), directory.join("new"));
        fs::write(&old, "text").expect("room");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let client = TcpStream::connect(address).expect("it listens");
        let code = |result: std::io::Result<()>| result.map_err(|error| error.raw_os_error());
        // A thread from before is confined as well.
        let (begin, begun) = mpsc::channel::<()>();
        let before = thread::spawn(move || {
            begun.recv().expect("told");
            code(TcpListener::bind("127.0.0.1:0").map(drop))
        });
        confine_all();
        begin.send(()).expect("it waits");
        let refused = Err(Some(libc::EPERM));
        assert_eq!(before.join().expect("it ends"), refused);

        assert_eq!(fs::read_to_string(&old).expect("reading is fine"), "text");
        assert!(fs::metadata(&old).is_ok());
        assert_eq!(code(fs::write(&new, "text")), refused);
        assert_eq!(code(fs::write(&old, "text")), refused);
        assert_eq!(code(fs::rename(&old, &new)), refused);
        assert_eq!(code(File::options().append(true).open(&old).map(drop)), refused);
        assert_eq!(code(TcpStream::connect(address).map(drop)), refused);
        assert_eq!(code(UnixStream::pair().map(drop)), refused);
        let (accepted, _) = listener.accept().expect("accepting is fine");
        drop((accepted, client));
        thread::spawn(|| ()).join().expect("threads are fine");
        fs::remove_file(&old).expect("the pid file goes at the end");
    }

    #[test]
    fn a_process_that_starts_another_is_ended() {
        if std::env::var_os(IN_CHILD).is_none() {
            let output = in_child("a_process_that_starts_another_is_ended");
            assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{}", String::from_utf8_lossy(&output.stderr));
            return;
        }
        confine_all();
        let outcome = Command::new("/bin/true").spawn();
        panic!("still here: {outcome:?}");
    }
}

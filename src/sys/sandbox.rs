//! The system calls that a serving process may still make (`-o drop_privileges`), held to by the kernel (seccomp(2)).
//!
//! Two filters, of whose answers the kernel takes the stricter. What only somebody who has taken the process over
//! would call ends it with SIGSYS, which leaves a core file where these are allowed and a line in the audit log. Any
//! other call that is not on the list fails with ENOSYS: C libraries take that for an older kernel and do without, so
//! an update of theirs does not stop the cache.
//!
//! No filter can look at paths: what the user may read stays readable.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::io;

use seccompiler::SeccompCmpArgLen::Dword;
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads,
};

use rustix::process::getpid;

/// Rules by the number of the call; a call without rules matches whatever its arguments are.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What a server needs beyond what each needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// To look users up, which may ask a daemon over a Unix socket and load libraries.
    pub user_database: bool,
    /// To remove files at the end.
    pub removes_files: bool,
    /// To keep items in a file, and to leave its state at the end.
    pub memory_file: bool,
    /// To ask name servers, over UDP and TCP.
    pub name_servers: bool,
}

/// Confines all threads of this process, now and for good, and with them those they start.
///
/// # Errors
/// On a processor there are no names of calls for, and where the kernel has no seccomp.
pub fn confine(needs: Needs) -> io::Result<()> {
    let (fatal, allowed) = programs(needs).map_err(io::Error::other)?;
    // In this order: the second forbids to install any more.
    apply_filter_all_threads(&fatal).map_err(io::Error::other)?;
    apply_filter_all_threads(&allowed).map_err(io::Error::other)
}

/// Makes a socket, which ends a confined process: for memcached's own test. Whether it could.
#[cfg(feature = "debug-commands")]
pub fn can_misbehave() -> bool {
    std::os::unix::net::UnixDatagram::unbound().is_ok()
}

fn programs(needs: Needs) -> Result<(BpfProgram, BpfProgram), BackendError> {
    let arch = ARCH.try_into()?;
    let fatal = SeccompFilter::new(fatal(needs)?, SeccompAction::Allow, SeccompAction::KillProcess, arch)?;
    let missing = SeccompAction::Errno(libc::ENOSYS as u32);
    let allowed = SeccompFilter::new(allowed(needs)?, missing, SeccompAction::Allow, arch)?;
    Ok((fatal.try_into()?, allowed.try_into()?))
}

/// Calls that end the process.
fn fatal(needs: Needs) -> Result<Rules, BackendError> {
    let mut rules: Rules = FATAL.iter().map(|&call| (call, Vec::new())).collect();
    if !needs.user_database && !needs.name_servers {
        rules.extend(OUTWARDS.iter().map(|&call| (call, Vec::new())));
    }
    // A clone that is no thread is a process.
    rules.insert(libc::SYS_clone, vec![when(0, MaskedEq(libc::CLONE_THREAD as u64), 0)?]);
    Ok(rules)
}

/// Calls that succeed.
fn allowed(needs: Needs) -> Result<Rules, BackendError> {
    let mut rules: Rules = ALLOWED.iter().map(|&call| (call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(ALLOWED_X86_64.iter().map(|&call| (call, Vec::new())));
    if needs.removes_files {
        rules.insert(libc::SYS_unlinkat, Vec::new());
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_unlink, Vec::new());
    }
    if needs.memory_file {
        rules.extend([libc::SYS_fallocate, libc::SYS_fsync, libc::SYS_renameat].map(|call| (call, Vec::new())));
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_rename, Vec::new());
    }
    let thread = libc::CLONE_THREAD as u64;
    rules.insert(libc::SYS_clone, vec![when(0, MaskedEq(thread), thread)?]);
    let writes = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC) as u64;
    rules.insert(libc::SYS_openat, vec![when(2, MaskedEq(writes), 0)?]);
    rules.insert(libc::SYS_prctl, vec![when(0, Eq, libc::PR_SET_NAME as u64)?]);
    rules.insert(libc::SYS_ioctl, IOCTLS.iter().map(|&request| when(1, Eq, request)).collect::<Result<_, _>>()?);
    // `shutdown` and abort signal this process; no other is to be reached.
    let this = getpid().as_raw_nonzero().get() as u64;
    rules.insert(libc::SYS_kill, vec![when(0, Eq, this)?]);
    rules.insert(libc::SYS_tgkill, vec![when(0, Eq, this)?]);
    let unix = needs.user_database.then_some([libc::AF_UNIX].as_slice());
    let network = needs.name_servers.then_some([libc::AF_INET, libc::AF_INET6].as_slice());
    let families: Vec<i32> = [unix, network].into_iter().flatten().flatten().copied().collect();
    if !families.is_empty() {
        let of_family = |family: i32| when(0, Eq, family as u64);
        rules.insert(libc::SYS_socket, families.into_iter().map(of_family).collect::<Result<_, _>>()?);
        rules.insert(libc::SYS_connect, Vec::new());
    }
    if needs.name_servers {
        rules.insert(libc::SYS_bind, Vec::new());
    }
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let data_only = when(2, MaskedEq(libc::PROT_EXEC as u64), 0)?;
        rules.insert(call, if needs.user_database { Vec::new() } else { vec![data_only] });
    }
    Ok(rules)
}

/// Holds when the lower 32 bits of an argument compare so with `value`.
fn when(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, Dword, compare, value)?])
}

/// Never needed once the server serves, and what an attacker wants first.
const FATAL: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_bpf,
    libc::SYS_mount,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
];

/// As bad, but for looking users or names up.
const OUTWARDS: &[i64] = &[libc::SYS_socket, libc::SYS_connect];

/// What workers, maintenance, reload, log and stop need.
const ALLOWED: &[i64] = &[
    // Connections.
    libc::SYS_accept4,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    libc::SYS_write,
    libc::SYS_writev,
    // Files that are read again, messages of a panic.
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_fstat,
    libc::SYS_getcwd,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_pread64,
    libc::SYS_readlinkat,
    libc::SYS_statx,
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, which come and go.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_sigaltstack,
    // Signals and time.
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    // The rest.
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_uname,
];

/// The same by the older names that only this processor has.
#[cfg(target_arch = "x86_64")]
const ALLOWED_X86_64: &[i64] =
    &[libc::SYS_epoll_wait, libc::SYS_lstat, libc::SYS_poll, libc::SYS_readlink, libc::SYS_stat, libc::SYS_time];

/// Non-blocking sockets, what a socket has not sent, whether standard error is a terminal.
const IOCTLS: &[u64] = &[libc::FIONBIO, libc::TIOCOUTQ, libc::TCGETS];

#[cfg(test)]
mod tests {
    use std::fs::{File, OpenOptions};
    use std::os::unix::net::UnixDatagram;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Output};

    use rustix::process::{getppid, test_kill_process};

    use super::*;

    /// Names what a child is to try, which is this test program again: a filter belongs to a whole process.
    const TRIES: &str = "LARDER_TEST_SANDBOX_TRIES";

    /// Not called by itself: it ends or confines its process.
    #[test]
    #[ignore = "run by the others, in a process of its own"]
    fn child() {
        let tries = std::env::var(TRIES).unwrap();
        let needs = Needs {
            user_database: tries.ends_with("_user_database"),
            name_servers: tries.ends_with("_name_servers"),
            ..Needs::default()
        };
        let parent = getppid().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let (go, waits) = std::sync::mpsc::channel::<()>();
        let older = std::thread::spawn(move || waits.recv().ok().map(|()| UnixDatagram::unbound().map(drop)));
        confine(needs).unwrap();
        let outcome = match tries.as_str() {
            "read" => File::open(file.path()).map(drop),
            "thread" => std::thread::Builder::new().name("late".to_owned()).spawn(|| ()).map(|it| it.join().unwrap()),
            "signal_this" => test_kill_process(getpid()).map_err(io::Error::from),
            "signal_other" => test_kill_process(parent).map_err(io::Error::from),
            "write" => OpenOptions::new().append(true).open(file.path()).map(drop),
            "remove" => std::fs::remove_file(file.path()),
            "exec" => Err(Command::new("true").exec()),
            "spawn" => Command::new("true").status().map(drop),
            "socket" | "socket_user_database" => UnixDatagram::unbound().map(drop),
            "socket_of_older_thread" => {
                go.send(()).unwrap();
                older.join().unwrap().unwrap()
            }
            "socket_name_servers" => UnixDatagram::unbound().map(drop),
            "network_user_database" | "network_name_servers" => std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
            "abort" => std::process::abort(),
            other => panic!("{other}?"),
        };
        println!("outcome={:?}", outcome.map_err(|error| error.raw_os_error()));
        std::process::exit(0);
    }

    fn attempt(what: &str) -> Output {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args(["--exact", "--ignored", "--nocapture", "sys::sandbox::tests::child"]).env(TRIES, what);
        child.output().unwrap()
    }

    fn said(what: &str) -> String {
        let output = attempt(what);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|line| line.split_once("outcome=")).map(|(_, said)| said.to_owned());
        line.unwrap_or_else(|| panic!("{what}: {output:?}"))
    }

    #[test]
    fn serving_goes_on() {
        for what in ["read", "thread", "signal_this", "socket_user_database", "network_name_servers"] {
            assert_eq!(said(what), "Ok(())", "{what}");
        }
        assert_eq!(attempt("abort").status.signal(), Some(libc::SIGABRT));
    }

    #[test]
    fn what_is_not_needed_fails() {
        for what in ["write", "remove", "signal_other", "network_user_database", "socket_name_servers"] {
            assert_eq!(said(what), format!("Err(Some({}))", libc::ENOSYS), "{what}");
        }
    }

    #[test]
    fn what_an_attacker_wants_ends_the_process() {
        for what in ["exec", "spawn", "socket", "socket_of_older_thread"] {
            let output = attempt(what);
            assert_eq!(output.status.signal(), Some(libc::SIGSYS), "{what}: {output:?}");
        }
    }
}

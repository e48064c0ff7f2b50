//! Signals as wishes: the main thread waits for them.
//!
//! SIGINT, SIGTERM and SIGUSR1 stop gracefully; the second of them ends the process at once. SIGHUP asks for a
//! reload. SIGPIPE needs no handler: Rust's runtime ignores it before `main`. SIGXFSZ has one that does nothing: a limit
//! on the size of files (`ulimit -f`, `LimitFSIZE=`) is an error where the file is written, which can be told or borne.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag::{register, register_conditional_shutdown};
use signal_hook::low_level::signal_name;

use crate::exit_status;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Stop gracefully; with the signal's name.
    Stop(&'static str),
    /// Read configuration files again.
    Reload,
}

/// The signals of this process, from now on.
#[derive(Debug)]
pub(super) struct Signals {
    source: signal_hook::iterator::Signals,
    stopping: Arc<AtomicBool>,
}

impl Signals {
    /// Takes over the signals.
    ///
    /// # Errors
    /// When a handler or its pipe cannot be set up.
    pub(super) fn install() -> io::Result<Signals> {
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in STOPPING {
            // Runs in the handler itself, so that it works even when the main thread hangs.
            register_conditional_shutdown(signal, exit_status::FAILURE, Arc::clone(&stopping))?;
        }
        register(libc::SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
        let source = signal_hook::iterator::Signals::new(STOPPING.iter().chain(&[SIGHUP]))?;
        Ok(Signals { source, stopping })
    }

    /// Waits for the next wish. Once it was [`Wish::Stop`], any further stopping signal ends the process.
    pub(super) fn wait(&mut self) -> Wish {
        match self.source.forever().next() {
            Some(SIGHUP) => Wish::Reload,
            signal => {
                self.stopping.store(true, Ordering::SeqCst);
                Wish::Stop(signal.and_then(signal_name).unwrap_or("end of signals"))
            }
        }
    }
}

const STOPPING: [i32; 3] = [SIGINT, SIGTERM, SIGUSR1];

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    /// Set in a child, which is this test program again: signals belong to a whole process.
    const IN_CHILD: &str = "LARDER_TEST_SIGNALS_CHILD";

    #[test]
    fn first_stop_is_a_wish_and_the_second_ends_the_process() {
        if std::env::var_os(IN_CHILD).is_some() {
            wait_and_never_stop();
        }
        let name = "server::signals::tests::first_stop_is_a_wish_and_the_second_ends_the_process";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(IN_CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // The test harness prints lines of its own, and the start of one before ours.
        let mut until = |end: &str| assert!(lines.any(|line| line.ends_with(end)), "no line {end}");
        let send = |signal| kill_process(Pid::from_child(&child), signal).unwrap();

        until("installed");
        send(Signal::HUP);
        until("Reload");
        send(Signal::TERM);
        until("Stop(\"SIGTERM\")");
        send(Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(exit_status::FAILURE));
    }

    fn wait_and_never_stop() -> ! {
        let mut signals = Signals::install().unwrap();
        println!("installed");
        loop {
            println!("{:?}", signals.wait());
        }
    }
}

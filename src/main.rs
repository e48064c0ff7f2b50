//! The `larder` binary: arguments → settings → server → exit status.

use std::process::ExitCode;

use larder::cli;

fn main() -> ExitCode {
    let settings = match cli::parse(std::env::args_os()) {
        Ok(settings) => settings,
        Err(exit) => return exit.report(),
    };
    cli::logging::start(settings.verbosity);
    for line in cli::notices(&settings) {
        log::warn!("{line}");
    }
    // The end of the process, not of `main`: threads that a stop ran out of patience with end with it.
    std::process::exit(larder::server::run(settings))
}

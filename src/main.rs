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
    ExitCode::SUCCESS
}

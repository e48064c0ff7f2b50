//! The `larder` binary: arguments → settings → server → exit status.

use std::process::ExitCode;

use larder::{cli, panics, server};

fn main() -> ExitCode {
    panics::install();
    let settings = match cli::parse(std::env::args_os()) {
        Ok(settings) => settings,
        Err(exit) => return exit.report(),
    };
    cli::logging::start(settings.verbosity, settings.log_format);
    for line in cli::notices(&settings) {
        log::warn!("{line}");
    }
    let status = server::run(settings);
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

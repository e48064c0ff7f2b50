//! The `larder-top` binary: nodes → a live table in the terminal, or one table → exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder::top::main(std::env::args_os())
}

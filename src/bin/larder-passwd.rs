//! The `larder-passwd` binary: arguments → an edit of a users file → exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    larder::passwd::main(std::env::args_os())
}

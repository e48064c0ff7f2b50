//! The `larder` binary: arguments → settings → server → exit status.

fn main() {}

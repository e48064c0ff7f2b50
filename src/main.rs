//! The `larder` binary: arguments → settings → server → exit status.

fn main() {
    println!("larder {}", env!("CARGO_PKG_VERSION"));
}

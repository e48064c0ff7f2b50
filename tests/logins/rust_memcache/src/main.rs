//! The crate memcache, by the protocols named, against the server on a port: `rust_memcache PROTOCOL... PORT`.
//!
//! Its text protocol logs in with a `set`, its binary one with PLAIN. `LOGIN_USER` and `LOGIN_PASSWORD` say who.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use memcache::{Client, MemcacheError};

fn main() -> ExitCode {
    let mut protocols: Vec<String> = env::args().skip(1).collect();
    let port = protocols.pop().expect("a port");
    let user = env::var("LOGIN_USER").expect("LOGIN_USER is set");
    let password = env::var("LOGIN_PASSWORD").expect("LOGIN_PASSWORD is set");

    let mut good = true;
    for protocol in protocols {
        let url = |login: &str| format!("memcache://{login}127.0.0.1:{port}?protocol={protocol}&timeout=10");
        let mut check = |name: &str, holds: bool, got: &Result<Option<String>, MemcacheError>| {
            good &= holds;
            let word = if holds { "ok" } else { "FAILED" };
            let tail = if holds { String::new() } else { format!(": {got:?}") };
            println!("{word} crate memcache, {protocol}: {name}{tail}");
        };

        let got = round_trip(&url(&format!("{user}:{password}@")), 10);
        check("right password", matches!(&got, Ok(Some(value)) if value == "value"), &got);
        for (name, login) in [
            ("wrong password", format!("{user}:{password}x@")),
            ("unknown user", format!("{user}x:{password}@")),
            ("no password", String::new()),
        ] {
            let got = round_trip(&url(&login), 1);
            check(&format!("{name} is refused"), is_refusal(&got), &got);
        }
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A server that refuses hangs up, perhaps before the client, which writes a request in parts, is through; then it did not
/// hear why, and asks again. It also does when its pool has waited in vain.
fn round_trip(url: &str, secs: u64) -> Result<Option<String>, MemcacheError> {
    let mut got = attempt(url, secs);
    for _ in 0..9 {
        if got.is_ok() || is_refusal(&got) {
            break;
        }
        got = attempt(url, secs);
    }
    got
}

/// Its pool tries again and again for so long, even after a refused login.
fn attempt(url: &str, secs: u64) -> Result<Option<String>, MemcacheError> {
    let client = Client::builder().add_server(url)?.with_connection_timeout(Duration::from_secs(secs)).build()?;
    client.set("rust", "value", 60)?;
    client.get("rust")
}

/// The server's word, which the pool hands on as text; not a connection that broke.
fn is_refusal(got: &Result<Option<String>, MemcacheError>) -> bool {
    matches!(got, Err(error) if error.to_string().to_lowercase().contains("authenticat"))
}

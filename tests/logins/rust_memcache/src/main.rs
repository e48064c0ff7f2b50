//! The crate `memcache` logs in to the server on the port given as argument, by a set over text and by PLAIN over binary.

fn log_in(protocol: &str, login: &str) -> Result<Option<String>, memcache::MemcacheError> {
    let port = std::env::args().nth(1).unwrap_or_default();
    let client = memcache::connect(format!("memcache://{login}127.0.0.1:{port}?protocol={protocol}&timeout=5"))?;
    client.set("k", "value", 0)?;
    client.get("k")
}

fn main() {
    let mut failed = false;
    for protocol in ["ascii", "binary"] {
        for (name, login, expected) in [
            ("right password", "crate:secret@", true),
            ("wrong password", "crate:wrong@", false),
            ("no password", "", false),
        ] {
            let worked = matches!(log_in(protocol, login), Ok(Some(value)) if value == "value");
            failed |= worked != expected;
            let word = if worked == expected { "ok" } else { "FAILED" };
            println!("{word} crate memcache over {protocol}: {name}");
        }
    }
    std::process::exit(i32::from(failed));
}

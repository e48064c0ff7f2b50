//! The file named by `MEMCACHED_PORT_FILENAME`, which tells scripts and tests the ports that `-p -1` chose.
//!
//! memcached's format: one line for each TCP listener, `TCP INET: 11211` or `TCP INET6: 11211`, then one for each UDP
//! socket; behind them ours for the admin port, `ADMIN INET: 9150`. It is written to `FILE.lck` and renamed, so that a
//! file that exists is complete.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Name of the environment variable.
pub const VARIABLE: &str = "MEMCACHED_PORT_FILENAME";

/// Writes the ports of the addresses `tcp`, `udp` and `admin` to `path`.
///
/// # Errors
/// When the file cannot be written or renamed, or `path.lck` is a symbolic link.
pub fn write(path: &Path, tcp: &[SocketAddr], udp: &[SocketAddr], admin: Option<SocketAddr>) -> io::Result<()> {
    let temporary = path.with_added_extension("lck");
    let no_follow = OFlags::NOFOLLOW.bits() as i32;
    // Appending, as memcached does: a starter may have put lines of its own there.
    let mut file = OpenOptions::new().append(true).create(true).custom_flags(no_follow).open(&temporary)?;
    for (transport, addresses) in [("TCP", tcp), ("UDP", udp), ("ADMIN", admin.as_slice())] {
        for address in addresses {
            let family = if address.is_ipv4() { "INET" } else { "INET6" };
            writeln!(file, "{transport} {family}: {}", address.port())?;
        }
    }
    drop(file);
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_file_is_memcacheds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ports");
        let [v4, v6] = ["127.0.0.1:11211", "[::1]:65535"].map(|address| address.parse().unwrap());
        for (tcp, udp, admin, expected) in [
            (&[v4, v6][..], &[][..], None, "TCP INET: 11211\nTCP INET6: 65535\n"),
            (&[v6], &[v4, v6], None, "TCP INET6: 65535\nUDP INET: 11211\nUDP INET6: 65535\n"),
            (&[v4], &[], Some(v6), "TCP INET: 11211\nADMIN INET6: 65535\n"),
            (&[], &[], None, ""),
        ] {
            write(&path, tcp, udp, admin).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
        assert!(!path.with_added_extension("lck").exists());
    }

    #[test]
    fn port_file_in_no_directory_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write(&directory.path().join("missing/ports"), &[], &[], None).is_err());
    }
}

//! Who may connect at all: networks that are allowed and networks that are denied, from flags and from a file that may
//! change. It is asked once for each connection, before a byte is read, and for each datagram.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use parking_lot::Mutex;

use crate::source_file::Fault;
use crate::source_file::{FileStamp, Kind, LoadError, read_file, stamp};

/// Networks in a list at most; each connection is compared with all of them.
const NETWORKS_MAX: usize = 10_000;

/// Networks. Whoever is denied stays outside; where any are allowed, so does everyone else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    /// `--allow`, and lines `allow` of the file.
    pub allow: Vec<IpNet>,
    /// `--deny`, and lines `deny` of the file.
    pub deny: Vec<IpNet>,
}

/// A network in CIDR notation, or one address. IPv4 networks stand for themselves in IPv6 as well (RFC 4291 section
/// 2.5.5.2).
pub fn network(text: &str) -> Option<IpNet> {
    let network =
        text.parse().ok().or_else(|| text.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical())));
    network.map(|network: IpNet| network.trunc())
}

impl AccessList {
    /// Whether nobody is kept outside.
    pub fn is_open(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether this address may connect.
    pub fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let is_in = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }

    /// Reads a file: lines `allow NETWORK` and `deny NETWORK`, with `#` before what is for people.
    ///
    /// # Errors
    /// The first line that is none of these; a file without any, which would let everyone in.
    pub fn parse(text: &str) -> Result<AccessList, Fault> {
        let mut list = AccessList::default();
        for (index, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let fault = |text: &str| Fault::on(index + 1, text);
            let Some(word) = words.next() else { continue };
            let networks = match word {
                "allow" => &mut list.allow,
                "deny" => &mut list.deny,
                _ => return Err(fault("begins with neither allow nor deny; write one of them")),
            };
            let (Some(text), None) = (words.next(), words.next()) else {
                return Err(fault("does not have one network; write one such as 10.0.0.0/8"));
            };
            networks.push(network(text).ok_or_else(|| fault("has no network; write one such as 10.0.0.0/8"))?);
        }
        if list.is_open() {
            return Err(Fault::whole("names no network, so everyone could connect; name one"));
        }
        if list.allow.len() + list.deny.len() > NETWORKS_MAX {
            return Err(Fault::whole(format!("names more than {NETWORKS_MAX} networks; join some")));
        }
        Ok(list)
    }
}

/// The list in force, and where it comes from.
#[derive(Debug)]
pub struct Access {
    flags: AccessList,
    file: Option<PathBuf>,
    /// What the file was like when it was read last. Held while it is read.
    seen: Mutex<Option<FileStamp>>,
    list: ArcSwap<AccessList>,
}

impl Access {
    /// The list of these flags.
    pub fn of_flags(flags: AccessList) -> Access {
        let list = ArcSwap::from_pointee(flags.clone());
        Access { flags, file: None, seen: Mutex::new(None), list }
    }

    /// The list of these flags and of this file.
    ///
    /// # Errors
    /// The file cannot be read, or a line of it is wrong.
    pub fn of_file(flags: AccessList, file: PathBuf) -> Result<Access, LoadError> {
        let seen = Mutex::new(stamp(&file));
        let list = ArcSwap::from_pointee(together(&flags, &file)?);
        Ok(Access { flags, file: Some(file), seen, list })
    }

    /// Whether this address may connect.
    #[inline]
    pub fn permits(&self, address: IpAddr) -> bool {
        self.list.load().permits(address)
    }

    /// Whether there is a file that may change.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads the file again. If there is a fault in it, the list stays as it is.
    pub fn reload(&self) {
        let Some(path) = &self.file else { return };
        let mut seen = self.seen.lock();
        // Taken before: what changes while it is read is read again.
        *seen = stamp(path);
        match together(&self.flags, path) {
            Ok(list) => {
                let (allow, deny) = (list.allow.len(), list.deny.len());
                self.list.store(Arc::new(list));
                // What the log tells of is in force.
                log::info!("access list read again allow={allow} deny={deny}");
            }
            Err(error) => log::error!("access list stays as it was: {error}"),
        }
    }

    /// Does so if the file has changed.
    pub fn reload_if_changed(&self) {
        let changed = self.file.as_deref().is_some_and(|path| *self.seen.lock() != stamp(path));
        if changed {
            self.reload();
        }
    }
}

fn together(flags: &AccessList, path: &Path) -> Result<AccessList, LoadError> {
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).map(str::to_owned);
    let not_text = |_| Fault::whole("this is not UTF-8; save the file as UTF-8");
    let bytes = read_file(Kind::AccessFile, path);
    let read = bytes.and_then(|bytes| text(&bytes).map_err(not_text)).and_then(|text| AccessList::parse(&text));
    let read = read.map_err(|fault| fault.of(Kind::AccessFile, path))?;
    let mut list = flags.clone();
    list.allow.extend(read.allow);
    list.deny.extend(read.deny);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AccessList {
        AccessList::parse(text).expect(text)
    }

    #[test]
    fn who_is_allowed_and_not_denied_may_connect() {
        let cases: [(&str, &[&str], &[&str]); 5] = [
            ("allow 10.0.0.0/8", &["10.1.2.3", "::ffff:10.1.2.3"], &["11.0.0.1", "::1", "::ffff:11.0.0.1"]),
            ("deny 10.0.0.0/8", &["11.0.0.1", "::1"], &["10.1.2.3"]),
            ("allow 10.0.0.0/8\ndeny 10.1.0.0/16 # a guest network", &["10.2.0.1"], &["10.1.0.1", "9.9.9.9"]),
            ("allow 127.0.0.1\nallow ::1", &["127.0.0.1", "::1"], &["127.0.0.2", "::2"]),
            ("# ours\n\n  allow 2001:db8::7/32\n", &["2001:db8:ffff::1"], &["2001:db9::1", "10.0.0.1"]),
        ];
        for (text, inside, outside) in cases {
            for address in inside {
                assert!(list(text).permits(address.parse().unwrap()), "{text}: {address}");
            }
            for address in outside {
                assert!(!list(text).permits(address.parse().unwrap()), "{text}: {address}");
            }
        }
        assert!(AccessList::default().permits("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn faults_name_their_line() {
        for (text, line) in [
            ("", None),
            ("# nothing\n", None),
            ("allow 10.0.0.0/8\npermit 10.0.0.0/8", Some(2)),
            ("allow", Some(1)),
            ("allow 10.0.0.0/8 11.0.0.0/8", Some(1)),
            ("\ndeny 10.0.0.0/33", Some(2)),
            ("deny 10.0.0/8", Some(1)),
            ("allow localhost", Some(1)),
        ] {
            assert_eq!(AccessList::parse(text).expect_err(text).line, line, "{text:?}");
        }
    }
}

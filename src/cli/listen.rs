//! The grammar of `-l`: `[notls:|btls:|mtls:][proto[NAME]:][tag[NAME]:]HOST[:PORT]`, with commas between entries.
//!
//! memcached looks at these only when it binds them and lets much slip through: `proto[asc]` is ascii, `proto[foo]` is
//! whatever `-B` says. Here every part is checked before anything is bound.

use std::net::Ipv6Addr;

use super::Exit;
use super::draft::Draft;
use super::word::Word;
use crate::net::listen_spec::{ListenSpec, ListenTls};
use crate::settings::ProtocolChoice;

/// Adds the entries of one `-l` to those before it. An entry that is there already is passed over; so is an empty one,
/// which a comma at the end leaves.
pub(super) fn add(draft: &mut Draft, word: &Word<'_>) -> Result<(), Exit> {
    let list = word.text()?;
    for text in list.split([',', ';']).map(str::trim).filter(|text| !text.is_empty()) {
        let spec = entry(text).map_err(|why| word.refusal(why))?;
        if draft.settings.listen.contains(&spec) {
            continue;
        }
        draft.settings.listen.push(spec);
        if !draft.settings.listen_text.is_empty() {
            draft.settings.listen_text.push(',');
        }
        draft.settings.listen_text.push_str(text);
    }
    if draft.settings.listen.is_empty() {
        return Err(word.refusal("names no address; give one, or * for all"));
    }
    Ok(())
}

/// Reads one entry.
///
/// # Errors
/// The end of a sentence that begins with the entry.
fn entry(text: &str) -> Result<ListenSpec, String> {
    let (tls, rest) = tls(text);
    let (protocol, rest) = protocol(rest)?;
    let (tag, rest) = tag(rest)?;
    let (host, port) = host_and_port(rest)?;
    Ok(ListenSpec { tls, protocol, tag, host, port })
}

fn tls(text: &str) -> (ListenTls, &str) {
    for (prefix, tls) in [("notls:", ListenTls::Plain), ("btls:", ListenTls::Server), ("mtls:", ListenTls::Mutual)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return (tls, rest);
        }
    }
    (ListenTls::Default, text)
}

/// `negotiating` is memcached's older name of `auto`.
fn protocol(text: &str) -> Result<(Option<ProtocolChoice>, &str), String> {
    let Some(rest) = text.strip_prefix("proto[") else {
        return Ok((None, text));
    };
    let (name, rest) = rest.split_once("]:").ok_or("has no ]: after proto[")?;
    let protocol = match name {
        "ascii" => ProtocolChoice::Ascii,
        "binary" => ProtocolChoice::Binary,
        "auto" | "negotiating" => ProtocolChoice::Auto,
        _ => {
            return Err(format!("has no protocol {name:?}; give auto, ascii or binary"));
        }
    };
    Ok((Some(protocol), rest))
}

/// `tag[NAME]:`, or `tag_NAME_:` for people whose shell wants the brackets.
fn tag(text: &str) -> Result<(Option<String>, &str), String> {
    let (name, rest) = if let Some(rest) = text.strip_prefix("tag[") {
        rest.split_once("]:").ok_or("has no ]: after tag[")?
    } else if let Some(rest) = text.strip_prefix("tag_") {
        rest.split_once("_:").ok_or("has no _: after tag_")?
    } else {
        return Ok((None, text));
    };
    if name.is_empty() || name.len() > TAG_BYTES_MAX {
        return Err(format!("has the tag {name:?}; give 1 to {TAG_BYTES_MAX} characters"));
    }
    Ok((Some(name.to_owned()), rest))
}

/// `HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT`, or an IPv6 address without brackets and port.
fn host_and_port(text: &str) -> Result<(Option<String>, Option<u16>), String> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or("has no ] after its IPv6 address")?;
        ipv6(address)?;
        match rest.strip_prefix(':') {
            Some(port) => (address, Some(port)),
            None if rest.is_empty() => (address, None),
            None => {
                return Err(format!("has {rest:?} after its address; give :PORT or nothing"));
            }
        }
    } else {
        match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                ipv6(text)?;
                (text, None)
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err("has no host; give one, or * for all addresses".to_owned());
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "[]/@".contains(c)) {
        return Err(format!("has the host {host:?}; give a name or an address"));
    }
    let port = match port {
        // memcached's "any free port" is -1; the kernel's is 0.
        Some("-1") => Some(0),
        Some(port) => Some(
            port.parse::<u16>()
                .map_err(|_| format!("has the port {port:?}; give 0 to {}, 0 being any free port", u16::MAX))?,
        ),
        None => None,
    };
    Ok(((host != "*").then(|| host.to_owned()), port))
}

/// An IPv6 address, perhaps with the interface it is on: `fe80::1%eth0`.
fn ipv6(text: &str) -> Result<(), String> {
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    address
        .parse::<Ipv6Addr>()
        .map(|_| ())
        .map_err(|_| format!("has {text:?}, no IPv6 address; with a port, write [ADDRESS]:PORT"))
}

/// memcached keeps a tag in eight bytes.
const TAG_BYTES_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{read, words};

    fn plain(host: &str, port: Option<u16>) -> ListenSpec {
        ListenSpec { host: Some(host.to_owned()), port, ..ListenSpec::default() }
    }

    #[test]
    fn entries_are_read_part_by_part() {
        let all = ListenSpec::default;
        for (text, expected) in [
            ("127.0.0.1", plain("127.0.0.1", None)),
            ("127.0.0.1:11212", plain("127.0.0.1", Some(11212))),
            ("cache.example:1", plain("cache.example", Some(1))),
            ("localhost:0", plain("localhost", Some(0))),
            ("localhost:-1", plain("localhost", Some(0))),
            ("*", all()),
            ("*:65535", ListenSpec { port: Some(65535), ..all() }),
            ("::1", plain("::1", None)),
            ("::", plain("::", None)),
            ("[::1]", plain("::1", None)),
            ("[::1]:11212", plain("::1", Some(11212))),
            ("fe80::1%eth0", plain("fe80::1%eth0", None)),
            ("[fe80::1%eth0]:5", plain("fe80::1%eth0", Some(5))),
            ("notls:a", ListenSpec { tls: ListenTls::Plain, ..plain("a", None) }),
            ("btls:a:5", ListenSpec { tls: ListenTls::Server, ..plain("a", Some(5)) }),
            ("mtls:[::1]:5", ListenSpec { tls: ListenTls::Mutual, ..plain("::1", Some(5)) }),
            ("proto[ascii]:a", ListenSpec { protocol: Some(ProtocolChoice::Ascii), ..plain("a", None) }),
            ("proto[negotiating]:a", ListenSpec { protocol: Some(ProtocolChoice::Auto), ..plain("a", None) }),
            ("tag[b]:a:5", ListenSpec { tag: Some("b".to_owned()), ..plain("a", Some(5)) }),
            ("tag_b_:a", ListenSpec { tag: Some("b".to_owned()), ..plain("a", None) }),
            (
                "mtls:proto[binary]:tag[12345678]:[::1]:5",
                ListenSpec {
                    tls: ListenTls::Mutual,
                    protocol: Some(ProtocolChoice::Binary),
                    tag: Some("12345678".to_owned()),
                    ..plain("::1", Some(5))
                },
            ),
            // Hosts that only begin like a prefix.
            ("notls", plain("notls", None)),
            ("protocol.example", plain("protocol.example", None)),
            ("tags.example:5", plain("tags.example", Some(5))),
        ] {
            assert_eq!(entry(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn broken_entries_are_refused() {
        for text in [
            ":11211",
            "a:",
            "a:x",
            "a:65536",
            "a:-2",
            "a b",
            "a/24",
            "user@a",
            "[::1",
            "[::1]5",
            "[a]:5",
            "[]",
            "::1:11211",
            "1:2:3",
            "proto[foo]:a",
            "proto[asc]:a",
            "proto[proxy]:a",
            "proto[ascii]a",
            "proto[ascii:a",
            "tag[]:a",
            "tag[123456789]:a",
            "tag[x:a",
            "tag_x:a",
            "tag[x]:proto[ascii]:a",
            "proto[ascii]:",
            "mtls:",
            "fo[o",
            "a\u{7}b",
        ] {
            assert!(entry(text).is_err(), "{text}: {:?}", entry(text));
        }
    }

    #[test]
    fn lists_add_up_and_repeated_entries_count_once() {
        let settings = read(words("-l a,b:5 -l [::1]:6;a -l a -l c,")).expect("fine").settings;
        assert_eq!(settings.listen, [plain("a", None), plain("b", Some(5)), plain("::1", Some(6)), plain("c", None)]);
        assert_eq!(settings.listen_text, "a,b:5,[::1]:6,c");
        // memcached takes any substring of what was there for a repetition.
        let settings = read(words("-l 127.0.0.11 -l 127.0.0.1")).expect("fine").settings;
        assert_eq!(settings.listen.len(), 2);
    }

    #[test]
    fn a_list_without_an_address_is_refused() {
        for line in ["-l ,", "-l= ", "-l a:b"] {
            assert_eq!(read(words(line)).err().map(|exit| exit.status), Some(64), "{line}");
        }
    }
}

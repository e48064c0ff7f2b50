//! The flags, one row each. A row's help is the only place where its meaning is written for people.

use ipnet::IpNet;

use super::Exit;
use super::row::Group::{About, Logins, Memory, Network, Process, Requests};
use super::row::Row;
use super::word::Word;
use super::{admin, cluster, config, help, license_page, listen, options, version_line};
use crate::auth::access_list::network;
use crate::auth::sasl::Mechanism;
use crate::settings::{LogFormat, ProtocolChoice};
use crate::sys::owner::OwnerNames;

/// Every flag of memcached 1.6.45 (builds with and without TLS, SASL, extstore and the proxy), and those of our own.
pub(super) static FLAGS: &[Row] = &[
    Row::flag('p', "port", Network, "TCP port; 0 = no TCP, -1 = any free port")
        .value("num", "11211", |draft, word| word.number(-1..=PORT_MAX).map(|port| draft.settings.tcp_port = port)),
    Row::flag(
        'U',
        "udp-port",
        Network,
        "UDP port, at the addresses that TCP has; 0 = no UDP, -1 = any free port. Given without -p, TCP moves to the \
         same port",
    )
    .value("num", "0", |draft, word| word.number(-1..=PORT_MAX).map(|port| draft.settings.udp_port = port)),
    Row::long(
        "unbounded-udp-replies",
        Network,
        "over UDP let a reply to a network have any size; without it at most ten times that of its request, as senders \
         can be forged",
    )
    .switch(|draft| draft.settings.unbounded_udp_replies = true),
    Row::flag('s', "unix-socket", Network, "serve this Unix socket, and no network address").value(
        "file",
        "",
        |draft, word| word.path().map(|path| draft.settings.unix_socket = Some(path)),
    ),
    Row::flag('a', "unix-mask", Network, "permission bits of the Unix socket, in octal").value(
        "mask",
        "700",
        |draft, word| word.permissions().map(|bits| draft.settings.unix_mask = bits),
    ),
    Row::long(
        "unix-owner",
        Network,
        "user and group that the Unix socket is given to, by name or number; it is made before the change to -u then, \
         and only root can give it to others",
    )
    .value("user[:group]", "", |draft, word| {
        let names = OwnerNames::parse(word.text()?);
        draft.settings.unix_owner = Some(names.ok_or_else(|| word.refusal("is no owner; give user, user:group or :group"))?);
        Ok(())
    }),
    Row::flag(
        'l',
        "listen",
        Network,
        "addresses to serve, with commas between them; may be repeated. An entry is \
         [proto[ascii|binary|auto]:][tag[NAME]:]HOST[:PORT]; IPv6 addresses with a port stand in brackets, \
         * is every address. With -Z an entry may begin with notls: (plain), btls: (TLS, no client certificates) or mtls: (TLS, client certificates demanded). \
         Without -l only this machine is served",
    )
    .value("addr", "", listen::add),
    Row::long(
        "allow",
        Network,
        "networks that may connect, such as 10.0.0.0/8, with commas between them; may be repeated. Once there is one, \
         nobody else may. Unix sockets are not concerned",
    )
    .value("nets", "", |draft, word| networks(word).map(|nets| draft.settings.access.allow.extend(nets))),
    Row::long("deny", Network, "networks that may not connect, even if they are allowed; may be repeated").value(
        "nets",
        "",
        |draft, word| networks(word).map(|nets| draft.settings.access.deny.extend(nets)),
    ),
    Row::long("access-file", Network, "lines of `allow NETWORK` and `deny NETWORK`; read again when the file changes")
        .value("file", "", |draft, word| word.path().map(|path| draft.settings.access_file = Some(path))),
    Row::long(
        "proxy-protocol-from",
        Network,
        "networks of load balancers; may be repeated. Their connections must begin with a header of the PROXY protocol, \
         version 2, and the address in it counts for access list, limits, log and statistics",
    )
    .value("nets", "", |draft, word| networks(word).map(|nets| draft.settings.proxy_protocol_from.extend(nets))),
    Row::flag('c', "conn-limit", Network, "connections served at once")
        .value("num", "1024", |draft, word| word.number(1..=INT_MAX).map(|limit| draft.settings.conn_limit = limit))
        .wrong_value_exits_1(),
    Row::long(
        "max-connections-per-address",
        Network,
        "of these, with one client address; 0 = no limit. Of IPv6 each /64 counts as one address. Unix sockets are not \
         concerned",
    )
    .value("num", "0", |draft, word| {
        word.number(0..=INT_MAX).map(|limit| draft.settings.max_connections_per_address = limit)
    }),
    Row::long(
        "max-connection-rate",
        Network,
        "new connections a second from one client address, so many at once at most; 0 = no limit",
    )
    .value("num", "0", |draft, word| {
        word.number(0..=CONNECTION_RATE_MAX).map(|rate| draft.settings.max_connection_rate = rate)
    }),
    Row::long(
        "admin",
        Network,
        "serve metrics for Prometheus, health and a page with charts over HTTP here: an address of this machine with a \
         port, such as 127.0.0.1:9150, the path of a Unix socket, which has the permissions of -a, or \"passed\" for the \
         socket that systemd passes as larder-admin, larder-admin-tls or larder-admin-mtls. tls: before an address is \
         HTTPS with the certificate of -o ssl_chain_cert, with -Z or without; mtls: is that for clients with a \
         certificate of -o ssl_ca_cert alone, and may be any address",
    )
    .value("addr", "", |draft, word| admin::address(word).map(|address| draft.settings.admin = Some(address))),
    Row::long(
        "admin-token-file",
        Network,
        "whoever asks the admin port for data has to show the bearer token in this file. With it --admin may be any \
         address; where that begins with mtls: a certificate has to be shown as well",
    )
    .value("file", "", |draft, word| word.path().map(|path| draft.settings.admin_token_file = Some(path))),
    Row::long(
        "cluster",
        Network,
        "tell clients that discover nodes (`config get cluster`) which there are: a file with lines `HOST PORT` or \
         `HOST PORT IP` and maybe `version NUMBER`, read again when it changes; dns:NAME:PORT for the addresses of a \
         name; or srv:NAME for services",
    )
    .value("source", "", |draft, word| cluster::source(word).map(|source| draft.settings.cluster = Some(source))),
    Row::long(
        "cluster-resolver",
        Network,
        "name servers for --cluster in the place of those in /etc/resolv.conf: addresses, maybe with a port, with commas \
         between them; may be repeated",
    )
    .value("addrs", "", |draft, word| {
        cluster::resolvers(word).map(|servers| draft.settings.cluster_resolvers.extend(servers))
    }),
    Row::long(
        "cluster-before-login",
        Network,
        "tell the list of nodes, and the version, to clients that have not logged in as well: old ones discover without",
    )
    .switch(|draft| draft.settings.cluster_before_login = true),
    Row::flag('b', "listen-backlog", Network, "connections the kernel keeps waiting for accept").value(
        "num",
        "1024",
        |draft, word| word.number(-1..=INT_MAX).map(|backlog| draft.settings.listen_backlog = backlog),
    ),
    Row::flag('B', "protocol", Network, "protocol to speak: auto, ascii or binary").value(
        "name",
        "auto",
        |draft, word| {
            draft.settings.protocol = match word.text()? {
                "auto" => ProtocolChoice::Auto,
                "ascii" => ProtocolChoice::Ascii,
                "binary" => ProtocolChoice::Binary,
                _ => return Err(word.refusal("is no protocol; give auto, ascii or binary")),
            };
            Ok(())
        },
    ),
    Row::flag('N', "napi-ids", Network, "network queues to choose the worker thread by; at most -t")
        .value("num", "", |draft, word| word.number(1..=INT_MAX).map(|ids| draft.settings.napi_ids = ids))
        .wrong_value_exits_1()
        .without_effect(),
    Row::flag(
        'Z',
        "enable-ssl",
        Network,
        "serve TLS 1.2 and 1.3 on every TCP listener whose -l does not say otherwise; see the options that begin with ssl_",
    )
    .switch(|draft| draft.settings.tls.enabled = true),
    Row::long(
        "handshake-timeout",
        Network,
        "seconds within which a client has to finish its TLS handshake",
    )
    .value("secs", "10", |draft, word| {
        word.number(1..=TIMEOUT_SECS_MAX).map(|secs| draft.settings.handshake_timeout_secs = secs)
    }),
    Row::long(
        "users",
        Logins,
        "ask for a login on every protocol; the users are in this file, which larder-passwd writes",
    )
    .value("file", "", |draft, word| word.path().map(|path| draft.settings.users_file = Some(path))),
    Row::flag(
        'S',
        "enable-sasl",
        Logins,
        "ask for a login by SASL and speak the binary protocol alone. Users are those of --users or of the file that \
         MEMCACHED_SASL_PWDB names, lines of user:password",
    )
    .switch(|draft| draft.settings.sasl = true),
    Row::flag(
        'Y',
        "auth-file",
        Logins,
        "ask for a login and speak the text protocol alone; the file has lines of user:password",
    )
    .value("file", "", |draft, word| word.path().map(|path| draft.settings.auth_file = Some(path))),
    Row::long(
        "sasl-mechanisms",
        Logins,
        "mechanisms to offer, with commas between them, the first one first. Without it all but LOGIN, or with -S those \
         that mech_list names in SASL_CONF_PATH/memcached.conf",
    )
    .value("list", "", |draft, word| {
        let names = word.text()?.split(',').map(|name| Mechanism::parse(name.as_bytes()));
        match names.collect::<Option<Vec<_>>>() {
            Some(mechanisms) => draft.settings.sasl_mechanisms = mechanisms,
            None => {
                let all = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(",");
                return Err(word.refusal(format!("names a mechanism that is not there; give some of {all}")));
            }
        }
        Ok(())
    }),
    Row::long(
        "unix-peer-credentials",
        Logins,
        "let clients of the Unix socket log in without a password as the user that their process runs as (EXTERNAL)",
    )
    .switch(|draft| draft.settings.unix_peer_credentials = true),
    Row::long(
        "allow-plain",
        Logins,
        "let passwords and tokens come over a network without TLS (PLAIN, LOGIN, OAUTHBEARER and the login by set); \
         without it they are taken over TLS and from this machine only, and from everywhere with -Y",
    )
    .switch(|draft| draft.settings.allow_plain = true),
    Row::flag(
        'R',
        "max-reqs-per-event",
        Requests,
        "requests served for one connection before the others have their turn",
    )
    .value("num", "20", |draft, word| {
        word.number(1..=INT_MAX).map(|requests| draft.settings.requests_per_event = requests)
    })
    .wrong_value_exits_1(),
    Row::flag('A', "enable-shutdown", Requests, "allow the shutdown command")
        .switch(|draft| draft.settings.shutdown_command = true),
    Row::flag(
        'F',
        "disable-flush-all",
        Requests,
        "refuse the commands that empty the cache: flush_all, larder delete_prefix",
    )
    .switch(|draft| draft.settings.flush_all = false),
    Row::flag(
        'X',
        "disable-dumping",
        Requests,
        "refuse the commands that list keys: stats cachedump, stats detail, lru_crawler metadump and mgdump",
    )
    .switch(|draft| draft.settings.dumping = false),
    Row::flag('W', "disable-watch", Requests, "refuse the watch command").switch(|draft| draft.settings.watch = false),
    Row::flag(
        'D',
        "",
        Requests,
        "count requests per prefix of the key, which ends at this character. Without -D the character is a \
         colon, and the command \"stats detail on\" starts the counting",
    )
    .value("char", "", |draft, word| {
        let Some(&delimiter) = word.text()?.as_bytes().first() else {
            return Err(word.refusal("is no delimiter; give one character"));
        };
        draft.settings.prefix_delimiter = delimiter;
        draft.settings.detail = true;
        Ok(())
    })
    .wrong_value_exits_1(),
    Row::flag('m', "memory-limit", Memory, "memory for items in megabytes, or with k, m or g behind it").value(
        "num",
        "64",
        |draft, word| word.bytes(1 << 20, 1..=MEMORY_BYTES_MAX).map(|bytes| draft.settings.memory_limit_bytes = bytes),
    ),
    Row::flag('M', "disable-evictions", Memory, "answer with an error when memory is full, never evict")
        .switch(|draft| draft.settings.evictions = false),
    Row::flag(
        'I',
        "max-item-size",
        Memory,
        "size of the largest item in bytes, or with k, m or g behind it; 1k to 1g, at most half of -m",
    )
    .value("size", "1m", |draft, word| {
        let bytes = word.bytes(1, ITEM_BYTES_MIN..=ITEM_BYTES_MAX)?;
        draft.settings.item_size_max_bytes = bytes as u32;
        Ok(())
    }),
    Row::flag('C', "disable-cas", Memory, "keep no CAS numbers").switch(|draft| draft.settings.cas = false),
    Row::flag('L', "enable-largepages", Memory, "ask for huge pages; refuse to start where the kernel has none")
        .switch(|draft| draft.settings.large_pages = true),
    Row::flag('k', "lock-memory", Memory, "lock all memory into RAM").switch(|draft| draft.settings.lock_memory = true),
    Row::flag(
        'e',
        "memory-file",
        Memory,
        "keep items in this file, best on a tmpfs such as /dev/shm, so that they outlive a graceful restart",
    )
    .value("file", "", |draft, word| word.path().map(|path| draft.settings.memory_file = Some(path))),
    Row::long(
        "memory-fd",
        Memory,
        "leave items to the service manager over a restart, in memory without a file: needs systemd and \
         FileDescriptorStoreMax=2",
    )
    .switch(|draft| draft.settings.memory_fd = true),
    Row::flag('f', "slab-growth-factor", Memory, "ratio between the sizes of neighbouring slab classes; above 1")
        .value("num", "1.25", |draft, word| {
            word.fraction(1.0, f64::MAX).map(|factor| draft.settings.growth_factor = factor)
        })
        .wrong_value_exits_1()
        .without_effect(),
    Row::flag('n', "slab-min-size", Memory, "room for key, value and flags in the smallest slab class, in bytes")
        .value("bytes", "48", |draft, word| word.number(1..=INT_MAX).map(|bytes| draft.settings.chunk_size_min = bytes))
        .wrong_value_exits_1()
        .without_effect(),
    Row::flag('t', "threads", Process, "worker threads; more than processors rarely helps")
        .value("num", "4", |draft, word| {
            word.number(1..=THREADS_MAX).map(|threads: i32| draft.settings.threads = threads as usize)
        })
        .wrong_value_exits_1(),
    Row::flag('d', "daemon", Process, "run in the background").switch(|draft| draft.settings.daemon = true),
    Row::flag('u', "user", Process, "become this user; as root without it, serve with a warning").value(
        "user",
        "",
        |draft, word| {
            // memcached takes an empty name for none.
            draft.settings.user = Some(word.text()?.to_owned()).filter(|name| !name.is_empty());
            Ok(())
        },
    ),
    Row::flag('P', "pidfile", Process, "write the process id to this file; with -d it is removed at exit").value(
        "file",
        "",
        |draft, word| word.path().map(|path| draft.settings.pid_file = Some(path)),
    ),
    Row::flag('r', "enable-coredumps", Process, "allow core files of any size")
        .switch(|draft| draft.settings.core_dumps = true),
    Row::flag(
        'v',
        "verbose",
        Process,
        "log more: -v what happens, -vv also details, -vvv everything. The variable RUST_LOG overrides it",
    )
    .maybe_value("", "", |draft, _| {
        draft.settings.verbosity = draft.settings.verbosity.saturating_add(1);
        Ok(())
    }),
    Row::long("log-format", Process, "how lines of the log are written: text, or json for an object on each line").value(
        "name",
        "text",
        |draft, word| {
            draft.settings.log_format = match word.text()? {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(word.refusal("is no format; give text or json")),
            };
            Ok(())
        },
    ),
    Row::long(
        "slow-request-us",
        Process,
        "log requests that came together and kept a worker longer than these microseconds, with the first one's command \
         and key; 0 = none",
    )
    .value("us", "0", |draft, word| word.number(0..=INT_MAX).map(|us| draft.settings.slow_request_micros = us)),
    Row::flag('o', "extended", Process, "list of options with commas between them; may be repeated")
        .value("list", "", |draft, word| options::read(draft, word.text()?))
        .wrong_value_exits_1(),
    Row::long(
        "config",
        Process,
        "read flags from this file, one in a line, as from Debian's memcached.conf; # begins a comment, -d and logfile are \
         passed over",
    )
    .value("file", "", config::read),
    Row::flag('h', "help", About, "print this page and exit").page(help::page),
    Row::flag('i', "license", About, "print the license and exit").page(license_page),
    Row::flag('V', "version", About, "print the version and exit").page(version_line),
];

/// The largest value of C's int, in which memcached keeps these numbers.
const INT_MAX: i64 = i32::MAX as i64;
/// More than a machine accepts.
const CONNECTION_RATE_MAX: i64 = 1_000_000;
/// Whoever waits longer waits for nothing.
const TIMEOUT_SECS_MAX: i64 = 3600;
const PORT_MAX: i64 = u16::MAX as i64;
/// More threads than any machine has processors are a typing error.
const THREADS_MAX: i64 = 1024;
/// 64 TiB, half of what a process can address on x86-64.
const MEMORY_BYTES_MAX: u64 = 64 << 40;
const ITEM_BYTES_MIN: u64 = 1 << 10;
const ITEM_BYTES_MAX: u64 = 1 << 30;

/// The networks of a list.
fn networks(word: &Word<'_>) -> Result<Vec<IpNet>, Exit> {
    let list = word.text()?.split(',').map(|text| network(text.trim()));
    list.collect::<Option<_>>().ok_or_else(|| word.refusal("has what is no network; give such as 10.0.0.0/8,::1"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::cli::row::{Effect, Name, Takes};
    use crate::cli::{parse, read, words};
    use crate::settings::{AdminAddress, AdminTls, ClusterSource, LogFormat, Settings};

    #[test]
    fn every_flag_of_memcached_is_here_once() {
        let mut shorts: String = FLAGS
            .iter()
            .filter_map(|row| match row.name {
                Name::Flag { short, .. } => Some(short),
                Name::Long(_) | Name::Option(_) => None,
            })
            .collect();
        for short in "aAZpsUmMckhiVrvdluPfntDLRCbBISFXWYeoN".chars() {
            assert_eq!(shorts.matches(short).count(), 1, "{short}");
            shorts = shorts.replace(short, "");
        }
        assert_eq!(shorts, "");
    }

    #[test]
    fn the_default_shown_is_the_default() {
        let default = format!("{:?}", Settings::default());
        for row in FLAGS.iter().filter(|row| !row.default.is_empty()) {
            let line = format!("{} {}", row.label(), row.default);
            let settings = read(words(&line)).unwrap_or_else(|exit| panic!("{line}: {exit:?}"));
            assert_eq!(format!("{:?}", settings.settings), default, "{line}");
        }
    }

    #[test]
    fn each_flag_writes_its_own_setting() {
        type Change = fn(&mut Settings);
        let cases: &[(&str, Change)] = &[
            ("-p 0", |s| s.tcp_port = 0),
            ("-p -1", |s| s.tcp_port = -1),
            ("-p 65535", |s| s.tcp_port = 65535),
            ("-p 1 -p 2", |s| s.tcp_port = 2),
            ("-U 65535 -p 5", |s| (s.udp_port, s.tcp_port) = (65535, 5)),
            ("-U -1 -p 5", |s| (s.udp_port, s.tcp_port) = (-1, 5)),
            ("--unbounded-udp-replies", |s| s.unbounded_udp_replies = true),
            ("-s /run/larder", |s| s.unix_socket = Some(PathBuf::from("/run/larder"))),
            ("-a 0777", |s| s.unix_mask = 0o777),
            ("-a 0", |s| s.unix_mask = 0),
            ("--allow 10.1.0.0/8,::1", |s| {
                s.access.allow = ["10.0.0.0/8", "::1"].map(|text| network(text).unwrap()).to_vec();
            }),
            ("--deny 127.0.0.1 --deny 127.0.0.2/32", |s| {
                s.access.deny = ["127.0.0.1", "127.0.0.2"].map(|text| network(text).unwrap()).to_vec();
            }),
            ("--access-file f", |s| s.access_file = Some(PathBuf::from("f"))),
            ("--proxy-protocol-from 10.0.0.5", |s| s.proxy_protocol_from = vec![network("10.0.0.5").unwrap()]),
            ("-c 1", |s| s.conn_limit = 1),
            ("-Z -o ssl_chain_cert=c", |s| (s.tls.enabled, s.tls.chain_cert) = (true, Some("c".into()))),
            ("--handshake-timeout 3", |s| s.handshake_timeout_secs = 3),
            ("-c 2147483647", |s| s.conn_limit = i32::MAX as u32),
            ("--max-connections-per-address 2147483647", |s| s.max_connections_per_address = i32::MAX as u32),
            ("--max-connection-rate 1000000", |s| s.max_connection_rate = 1_000_000),
            ("--admin 127.0.0.1:9150", |s| {
                s.admin = Some(AdminAddress::Tcp("127.0.0.1:9150".parse().unwrap(), AdminTls::Off));
            }),
            ("--admin /a/b", |s| s.admin = Some(AdminAddress::Unix(PathBuf::from("/a/b")))),
            ("--admin-token-file f --admin [::]:0", |s| {
                s.admin = Some(AdminAddress::Tcp("[::]:0".parse().unwrap(), AdminTls::Off));
                s.admin_token_file = Some(PathBuf::from("f"));
            }),
            ("--cluster ./dns:a:1", |s| s.cluster = Some(ClusterSource::File(PathBuf::from("./dns:a:1")))),
            ("--cluster-resolver ::1 --cluster dns:a.b.:7", |s| {
                s.cluster = Some(ClusterSource::Addresses { name: "a.b".to_owned(), port: 7 });
                s.cluster_resolvers = vec!["[::1]:53".parse().unwrap()];
            }),
            ("--cluster-before-login --cluster f", |s| {
                (s.cluster, s.cluster_before_login) = (Some(ClusterSource::File(PathBuf::from("f"))), true);
            }),
            ("-b 8675", |s| s.listen_backlog = 8675),
            ("-b -1", |s| s.listen_backlog = -1),
            ("-B ascii", |s| s.protocol = ProtocolChoice::Ascii),
            ("-B binary", |s| s.protocol = ProtocolChoice::Binary),
            ("-B ascii -B auto", |s| s.protocol = ProtocolChoice::Auto),
            ("-N 4", |s| s.napi_ids = 4),
            ("-S", |s| (s.sasl, s.protocol) = (true, ProtocolChoice::Binary)),
            ("-Y f", |s| {
                (s.auth_file, s.protocol) = (Some(PathBuf::from("f")), ProtocolChoice::Ascii);
            }),
            ("--users f", |s| s.users_file = Some(PathBuf::from("f"))),
            ("--sasl-mechanisms plain,SCRAM-SHA-256 --users f", |s| {
                s.users_file = Some(PathBuf::from("f"));
                s.sasl_mechanisms = vec![Mechanism::Plain, Mechanism::ScramSha256];
            }),
            ("--allow-plain", |s| s.allow_plain = true),
            ("--unix-owner app:web -s f", |s| {
                s.unix_socket = Some(PathBuf::from("f"));
                s.unix_owner = OwnerNames::parse("app:web");
            }),
            ("--unix-peer-credentials -s f", |s| {
                s.unix_socket = Some(PathBuf::from("f"));
                s.unix_peer_credentials = true;
            }),
            ("-R 1", |s| s.requests_per_event = 1),
            ("-A", |s| s.shutdown_command = true),
            ("-F", |s| s.flush_all = false),
            ("-X", |s| s.dumping = false),
            ("-W", |s| s.watch = false),
            ("-D ;", |s| (s.prefix_delimiter, s.detail) = (b';', true)),
            ("-D :", |s| s.detail = true),
            ("-D /x", |s| (s.prefix_delimiter, s.detail) = (b'/', true)),
            ("-m 2", |s| s.memory_limit_bytes = 2 << 20),
            ("-m 3000k", |s| s.memory_limit_bytes = 3000 << 10),
            ("-m 4g", |s| s.memory_limit_bytes = 4 << 30),
            ("-m 65536g", |s| s.memory_limit_bytes = 64 << 40),
            ("-M", |s| s.evictions = false),
            ("-I 524288", |s| s.item_size_max_bytes = 512 << 10),
            ("-I 1024K", |s| s.item_size_max_bytes = 1 << 20),
            ("-I 2M", |s| s.item_size_max_bytes = 2 << 20),
            ("-C", |s| s.cas = false),
            ("-L", |s| s.large_pages = true),
            ("-k", |s| s.lock_memory = true),
            ("-e f", |s| s.memory_file = Some(PathBuf::from("f"))),
            ("--memory-fd", |s| s.memory_fd = true),
            ("-f 1.01", |s| s.growth_factor = 1.01),
            ("-n 1", |s| s.chunk_size_min = 1),
            ("-t 1", |s| s.threads = 1),
            ("-t 1024", |s| s.threads = 1024),
            ("-d", |s| s.daemon = true),
            ("-u nobody -u=", |_| {}),
            ("-u nobody", |s| s.user = Some("nobody".to_owned())),
            ("-P f", |s| s.pid_file = Some(PathBuf::from("f"))),
            ("-r", |s| s.core_dumps = true),
            ("-v", |s| s.verbosity = 1),
            ("-vv --verbose --verbose=9", |s| s.verbosity = 4),
            ("--log-format json", |s| s.log_format = LogFormat::Json),
            ("--slow-request-us 5000", |s| s.slow_request_micros = 5000),
            ("-o idle_timeout=5", |s| s.idle_timeout_secs = 5),
        ];
        for (line, change) in cases {
            let mut expected = Settings::default();
            change(&mut expected);
            let read = read(words(line)).unwrap_or_else(|exit| panic!("{line}: {exit:?}"));
            assert_eq!(format!("{:?}", read.settings), format!("{expected:?}"), "{line}");
        }
        for row in FLAGS.iter().filter(|row| row.group != About && !["-l", "--config"].contains(&row.label().as_str()))
        {
            let label = row.label();
            assert!(cases.iter().any(|(line, _)| line.starts_with(&label)), "{label} is untested");
        }
    }

    #[test]
    fn wrong_values_end_as_in_memcached() {
        for (status, lines) in [
            (
                1,
                "-c 0|-c -1|-c x|-c 2147483648|-t 0|-t -1|-t 1025|-t 2x|-R 0|-R x|-n 0|-n -1|-f 1|\
                 -f 0.5|-f x|-f nan|-f inf|-N 0|-N -1|-o bogus|-o =|-o ,a",
            ),
            (
                64,
                "-p -2|-p 65536|-p x|-p 11211x|-p=|-U -2|-U 65536|-U x|-a 9|-a 1000|-a x|-s=|-b -2|\
                 -b x|-B http|-B ASCII|-B negotiating|-m 0|-m x|-m -1|-m 1.5|-m 64mb|-m 65537g|\
                 -m 99999999999999999999|-I 0|-I 1023|-I 1000|-I 1073741825|-I 2g|-I x|-I -1m|-Y=|\
                 -e=|-P=|--log-format JSON|--log-format=|--slow-request-us -1|--slow-request-us x|--max-connections-per-address -1|--max-connections-per-address x|\
                 --max-connection-rate 1000001|--max-connection-rate -1",
            ),
        ] {
            for line in lines.split('|') {
                let exit = parse(words(line)).expect_err(line);
                assert_eq!(exit.status, status, "{line}: {}", exit.message);
                assert!(!exit.to_stdout, "{line}");
            }
        }
        let exit = parse(["larder", "-D", ""].map(std::ffi::OsString::from)).expect_err("empty");
        assert_eq!(exit.status, 1);
    }

    #[test]
    fn a_value_may_be_any_file_name() {
        let args = ["larder", "-s", "-odd name "].map(std::ffi::OsString::from);
        let path = parse(args).expect("fine").unix_socket;
        assert_eq!(path, Some(PathBuf::from("-odd name ")));
    }

    #[test]
    fn rows_are_written_for_people() {
        for row in super::super::help::all_rows() {
            let label = row.label();
            assert!(!row.help.is_empty() && !row.help.ends_with('.'), "{label}");
            assert!(!row.help.contains("  "), "{label}");
            match row.takes() {
                Takes::Nothing => assert_eq!(row.argument, "", "{label}"),
                Takes::Value => assert_ne!(row.argument, "", "{label}"),
                Takes::MaybeValue => {}
            }
            if let Effect::Later { feature, instead } = row.effect {
                assert!(!feature.is_empty() && !instead.is_empty(), "{label}");
            }
        }
    }
}

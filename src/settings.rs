//! What the operator asked for: one value per flag and `-o` option, with memcached 1.6.45's defaults.
//!
//! This is plain data, filled by `cli` and never changed afterwards. What an administrator may change while the
//! server runs (verbosity, the memory limit, ...) lives in `crate::shared`.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::auth::access_list::AccessList;
use crate::auth::sasl::Mechanism;
use crate::net::listen_spec::ListenSpec;
use crate::sys::owner::OwnerNames;
use crate::tls::{Ciphers, ClientCertificates};

/// Which protocols a listener accepts (`-B`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolChoice {
    /// The first byte of each message decides.
    #[default]
    Auto,
    /// Text (classic and meta) only.
    Ascii,
    /// Binary only.
    Binary,
}

/// How the private key is written (`-o ssl_keyformat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// As text (RFC 7468).
    #[default]
    Pem = 1,
    /// As bytes.
    Der = 2,
}

/// `-Z` and memcached's `ssl_` options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// `-Z`.
    pub enabled: bool,
    /// `-o ssl_chain_cert`.
    pub chain_cert: Option<PathBuf>,
    /// `-o ssl_key`; absent = in the file of the certificates.
    pub key: Option<PathBuf>,
    /// `-o ssl_keyformat`.
    pub key_format: KeyFormat,
    /// `-o ssl_ca_cert`: authorities of client certificates.
    pub ca_cert: Option<PathBuf>,
    /// `-o ssl_verify_mode`, 0 to 3.
    pub verify_mode: u8,
    /// `-o ssl_ciphers`; empty = all.
    pub ciphers: Ciphers,
    /// The same as it was given, for `stats settings`.
    pub ciphers_text: Option<String>,
    /// `-o ssl_min_version`: 0 TLS 1.0 to 3 TLS 1.3. What is older than TLS 1.2 is not spoken.
    pub min_version: u8,
    /// `-o ssl_session_cache`.
    pub session_cache: bool,
    /// `-o ssl_wbuf_size` in bytes, shown only.
    pub wbuf_bytes: u32,
    /// `-o ssl_kernel_tls`, shown only.
    pub kernel_tls: bool,
}

impl TlsSettings {
    /// What clients have to show, where an entry of `-l` does not say otherwise.
    pub fn client_certificates(&self) -> ClientCertificates {
        match self.verify_mode {
            0 => ClientCertificates::Ignored,
            1 => ClientCertificates::Asked,
            _ => ClientCertificates::Demanded,
        }
    }
}

impl Default for TlsSettings {
    fn default() -> TlsSettings {
        TlsSettings {
            enabled: false,
            chain_cert: None,
            key: None,
            key_format: KeyFormat::Pem,
            ca_cert: None,
            verify_mode: 0,
            ciphers: Ciphers::default(),
            ciphers_text: None,
            min_version: 2,
            session_cache: false,
            wbuf_bytes: 16 << 10,
            kernel_tls: false,
        }
    }
}

/// Where `slab_automove` stands.
pub type AutomoveLevel = u8;

/// Connections at the admin port at once.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;

/// How a line of the log is written (`--log-format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `time=... level=... target=... msg=...`.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// Where the list of nodes comes from (`--cluster`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterSource {
    /// Lines of a file.
    File(PathBuf),
    /// `dns:NAME:PORT`: the addresses of a name, with this port.
    Addresses {
        /// Without a dot at its end.
        name: String,
        /// Of every node.
        port: u16,
    },
    /// `srv:NAME`: the services of a name, each with a port of its own.
    Services {
        /// Without a dot at its end.
        name: String,
    },
}

/// How the admin port is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminTls {
    /// In the clear.
    #[default]
    Off,
    /// `tls:`: clients see the server's certificate and are asked for none.
    Server,
    /// `mtls:`: nobody comes in without a certificate that is verified.
    Mutual,
}

impl AdminTls {
    /// What an address of it begins with.
    pub fn prefix(self) -> &'static str {
        match self {
            AdminTls::Off => "",
            AdminTls::Server => "tls:",
            AdminTls::Mutual => "mtls:",
        }
    }

    /// What `tls` lacks for it, as the end of a sentence that begins with the address.
    pub fn lacks(self, tls: &TlsSettings) -> Option<&'static str> {
        if self == AdminTls::Off {
            None
        } else if tls.chain_cert.is_none() {
            Some("needs a certificate; give -o ssl_chain_cert=FILE,ssl_key=FILE")
        } else if self == AdminTls::Mutual && tls.ca_cert.is_none() {
            Some("needs authorities to verify clients by; give -o ssl_ca_cert=FILE")
        } else {
            None
        }
    }
}

/// Where the admin port is (`--admin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminAddress {
    /// A TCP port; 0 = any free one.
    Tcp(SocketAddr, AdminTls),
    /// A Unix socket.
    Unix(PathBuf),
    /// What the service manager opened and calls `larder-admin`, `larder-admin-tls` or `larder-admin-mtls`.
    Passed,
}

/// The whole configuration of one server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `-p`: TCP port; 0 = no TCP, -1 = any free port.
    pub tcp_port: i32,
    /// `-U`: UDP port; 0 = off.
    pub udp_port: i32,
    /// `--unbounded-udp-replies`: on a network, too.
    pub unbounded_udp_replies: bool,
    /// `--admin`: where metrics, health and a page are served, if anywhere.
    pub admin: Option<AdminAddress>,
    /// `--admin-token-file`: what holds the token that opens it.
    pub admin_token_file: Option<PathBuf>,
    /// `-l`: the entries in the order given, repeated ones once. Empty = loopback only.
    pub listen: Vec<ListenSpec>,
    /// `-l` as it was given, joined with commas, for `stats settings`. Empty = not given.
    pub listen_text: String,
    /// `-s`: Unix socket; turns the network listeners off.
    pub unix_socket: Option<PathBuf>,
    /// `-a`: permission bits of the Unix socket.
    pub unix_mask: u32,
    /// `--unix-owner`: who the Unix socket is to belong to.
    pub unix_owner: Option<OwnerNames>,
    /// `--unix-peer-credentials`: a client of the Unix socket may log in as the user that its process runs as.
    pub unix_peer_credentials: bool,
    /// `-c`: connections served at once.
    pub conn_limit: u32,
    /// `--max-connections-per-address`: of these, with one client address; 0 = no limit.
    pub max_connections_per_address: u32,
    /// `--max-connection-rate`: new connections a second from one client address; 0 = no limit.
    pub max_connection_rate: u32,
    /// `--allow` and `--deny`: who may connect.
    pub access: AccessList,
    /// `--proxy-protocol-from`: load balancers, whose connections begin with a header.
    pub proxy_protocol_from: Vec<IpNet>,
    /// `--access-file`: more of both.
    pub access_file: Option<PathBuf>,
    /// `--cluster`: where the list of nodes comes from that clients discover.
    pub cluster: Option<ClusterSource>,
    /// `--cluster-resolver`: name servers to ask for it; empty = those of resolv.conf.
    pub cluster_resolvers: Vec<SocketAddr>,
    /// `--cluster-before-login`: clients that have not logged in are told it as well.
    pub cluster_before_login: bool,
    /// `-Z` and what goes with it.
    pub tls: TlsSettings,
    /// `--handshake-timeout`: seconds that a connection has before it is served.
    pub handshake_timeout_secs: u32,
    /// `-b`: backlog of listen(2).
    pub listen_backlog: i32,
    /// `-B`.
    pub protocol: ProtocolChoice,
    /// `-o idle_timeout`: seconds without a request before a connection is closed; 0 = never.
    pub idle_timeout_secs: u32,
    /// `-o maxconns_fast`: past `-c`, answer with an error and close instead of not accepting.
    pub maxconns_fast: bool,

    /// `-d`: run in the background.
    pub daemon: bool,
    /// `-r`: raise the limit on core files.
    pub core_dumps: bool,
    /// `-u`: user to become.
    pub user: Option<String>,
    /// `-P`: file that holds the process id.
    pub pid_file: Option<PathBuf>,
    /// `-k`: mlockall.
    pub lock_memory: bool,
    /// `-v`: how often it was given.
    pub verbosity: u8,
    /// `--log-format`: how a line of the log is written.
    pub log_format: LogFormat,
    /// `--slow-request-us`: a batch of requests that keeps its worker longer is logged; 0 = none is.
    pub slow_request_micros: u32,
    /// `-t`: worker threads.
    pub threads: usize,
    /// `-R`: requests served for one connection per wake-up.
    pub requests_per_event: u32,

    /// `-m`: bytes for items and index.
    pub memory_limit_bytes: u64,
    /// `-M` absent: old items make room for new ones. `-M`: a full cache refuses.
    pub evictions: bool,
    /// `-I`: the largest item in bytes, header included (memcached's accounting).
    pub item_size_max_bytes: u32,
    /// `-C` absent: items carry a CAS number.
    pub cas: bool,
    /// `-L`: huge pages.
    pub large_pages: bool,
    /// `-f`, shown only.
    pub growth_factor: f64,
    /// `-n`, shown only.
    pub chunk_size_min: u32,
    /// `-o slab_chunk_max` in bytes, shown only.
    pub slab_chunk_max_bytes: u32,
    /// `-e`: file for the items' memory.
    pub memory_file: Option<PathBuf>,
    /// `--memory-fd`: the items' memory is left to the service manager over a restart.
    pub memory_fd: bool,

    /// `-A`: the `shutdown` command works.
    pub shutdown_command: bool,
    /// `-F` absent: `flush_all` works.
    pub flush_all: bool,
    /// `-X` absent: dumps work.
    pub dumping: bool,
    /// `-W` absent: `watch` works.
    pub watch: bool,
    /// `-D`: ends the prefix of a key in the statistics per prefix.
    pub prefix_delimiter: u8,
    /// `-D` given: statistics per prefix are on from the start.
    pub detail: bool,
    /// `-S`.
    pub sasl: bool,
    /// `-Y`.
    pub auth_file: Option<PathBuf>,
    /// `--users`.
    pub users_file: Option<PathBuf>,
    /// `--sasl-mechanisms`; empty when it was not given.
    pub sasl_mechanisms: Vec<Mechanism>,
    /// `--allow-plain`: secrets may come in the clear over a network.
    pub allow_plain: bool,
    /// `-N`.
    pub napi_ids: u32,

    /// `-o hashpower`, shown only; 0 when it was not given, as memcached shows it.
    pub hashpower: u32,
    /// `-o hash_algorithm`, shown only.
    pub hash_algorithm: String,
    /// `-o slab_reassign`.
    pub slab_reassign: bool,
    /// `-o slab_automove`.
    pub slab_automove: AutomoveLevel,
    /// `-o slab_automove_ratio`, shown only.
    pub slab_automove_ratio: f64,
    /// `-o slab_automove_freeratio`, shown only.
    pub slab_automove_freeratio: f64,
    /// `-o slab_automove_window` in seconds, shown only.
    pub slab_automove_window: u32,
    /// `-o tail_repair_time` in seconds, shown only.
    pub tail_repair_time_secs: u32,
    /// `-o lru_crawler`.
    pub lru_crawler: bool,
    /// `-o lru_crawler_sleep` in microseconds.
    pub lru_crawler_sleep_us: u32,
    /// `-o lru_crawler_tocrawl`.
    pub lru_crawler_tocrawl: u32,
    /// `-o lru_maintainer`, shown only.
    pub lru_maintainer: bool,
    /// `-o hot_lru_pct`, shown only.
    pub hot_lru_pct: u32,
    /// `-o warm_lru_pct`, shown only.
    pub warm_lru_pct: u32,
    /// `-o hot_max_factor`, shown only.
    pub hot_max_factor: f64,
    /// `-o warm_max_factor`, shown only.
    pub warm_max_factor: f64,
    /// `-o temporary_ttl` in seconds, shown only; `None` = off.
    pub temporary_ttl_secs: Option<u32>,
    /// `-o watcher_logbuf_size` in bytes.
    pub watcher_logbuf_bytes: u32,
    /// `-o worker_logbuf_size` in bytes.
    pub worker_logbuf_bytes: u32,
    /// `-o track_sizes`: keep the histogram behind `stats sizes`.
    pub track_sizes: bool,
    /// `-o read_buf_mem_limit` in bytes for all connections' buffers together; 0 = our own bound.
    pub read_buf_mem_limit_bytes: u64,
    /// `-o inline_ascii_resp`, shown only.
    pub inline_ascii_resp: bool,
    /// `-o drop_privileges`.
    pub drop_privileges: bool,

    /// Options that were given and change nothing here, for one log line at start.
    pub without_effect: Vec<String>,
}

impl Settings {
    /// Descriptors that the process needs: one a client, and its own: standard streams, listeners, polls and wakers,
    /// files, room for more.
    pub fn descriptors(&self) -> u64 {
        const FIXED: u64 = 64;
        const PER_THREAD: u64 = 4;
        let admin = if self.admin.is_some() { ADMIN_CONNECTIONS_MAX as u64 } else { 0 };
        u64::from(self.conn_limit) + FIXED + admin + PER_THREAD * self.threads as u64
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            tcp_port: 11211,
            udp_port: 0,
            unbounded_udp_replies: false,
            admin: None,
            admin_token_file: None,
            listen: Vec::new(),
            listen_text: String::new(),
            unix_socket: None,
            unix_mask: 0o700,
            unix_owner: None,
            unix_peer_credentials: false,
            conn_limit: 1024,
            max_connections_per_address: 0,
            max_connection_rate: 0,
            proxy_protocol_from: Vec::new(),
            access: AccessList::default(),
            access_file: None,
            cluster: None,
            cluster_resolvers: Vec::new(),
            cluster_before_login: false,
            tls: TlsSettings::default(),
            handshake_timeout_secs: 10,
            listen_backlog: 1024,
            protocol: ProtocolChoice::Auto,
            idle_timeout_secs: 0,
            maxconns_fast: true,
            daemon: false,
            core_dumps: false,
            user: None,
            pid_file: None,
            lock_memory: false,
            verbosity: 0,
            log_format: LogFormat::Text,
            slow_request_micros: 0,
            threads: 4,
            requests_per_event: 20,
            memory_limit_bytes: 64 << 20,
            evictions: true,
            item_size_max_bytes: 1 << 20,
            cas: true,
            large_pages: false,
            growth_factor: 1.25,
            chunk_size_min: 48,
            slab_chunk_max_bytes: 512 << 10,
            memory_file: None,
            memory_fd: false,
            shutdown_command: false,
            flush_all: true,
            dumping: true,
            watch: true,
            prefix_delimiter: b':',
            detail: false,
            sasl: false,
            auth_file: None,
            users_file: None,
            sasl_mechanisms: Vec::new(),
            allow_plain: false,
            napi_ids: 0,
            hashpower: 0,
            hash_algorithm: "murmur3".to_owned(),
            slab_reassign: true,
            slab_automove: 1,
            slab_automove_ratio: 0.8,
            slab_automove_freeratio: 0.01,
            slab_automove_window: 10,
            tail_repair_time_secs: 0,
            lru_crawler: true,
            lru_crawler_sleep_us: 100,
            lru_crawler_tocrawl: 0,
            lru_maintainer: true,
            hot_lru_pct: 20,
            warm_lru_pct: 40,
            hot_max_factor: 0.2,
            warm_max_factor: 2.0,
            temporary_ttl_secs: None,
            watcher_logbuf_bytes: 256 << 10,
            worker_logbuf_bytes: 64 << 10,
            track_sizes: false,
            read_buf_mem_limit_bytes: 0,
            inline_ascii_resp: false,
            drop_privileges: false,
            without_effect: Vec::new(),
        }
    }
}

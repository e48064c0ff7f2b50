//! Larder: a memcached-compatible cache server. This page is the picture of the crate; `docs/architecture.md` is the
//! tour.
//!
//! ```text
//!   socket ─► net ─► conn ─► protocol ─► conn ─► exec ─► store ─► slab
//!             read   feed    parse              meaning  shard    bytes of an item
//!   socket ◄─ net ◄─ conn::outbox ◄─ protocol (reply lines) ◄───────┘
//! ```
//!
//! Modules in layer order; each leans on those above it:
//!
//! * [`clock`], [`command`], [`uri`], [`exit_status`], [`panics`]: seconds since start; the words that protocols and
//!   store share; keys made fit to be shown; what the process ends with; where a panic does not end it.
//! * [`sys`]: the edge to the operating system, one function a call.
//! * [`bytes`]: short searches, and replies put together from parts.
//! * [`source_file`]: a file of users, keys or networks, read with care, and what may be wrong with it.
//! * [`settings`]: what the operator asked for, as plain data.
//! * `slab`: size classes, the arena, how an item lies in its chunk. The `unsafe` of the store is here.
//! * [`store`]: the cache as a plain library: shards, index, eviction, expiry. No protocol, no socket, no clock.
//! * [`watch`]: events as lines for the clients that watch them.
//! * [`auth`]: who may connect and who may do what: access list, users, rights, SASL. No wire format, no socket.
//! * [`tls`]: certificates and keys, and one TLS connection without its socket. The only user of rustls.
//! * [`discovery`]: the list of nodes that clients ask for, and the files and name servers it comes from.
//! * [`protocol`]: bytes to requests and replies to bytes. No I/O, no lock, no state.
//! * [`stats`], [`crawler`], [`shared`]: what is counted, who walks over all items, what all threads of one server share.
//! * [`exec`]: what a command means, once for every protocol.
//! * [`conn`]: one connection without its socket.
//! * [`net`]: listeners, the accept thread, workers. The only user of mio.
//! * [`passwd`]: `larder-passwd`, which edits users files. It knows [`auth`] and nothing else.
//! * [`top`]: `larder-top`, a client that shows several nodes. It knows [`tls`] and nothing of the server.
//! * [`cli`]: flags as rows of data, and the pages made from them.
//! * [`admin`]: metrics, health and a page to look at, over HTTP.
//! * [`server`]: assembly: start, signals, stop.
//!
//! A few plain tables (`net::listen_spec`, `net::roster`) are named from above and below; `docs/architecture.md` lists
//! these places.

/// The version that clients are told: that of the memcached whose behaviour we follow. They choose what they send by
/// it, and libmemcached refuses a major version of 0. Our own is in `-V` and `-h`.
pub const MEMCACHED_VERSION: &str = "1.6.45";

pub mod admin;
mod allowance;
pub mod auth;
pub mod bytes;
pub mod cli;
pub mod clock;
pub mod command;
pub mod conn;
pub mod crawler;
pub mod debts;
pub mod discovery;
pub mod exec;
pub mod exit_status;
pub mod net;
pub mod panics;
pub mod party;
pub mod passwd;
pub mod protocol;
pub mod server;
pub mod settings;
pub mod shared;
mod slab;
pub mod source_file;
pub mod stats;
pub mod store;
pub mod sys;
pub mod tls;
pub mod top;
pub mod uri;
pub mod watch;

//! TLS over real sockets: what is served by way of it, who may connect, certificates that change, handshakes that go
//! wrong.

#[path = "../support/authority.rs"]
mod authority;
mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod handshakes;
mod logins;
mod serving;
mod stand;

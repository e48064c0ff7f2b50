//! The admin port of the real binary: HTTP and its edges, TLS, who gets data, metrics that are well formed, health.

#[path = "../support/authority.rs"]
mod authority;
#[path = "../support/mod.rs"]
mod support;

mod exposition;
mod health;
mod http;
mod logins;
mod readers;
mod stand;
mod tls;

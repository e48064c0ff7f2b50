//! The admin port of the real binary: HTTP and its edges, who gets data, metrics that are well formed, health.

#[path = "../support/mod.rs"]
mod support;

mod exposition;
mod http;
mod readers;
mod stand;

//! The load generator: one thread, many connections, and a check of every byte that comes back.
//!
//! ```text
//! workload ─► traffic ── requests ─► connection ─► socket
//!   (what)    (which keys)              │
//!                                       └── replies ─► checker ─► tally
//! ```
//!
//! A key is a number; its name (`keyspace`) and its value (`values`) follow from it, so nothing is remembered about
//! what was stored and yet a foreign, torn or shortened value is noticed. Each connection sends a batch, waits for all
//! of its replies, and sends the next (a closed loop). All of it talks to loopback only and is bounded in count and
//! in time.
//!
//! It is shared by the bench targets and by `tests/load_generator.rs`, each of which uses a part of it.

pub(crate) mod checker;
pub(crate) mod connection;
pub(crate) mod fleet;
pub(crate) mod keyspace;
pub(crate) mod latency;
pub(crate) mod popularity;
pub(crate) mod protocol;
pub(crate) mod random;
pub(crate) mod traffic;
pub(crate) mod values;
pub(crate) mod workload;

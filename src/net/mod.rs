//! Sockets and threads: listeners, the accept thread, workers. The only place that uses mio.

pub mod listen_spec;
pub mod mailbox;
pub mod roster;
pub mod worker;

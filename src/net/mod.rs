//! Sockets and threads: listeners, the accept thread, workers. The only place that uses mio.

pub mod mailbox;
pub mod roster;
pub mod worker;

//! Sockets and threads: listeners, the accept thread, the lobby, workers. The only place that uses mio.

pub mod acceptor;
mod admission;
pub mod bind;
pub(crate) mod complaints;
mod connection;
pub mod gate;
mod kept;
pub mod limits;
pub mod listen;
pub mod listen_spec;
pub mod lobby;
pub mod mailbox;
pub mod passed;
pub mod port_file;
mod proxy_header;
pub mod pulse;
pub mod roster;
mod slow;
mod stopwatch;
pub mod stream;
pub mod udp;
pub mod unix_socket;
pub mod watchers;
pub mod worker;

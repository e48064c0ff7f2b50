//! Under a service manager: the test plays systemd against the real binary, with a socket for notifications, sockets that
//! it listens on and passes, and a store for descriptors.

mod life;
mod memory;
mod sockets;
mod stand;

//! Logins over real sockets: every way in, on every protocol, what is refused before and after, and what users may
//! touch.

mod binary;
#[path = "../common/mod.rs"]
mod common;
mod external;
mod hostile;
mod memcached_files;
mod published;
mod reload;
mod rights;
mod stand;
mod text;

//! What is known of a client before it says who it is.

use std::net::IpAddr;
use std::sync::Arc;

use super::sasl::Mechanism;

/// Where a client that has to log in comes from, and what its transport says of it.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// `None` on a Unix socket.
    pub address: Option<IpAddr>,
    /// Nobody between the client and us can read along, or nobody minds.
    pub may_send_secrets: bool,
    /// The user that the transport vouches for: the name in a certificate that was verified, or that of the process at
    /// the other end of a Unix socket. EXTERNAL logs this user in, and no other.
    pub external: Option<Arc<str>>,
    /// What both ends of a TLS connection know of it and of no other: its `tls-exporter` (RFC 9266). The mechanisms
    /// whose names end in `-PLUS` build on it.
    pub channel_binding: Option<[u8; 32]>,
}

impl Client {
    /// Whether this client can be offered the mechanism.
    pub fn may_use(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::External => self.external.is_some(),
            Mechanism::ScramSha512Plus | Mechanism::ScramSha256Plus => self.channel_binding.is_some(),
            Mechanism::ScramSha512 | Mechanism::ScramSha256 | Mechanism::ScramSha1 => true,
            Mechanism::OAuthBearer | Mechanism::Plain | Mechanism::Login => self.may_send_secrets,
        }
    }
}

//! One entry of `-l`: where to listen and how.

use crate::settings::ProtocolChoice;

/// One entry of `-l`. Whether its host resolves is not known before it is bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenSpec {
    /// `notls:`, `btls:` or `mtls:`.
    pub tls: ListenTls,
    /// `proto[...]`; absent = `-B`.
    pub protocol: Option<ProtocolChoice>,
    /// `tag[...]`, 1 to 8 bytes: a name for the connections that come in here.
    pub tag: Option<String>,
    /// Name or address, IPv6 without its brackets; absent = all addresses.
    pub host: Option<String>,
    /// Port; absent = `-p`, 0 = any free one.
    pub port: Option<u16>,
}

/// What an entry of `-l` asks of TLS. Anything but `Default` needs `-Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListenTls {
    /// No prefix: TLS when `-Z` is given, plain without it.
    #[default]
    Default,
    /// `notls:`: plain although `-Z` is given.
    Plain,
    /// `btls:`: TLS without asking for a client certificate.
    Server,
    /// `mtls:`: TLS with a verified client certificate.
    Mutual,
}

//! One entry of `-l`: where to listen and how.

use crate::settings::ProtocolChoice;

/// One entry of `-l`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenSpec {
    /// `proto[...]`; absent = `-B`.
    pub protocol: Option<ProtocolChoice>,
    /// `tag[...]`.
    pub tag: Option<String>,
    /// Name or address; absent = all addresses.
    pub host: Option<String>,
    /// Port; absent = `-p`, 0 = any free one.
    pub port: Option<u16>,
}

//! `-o ssl_ciphers`: names of cipher suites.

use rustls::crypto::ring::ALL_CIPHER_SUITES;
use rustls::{CipherSuite, ProtocolVersion, SupportedCipherSuite};

/// The suites there are: the name that OpenSSL has for it, and its own.
const SUITES: [(&str, CipherSuite); 9] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// Cipher suites to offer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ciphers(Vec<CipherSuite>);

impl Ciphers {
    /// Reads a list of OpenSSL's names with colons between them. `None` when one is not there.
    pub fn parse(list: &str) -> Option<Ciphers> {
        let find = |name: &str| SUITES.iter().find(|(known, _)| *known == name).map(|(_, suite)| *suite);
        list.split(':').map(find).collect::<Option<_>>().map(Ciphers)
    }

    /// All names, for a message.
    pub fn names() -> String {
        SUITES.map(|(name, _)| name).join(":")
    }

    /// The suites of a list, which says nothing of a version whose suites it does not name: as in OpenSSL, a list for
    /// TLS 1.2 leaves TLS 1.3 as it is.
    pub(super) fn suites(&self) -> Vec<SupportedCipherSuite> {
        let named = |suite: &SupportedCipherSuite| self.0.contains(&suite.suite());
        let is_of = |version: ProtocolVersion| move |suite: &&SupportedCipherSuite| suite.version().version == version;
        let of_version = |version: ProtocolVersion| {
            let all = || ALL_CIPHER_SUITES.iter().filter(is_of(version));
            let chosen: Vec<_> = all().filter(|suite| named(suite)).copied().collect();
            if chosen.is_empty() { all().copied().collect() } else { chosen }
        };
        [of_version(ProtocolVersion::TLSv1_3), of_version(ProtocolVersion::TLSv1_2)].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(list: &str) -> usize {
        Ciphers::parse(list).expect(list).suites().len()
    }

    #[test]
    fn every_suite_of_the_library_has_a_name() {
        assert_eq!(SUITES.len(), ALL_CIPHER_SUITES.len());
        assert_eq!(Ciphers::default().suites().len(), SUITES.len());
        assert_eq!(Ciphers::parse(&Ciphers::names()).expect("all").suites().len(), SUITES.len());
    }

    #[test]
    fn a_list_says_nothing_of_the_other_version() {
        assert_eq!(chosen("ECDHE-RSA-AES128-GCM-SHA256"), 1 + 3);
        assert_eq!(chosen("TLS_AES_128_GCM_SHA256"), 1 + 6);
        assert_eq!(chosen("TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256"), 2);
    }

    #[test]
    fn names_that_are_not_there_are_refused() {
        for list in ["", "AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256:", "HIGH", "tls_aes_128_gcm_sha256"] {
            assert_eq!(Ciphers::parse(list), None, "{list}");
        }
    }
}

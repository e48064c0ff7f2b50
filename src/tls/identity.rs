//! What a certificate says: whose it is, and when it counts.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Whether a certificate's time has come and is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Validity {
    /// It ends in this second of the Unix epoch.
    Until(i64),
    /// It begins then.
    NotYet(String),
    /// It ended then.
    Over(String),
}

/// When a certificate counts, as seen from now (a clock before 1970 counts as 1970); `None` when it cannot be read.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let unix_secs = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some(if unix_secs < validity.not_before.timestamp() {
        Validity::NotYet(validity.not_before.to_string())
    } else if unix_secs > validity.not_after.timestamp() {
        Validity::Over(validity.not_after.to_string())
    } else {
        Validity::Until(validity.not_after.timestamp())
    })
}

/// The name of whoever has a certificate: the common name of its subject, or else the first DNS name, mail address or
/// URI among its alternative names (RFC 5280 section 4.2.1.6).
pub(super) fn name(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common_name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let name = match common_name {
        Some(name) if !name.is_empty() => Some(name),
        _ => certificate.subject_alternative_name().ok().flatten().and_then(|names| {
            names.value.general_names.iter().find_map(|name| match name {
                GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some(*name),
                _ => None,
            })
        }),
    };
    name.map(str::to_owned)
}

//! The certificate whose key signs messages. That it is SNS's own is told by the host it came from, over TLS, and by the
//! name that it bears.

use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::pem::parse_x509_pem;

use super::Topic;
use crate::clock::Timestamp;

/// How many names of a certificate are looked at.
const NAMES: usize = 16;

/// A certificate that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The RSA key as PKCS#1 has it (RFC 8017, A.1.1).
    key: Vec<u8>,
    /// The names that it is for, in lower case.
    names: Vec<String>,
    from: Timestamp,
    until: Timestamp,
}

impl Certificate {
    /// Reads one in PEM; none if it is none, or its key is not RSA's.
    #[must_use]
    pub fn parse(pem: &[u8]) -> Option<Self> {
        let (_, block) = parse_x509_pem(pem).ok()?;
        if block.label != "CERTIFICATE" {
            return None;
        }
        let certificate = block.parse_x509().ok()?;
        let key = certificate.public_key();
        if key.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return None;
        }
        let validity = certificate.validity();
        Some(Self {
            key: key.subject_public_key.data.to_vec(),
            names: names(&certificate),
            from: Timestamp::from_seconds(validity.not_before.timestamp()),
            until: Timestamp::from_seconds(validity.not_after.timestamp()),
        })
    }

    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    /// Whether it bears the name of SNS, be it that of all regions or that of the topic's own.
    #[must_use]
    pub fn is_for(&self, topic: &Topic) -> bool {
        let own = [topic.host(), format!("sns.{}", topic.suffix()), "sns.amazonaws.com".to_owned()];
        self.names.iter().any(|name| own.contains(name))
    }

    /// Whether the signature is of its key, with SHA-1 (`is_old`) or SHA-256. A key below 2,048 bits signs nothing.
    #[must_use]
    pub fn verifies(&self, is_old: bool, text: &[u8], signature: &[u8]) -> bool {
        // SNS signs so unless a topic is told otherwise. What SHA-1 has lost is that two texts can be made alike by whoever
        // makes both, and only SNS makes these.
        let algorithm =
            if is_old { &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY } else { &RSA_PKCS1_2048_8192_SHA256 };
        UnparsedPublicKey::new(algorithm, &self.key).verify(text, signature).is_ok()
    }
}

/// The host names that a certificate is for: those it lists, and the one it calls itself.
fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let listed = certificate.subject_alternative_name().ok().flatten();
    let listed = listed.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let called = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    listed.chain(called).take(NAMES).map(str::to_ascii_lowercase).collect()
}

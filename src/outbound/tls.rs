//! Trust in servers' certificates: the system's roots and the administrator's, and what is said when a certificate is
//! refused, because whoever reads it has to know which authority is missing where.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::client::{InvalidCaBundle, SetupFailed};
use crate::clock::Timestamp;

/// A server's certificate that is not accepted, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefused {
    /// Nobody who is trusted signed it.
    #[error(
        "the certificate of {server} was issued by \"{issuer}\", which is not trusted here. If that is your own authority, \
         add its certificate to `ca_bundle` under [outbound] in config.toml; if it is not, the server may not send its \
         intermediate certificate"
    )]
    UnknownIssuer {
        /// The server or proxy.
        server: String,
        /// Who is missing.
        issuer: String,
    },
    /// It vouches for itself.
    #[error(
        "the certificate of {server} is self-signed (\"{subject}\"). If it is the right one, add it to `ca_bundle` under \
         [outbound] in config.toml"
    )]
    SelfSigned {
        /// The server or proxy.
        server: String,
        /// Whom it names.
        subject: String,
    },
    /// It, or one that it depends on, is too old.
    #[error("the certificate of {server} expired on {end}: it has to be renewed there")]
    Expired {
        /// The server or proxy.
        server: String,
        /// The day.
        end: String,
    },
    /// It is not valid yet, or our clock is slow.
    #[error("the certificate of {server} is valid from {start} only: check the clocks of both machines")]
    NotYetValid {
        /// The server or proxy.
        server: String,
        /// The day.
        start: String,
    },
    /// It is somebody else's.
    #[error(
        "the certificate that {server} showed is not for this name: it is for {names}. Use a name in the address that the \
         certificate has, or give the server a certificate for {server}"
    )]
    WrongName {
        /// The server or proxy.
        server: String,
        /// Whom it is for.
        names: String,
    },
    /// Anything else.
    #[error("the certificate of {server} is not accepted: {reason}")]
    Other {
        /// The server or proxy.
        server: String,
        /// What the TLS library says.
        reason: String,
    },
}

/// TLS as our clients speak it: the system's roots, and the bundle's beside them.
///
/// # Errors
/// [`SetupFailed`] when a certificate of the bundle is none, or there are no roots at all.
pub(super) fn config(bundle: Option<&str>) -> Result<ClientConfig, SetupFailed> {
    let own = bundle.map(certificates).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |error: Error| SetupFailed::Client(error.to_string());
    let inner = Verifier::new_with_extra_roots(own.clone(), Arc::clone(&provider)).map_err(failed)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Explaining { inner, own }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a bundle, all of them usable.
fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, InvalidCaBundle> {
    let mut found = Vec::new();
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let number = found.len() + 1;
        let wrong =
            |reason: String| InvalidCaBundle(format!("its certificate number {number} cannot be read: {reason}"));
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        store.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
        found.push(certificate);
    }
    if found.is_empty() {
        return Err(InvalidCaBundle("there is no \"BEGIN CERTIFICATE\" block in it".to_owned()));
    }
    Ok(found)
}

/// The platform's verifier, which says more when it refuses, and takes a server's certificate that stands in the bundle
/// itself for trusted even if it calls itself an authority's, as self-signed ones mostly do.
#[derive(Debug)]
struct Explaining {
    inner: Verifier,
    own: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Explaining {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let Err(Error::InvalidCertificate(error)) = verdict else { return verdict };
        let pinned = self.own.iter().any(|own| own.as_ref() == end_entity.as_ref());
        let error = if pinned && matches!(error, CertificateError::Other(_)) {
            match is_for(end_entity, server_name, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(error) => error,
            }
        } else {
            error
        };
        let refused = refused(&error, end_entity, intermediates, server_name);
        Err(Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate that is trusted as such is for this name and this moment.
fn is_for(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), CertificateError> {
    let named = ParsedCertificate::try_from(certificate).and_then(|parsed| verify_server_name(&parsed, name));
    match named {
        Err(Error::InvalidCertificate(error)) => return Err(error),
        Err(_) => return Err(CertificateError::BadEncoding),
        Ok(()) => {}
    }
    let parsed = parsed(certificate).ok_or(CertificateError::BadEncoding)?;
    let validity = parsed.validity();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > validity.not_after.timestamp() {
        Err(CertificateError::Expired)
    } else if now < validity.not_before.timestamp() {
        Err(CertificateError::NotValidYet)
    } else {
        Ok(())
    }
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate.as_ref()).ok().map(|(_, certificate)| certificate)
}

/// What a refusal means for whoever has to repair it.
fn refused(
    error: &CertificateError,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    name: &ServerName<'_>,
) -> CertificateRefused {
    let server = name.to_str().into_owned();
    let other = |reason: String| CertificateRefused::Other { server: server.clone(), reason };
    let Some(leaf) = parsed(end_entity) else { return other(error.to_string()) };
    let self_signed = leaf.issuer() == leaf.subject();
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let end = match error {
                CertificateError::ExpiredContext { not_after, .. } => i64::try_from(not_after.as_secs()).ok(),
                _ => None,
            };
            let end = end.unwrap_or_else(|| leaf.validity.not_after.timestamp());
            CertificateRefused::Expired { server, end: day(end) }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateRefused::NotYetValid { server, start: day(leaf.validity.not_before.timestamp()) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            CertificateRefused::WrongName { server, names: names(&leaf) }
        }
        CertificateError::UnknownIssuer | CertificateError::Other(_) if self_signed => {
            CertificateRefused::SelfSigned { server, subject: distinguished(leaf.subject()) }
        }
        // Somebody of the same name is trusted, with another key: that is another authority.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            // Who is missing has signed the last certificate that the server showed.
            let top = intermediates.last().and_then(parsed).filter(|top| top.issuer() != top.subject());
            let issuer = top.as_ref().unwrap_or(&leaf).issuer();
            CertificateRefused::UnknownIssuer { server, issuer: distinguished(issuer) }
        }
        _ => other(error.to_string()),
    }
}

/// A name of X.509 for people: the common name if there is one.
fn distinguished(name: &x509_parser::x509::X509Name<'_>) -> String {
    let common = name.iter_common_name().next().and_then(|attribute| attribute.as_str().ok());
    printable(&common.map_or_else(|| name.to_string(), str::to_owned))
}

/// The host names and addresses that a certificate is for.
fn names(certificate: &X509Certificate<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    const SHOWN: usize = 5;
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(printable(name)),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return "no host at all, because it has no subjectAltName".to_owned();
    }
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let shown = names.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(v4).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| std::net::Ipv6Addr::from(v6).to_string())
}

/// The day of a moment in seconds since 1970.
fn day(seconds: i64) -> String {
    let text = Timestamp::from_seconds(seconds).rfc3339();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// Text of a certificate, fit for a message.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

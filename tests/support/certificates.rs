//! A certificate authority of the tests' own, which nobody trusts unless told to.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority with one certificate for `localhost` and `127.0.0.1`.
pub struct Authority {
    /// The authority's own certificate in PEM: what goes into `ca_bundle`.
    pub pem: String,
    /// A server's TLS set-up with the certificate.
    pub server: ServerConfig,
}

impl Authority {
    /// Makes a new authority; two of them never trust one another.
    pub fn new() -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names are valid names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "Test authority");
        let authority_key = KeyPair::generate().expect("a key");
        let pem = authority.self_signed(&authority_key).expect("a certificate").pem();
        let issuer = Issuer::new(authority, authority_key);

        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut leaf = CertificateParams::new(names).expect("valid names");
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
        Self { pem, server: server_config(certificate.der().clone(), key.serialize_der()) }
    }
}

fn server_config(certificate: CertificateDer<'static>, key: Vec<u8>) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key fits its certificate")
}

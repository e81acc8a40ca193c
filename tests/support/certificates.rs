//! A certificate authority of the tests' own, which nobody trusts unless told to.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority with one certificate for `localhost`, `git.test` and `127.0.0.1`.
pub struct Authority {
    /// The authority's own certificate in PEM: what goes into `ca_bundle`.
    pub pem: String,
    /// A server's TLS set-up with the certificate.
    pub server: ServerConfig,
}

impl Authority {
    /// Makes a new authority; two of them never trust one another.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// Makes a new authority whose server's certificate is changed before it is signed.
    pub fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names are valid names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "Test authority");
        let authority_key = KeyPair::generate().expect("a key");
        let pem = authority.self_signed(&authority_key).expect("a certificate").pem();
        let issuer = Issuer::new(authority, authority_key);

        let mut leaf = leaf();
        change(&mut leaf);
        let key = KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &issuer).expect("a certificate");
        Self { pem, server: server_config(certificate.der().clone(), key.serialize_der()) }
    }
}

/// What the certificate of a test's server says.
pub fn leaf() -> CertificateParams {
    let names = ["localhost", "git.test", "127.0.0.1"].map(str::to_owned).to_vec();
    let mut leaf = CertificateParams::new(names).expect("valid names");
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.distinguished_name.push(DnType::CommonName, "Test server");
    leaf
}

/// A server's TLS set-up.
pub fn server_config(certificate: CertificateDer<'static>, key: Vec<u8>) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key fits its certificate")
}

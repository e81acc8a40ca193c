//! HTTPS without a proxy: a certificate and its key from two files, read again when they change, so that a renewed
//! certificate needs no restart.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto::CryptoProvider};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::clock::Timestamp;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Where the certificate and its key are, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, followed by those that lead to its root.
    pub certificate: PathBuf,
    /// The key.
    pub private_key: PathBuf,
}

/// Why HTTPS cannot be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not what it should be.
    #[error("the {what} {path} cannot be used: {reason}")]
    File {
        /// `certificate` or `private key`.
        what: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The two do not belong together, or are of a kind that is not known.
    #[error("the certificate {certificate} and the private key {private_key} cannot be used together: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        private_key: PathBuf,
        /// What is wrong with them.
        reason: String,
    },
}

/// The certificate as it is now. Handshakes read it; only [`Certificate::watch`] replaces it.
pub(super) struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Certificate {
    /// Reads the files.
    pub(super) fn load(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = ArcSwap::from_pointee(read(files, &provider)?);
        Ok(Arc::new(Self { files: files.clone(), provider, current }))
    }

    /// How connections are accepted: with HTTP/2 where the client speaks it, else with HTTP/1.1.
    pub(super) fn config(self: &Arc<Self>) -> ServerConfig {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has ciphers for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Takes over new files as they come, for ever. Files that cannot be used are said and looked at again; the certificate
    /// that works stays.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut known = self.stamps();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        loop {
            ticks.tick().await;
            let now = self.stamps();
            if now != known {
                // Both files are seldom replaced at once: a pair that does not fit is tried again at the next change.
                known = now;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        match read(&self.files, &self.provider) {
            Ok(key) => {
                self.current.store(Arc::new(key));
                tracing::info!(certificate = %self.files.certificate.display(), "The new certificate is in use.");
            }
            Err(error) => {
                tracing::error!(error = %error, "The changed certificate cannot be used; the one before stays in use.");
            }
        }
    }

    fn stamps(&self) -> [Option<(SystemTime, u64)>; 2] {
        let stamp = |path: &Path| fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        [stamp(&self.files.certificate), stamp(&self.files.private_key)]
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let refused = |what, path: &Path, reason: String| TlsError::File { what, path: path.to_owned(), reason };
    let certificate = |reason| refused("certificate", &files.certificate, reason);
    let private_key = |reason| refused("private key", &files.private_key, reason);

    let pem = read_file(&files.certificate).map_err(|error| certificate(error.to_string()))?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(certificate("it holds no certificate in PEM".to_owned()));
    }
    let pem = read_file(&files.private_key).map_err(|error| private_key(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| private_key(error.to_string()))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Pair {
        certificate: files.certificate.clone(),
        private_key: files.private_key.clone(),
        reason: error.to_string(),
    })
}

/// When the certificate in a file ends: that of the server itself, which is the first.
pub(super) fn ends_at(files: &TlsFiles) -> Result<Timestamp, TlsError> {
    let refused = |reason: String| TlsError::File { what: "certificate", path: files.certificate.clone(), reason };
    let pem = read_file(&files.certificate).map_err(|error| refused(error.to_string()))?;
    let first = CertificateDer::from_pem_slice(&pem).map_err(|error| refused(error.to_string()))?;
    let (_, parsed) = X509Certificate::from_der(&first).map_err(|error| refused(error.to_string()))?;
    Ok(Timestamp::from_seconds(parsed.validity().not_after.timestamp()))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    const LARGEST: u64 = 1 << 20;
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    fs::read(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Certificate, TlsFiles};
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    fn write(folder: &Path) -> TlsFiles {
        let files = TlsFiles { certificate: folder.join("tls.crt"), private_key: folder.join("tls.key") };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.private_key, made.signing_key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn a_new_certificate_is_taken_over_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path());
        let certificate = Certificate::load(&files).unwrap();
        let first = certificate.current.load_full();
        let stamps = certificate.stamps();
        fs::write(&files.certificate, "no certificate").unwrap();
        assert_ne!(certificate.stamps(), stamps);
        certificate.reload();
        assert!(Arc::ptr_eq(&first, &certificate.current.load_full()));
        write(folder.path());
        certificate.reload();
        assert_ne!(first.cert, certificate.current.load_full().cert);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let files = write(folder.path());
        let key = fs::read(&files.private_key).unwrap();
        write(folder.path());
        fs::write(&files.private_key, key).unwrap();
        let error = Certificate::load(&files).unwrap_err().to_string();
        assert!(error.contains("tls.crt") && error.contains("tls.key"), "{error}");
        fs::write(&files.certificate, "").unwrap();
        let error = Certificate::load(&files).unwrap_err().to_string();
        assert!(error.contains("tls.crt") && error.contains("holds no certificate"), "{error}");
        fs::remove_file(&files.certificate).unwrap();
        assert!(Certificate::load(&files).unwrap_err().to_string().contains("No such file"));
    }
}

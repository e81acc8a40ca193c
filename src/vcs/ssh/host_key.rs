//! The keys by which servers are recognized.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The kinds of host keys that are known; DSA is long dead.
const ALGORITHMS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
/// Longest key in base64; RSA with 16,384 bits has less than 3,000 characters.
const LONGEST: usize = 8192;

/// What happens at a host whose key is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostKeyPolicy {
    /// It is believed and remembered.
    #[default]
    AcceptNew,
    /// Nothing is done until an administrator accepts it.
    Strict,
}

/// A server's public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HostKey {
    algorithm: String,
    key: String,
}

impl HostKey {
    /// Reads `ALGORITHM BASE64`, whatever follows; so are the lines of a `.pub` file, and those of a `known_hosts` file
    /// behind the host's name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let (algorithm, key) = (words.next()?, words.next()?);
        if !ALGORITHMS.contains(&algorithm) || key.len() > LONGEST {
            return None;
        }
        let blob = STANDARD.decode(key).ok()?;
        // The key repeats its algorithm (RFC 4253, section 6.6).
        let length = usize::try_from(u32::from_be_bytes(blob.get(..4)?.try_into().ok()?)).ok()?;
        let named = blob.get(4..4 + length)?;
        (named == algorithm.as_bytes() && blob.len() > 4 + length)
            .then(|| Self { algorithm: algorithm.to_owned(), key: key.to_owned() })
    }

    /// Its kind, such as `ssh-ed25519`.
    #[must_use]
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The key in base64.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How people compare it: `SHA256:…`, as OpenSSH shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // A key that was parsed can be decoded.
        let blob = STANDARD.decode(&self.key).unwrap_or_default();
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
    }

    /// The line of a `known_hosts` file (sshd(8)).
    pub(super) fn known_hosts_line(&self, host: &str, port: u16) -> String {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match port {
            22 => format!("{host} {} {}\n", self.algorithm, self.key),
            port => format!("[{host}]:{port} {} {}\n", self.algorithm, self.key),
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.fingerprint())
    }
}

/// What is known of a host's keys before a connection, and what was learned by it. Clones share what is learned.
#[derive(Clone, Debug, Default)]
pub struct HostKeys {
    /// The keys that are known.
    pub known: Vec<HostKey>,
    /// What the connection showed; written by the operation, also if it fails, and read by whoever asked for it.
    learned: Arc<Mutex<Vec<HostKey>>>,
}

impl HostKeys {
    /// Those of a host whose keys are known, or none.
    #[must_use]
    pub fn new(known: Vec<HostKey>) -> Self {
        Self { known, learned: Arc::default() }
    }

    /// The same, known by these keys.
    #[must_use]
    pub(in crate::vcs) fn with_known(&self, known: Vec<HostKey>) -> Self {
        Self { known, learned: Arc::clone(&self.learned) }
    }

    /// The keys that were seen for the first time and believed.
    #[must_use]
    pub fn learned(&self) -> Vec<HostKey> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers keys.
    pub(in crate::vcs) fn learn(&self, keys: Vec<HostKey>) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys {
            if !learned.contains(&key) {
                learned.push(key);
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::HostKey;

    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[test]
    fn fingerprints_are_those_that_services_publish() {
        let key = HostKey::parse(&format!("{ED25519} github.com")).unwrap();
        assert_eq!(key.fingerprint(), "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU");
        assert_eq!(key.known_hosts_line("github.com", 22), format!("github.com {ED25519}\n"));
        assert_eq!(key.known_hosts_line("[::1]", 2222), format!("[::1]:2222 {ED25519}\n"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for wrong in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1kc3MAAAAA",
            "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            "ssh-ed25519 /////3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
        ] {
            assert_eq!(HostKey::parse(wrong), None, "{wrong}");
        }
    }
}

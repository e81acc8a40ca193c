//! Private keys: those that people paste, made fit for OpenSSH, and new ones.

use std::process::{Command, Stdio};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::super::error::VcsError;
use super::super::url::hosts::Service;
use super::memory::MemoryFile;
use super::program::not_started;

/// What a key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// Ed25519: short and fast, and every current server takes it.
    Ed25519,
    /// RSA with 4,096 bits: AWS CodeCommit and Azure DevOps take no other.
    Rsa,
}

impl KeyType {
    /// What is made for this host where nobody says which.
    #[must_use]
    pub fn for_host(host: &str) -> Self {
        match Service::of(&host.to_ascii_lowercase(), "") {
            Service::CodeCommit | Service::AzureDevOps => Self::Rsa,
            Service::Other => Self::Ed25519,
        }
    }
}

/// A private key as somebody pasted it, as OpenSSH reads it: lines end in a line feed, also the last one, and nothing
/// stands around them. OpenSSH itself says no more of such a key than that the server refuses it.
///
/// # Errors
/// [`VcsError::UnusableKey`] when the text is clearly something else.
pub fn normalize(text: &str) -> Result<SecretString, VcsError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let refused = |reason: &str| Err(VcsError::UnusableKey { reason: reason.to_owned() });
    if text.starts_with("PuTTY-User-Key-File") {
        return refused(
            "it is in PuTTY's own format. Export it in PuTTYgen with Conversions > Export OpenSSH key, without a passphrase",
        );
    }
    if ["ssh-", "ecdsa-", "sk-", "---- BEGIN SSH2 PUBLIC", "-----BEGIN PUBLIC KEY", "-----BEGIN RSA PUBLIC"]
        .iter()
        .any(|beginning| text.starts_with(beginning))
    {
        return refused(
            "it is a public key. The private one is in the file without `.pub`, and begins with `-----BEGIN`",
        );
    }
    if !text.starts_with("-----BEGIN ") || !text.contains("PRIVATE KEY-----") {
        return refused(
            "it is no private key: one begins with `-----BEGIN OPENSSH PRIVATE KEY-----` or a line like that",
        );
    }
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(encrypted());
    }
    let mut lines = Zeroizing::new(String::with_capacity(text.len() + 1));
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        lines.push_str(line.trim());
        lines.push('\n');
    }
    Ok(SecretString::from(lines.as_str().to_owned()))
}

fn encrypted() -> VcsError {
    VcsError::UnusableKey {
        reason: "it is protected by a passphrase, which nobody is here to type. Give a copy without one (`ssh-keygen -p -N '' -f COPY`), \
                 or better a key of its own: let one be made with --generate"
            .to_owned(),
    }
}

/// The public half of a private key, as one line for `authorized_keys`, told by the program that will use it.
///
/// # Errors
/// [`VcsError::UnusableKey`] when OpenSSH cannot use the key; [`VcsError::ToolMissing`] without it.
pub(in crate::vcs) fn inspect(private_key: &str) -> Result<String, VcsError> {
    let file = MemoryFile::new("private_key", private_key.as_bytes())
        .map_err(|error| VcsError::io("Making a file in memory for ssh-keygen", &error))?;
    let output = Command::new("ssh-keygen")
        .args(["-y", "-P", "", "-f", &file.path()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| not_started("ssh-keygen", &error))?;
    let refused = |reason: &str| VcsError::UnusableKey { reason: reason.to_owned() };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("incorrect passphrase") {
        return Err(encrypted());
    }
    let line = String::from_utf8(output.stdout).unwrap_or_default().trim().to_owned();
    if !output.status.success() || line.is_empty() {
        return Err(refused(
            "OpenSSH cannot read it. It reads its own format, and RSA and ECDSA keys in PEM; `ssh-keygen -y -f FILE` must print the public half",
        ));
    }
    match line.split(' ').next().unwrap_or_default() {
        "ssh-ed25519" | "ssh-rsa" => Ok(line),
        algorithm if algorithm.starts_with("ecdsa-sha2-") => Ok(line),
        algorithm if algorithm.starts_with("sk-") => Err(refused(
            "it belongs to a hardware token, which somebody has to touch. Let a key be made with --generate",
        )),
        _ => Err(refused("it is of a kind that servers accept no more. Let one be made with --generate")),
    }
}

/// A new private key, in a form that every OpenSSH reads. Making RSA takes seconds.
///
/// # Errors
/// [`VcsError::Io`] when this machine has no randomness to give.
pub fn generate(kind: KeyType, comment: &str) -> Result<SecretString, VcsError> {
    let failed = |what: String| VcsError::Io { doing: "Making a key".to_owned(), reason: what };
    let pem = match kind {
        KeyType::Ed25519 => {
            let mut seed = Zeroizing::new([0; 32]);
            SysRng.try_fill_bytes(seed.as_mut()).map_err(|error| failed(error.to_string()))?;
            let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_ref()).map_err(|error| failed(error.to_string()))?;
            armoured("OPENSSH PRIVATE KEY", &openssh_ed25519(&seed, pair.public_key().as_ref(), comment))
        }
        KeyType::Rsa => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa4096).map_err(|error| failed(error.to_string()))?;
            let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|error| failed(error.to_string()))?;
            armoured("PRIVATE KEY", der.as_ref())
        }
    };
    Ok(SecretString::from(pem.as_str().to_owned()))
}

fn armoured(label: &str, bytes: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(bytes));
    let mut pem = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (at, character) in body.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(character);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}

/// OpenSSH's own format (its PROTOCOL.key): the only one in which OpenSSH before 9.6 reads Ed25519 keys.
fn openssh_ed25519(seed: &[u8; 32], public: &[u8], comment: &str) -> Zeroizing<Vec<u8>> {
    const ALGORITHM: &[u8] = b"ssh-ed25519";
    let mut public_key = Vec::new();
    append(&mut public_key, ALGORITHM);
    append(&mut public_key, public);
    let pair = Zeroizing::new([seed.as_slice(), public].concat());
    let mut private = Zeroizing::new(Vec::new());
    // Two equal numbers tell, in an encrypted key, that the passphrase was right.
    private.extend_from_slice(&[0; 8]);
    append(&mut private, ALGORITHM);
    append(&mut private, public);
    append(&mut private, &pair);
    append(&mut private, comment.as_bytes());
    for padding in 1.. {
        if private.len() % 8 == 0 {
            break;
        }
        private.push(padding);
    }
    let mut key = Zeroizing::new(b"openssh-key-v1\0".to_vec());
    append(&mut key, b"none");
    append(&mut key, b"none");
    append(&mut key, b"");
    key.extend_from_slice(&1_u32.to_be_bytes());
    append(&mut key, &public_key);
    append(&mut key, &private);
    key
}

/// A string of SSH's data types (RFC 4251, section 5): its length in four bytes, then itself.
fn append(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(bytes);
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use secrecy::ExposeSecret;

    use super::{KeyType, generate, inspect, normalize};
    use crate::vcs::ssh::HostKey;

    #[test]
    fn generated_keys_are_read_by_openssh() {
        for (kind, algorithm) in [(KeyType::Ed25519, "ssh-ed25519 "), (KeyType::Rsa, "ssh-rsa ")] {
            let key = generate(kind, "name").unwrap();
            let public = inspect(key.expose_secret()).unwrap();
            assert!(public.starts_with(algorithm), "{public}");
            assert!(HostKey::parse(&public).unwrap().fingerprint().starts_with("SHA256:"));
            assert!(normalize(key.expose_secret()).unwrap().expose_secret() == key.expose_secret());
        }
    }

    #[test]
    fn hosts_that_take_rsa_only_get_it() {
        for host in ["ssh.dev.azure.com", "vs-ssh.visualstudio.com", "git-codecommit.us-east-2.amazonaws.com"] {
            assert_eq!(KeyType::for_host(host), KeyType::Rsa, "{host}");
        }
        assert_eq!(KeyType::for_host("git.example.com"), KeyType::Ed25519);
    }

    #[test]
    fn what_pasting_does_to_a_key_is_undone() {
        let key = generate(KeyType::Ed25519, "").unwrap();
        let public = inspect(key.expose_secret()).unwrap();
        let text = key.expose_secret();
        for pasted in [
            text.replace('\n', "\r\n"),
            text.trim_end().to_owned(),
            format!("\u{feff}\n\n  {}\n\n", text.trim_end()),
            text.replace('\n', "  \n"),
            text.replace('\n', "\r"),
        ] {
            let normal = normalize(&pasted).unwrap();
            assert_eq!(inspect(normal.expose_secret()).unwrap(), public, "{pasted:?}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused_with_what_to_do() {
        for (text, hint) in [
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl", "public key"),
            ("PuTTY-User-Key-File-3: ssh-ed25519", "PuTTYgen"),
            ("hunter2", "no private key"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "no private key"),
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----", "passphrase"),
            ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n", "passphrase"),
        ] {
            let refused = normalize(text).unwrap_err().to_string();
            assert!(refused.contains(hint), "{text}: {refused}");
        }
        let garbage = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
        assert!(inspect(garbage).unwrap_err().to_string().contains("OpenSSH cannot read it"));
    }
}

//! The secrets of credentials as they come: given or to be made, and for SSH keys with the half that may be seen.

use secrecy::{ExposeSecret, SecretString};

use super::super::{Error, Result};
use super::{Kind, check_secret};
use crate::appliance::Appliance;
use crate::vcs::HostKey;
use crate::vcs::ssh::{self, KeyType};

/// Where a new secret comes from.
#[derive(Debug)]
pub enum NewSecret {
    /// It was given.
    Given(SecretString),
    /// A private key is made here, so that nobody ever sees it; without a type, of the type that it replaces or Ed25519.
    Generate(Option<KeyType>),
}

impl NewSecret {
    /// Makes a key of the type that its host takes, unless another was asked for.
    pub(super) fn fit_for(self, host: &str) -> Self {
        match self {
            Self::Generate(None) => Self::Generate(Some(KeyType::for_host(host))),
            other => other,
        }
    }

    /// Makes a key of the type of the one that it replaces, unless another was asked for.
    pub(super) fn like(self, old: Option<&str>) -> Self {
        match (self, old) {
            (Self::Generate(None), Some(old)) if old.starts_with("ssh-rsa ") => Self::Generate(Some(KeyType::Rsa)),
            (other, _) => other,
        }
    }
}

/// The public half of an SSH key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(String);

impl PublicKey {
    /// One that was stored.
    #[must_use]
    pub fn stored(line: &str) -> Self {
        Self(line.to_owned())
    }

    /// The line for `authorized_keys`, or for the field of deploy keys.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.0
    }

    /// `SHA256:…`; empty for a key that cannot be read.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        HostKey::parse(&self.0).map(|key| key.fingerprint()).unwrap_or_default()
    }
}

/// A secret that can be stored.
pub(super) struct Prepared {
    pub(super) secret: SecretString,
    pub(super) public_key: Option<PublicKey>,
}

/// Checks a secret, or makes it.
pub(super) async fn prepare(appliance: &Appliance, kind: Kind, name: &str, new: NewSecret) -> Result<Prepared> {
    let unusable = |error: crate::vcs::VcsError| Error::invalid(error.to_string());
    let secret = match (new, kind) {
        (NewSecret::Given(secret), Kind::SshKey) => ssh::normalize(secret.expose_secret()).map_err(unusable)?,
        (NewSecret::Given(secret), Kind::GithubApp) => {
            // Empty where the integration has the App's key.
            if !secret.expose_secret().trim().is_empty() {
                super::platform::check_key(&secret)?;
            }
            return Ok(Prepared { secret, public_key: None });
        }
        (NewSecret::Given(secret), _) => return Ok(Prepared { secret: check_secret(secret)?, public_key: None }),
        (NewSecret::Generate(key_type), Kind::SshKey) => {
            let comment = name.to_owned();
            let key_type = key_type.unwrap_or(KeyType::Ed25519);
            tokio::task::spawn_blocking(move || ssh::generate(key_type, &comment))
                .await
                .map_err(|_| Error::Interrupted)?
                .map_err(unusable)?
        }
        (NewSecret::Generate(_), _) => {
            let refused = Error::invalid(format!(
                "only an SSH key can be made here, and `{name}` is of type {kind}, whose secret comes from the service"
            ));
            return Err(refused.by_command("give it with --secret-stdin or --secret-file"));
        }
    };
    let line = appliance.vcs.public_key(&secret).await.map_err(unusable)?;
    // A key without a comment gets the credential's name, so that people know it again among others.
    let line = if line.split(' ').count() < 3 { format!("{line} {name}") } else { line };
    Ok(Prepared { secret, public_key: Some(PublicKey(line)) })
}

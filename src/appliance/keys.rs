//! Credentials, opened to be shown to the platform that they are for.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::grants::{self, Account};
use super::{Appliance, rotations};
use crate::platform::{HubError, Key, Secret};
use crate::secrets::{SealedError, open};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{self, connected_accounts, credentials, self_rotations};

/// Why a credential could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyFailed {
    /// The database cannot be read.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is stored cannot be opened.
    #[error(transparent)]
    Sealed(#[from] SealedError),
}

/// Why a password is not shown.
const REFUSED: &str = "The user name and password were refused, and are not shown again, so that the account is not locked: \
    give the credential the right ones with `credential rotate`, or, where only a picture's letters had to be typed in at the \
    platform, test it with `credential test`.";

impl Appliance {
    /// An organization's credential, opened; none if it is gone. A token that may replace itself stays what it is as long as
    /// the key is kept; while it is being replaced, this waits. A password that was refused is not shown again, also not after
    /// a restart.
    ///
    /// # Errors
    /// [`KeyFailed`].
    pub async fn platform_key(&self, org: OrgId, id: CredentialId) -> Result<Option<Key>, KeyFailed> {
        let opened = self.key_to_test(org, id).await?;
        Ok(opened.map(|(key, status)| match locks(&key) && status == "refused" {
            true => Key { secret: Secret::Withheld(HubError::Unauthorized(REFUSED.to_owned())), ..key },
            false => key,
        }))
    }

    /// The same, whatever was said of it before, for whoever asks for a test; with its status.
    ///
    /// # Errors
    /// [`KeyFailed`].
    pub async fn key_to_test(&self, org: OrgId, id: CredentialId) -> Result<Option<(Key, String)>, KeyFailed> {
        // Before it is read, so that it is not replaced in between.
        let lease = self.leases.lend(id).await;
        let read = self.database.read(move |db| {
            let row = credentials::by_id(org, db, id)?;
            let account = connected_accounts::of(org, db, id)?;
            let rotation = self_rotations::of(org, db, id)?;
            let secret = credentials::secret(org, db, id)?;
            Ok::<_, store::Error>(row.zip(secret).map(|(row, secret)| (row, secret, account, rotation)))
        });
        let Some((row, sealed, account, rotation)) = read.await? else { return Ok(None) };
        let withheld = rotations::withheld(&row.name, &rotation);
        let (generation, secret) = match (account, withheld) {
            // Its tokens change; whose limits and answers are kept does not.
            (Some(account), _) => (account.connected_at.as_micros(), self.account(org, id)),
            (None, Some(why)) => (generation(&sealed), Secret::Withheld(why)),
            (None, None) => {
                let secret = open(&self.keys, grants::access(id), &sealed)?;
                let secret = match rotations::may_replace_itself(&row.kind) {
                    true => Secret::Lent(secret, Arc::new(lease)),
                    false => secret.into(),
                };
                (generation(&sealed), secret)
            }
        };
        let key = Key { credential: id.0, generation, kind: row.kind, username: row.username, secret };
        Ok(Some((key, row.status)))
    }

    fn account(&self, org: OrgId, id: CredentialId) -> Secret {
        Secret::Grant(Arc::new(Account { appliance: self.clone(), org, id }))
    }
}

/// Whether wrong ones lock the account for everybody who uses it. Tokens never do.
fn locks(key: &Key) -> bool {
    key.kind == "bitbucket-datacenter-token" && key.username.is_some()
}

/// Sealed anew, the same secret has other bytes: then its tokens are made once more, which harms nobody.
pub(super) fn generation(sealed: &[u8]) -> i64 {
    let digest: [u8; 32] = Sha256::digest(sealed).into();
    digest.first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk))
}

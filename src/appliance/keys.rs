//! Credentials, opened to be shown to the platform that they are for.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Appliance;
use super::grants::{self, Account};
use crate::platform::{Key, Secret};
use crate::secrets::{SealedError, open};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{self, connected_accounts, credentials};

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

impl Appliance {
    /// An organization's credential, opened; none if it is gone.
    ///
    /// # Errors
    /// [`KeyFailed`].
    pub async fn platform_key(&self, org: OrgId, id: CredentialId) -> Result<Option<Key>, KeyFailed> {
        let read = self.database.read(move |db| {
            let row = credentials::by_id(org, db, id)?;
            let account = connected_accounts::of(org, db, id)?;
            Ok::<_, store::Error>(
                row.zip(credentials::secret(org, db, id)?).map(|(row, secret)| (row, secret, account)),
            )
        });
        let Some((row, sealed, account)) = read.await? else { return Ok(None) };
        let (generation, secret) = match account {
            // Its tokens change; whose limits and answers are kept does not.
            Some(account) => (account.connected_at.as_micros(), self.account(org, id)),
            None => (generation(&sealed), open(&self.keys, grants::access(id), &sealed)?.into()),
        };
        Ok(Some(Key { credential: id.0, generation, kind: row.kind, username: row.username, secret }))
    }

    fn account(&self, org: OrgId, id: CredentialId) -> Secret {
        Secret::Grant(Arc::new(Account { appliance: self.clone(), org, id }))
    }
}

/// Sealed anew, the same secret has other bytes: then its tokens are made once more, which harms nobody.
fn generation(sealed: &[u8]) -> i64 {
    let digest: [u8; 32] = Sha256::digest(sealed).into();
    digest.first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk))
}

//! Credentials, opened to be shown to the platform that they are for.

use sha2::{Digest, Sha256};

use super::Appliance;
use crate::platform::Key;
use crate::secrets::{Context, SealedError, open};
use crate::store::ids::{CredentialId, OrgId};
use crate::store::{self, credentials};

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
            Ok::<_, store::Error>(credentials::by_id(org, db, id)?.zip(credentials::secret(org, db, id)?))
        });
        let Some((row, sealed)) = read.await? else { return Ok(None) };
        let place = Context { table: "credential", column: "secret", row_id: id.0 };
        let secret = open(&self.keys, place, &sealed)?;
        // Sealed anew, the same secret has other bytes: then its tokens are made once more, which harms nobody.
        let digest: [u8; 32] = Sha256::digest(&sealed).into();
        let generation = digest.first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk));
        Ok(Some(Key { credential: id.0, generation, kind: row.kind, username: row.username, secret: secret.into() }))
    }
}

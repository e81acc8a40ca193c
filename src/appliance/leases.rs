//! Who uses a credential at this moment: a token is replaced only while nobody does, because a request that comes with the old
//! one afterwards ends the new one too.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::store::ids::CredentialId;

/// One place for each credential that was used. A lock, because look-ups are short.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<CredentialId, Arc<RwLock<()>>>>>);

impl Leases {
    /// The lock of a credential: whoever uses it reads, across requests, and whoever replaces it writes.
    pub(super) fn place(&self, id: CredentialId) -> Arc<RwLock<()>> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(places.entry(id).or_default())
    }

    /// Uses a credential until what is given is dropped. Waits while it is being replaced.
    pub(super) async fn lend(&self, id: CredentialId) -> OwnedRwLockReadGuard<()> {
        self.place(id).read_owned().await
    }
}

//! Reading lists of a project.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::api::Api;
use super::wire::Page;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{Pages, Wanted};
use crate::platform::rest;

/// Somebody who reads a project.
pub(super) type Reader<'a> = rest::Reader<'a, Api<'a>>;

impl<'a> Reader<'a> {
    /// Begins to read.
    pub(super) fn new(hub: &'a Hub, key: &'a Key, wanted: &'a Wanted, pages: &'a mut Pages) -> Self {
        Self::of(Api::new(hub, key).sparing(wanted.spare), wanted, pages)
    }

    /// All of a list; what is kept of it is taken, unless it is to be asked for `again`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn all<T>(&self, path: &str, again: bool, what: &str) -> Result<Vec<T>, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        self.listed(path, again, what, |answer| Ok(self.api.line.json::<Page<T>>(answer)?.values)).await
    }

    /// The same; None where the credential may not ask, or there is nothing to ask.
    ///
    /// # Errors
    /// [`HubError`] for everything else.
    pub(super) async fn all_that_is_told<T>(
        &self,
        path: &str,
        again: bool,
        what: &str,
    ) -> Result<Option<Vec<T>>, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.all(path, again, what).await {
            Ok(all) => Ok(Some(all)),
            Err(HubError::Forbidden { .. } | HubError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

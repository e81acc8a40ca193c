//! The question: does a package's repository open with the package's credential? Nothing is published or stored.

use super::source;
use super::update::UpdateError;
use crate::appliance::{Appliance, PackageKey};

/// How many branches and tags the repository lists; none if the package was removed meanwhile.
///
/// # Errors
/// [`UpdateError`], as an update would end.
pub async fn probe(appliance: &Appliance, key: PackageKey) -> Result<Option<usize>, UpdateError> {
    let Some(source) = source::find(appliance, key, Vec::new()).await? else { return Ok(None) };
    let request = source.request;
    Ok(Some(appliance.vcs.probe(request.url, request.credential).await?))
}

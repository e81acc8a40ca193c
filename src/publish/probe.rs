//! The question: does a package's repository open with the package's credential? Nothing is published; of an
//! SSH server that is seen for the first time, the host key is remembered.

use super::update::UpdateError;
use super::{host_keys, source};
use crate::appliance::{Appliance, PackageKey};

/// How many branches and tags the repository lists; none if the package was removed meanwhile.
///
/// # Errors
/// [`UpdateError`], as an update would end.
pub async fn probe(appliance: &Appliance, key: PackageKey) -> Result<Option<usize>, UpdateError> {
    let Some(source) = source::find(appliance, key, Vec::new()).await? else { return Ok(None) };
    let request = source.request;
    let url = request.url.clone();
    let answer = appliance.vcs.probe(request.url, request.system, request.credential, &request.host_keys).await;
    host_keys::learn(appliance, &url, request.host_keys.learned()).await?;
    Ok(Some(answer?))
}

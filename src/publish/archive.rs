//! The archive of a version: what it takes to build it, and having it built.

use std::path::PathBuf;

use super::update::UpdateError;
use super::{host_keys, source};
use crate::appliance::{Appliance, PackageKey};
use crate::store::{directories, packages};
use crate::vcs::{ArchiveRequest, ArchiveStats, Origin, Server, System, VcsError};

/// Has the files of `reference` written at `out`; none if the package is gone. `vcs` is the package's system: only a
/// Subversion repository is asked again, with the package's credential. Of an SSH server that is seen for the first time, the
/// host key is remembered.
///
/// # Errors
/// [`UpdateError`], as an update would end; the inner one is of the archive itself.
pub async fn write(
    appliance: &Appliance,
    key: PackageKey,
    vcs: &str,
    reference: &str,
    out: PathBuf,
) -> Result<Option<Result<ArchiveStats, VcsError>>, UpdateError> {
    let Some(request) = request(appliance, key, vcs, reference, out).await? else { return Ok(None) };
    let server = match &request.origin {
        Origin::Subversion(server) => Some((server.url.clone(), server.host_keys.clone())),
        Origin::Git | Origin::Mercurial => None,
    };
    let written = appliance.vcs.archive(request).await;
    if let Some((url, keys)) = server {
        host_keys::learn(appliance, &url, keys.learned()).await?;
    }
    Ok(Some(written))
}

/// Where the files come from; none if the package is gone.
async fn request(
    appliance: &Appliance,
    key: PackageKey,
    vcs: &str,
    reference: &str,
    out: PathBuf,
) -> Result<Option<ArchiveRequest>, UpdateError> {
    let origin = match vcs {
        "hg" => Origin::Mercurial,
        "svn" => {
            let Some(source) = source::find(appliance, key, Vec::new()).await? else { return Ok(None) };
            let request = source.request;
            let System::Subversion(layout) = request.system else { return Ok(None) };
            let (url, credential, host_keys) = (request.url, request.credential, request.host_keys);
            Origin::Subversion(Box::new(Server { url, layout, credential, host_keys }))
        }
        _ => Origin::Git,
    };
    let PackageKey { org, package } = key;
    let commit = reference.to_owned();
    let place = appliance.database.read(move |db| {
        let Some(found) = packages::by_id(org, db, package)? else { return Ok(None) };
        // Where it was then; a commit that was never a version's is looked up where the package is now.
        let then = directories::directory_in(org, db, package, &commit)?;
        Ok::<_, UpdateError>(Some((found.source(), then.or(found.directory))))
    });
    let Some((source, directory)) = place.await? else { return Ok(None) };
    let mirror = appliance.mirror(source);
    Ok(Some(ArchiveRequest { mirror, commit: reference.to_owned(), directory, out, origin }))
}

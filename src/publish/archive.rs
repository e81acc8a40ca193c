//! What it takes to build the archive of a version.

use std::path::PathBuf;

use super::source;
use super::update::UpdateError;
use crate::appliance::{Appliance, PackageKey};
use crate::store::{directories, packages};
use crate::vcs::{ArchiveRequest, Origin, Server, System};

/// Where the files of `reference` come from, to be written at `out`; none if the package is gone. `vcs` is the package's
/// system: only a Subversion repository is asked again, with the package's credential.
///
/// # Errors
/// [`UpdateError`], as an update would end.
pub async fn request(
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

//! The repositories that a synchronization saw, and packages that somebody wants of them.

use serde_json::json;

use super::super::{Actor, Error, Result};
use super::{found, title};
use crate::appliance::Appliance;
use crate::store::ids::{JobId, OrgId, SyncId};
use crate::store::repositories::{self as rows, Repository};
use crate::store::syncs;
use crate::sync::request::{self, Reason, SyncKey};

/// All repositories that a synchronization saw, by path: which are packages, and why the others are not.
///
/// # Errors
/// If there is no such synchronization.
pub async fn repositories(appliance: &Appliance, org: OrgId, id: SyncId) -> Result<Vec<(String, Repository)>> {
    appliance
        .database
        .read(move |db| {
            found(syncs::by_id(org, db, id)?, id)?;
            let mut all = rows::all(org, db, id)?;
            all.sort_by_cached_key(|(_, repository)| repository.path.to_lowercase());
            Ok(all)
        })
        .await
}

/// Makes a repository a package that is none yet: one that was there before, or that somebody removed. `repository` is its path
/// or the platform's id.
///
/// # Errors
/// If there is no such repository, or it has no composer.json.
pub async fn adopt(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId, repository: &str) -> Result<JobId> {
    let (actor, now, wanted) = (actor.clone(), appliance.now(), repository.to_owned());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            let is_it = |known: &str, path: &str| known == wanted || path.eq_ignore_ascii_case(&wanted);
            let all = rows::all(org, tx, id)?;
            let Some((remote, repository)) = all.into_iter().find(|(known, one)| is_it(known, &one.path)) else {
                return Err(Error::not_found(format!(
                    "{} has no repository `{}`",
                    title(&sync),
                    wanted.chars().take(200).collect::<String>().escape_debug()
                ))
                .by_command(format!("`sync repositories {id}` shows them")));
            };
            require_adoptable(&repository)?;
            rows::set_wanted(org, tx, id, &remote)?;
            let job = request::run(tx, SyncKey { org, sync: id }, Reason::Asked, None, now)?;
            let detail = json!({ "sync": id, "repository": remote });
            actor.record(tx, Some(org), "sync.adopt", &repository.path, detail, now)?;
            Ok(job)
        })
        .await
}

fn require_adoptable(repository: &Repository) -> Result<()> {
    let path = &repository.path;
    if repository.package.is_some() {
        return Err(Error::conflict(format!("{path} is a package already")));
    }
    if repository.manifest == Some(false) {
        return Err(Error::conflict(format!(
            "{path} has no composer.json on its default branch: push one there, and it is found by itself"
        )));
    }
    Ok(())
}

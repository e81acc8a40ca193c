//! The webhooks that synchronizations installed on platforms: how they are, and having them looked after.

use serde_json::json;

use super::{Actor, Error, Result};
use crate::appliance::Appliance;
use crate::store::ids::{JobId, OrgId, SyncId};
use crate::store::platform_hooks::{self, PlatformHook};
use crate::store::syncs::{self, Sync};
use crate::sync::hooks;
use crate::sync::request::SyncKey;

/// A webhook, and what it is for.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The webhook.
    pub hook: PlatformHook,
    /// Where it is: a repository's path, or the organization's name.
    pub place: String,
}

/// The organization's webhooks on platforms, of one synchronization or of all.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId, sync: Option<SyncId>) -> Result<Vec<Listed>> {
    appliance
        .database
        .read(move |db| {
            let syncs = syncs::all(org, db)?;
            let remote =
                |id| syncs.iter().find(|sync| sync.id == id).map_or_else(String::new, |sync| sync.remote.clone());
            let listed = |hook: PlatformHook| {
                let place = match &hook.repository {
                    None => remote(hook.sync),
                    Some(id) => hook.path.clone().unwrap_or_else(|| format!("repository {id}")),
                };
                Listed { hook, place }
            };
            Ok(platform_hooks::all(org, db, sync)?.into_iter().map(listed).collect())
        })
        .await
}

/// Has the webhooks of one synchronization, or of all, looked after now; the work, with the name of what it is about.
///
/// # Errors
/// If there is no such synchronization.
pub async fn repair(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    sync: Option<SyncId>,
) -> Result<Vec<(String, JobId)>> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let mut wanted: Vec<Sync> = syncs::all(org, tx)?;
            if let Some(id) = sync {
                wanted.retain(|one| one.id == id);
                if wanted.is_empty() {
                    return Err(Error::not_found(format!("the organization has no synchronization {id}")));
                }
            }
            let mut work = Vec::new();
            for one in wanted {
                let name = format!("{}:{}", one.integration, one.remote);
                let job = hooks::request(tx, SyncKey { org, sync: one.id }, true, now)?;
                actor.record(tx, Some(org), "hook.repair", &name, json!({ "sync": one.id }), now)?;
                work.push((name, job));
            }
            Ok(work)
        })
        .await
}

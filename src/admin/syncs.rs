//! Synchronizations: which organizations of platforms are followed, and what becomes of that.

mod projects;
mod promotion;
mod repositories;

use serde_json::json;

use super::members::{owners, require_owner};
use super::{Actor, Error, Result, credentials as use_credentials, jobs};
use crate::appliance::Appliance;
use crate::platform::{Hub, HubError, Key, PlatformKind};
use crate::store::accounts::{self, Recorded};
use crate::store::ids::{CredentialId, JobId, OrgId, RunId, SyncId};
use crate::store::platform_hooks;
use crate::store::syncs::{self, Counts, Sync};
use crate::store::{self, Tx};
use crate::store::{sync_lists, sync_runs};
use crate::sync::hooks::{self, Hooks};
use crate::sync::request::{self, Reason, SyncKey};

pub use projects::{keys as project_keys, set_projects};
pub use promotion::{Promotion, promote, promotion};
pub use repositories::{adopt, repositories};

/// Most characters of an organization's name on a platform; a path of GitLab's groups may have that many.
const LONGEST_REMOTE: usize = 255;

/// Which repositories become packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packages {
    /// All that have a composer.json.
    All,
    /// Those of them that are made from now on.
    New,
}

impl Packages {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::New => "new",
        }
    }
}

/// What a new synchronization is made of.
#[derive(Clone, Debug)]
pub struct New {
    /// The integration that the organization is of.
    pub integration: String,
    /// What people call the organization there.
    pub remote: String,
    /// The name of the credential that it reads with.
    pub credential: String,
    /// Whether owners there are to be owners here.
    pub primary: bool,
    /// Which repositories become packages.
    pub packages: Packages,
    /// Whether what the platform shows to everybody counts for members.
    pub follow_visibility: bool,
    /// Whether it waits until somebody has looked at its plan and lets it go.
    pub paused: bool,
    /// The keys of the projects whose repositories are wanted; none: all.
    pub projects: Vec<String>,
}

/// What can be changed of a synchronization.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The name of the credential that it reads with.
    pub credential: String,
    /// Which repositories become packages.
    pub packages: Packages,
    /// Whether what the platform shows to everybody counts for members.
    pub follow_visibility: bool,
    /// Whether planners of GitLab read code; none: as it was.
    pub planners: Option<bool>,
    /// The keys of the projects whose repositories are wanted, of which none means all; none: as it was.
    pub projects: Option<Vec<String>>,
}

/// A synchronization with what it brought.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The synchronization.
    pub sync: Sync,
    /// How much came of it.
    pub counts: Counts,
}

/// The organization's synchronizations, in the order they were added.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, org: OrgId) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(move |db| {
            let all = syncs::all(org, db)?.into_iter();
            all.map(|sync| Ok(Summary { counts: syncs::counts(org, db, sync.id)?, sync })).collect()
        })
        .await
}

/// The synchronization with this id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn by_id(appliance: &Appliance, org: OrgId, id: SyncId) -> Result<Sync> {
    appliance.database.read(move |db| found(syncs::by_id(org, db, id)?, id)).await
}

fn found(sync: Option<Sync>, id: SyncId) -> Result<Sync> {
    sync.ok_or_else(|| {
        Error::not_found(format!("the organization has no synchronization {id}")).by_command("`sync list` shows them")
    })
}

/// Adds a synchronization, which is due at once.
///
/// # Errors
/// If the integration, the name or the credential does not fit, or there is one of that organization already.
pub async fn add(appliance: &Appliance, actor: &Actor, org: OrgId, new: New) -> Result<SyncId> {
    let hub = hub(appliance, &new.integration)?;
    let remote = remote(hub.site().platform, &new.remote)?;
    let recorded = Recorded {
        platform: hub.site().platform.as_str().to_owned(),
        url: hub.site().url.as_str().trim_end_matches('/').to_owned(),
    };
    require_admission(appliance, org, hub, &new.credential, &remote).await?;
    let projects = projects::chosen(appliance, org, hub, (&new.credential, &remote), &new.projects).await?;
    let (actor, now, site) = (actor.clone(), appliance.now(), hub.site().clone());
    appliance
        .database
        .write(move |tx| {
            let credential = use_credentials::find(org, tx, &new.credential)?;
            use_credentials::require_platform(&credential, &site)?;
            require_new(tx, org, &new, &remote)?;
            accounts::record(tx, &new.integration, &recorded, now)?;
            let row = syncs::New {
                integration: new.integration,
                remote,
                remote_id: None,
                credential: credential.id,
                primary: new.primary,
                packages: new.packages.as_str(),
                follow_visibility: new.follow_visibility,
            };
            let id = syncs::insert(org, tx, &row, now)?;
            syncs::set_projects(org, tx, id, &projects)?;
            if new.paused {
                syncs::set_paused(org, tx, id, Some(now))?;
            }
            let detail = json!({
                "id": id,
                "credential": credential.name,
                "primary": row.primary,
                "packages": row.packages,
                "follow_visibility": row.follow_visibility,
                "projects": projects::keys_of(&projects),
            });
            actor.record(tx, Some(org), "sync.add", &format!("{}:{}", row.integration, row.remote), detail, now)?;
            Ok(id)
        })
        .await
}

/// Refuses a credential that the platform says is not enough to read the organization with. What it does not say for now, the
/// first run will.
async fn require_admission(appliance: &Appliance, org: OrgId, hub: &Hub, credential: &str, remote: &str) -> Result<()> {
    let name = credential.to_owned();
    let credential = appliance.database.read(move |db| use_credentials::find(org, db, &name)).await?;
    use_credentials::require_platform(&credential, hub.site())?;
    let key = appliance.platform_key(org, credential.id).await.map_err(|error| Error::invalid(error.to_string()))?;
    let Some(key) = key else { return Ok(()) };
    match hub.admits(&key, remote).await {
        Err(
            error @ (HubError::Forbidden { .. }
            | HubError::Unauthorized(_)
            | HubError::NotFound(_)
            | HubError::Unsupported(_)),
        ) => Err(Error::invalid(error.to_string().trim_end_matches('.').to_owned())),
        _ => Ok(()),
    }
}

fn require_new(tx: &Tx<'_>, org: OrgId, new: &New, remote: &str) -> Result<()> {
    let all = syncs::all(org, tx)?;
    let same = |one: &&Sync| one.integration == new.integration && one.remote.eq_ignore_ascii_case(remote);
    if let Some(there) = all.iter().find(same) {
        return Err(Error::conflict(format!(
            "the organization follows {remote} at `{}` already: it is synchronization {}",
            new.integration, there.id
        )));
    }
    if let Some(primary) = all.iter().find(|one| one.primary && new.primary) {
        return Err(Error::conflict(format!(
            "{} is the primary synchronization already: add this one without, and promote it when it has run",
            title(primary)
        ))
        .by_command("`sync promote ID`"));
    }
    Ok(())
}

/// What people know a synchronization by.
#[must_use]
pub fn title(sync: &Sync) -> String {
    format!("{}:{}", sync.integration, sync.remote)
}

fn hub<'a>(appliance: &'a Appliance, integration: &str) -> Result<&'a Hub> {
    appliance.hubs.by_id(integration).ok_or_else(|| {
        let known: Vec<&str> = appliance.hubs.iter().map(|hub| hub.site().id.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Error::not_found(format!(
            "there is no integration `{}` that this version synchronizes; config.toml has: {known}",
            integration.chars().take(64).collect::<String>().escape_debug()
        ))
    })
}

fn remote(platform: PlatformKind, text: &str) -> Result<String> {
    let text = text.trim().trim_matches('/');
    // Only groups of GitLab stand below others.
    let is_path = platform == PlatformKind::GitLab;
    let is_name = !text.is_empty()
        && text.len() <= LONGEST_REMOTE
        && text
            .chars()
            .all(|char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.' | '~') || (char == '/' && is_path));
    if is_name {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(format!("what is followed there is named by {}", platform.organization_hint())))
}

/// Queues a run that reads everything.
///
/// # Errors
/// If there is no such synchronization, or it is paused.
pub async fn run(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId) -> Result<JobId> {
    run_with(appliance, actor, org, id, None).await
}

/// Says yes to a plan that was shown, by its digest, and queues the run that applies exactly that: where it finds another one, it
/// holds that again.
///
/// # Errors
/// As [`run`].
pub async fn accept(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId, digest: &str) -> Result<JobId> {
    run_with(appliance, actor, org, id, Some(digest.trim().to_owned())).await
}

async fn run_with(
    appliance: &Appliance,
    actor: &Actor,
    org: OrgId,
    id: SyncId,
    accept: Option<String>,
) -> Result<JobId> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            if sync.paused_at.is_some() {
                return Err(Error::conflict(format!("{} is paused: resume it first", title(&sync)))
                    .by_command(format!("`sync resume {id}`")));
            }
            let action = if accept.is_some() { "sync.accept" } else { "sync.run" };
            let detail = json!({ "id": id, "plan": accept });
            actor.record(tx, Some(org), action, &title(&sync), detail, now)?;
            Ok(request::run(tx, SyncKey { org, sync: id }, Reason::Asked, accept, now)?)
        })
        .await
}

/// Stops the run that is under way, or takes back one that waits. The next one is that of the interval.
///
/// # Errors
/// If there is no such synchronization, or nothing runs.
pub async fn stop(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId) -> Result<()> {
    let work = appliance.database.read(move |db| {
        let sync = found(syncs::by_id(org, db, id)?, id)?;
        Ok::<_, Error>((title(&sync), sync_lists::work(org, db, id)?))
    });
    match work.await? {
        (_, Some(job)) => jobs::cancel(appliance, actor, job.id).await,
        (title, None) => Err(Error::conflict(format!("nothing runs of {title}"))),
    }
}

/// Stops following for a while, or goes on.
///
/// # Errors
/// If there is no such synchronization.
pub async fn set_paused(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId, paused: bool) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            if sync.paused_at.is_some() == paused {
                return Ok(());
            }
            syncs::set_paused(org, tx, id, paused.then_some(now))?;
            if !paused {
                request::run(tx, SyncKey { org, sync: id }, Reason::Schedule, None, now)?;
            }
            let action = if paused { "sync.pause" } else { "sync.resume" };
            actor.record(tx, Some(org), action, &title(&sync), json!({ "id": id }), now)?;
            Ok(())
        })
        .await
}

/// Gives a synchronization other terms. Webhooks that were installed with a credential of another type are removed with it,
/// for a platform may not show them to the new one; the run that begins now installs others.
///
/// # Errors
/// If there is no such synchronization or credential.
pub async fn change(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId, terms: Terms) -> Result<()> {
    let before = by_id(appliance, org, id).await?;
    let hub = hub(appliance, &before.integration)?;
    let remote = before.remote_id.as_ref().unwrap_or(&before.remote);
    require_admission(appliance, org, hub, &terms.credential, remote).await?;
    let wanted = terms.projects.as_ref().filter(|wanted| *wanted != &before.project_keys());
    let projects = match wanted {
        Some(wanted) => projects::chosen(appliance, org, hub, (&terms.credential, remote), wanted).await?,
        None => before.projects.clone(),
    };
    let site = hub.site().clone();
    let installed = hooks_of(appliance, org, &before).await;
    let (actor, now, name) = (actor.clone(), appliance.now(), terms.credential.clone());
    let kind = appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            let credential = use_credentials::find(org, tx, &name)?;
            use_credentials::require_platform(&credential, &site)?;
            syncs::set_terms(org, tx, id, credential.id, (terms.packages.as_str(), terms.follow_visibility))?;
            let planners = terms.planners.unwrap_or(sync.planners);
            syncs::set_planners(org, tx, id, planners)?;
            syncs::set_projects(org, tx, id, &projects)?;
            request::run(tx, SyncKey { org, sync: id }, Reason::Credential, None, now)?;
            let detail = json!({
                "before": {
                    "credential": sync.credential_name,
                    "packages": sync.packages,
                    "follow_visibility": sync.follow_visibility,
                    "planners": sync.planners,
                    "projects": sync.project_keys(),
                },
                "credential": credential.name,
                "packages": terms.packages.as_str(),
                "follow_visibility": terms.follow_visibility,
                "planners": planners,
                "projects": projects::keys_of(&projects),
            });
            actor.record(tx, Some(org), "sync.change", &title(&sync), detail, now)?;
            Ok::<_, Error>(credential.kind)
        })
        .await?;
    let installed = installed.map(|installed| (before, installed)).into_iter().collect();
    hand_over_hooks(appliance, org, installed, Some(&kind)).await
}

/// The webhooks that were installed with a credential, by synchronization.
pub(super) async fn hooks_by(appliance: &Appliance, org: OrgId, credential: &str) -> Result<Vec<(Sync, Installed)>> {
    let all = appliance.database.read(move |db| syncs::all(org, db)).await?;
    let mut found = Vec::new();
    for sync in all.into_iter().filter(|sync| sync.credential_name.as_deref() == Some(credential)) {
        if let Some(installed) = hooks_of(appliance, org, &sync).await {
            found.push((sync, installed));
        }
    }
    Ok(found)
}

/// Where another type of credential takes over, removes webhooks with the one before, and has others installed.
pub(super) async fn hand_over_hooks(
    appliance: &Appliance,
    org: OrgId,
    installed: Vec<(Sync, Installed)>,
    kind: Option<&str>,
) -> Result<()> {
    for (sync, installed) in installed {
        if kind.is_some_and(|kind| installed.1.kind != kind) {
            let (key, now) = (SyncKey { org, sync: sync.id }, appliance.now());
            unhook(appliance, key, &sync, &installed).await;
            appliance.database.write(move |tx| hooks::request(tx, key, true, now).map(drop)).await?;
        }
    }
    Ok(())
}

/// Removes a synchronization with its teams and memberships. Its packages stay as ordinary ones. Its webhooks are removed from
/// the platform as far as that lets us: one that goes on calling is answered, and ignored.
///
/// # Errors
/// If it is the primary one of several, or nobody who gets in would be owner.
pub async fn remove(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId) -> Result<()> {
    let sync = by_id(appliance, org, id).await?;
    let all = appliance.database.read(move |db| syncs::all(org, db)).await?;
    require_removable(&sync, &all)?;
    let removed = {
        let (actor, now) = (actor.clone(), appliance.now());
        let hooks = hooks_of(appliance, org, &sync).await;
        appliance
            .database
            .write(move |tx| {
                let sync = found(syncs::by_id(org, tx, id)?, id)?;
                require_removable(&sync, &syncs::all(org, tx)?)?;
                let before = owners(tx, org, now)?;
                platform_hooks::remove_all(org, tx, id, now)?;
                syncs::remove(org, tx, id)?;
                require_owner(tx, org, now, &before)?;
                actor.record(tx, Some(org), "sync.remove", &title(&sync), json!({ "id": id }), now)?;
                Ok::<_, Error>(hooks)
            })
            .await?
    };
    if let Some(installed) = removed {
        unhook(appliance, SyncKey { org, sync: id }, &sync, &installed).await;
    }
    Ok(())
}

/// Removes webhooks with the credential that installed them, as far as the platform lets us.
async fn unhook(appliance: &Appliance, key: SyncKey, sync: &Sync, (hub, credential, hooks): &Installed) {
    let at = Hooks { appliance, key, remote: &sync.remote, hub, credential };
    if let Err(error) = at.remove(hooks.iter().collect()).await {
        let sync = title(sync);
        tracing::warn!(%error, sync, "Webhooks that are not needed any more are still on the platform; they are ignored.");
    }
}

pub(super) type Installed = (Hub, Key, Vec<platform_hooks::PlatformHook>);

/// The webhooks of a synchronization and the way to them; none if there is no way.
async fn hooks_of(appliance: &Appliance, org: OrgId, sync: &Sync) -> Option<Installed> {
    let (id, credential): (SyncId, CredentialId) = (sync.id, sync.credential?);
    let hub = appliance.hubs.by_id(&sync.integration)?.clone();
    let key = appliance.platform_key(org, credential).await.ok()??;
    let hooks = appliance.database.read(move |db| platform_hooks::all(org, db, Some(id))).await.ok()?;
    Some((hub, key, hooks))
}

fn require_removable(sync: &Sync, all: &[Sync]) -> Result<()> {
    if sync.primary && all.len() > 1 {
        return Err(Error::conflict(format!(
            "{} is the primary synchronization, from which the organization has its owners: promote another one first",
            title(sync)
        ))
        .by_command("`sync promote ID`"));
    }
    Ok(())
}

/// A synchronization's newest runs, newest first.
///
/// # Errors
/// If there is no such synchronization.
pub async fn history(appliance: &Appliance, org: OrgId, id: SyncId, limit: i64) -> Result<Vec<sync_runs::Run>> {
    appliance
        .database
        .read(move |db| {
            found(syncs::by_id(org, db, id)?, id)?;
            Ok(sync_runs::newest(org, db, id, None, limit)?)
        })
        .await
}

/// What one of its runs changed, in order.
///
/// # Errors
/// If there is no such synchronization or run.
pub async fn changes(
    appliance: &Appliance,
    org: OrgId,
    id: SyncId,
    run: RunId,
    limit: i64,
) -> Result<Vec<sync_runs::Change>> {
    appliance
        .database
        .read(move |db| {
            let sync = found(syncs::by_id(org, db, id)?, id)?;
            if sync_runs::sync_of(org, db, run)? != Some(id) {
                return Err(Error::not_found(format!("{} has no run {run}, or it was long ago", title(&sync)))
                    .by_command(format!("`sync history {id}` shows them")));
            }
            Ok(sync_runs::changes(org, db, run, 0, limit)?)
        })
        .await
}

/// Says whether planners of GitLab read code, and reads everything again with that.
///
/// # Errors
/// If there is no such synchronization.
pub async fn set_planners(appliance: &Appliance, actor: &Actor, org: OrgId, id: SyncId, planners: bool) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let sync = found(syncs::by_id(org, tx, id)?, id)?;
            syncs::set_planners(org, tx, id, planners)?;
            request::run(tx, SyncKey { org, sync: id }, Reason::Asked, None, now)?;
            let detail = json!({ "before": sync.planners, "planners": planners });
            actor.record(tx, Some(org), "sync.planners", &title(&sync), detail, now)?;
            Ok(())
        })
        .await
}

/// How many packages of a synchronization are still being read.
///
/// # Errors
/// If the database cannot be read.
pub async fn pending_updates(appliance: &Appliance, org: OrgId, id: SyncId) -> store::Result<Vec<(String, JobId)>> {
    appliance.database.read(move |db| syncs::pending_updates(org, db, id)).await
}

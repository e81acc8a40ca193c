//! Work that is due by itself: packages that nobody told us about for an interval, documents that were rendered for
//! another address, and removals that were interrupted.

use std::collections::HashSet;
use std::time::Duration;

use metrics::gauge;
use tokio::sync::watch;

use super::endings;
use super::rotations::Rotations;
use super::worker::LANES;
use crate::admin;
use crate::appliance::{Appliance, PackageKey};
use crate::publish::render;
use crate::publish::request::{self, Reason};
use crate::store::ids::{OrgId, SyncId};
use crate::store::{self, audit, documents, jobs, organizations, packages, syncs};
use crate::sync::request::SyncKey;
use crate::sync::{self, run};
use crate::telemetry::names;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(20);
/// How long the database may take to show that it can be written again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many packages are queued at a time: the next look takes the rest.
const BATCH: i64 = 200;

/// What was done or said before, and need not be again.
#[derive(Default)]
struct Memory {
    /// What the organizations' documents depend on.
    rendered_for: Vec<String>,
    /// Synchronizations of which it was said that they have not got through for long.
    announced: HashSet<(OrgId, SyncId)>,
    /// Tokens that are replacing themselves.
    rotations: Rotations,
}

/// Looks until told to stop, also in the middle of a look: each of its transactions stands for itself.
pub(super) async fn run(appliance: Appliance, stopping: watch::Receiver<bool>) {
    let (mut memory, mut told) = (Memory::default(), stopping.clone());
    while !*stopping.borrow() {
        tokio::select! {
            _ = told.changed() => break,
            () = round(&appliance, &mut memory, &stopping) => {}
        }
        let _ = tokio::time::timeout(INTERVAL, told.changed()).await;
    }
    memory.rotations.finish().await;
}

async fn round(appliance: &Appliance, memory: &mut Memory, stopping: &watch::Receiver<bool>) {
    if appliance.database.trouble().is_some() && appliance.require_answers(PATIENCE).await.is_err() {
        return;
    }
    if let Err(error) = look(appliance, memory, stopping).await {
        tracing::error!(%error, "Due work could not be queued; trying again.");
    }
    if let Err(error) = admin::organizations::finish_removals(appliance).await {
        tracing::error!(%error, "A removed organization is not gone yet; trying again.");
    }
}

async fn look(appliance: &Appliance, memory: &mut Memory, stopping: &watch::Receiver<bool>) -> admin::Result<()> {
    queue_due(appliance).await?;
    queue_syncs(appliance).await?;
    suspend_outdated(appliance, &mut memory.announced).await?;
    memory.rotations.look(appliance, stopping).await?;
    endings::tell(appliance).await?;
    let organizations = appliance.database.read(organizations::all).await?;
    let wanted: Vec<String> =
        organizations.iter().map(|organization| render::key(&appliance.repository_url(&organization.slug))).collect();
    if wanted != memory.rendered_for {
        for (organization, key) in organizations.iter().zip(&wanted) {
            queue_outdated(appliance, organization, key.clone()).await?;
        }
        memory.rendered_for = wanted;
    }
    let (ready, running, _) = appliance.database.read(jobs::counts).await?;
    gauge!(names::JOBS_QUEUED, "kind" => request::KIND).set((ready + running) as f64);
    for lane in LANES {
        let ready = appliance.database.read(move |db| jobs::ready_in(db, lane)).await?;
        gauge!(names::JOBS_READY, "lane" => lane).set(ready as f64);
    }
    gauge!(names::CATALOG_PACKAGES).set(appliance.catalog.world().packages() as f64);
    Ok(())
}

async fn queue_due(appliance: &Appliance) -> store::Result<()> {
    let now = appliance.now();
    let interval = appliance.settings.package_interval;
    let due = appliance.database.read(move |db| packages::due(db, now, BATCH)).await?;
    if due.is_empty() {
        return Ok(());
    }
    appliance
        .database
        .write(move |tx| {
            for (org, package) in due {
                // The run sets its own time; this one only keeps it from being queued again.
                packages::set_next_check(org, tx, package, now + interval)?;
                request::update(tx, PackageKey { org, package }, Reason::Interval, &[], now)?;
            }
            Ok(())
        })
        .await
}

/// Queues the synchronizations that are due.
async fn queue_syncs(appliance: &Appliance) -> store::Result<()> {
    let now = appliance.now();
    let due = appliance.database.read(move |db| syncs::due(db, now)).await?;
    if due.is_empty() {
        return Ok(());
    }
    let next = run::next_run(appliance);
    appliance
        .database
        .write(move |tx| {
            for (org, sync) in due {
                // The run sets its own time; this one only keeps it from being queued again.
                syncs::set_next_run(org, tx, sync, next)?;
                sync::request::run(tx, SyncKey { org, sync }, sync::request::Reason::Schedule, None, now)?;
            }
            Ok(())
        })
        .await
}

/// Suspends what synchronizations found and nobody confirmed for too long: whoever left meanwhile must not keep access because
/// a token expired.
async fn suspend_outdated(appliance: &Appliance, announced: &mut HashSet<(OrgId, SyncId)>) -> store::Result<()> {
    let (now, age) = (appliance.now(), appliance.settings.access_max_age);
    // The limit may have been another one when they were suspended.
    for (org, sync, confirmed) in appliance.database.read(syncs::stale).await? {
        if age.is_none_or(|age| confirmed > now - age) {
            appliance.database.write(move |tx| syncs::set_stale(org, tx, sync, None)).await?;
        }
    }
    let Some(age) = age else { return Ok(()) };
    for (org, sync) in appliance.database.read(move |db| syncs::ageing(db, now - age / 2)).await? {
        if announced.insert((org, sync)) {
            tracing::warn!(
                sync.id = sync.0,
                organization.id = org.0,
                "No run of a synchronization has got through for long: what it found will not count any more once `access_max_age` is over."
            );
        }
    }
    for (org, sync) in appliance.database.read(move |db| syncs::ageing(db, now - age)).await? {
        tracing::error!(
            sync.id = sync.0,
            organization.id = org.0,
            "What a synchronization found does not count any more, because no run has confirmed it for too long."
        );
        appliance
            .database
            .write(move |tx| {
                syncs::set_stale(org, tx, sync, Some(now))?;
                let entry = audit::Entry {
                    org: Some(org),
                    actor: "sync".to_owned(),
                    action: "sync.suspend",
                    subject: sync.to_string(),
                    detail: serde_json::json!({ "sync": sync }),
                    via: audit::Via::System,
                    address: None,
                };
                audit::append(tx, &entry, now)
            })
            .await?;
    }
    Ok(())
}

async fn queue_outdated(
    appliance: &Appliance,
    organization: &organizations::Organization,
    key: String,
) -> store::Result<()> {
    let org = organization.id;
    let outdated = appliance.database.read(move |db| documents::outdated(org, db, &key)).await?;
    if outdated.is_empty() {
        return Ok(());
    }
    tracing::info!(
        organization.slug = organization.slug,
        packages = outdated.len(),
        "The address of the repository changed: its documents are rendered again."
    );
    admin::organizations::queue_rerender(appliance, org, &outdated).await
}

//! Work that is due by itself: packages that nobody told us about for an interval, documents that were rendered for
//! another address, and removals that were interrupted.

use std::time::Duration;

use metrics::gauge;
use tokio::sync::watch;

use super::worker::LANES;
use crate::admin;
use crate::appliance::{Appliance, PackageKey};
use crate::publish::render;
use crate::publish::request::{self, Reason};
use crate::store::{self, documents, jobs, organizations, packages};
use crate::telemetry::names;

/// How often to look.
const INTERVAL: Duration = Duration::from_secs(20);
/// How long the database may take to show that it can be written again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many packages are queued at a time: the next look takes the rest.
const BATCH: i64 = 200;

/// Looks until told to stop, also in the middle of a look: each of its transactions stands for itself.
pub(super) async fn run(appliance: Appliance, mut stopping: watch::Receiver<bool>) {
    let mut rendered_for = Vec::new();
    while !*stopping.borrow() {
        tokio::select! {
            _ = stopping.changed() => return,
            () = round(&appliance, &mut rendered_for) => {}
        }
        let _ = tokio::time::timeout(INTERVAL, stopping.changed()).await;
    }
}

async fn round(appliance: &Appliance, rendered_for: &mut Vec<String>) {
    if appliance.database.trouble().is_some() && appliance.require_answers(PATIENCE).await.is_err() {
        return;
    }
    if let Err(error) = look(appliance, rendered_for).await {
        tracing::error!(%error, "Due work could not be queued; trying again.");
    }
    if let Err(error) = admin::organizations::finish_removals(appliance).await {
        tracing::error!(%error, "A removed organization is not gone yet; trying again.");
    }
}

async fn look(appliance: &Appliance, rendered_for: &mut Vec<String>) -> admin::Result<()> {
    queue_due(appliance).await?;
    let organizations = appliance.database.read(organizations::all).await?;
    let wanted: Vec<String> =
        organizations.iter().map(|organization| render::key(&appliance.repository_url(&organization.slug))).collect();
    if wanted != *rendered_for {
        for (organization, key) in organizations.iter().zip(&wanted) {
            queue_outdated(appliance, organization, key.clone()).await?;
        }
        *rendered_for = wanted;
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

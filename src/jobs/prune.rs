//! Forgetting what nobody asks for any more.

use std::time::Duration;

use tokio::sync::watch;

use crate::admin::sessions::{ABSOLUTE, IDLE};
use crate::appliance::Appliance;
use crate::store::{
    self, changes, hooks, installs, jobs, platform_deliveries, platform_hooks, sessions, system_hooks, tokens,
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Prunes every hour until told to stop.
pub(super) async fn run(appliance: Appliance, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        if let Err(error) = prune(&appliance).await {
            tracing::error!(%error, "Old records could not be pruned; trying again in an hour.");
        }
        let _ = tokio::time::timeout(HOUR, stopping.changed()).await;
    }
}

async fn prune(appliance: &Appliance) -> store::Result<()> {
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            changes::prune(tx, now - 30 * DAY)?;
            sessions::prune(tx, now - IDLE, now - ABSOLUTE)?;
            tokens::prune(tx, now - 90 * DAY)?;
            // A replaced webhook address works for a day, that of a removed package answers for 90.
            hooks::prune(tx, now - 90 * DAY, now - DAY)?;
            // GitHub Enterprise Server sends again what is seven days old.
            platform_deliveries::prune(tx, now - 9 * DAY)?;
            platform_hooks::prune(tx, now - 90 * DAY)?;
            system_hooks::prune(tx, now - 90 * DAY)?;
            installs::count_recent(tx, (now - 30 * DAY).as_seconds().div_euclid(86_400))?;
            jobs::prune(tx, now - DAY, now - 30 * DAY)
        })
        .await
}

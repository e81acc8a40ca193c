//! The verb: look after the webhooks by which a platform tells a synchronization of changes.

use std::time::Duration;

use super::worker::Outcome;
use crate::appliance::{Appliance, KeyFailed};
use crate::clock::Timestamp;
use crate::platform::HubError;
use crate::publish::log::Log;
use crate::store::jobs::Job;
use crate::store::syncs::{self, Sync};
use crate::sync::hooks::{Hooks, HooksError, Payload, Report};
use crate::sync::request::SyncKey;

/// The earliest and the latest that a platform can make us come again.
const SOONEST: Duration = Duration::from_secs(5);
const LATEST: Duration = Duration::from_secs(6 * 60 * 60);

/// Runs the job.
pub(super) async fn run(appliance: &Appliance, job: &Job, log: &Log) -> Outcome {
    let (Some(org), Ok(payload)) = (job.org, serde_json::from_str::<Payload>(&job.payload)) else {
        return Outcome::GiveUp("the job names no synchronization".to_owned());
    };
    let key = SyncKey { org, sync: payload.sync };
    match ensure(appliance, key, payload.all).await {
        Ok(Some(report)) => {
            tell(&report, log);
            Outcome::Done
        }
        Ok(None) => Outcome::Done,
        Err(outcome) => outcome,
    }
}

/// Looks after the hooks of a synchronization; none if it is gone or paused, or nothing leads to its platform.
async fn ensure(appliance: &Appliance, key: SyncKey, all: bool) -> Result<Option<Report>, Outcome> {
    let found = appliance.database.read(move |db| syncs::by_id(key.org, db, key.sync)).await;
    let found = found.map_err(|error| of_hooks_error(&error.into(), appliance.now()))?;
    let Some(sync) = found.filter(|sync| sync.paused_at.is_none()) else { return Ok(None) };
    let Sync { integration, remote, credential: Some(credential), .. } = sync else { return Ok(None) };
    let Some(hub) = appliance.hubs.by_id(&integration) else {
        return Err(Outcome::GiveUp(format!("the integration `{integration}` is not in config.toml any more")));
    };
    let credential = appliance.platform_key(key.org, credential).await;
    let credential = credential.map_err(|error| of_hooks_error(&error.into(), appliance.now()))?;
    let Some(credential) = credential else { return Ok(None) };
    let hooks = Hooks { appliance, key, remote: &remote, hub, credential: &credential };
    let report = hooks.ensure(all).await.map_err(|error| of_hooks_error(&error, appliance.now()))?;
    Ok(Some(report))
}

fn tell(report: &Report, log: &Log) {
    log.info(format!("{} webhooks are well.", report.well));
    for mended in &report.mended {
        log.info(format!("Mended: {mended}"));
    }
    for trouble in &report.troubles {
        log.warn(format!("Trouble: {trouble}"));
    }
}

impl From<KeyFailed> for HooksError {
    fn from(error: KeyFailed) -> Self {
        match error {
            KeyFailed::Store(error) => Self::Store(error),
            KeyFailed::Sealed(error) => Self::Seal(error),
        }
    }
}

fn of_hooks_error(error: &HooksError, now: Timestamp) -> Outcome {
    match error {
        HooksError::Hub(error) => of_hub_error(error, now),
        HooksError::Store(error) if error.is_trouble() => Outcome::Unwell(error.to_string()),
        HooksError::Store(error) => Outcome::Retry { reason: error.to_string(), after: None },
        HooksError::Seal(error) => Outcome::GiveUp(error.to_string()),
    }
}

/// What a platform's answer means for the job that asked.
pub(super) fn of_hub_error(error: &HubError, now: Timestamp) -> Outcome {
    let reason = error.to_string();
    match error {
        HubError::RateLimited { until, .. } => {
            Outcome::Retry { reason, after: Some(until.since(now).clamp(SOONEST, LATEST)) }
        }
        HubError::Unavailable(_) | HubError::Malformed(_) => Outcome::Retry { reason, after: None },
        // Somebody has to change something first, and services lock accounts that come with wrong passwords.
        HubError::Unauthorized(_)
        | HubError::Forbidden { .. }
        | HubError::Suspended(_)
        | HubError::NotFound(_)
        | HubError::Unsupported(_)
        | HubError::Unwanted(_) => Outcome::GiveUp(reason),
    }
}

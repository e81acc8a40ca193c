//! The verb: bring what is here of an organization up to date with its platform.

use std::time::Duration;

use super::ensure_hooks::of_hub_error;
use super::worker::Outcome;
use crate::appliance::{Appliance, KeyFailed};
use crate::platform::HubError;
use crate::publish::log::Log;
use crate::store::jobs::Job;
use crate::store::{self, syncs};
use crate::sync::request::{Payload, Reason, SyncKey};
use crate::sync::run::{self, RunError};

/// Runs the job.
pub(super) async fn run(appliance: &Appliance, job: &Job, log: &Log) -> Outcome {
    let (Some(org), Ok(payload)) = (job.org, serde_json::from_str::<Payload>(&job.payload)) else {
        return Outcome::GiveUp("the job names no synchronization".to_owned());
    };
    let key = SyncKey { org, sync: payload.sync };
    let result = run::run(appliance, key, &payload, job.id, log).await;
    let is_about_all = payload.everything.is_some() || result.is_err();
    let waits = payload.everything == Some(Reason::Schedule);
    if is_about_all && let Err(error) = set_next_run(appliance, key, &result, waits).await {
        return of_store(&error);
    }
    match result {
        Ok(Some(report)) => {
            if let Some(digest) = report.held {
                log.warn(format!("The plan {digest} waits for an administrator"));
            }
            Outcome::Done
        }
        Ok(None) => Outcome::Done,
        // The schedule begins it again, and keeps back nobody who asks before.
        Err(RunError::Hub(error @ HubError::RateLimited { .. })) if waits => {
            log.warn(error.to_string());
            Outcome::Done
        }
        Err(error) => failed(&error, appliance),
    }
}

/// Says when everything is looked at again although nobody asks. `waits`: nothing else begins it again.
async fn set_next_run<T>(
    appliance: &Appliance,
    key: SyncKey,
    result: &Result<T, RunError>,
    waits: bool,
) -> store::Result<()> {
    let usual = run::next_run(appliance);
    let next = match result {
        Err(RunError::Hub(HubError::RateLimited { until, .. })) => {
            let then = *until + Duration::from_secs(1);
            if waits { then } else { usual.max(then) }
        }
        _ => usual,
    };
    appliance.database.write(move |tx| syncs::set_next_run(key.org, tx, key.sync, next)).await
}

fn failed(error: &RunError, appliance: &Appliance) -> Outcome {
    match error {
        RunError::Hub(error) => of_hub_error(error, appliance.now()),
        RunError::Store(error) | RunError::Key(KeyFailed::Store(error)) => of_store(error),
        RunError::Key(error) => Outcome::GiveUp(error.to_string()),
        RunError::Refused(reason) => Outcome::GiveUp(reason.clone()),
    }
}

fn of_store(error: &store::Error) -> Outcome {
    let reason = error.to_string();
    if error.is_trouble() { Outcome::Unwell(reason) } else { Outcome::Retry { reason, after: None } }
}

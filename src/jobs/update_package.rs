//! The verb: bring what is served for a package up to date with its repository.

use std::time::Duration;

use metrics::histogram;

use super::worker::Outcome;
use crate::appliance::{Appliance, PackageKey};
use crate::publish::request::{self, Payload};
use crate::publish::update::{self, Report, UpdateError};
use crate::store::jobs::Job;
use crate::store::{self, packages};
use crate::telemetry::names;

/// How long to wait for commits that a webhook announced and the remote does not list yet.
const REPEATS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// Runs the job.
pub(super) async fn run(appliance: &Appliance, job: &Job) -> Outcome {
    let (Some(org), Some(package)) = (job.org, job.package) else {
        return Outcome::GiveUp("the job names no package".to_owned());
    };
    let key = PackageKey { org, package };
    let payload: Payload = serde_json::from_str(&job.payload).unwrap_or_default();
    let result = update::update(appliance, key, payload.announced.clone()).await;
    if let Err(error) = record(appliance, key, &payload, &result).await {
        return Outcome::Retry { reason: error.to_string(), after: None };
    }
    match result {
        Ok(Report::Imported { published: true, .. }) if job.lane == "prompt" => {
            let lag = appliance.now().since(job.created_at);
            histogram!(names::PUSH_TO_SERVED).record(lag.as_secs_f64());
            Outcome::Done
        }
        Ok(_) => Outcome::Done,
        Err(error) => failed(&error),
    }
}

fn failed(error: &UpdateError) -> Outcome {
    let reason = error.to_string();
    match error {
        UpdateError::Vcs(cause) if cause.is_permanent() => Outcome::GiveUp(reason),
        UpdateError::Vcs(cause) => Outcome::Retry { reason, after: cause.retry_after() },
        UpdateError::Refused(_) | UpdateError::Held(_) => Outcome::GiveUp(reason),
        UpdateError::Store(_) | UpdateError::Interrupted => Outcome::Retry { reason, after: None },
    }
}

/// Stores what the run showed: the package's state, when to look again by ourselves, and another
/// run for commits that are not visible yet.
async fn record(
    appliance: &Appliance,
    key: PackageKey,
    payload: &Payload,
    result: &Result<Report, UpdateError>,
) -> store::Result<()> {
    let now = appliance.now();
    let interval = appliance.settings.package_interval;
    let next_check = now + interval.mul_f64(rand::random_range(0.9..=1.1));
    let failure = match result {
        Ok(_) => None,
        Err(UpdateError::Held(reason)) => Some(("held", reason.clone())),
        Err(error) => Some(("failed", error.to_string())),
    };
    let repeat = match result {
        Ok(Report::Unchanged { unseen } | Report::Imported { unseen, .. }) if !unseen.is_empty() => {
            REPEATS.get(payload.repeated).map(|pause| {
                let next = Payload { announced: unseen.clone(), repeated: payload.repeated + 1 };
                (next, now + *pause)
            })
        }
        _ => None,
    };
    // What could not be published must be read again even if the repository goes back to what was.
    let decides = matches!(result, Err(UpdateError::Held(_) | UpdateError::Refused(_)));
    let worked = matches!(result, Ok(Report::Unchanged { .. } | Report::Imported { .. }));
    let PackageKey { org, package } = key;
    appliance
        .database
        .write(move |tx| {
            packages::set_next_check(org, tx, package, next_check)?;
            if let Some((outcome, reason)) = &failure {
                packages::set_failed(org, tx, package, outcome, reason, now)?;
                if decides {
                    packages::forget_refs(org, tx, package)?;
                }
            } else if worked {
                packages::set_recovered(org, tx, package)?;
            }
            if let Some((payload, run_at)) = &repeat {
                request::repeat(tx, key, payload, *run_at, now)?;
            }
            Ok(())
        })
        .await
}

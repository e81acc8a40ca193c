//! The verb: bring what is served for a package up to date with its repository.

use std::time::Duration;

use metrics::histogram;

use super::worker::Outcome;
use crate::appliance::{Appliance, PackageKey};
use crate::clock::Timestamp;
use crate::platform::HubError;
use crate::publish::log::Log;
use crate::publish::request::{self, Payload};
use crate::publish::update::{self, Report, UpdateError};
use crate::store::jobs::Job;
use crate::store::runs::{self, Run};
use crate::store::{self, name_claims, packages, version_events};
use crate::telemetry::names;

/// How long to wait for commits that a webhook announced and the remote does not list yet.
const REPEATS: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// The earliest and the latest that a server can make us come again.
const SOONEST: Duration = Duration::from_secs(30);
const LATEST: Duration = Duration::from_secs(6 * 60 * 60);

/// Runs the job.
pub(super) async fn run(appliance: &Appliance, job: &Job, log: &Log) -> Outcome {
    let (Some(org), Some(package)) = (job.org, job.package) else {
        return Outcome::GiveUp("the job names no package".to_owned());
    };
    let key = PackageKey { org, package };
    let payload: Payload = serde_json::from_str(&job.payload).unwrap_or_default();
    let announced_at = (job.lane == "hook").then(|| payload.announced_at.unwrap_or(job.created_at));
    let began = appliance.now();
    let result = update::update(appliance, key, payload.announced.clone(), announced_at, log).await;
    if let Err(error) = record(appliance, key, job, &payload, began, &result).await {
        let reason = error.to_string();
        return if error.is_trouble() { Outcome::Unwell(reason) } else { Outcome::Retry { reason, after: None } };
    }
    match result {
        Ok(Report::Imported { published: true, .. }) if job.lane == "hook" => {
            let lag = appliance.now().since(job.created_at);
            histogram!(names::PUSH_TO_SERVED).record(lag.as_secs_f64());
            Outcome::Done
        }
        Ok(_) => Outcome::Done,
        Err(error) => failed(&error, appliance.now()),
    }
}

fn failed(error: &UpdateError, now: Timestamp) -> Outcome {
    let reason = error.to_string();
    match error {
        UpdateError::Vcs(cause) if cause.is_permanent() => Outcome::GiveUp(reason),
        // Nothing is wrong with the repository: it must not run out of tries before somebody made room.
        UpdateError::Vcs(cause) if cause.is_disk() => Outcome::Unwell(reason),
        UpdateError::Vcs(cause) => {
            // Not every server's wish is sensible: at once would be a loop, and next year never.
            let after = cause.retry_after().map(|after| after.clamp(SOONEST, LATEST));
            Outcome::Retry { reason, after }
        }
        UpdateError::Platform(HubError::RateLimited { until, .. }) => {
            Outcome::Retry { reason, after: Some(until.since(now).clamp(SOONEST, LATEST)) }
        }
        UpdateError::Platform(HubError::Unavailable(_) | HubError::Malformed(_)) => {
            Outcome::Retry { reason, after: None }
        }
        UpdateError::Refused(_) | UpdateError::Held { .. } | UpdateError::Platform(_) => Outcome::GiveUp(reason),
        UpdateError::Store(cause) if cause.is_trouble() => Outcome::Unwell(reason),
        UpdateError::Store(_) | UpdateError::Interrupted => Outcome::Retry { reason, after: None },
    }
}

/// Stores what the run showed: the package's state, when to look again by ourselves, and another
/// run for commits that are not visible yet.
async fn record(
    appliance: &Appliance,
    key: PackageKey,
    job: &Job,
    payload: &Payload,
    began: Timestamp,
    result: &Result<Report, UpdateError>,
) -> store::Result<()> {
    let now = appliance.now();
    let interval = appliance.settings.package_interval;
    let next_check = now + interval.mul_f64(rand::random_range(0.9..=1.1));
    let state = State::of(result);
    let repeat = match result {
        Ok(Report::Unchanged { unseen } | Report::Imported { unseen, .. }) if !unseen.is_empty() => {
            REPEATS.get(payload.repeated).map(|pause| {
                let announced_at = Some(payload.announced_at.unwrap_or(job.created_at));
                let next = Payload { announced: unseen.clone(), repeated: payload.repeated + 1, announced_at };
                (next, now + *pause)
            })
        }
        _ => None,
    };
    let run = run_of(job, payload, (began, now), result);
    let PackageKey { org, package } = key;
    appliance
        .database
        .write(move |tx| {
            runs::record(org, tx, package, &run)?;
            version_events::attribute(org, tx, package, run.job, &run.cause)?;
            packages::set_next_check(org, tx, package, next_check)?;
            match &state {
                State::Gone => {}
                State::Read => packages::set_recovered(org, tx, package)?,
                State::Unread(reason) => packages::set_unread(org, tx, package, reason, now)?,
                State::Refused { outcome, reason, vendor, name } => {
                    packages::set_refused(org, tx, package, outcome, reason, vendor.as_deref(), now)?;
                    name_claims::set_held(org, tx, package, name.as_deref())?;
                }
            }
            if let Some((payload, run_at)) = repeat {
                request::repeat(tx, key, payload, run_at, now)?;
            }
            Ok(())
        })
        .await
}

/// The run as the package's page tells of it.
fn run_of(
    job: &Job,
    payload: &Payload,
    (started_at, ended_at): (Timestamp, Timestamp),
    result: &Result<Report, UpdateError>,
) -> Run {
    let (outcome, changes) = match result {
        Ok(Report::Imported { changes, .. }) => ("changed", Some(changes.clone())),
        Ok(Report::Unchanged { .. } | Report::Gone) => ("unchanged", None),
        Err(UpdateError::Held { .. }) => ("held", None),
        Err(_) => ("failed", None),
    };
    let cause = match job.lane.as_str() {
        "hook" => "hook",
        "prompt" => "asked",
        _ => "schedule",
    };
    Run {
        job: job.id,
        cause: cause.to_owned(),
        asked_at: payload.announced_at.unwrap_or(job.created_at),
        started_at,
        ended_at,
        outcome: outcome.to_owned(),
        error: result.as_ref().err().map(ToString::to_string),
        changes,
    }
}

/// What a run says about the package.
enum State {
    Gone,
    Read,
    Unread(String),
    Refused { outcome: &'static str, reason: String, vendor: Option<String>, name: Option<String> },
}

impl State {
    fn of(result: &Result<Report, UpdateError>) -> Self {
        match result {
            Ok(Report::Gone) => Self::Gone,
            Ok(Report::Unchanged { .. } | Report::Imported { .. }) => Self::Read,
            Err(UpdateError::Held { reason, vendor, name }) => {
                Self::Refused { outcome: "held", reason: reason.clone(), vendor: vendor.clone(), name: name.clone() }
            }
            Err(UpdateError::Refused(reason)) => {
                Self::Refused { outcome: "failed", reason: reason.clone(), vendor: None, name: None }
            }
            Err(error) => Self::Unread(error.to_string()),
        }
    }
}

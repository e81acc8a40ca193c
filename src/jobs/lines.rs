//! The log of a running job: stored while it works, so that it can be watched, and with its end.

use std::future::Future;
use std::time::Duration;

use super::worker::Outcome;
use crate::appliance::Appliance;
use crate::publish::log::Log;
use crate::store::ids::JobId;
use crate::store::jobs::Job;
use crate::store::{job_lines, job_lists};

/// How often what a job said is stored. Most jobs end sooner, and cost no transaction more than they did.
const EVERY: Duration = Duration::from_secs(1);

/// The log of a try that begins.
pub(super) fn begin(appliance: &Appliance, job: &Job) -> Log {
    let log = Log::new(appliance.clock.clone());
    log.info(format!("Try {} begins", job.attempt));
    log
}

/// Waits for `work`, and stores now and then what it says. None if somebody asked that it be stopped meanwhile: what it
/// began is dropped then.
pub(super) async fn stored_while<T>(
    appliance: &Appliance,
    job: JobId,
    log: &Log,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(EVERY, &mut work).await {
            Ok(ended) => return Some(ended),
            Err(_) => {
                store(appliance, job, log).await;
                // What cannot be read is asked again in a moment.
                if appliance.database.read(move |db| job_lists::is_to_stop(db, job)).await.unwrap_or(false) {
                    return None;
                }
            }
        }
    }
}

async fn store(appliance: &Appliance, job: JobId, log: &Log) {
    let lines = log.take();
    // Where nothing can be written everybody knows already, and what a job said is not worth waiting for.
    if lines.is_empty() || appliance.database.trouble().is_some() {
        return;
    }
    let stored = appliance.database.write(move |tx| job_lines::append(tx, job, &lines)).await;
    if let Err(error) = stored {
        tracing::debug!(%error, job.id = job.0, "What a job said could not be stored.");
    }
}

/// The last line of a try.
pub(super) fn end(log: &Log, outcome: &Outcome) {
    match outcome {
        Outcome::Done => log.info("Done"),
        // When it is tried again, the job's state says.
        Outcome::Retry { reason, .. } => log.warn(reason),
        Outcome::Unwell(reason) => log.warn(format!("This server is unwell: {reason}")),
        Outcome::GiveUp(reason) => log.fail(reason),
        Outcome::Cancelled => log.warn("Cancelled"),
    }
}

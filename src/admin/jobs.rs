//! The queue of work, as administrators see and steer it.

use serde_json::json;

use super::packages::title;
use super::{Actor, Error, Result};
use crate::appliance::Appliance;
use crate::store::ids::JobId;
use crate::store::jobs::{self, Job};
use crate::store::{organizations, packages};

/// How many jobs that ended well a list shows.
const ENDED: i64 = 50;

/// A job as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The job.
    pub job: Job,
    /// The slug of its organization.
    pub organization: Option<String>,
    /// The package it is about, as people know it.
    pub package: Option<String>,
}

/// What runs, failed and waits, and the newest of what ended; running first.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance) -> Result<Vec<Summary>> {
    appliance
        .database
        .read(|db| {
            let mut summaries = Vec::new();
            for job in jobs::all(db, ENDED)? {
                let organization = match job.org {
                    Some(org) => organizations::by_id(org, db)?.map(|found| found.slug),
                    None => None,
                };
                let package = match (job.org, job.package) {
                    (Some(org), Some(id)) => packages::by_id(org, db, id)?.map(|found| title(&found)),
                    _ => None,
                };
                summaries.push(Summary { job, organization, package });
            }
            Ok(summaries)
        })
        .await
}

/// Queues a job that ended again, now.
///
/// # Errors
/// If there is no such job, or it did not end.
pub async fn retry(appliance: &Appliance, actor: &Actor, id: JobId) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let job = find(tx, id)?;
            if !jobs::retry(tx, id, now)? {
                return Err(Error::conflict(format!("job {id} is {}: it does not need to be retried", in_words(&job))));
            }
            actor.record(tx, job.org, "job.retry", &id.to_string(), json!({ "kind": job.kind }), now)?;
            Ok(())
        })
        .await
}

/// Cancels a job that waits.
///
/// # Errors
/// If there is no such job, or it does not wait.
pub async fn cancel(appliance: &Appliance, actor: &Actor, id: JobId) -> Result<()> {
    let (actor, now) = (actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let job = find(tx, id)?;
            if !jobs::cancel(tx, id, now)? {
                return Err(Error::conflict(format!(
                    "job {id} is {}: only a job that waits can be cancelled",
                    in_words(&job)
                )));
            }
            actor.record(tx, job.org, "job.cancel", &id.to_string(), json!({ "kind": job.kind }), now)?;
            Ok(())
        })
        .await
}

fn find(connection: &rusqlite::Connection, id: JobId) -> Result<Job> {
    jobs::by_id(connection, id)?.ok_or_else(|| {
        Error::not_found(format!("there is no job {id}, or it ended long ago: `job list` shows those that there are"))
    })
}

fn in_words(job: &Job) -> &str {
    match job.state.as_str() {
        "ready" => "waiting",
        state => state,
    }
}

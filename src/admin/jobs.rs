//! The queue of work, as administrators see and steer it.

use serde_json::json;

use super::packages::title;
use super::{Actor, Error, Result};
use crate::appliance::Appliance;
use crate::store::ids::JobId;
use crate::store::jobs::{self, Job};
use crate::store::{job_lines, job_lists, organizations, packages, syncs};
use crate::sync::request::{KIND, Payload};
use crate::sync::run;

pub use crate::store::job_lines::Line;
pub use crate::store::job_lists::{Counts, Filter, Group, Key, Listed};

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

/// A page of a list of jobs.
#[derive(Clone, Debug)]
pub struct Page {
    /// The jobs.
    pub jobs: Vec<Listed>,
    /// How many the filter finds, by state.
    pub counts: Counts,
    /// The verbs that there are jobs of.
    pub kinds: Vec<String>,
    /// Where the next page begins.
    pub next: Option<Key>,
}

/// Up to `size` jobs after `after`.
///
/// # Errors
/// If the database cannot be read.
pub async fn page(
    appliance: &Appliance,
    group: Group,
    filter: Filter,
    after: Option<Key>,
    size: usize,
) -> Result<Page> {
    let limit = i64::try_from(size + 1).unwrap_or(i64::MAX);
    appliance
        .database
        .read(move |db| {
            let mut jobs = job_lists::page(db, group, &filter, after, limit)?;
            let more = jobs.len() > size;
            jobs.truncate(size);
            let next = jobs.last().filter(|_| more).map(Listed::key);
            Ok(Page { jobs, counts: job_lists::counts(db, &filter)?, kinds: job_lists::kinds(db)?, next })
        })
        .await
}

/// A job with its log.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The job.
    pub listed: Listed,
    /// What it said, oldest first.
    pub lines: Vec<Line>,
}

/// A job with what it said after one of its lines; 0 for all.
///
/// # Errors
/// If there is no such job.
pub async fn show(appliance: &Appliance, id: JobId, after: i64) -> Result<Detail> {
    appliance
        .database
        .read(move |db| {
            let listed = job_lists::by_id(db, id)?.ok_or_else(|| none(id))?;
            Ok(Detail { listed, lines: job_lines::after(db, id, after)? })
        })
        .await
}

/// How many jobs are queued again in one transaction.
const TOGETHER: i64 = 200;

/// Queues all failed jobs that the filter finds again, now; how many those were.
///
/// # Errors
/// If the database cannot be written.
pub async fn retry_failed(appliance: &Appliance, actor: &Actor, filter: Filter) -> Result<usize> {
    let mut retried = 0;
    loop {
        let (actor, filter, now) = (actor.clone(), filter.clone(), appliance.now());
        let some = appliance
            .database
            .write(move |tx| {
                let failed = job_lists::page(tx, Group::Failed, &filter, None, TOGETHER)?;
                for Listed { job, .. } in &failed {
                    jobs::retry(tx, job.id, now)?;
                    actor.record(tx, job.org, "job.retry", &job.id.to_string(), json!({ "kind": job.kind }), now)?;
                }
                Ok::<_, Error>(failed.len())
            })
            .await?;
        retried += some;
        if some == 0 {
            return Ok(retried);
        }
    }
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

/// Cancels a job that waits, or stops one that runs: within a second or two, and what is published and fetched by then stays.
///
/// # Errors
/// If there is no such job, or it has ended.
pub async fn cancel(appliance: &Appliance, actor: &Actor, id: JobId) -> Result<()> {
    let (actor, now, next) = (actor.clone(), appliance.now(), run::next_run(appliance));
    appliance
        .database
        .write(move |tx| {
            let job = find(tx, id)?;
            if !jobs::cancel(tx, id, now)? && !job_lists::request_stop(tx, id)? {
                return Err(Error::conflict(format!(
                    "job {id} is {}: only a job that waits or runs can be cancelled",
                    in_words(&job)
                )));
            }
            let payload = (job.kind == KIND).then(|| serde_json::from_str::<Payload>(&job.payload).ok()).flatten();
            if let Some((org, payload)) = job.org.zip(payload) {
                // What somebody stops does not begin again at once because it is due.
                syncs::set_next_run(org, tx, payload.sync, next)?;
            }
            actor.record(tx, job.org, "job.cancel", &id.to_string(), json!({ "kind": job.kind }), now)?;
            Ok(())
        })
        .await
}

fn find(connection: &rusqlite::Connection, id: JobId) -> Result<Job> {
    jobs::by_id(connection, id)?.ok_or_else(|| none(id))
}

fn none(id: JobId) -> Error {
    Error::not_found(format!("there is no job {id}, or it ended long ago"))
        .by_command("`job list` shows those that there are")
}

fn in_words(job: &Job) -> &str {
    match job.state.as_str() {
        "ready" => "waiting",
        state => state,
    }
}

//! Work that nobody waits for in a request: the queue's workers, and a file for each verb.
//!
//! Jobs live in the database and run only in the process that holds the instance lock. What was
//! running when that process died is ready again at the next start, so every verb is idempotent.

pub mod build_dist;

mod confirm_topic;
mod endings;
mod ensure_hooks;
mod lines;
mod prune;
mod rotations;
mod schedule;
mod sync_organization;
mod update_package;
mod worker;

use std::time::{Duration, Instant};

use crate::appliance::Appliance;
use crate::store::ids::JobId;
use crate::store::{self, jobs};

pub use worker::Workers;

/// How often a job is tried before it counts as failed.
pub const ATTEMPTS: i64 = worker::ATTEMPTS;

/// How long whoever waits for a job waits while nothing can be done at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a job ended, for whoever waited for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Well.
    Done,
    /// For good, with the reason.
    Failed(String),
    /// Not well, but it is tried again; with the reason.
    RetriesLater(String),
}

/// Waits until a job's try has ended. Somebody must be working: a server, or [`Workers`] here.
///
/// # Errors
/// If the database cannot be read.
pub async fn wait(appliance: &Appliance, id: JobId) -> store::Result<Ended> {
    let mut work = appliance.work.clone();
    let mut hindered = None;
    loop {
        work.borrow_and_update();
        let job = appliance.database.read(move |db| jobs::by_id(db, id)).await?;
        if let Some(ended) = ended(job) {
            return Ok(ended);
        }
        match appliance.hindrance() {
            // Somebody has to do something first, who is perhaps the one who waits here.
            Some(reason) if hindered.get_or_insert_with(Instant::now).elapsed() > PATIENCE => {
                return Ok(Ended::RetriesLater(reason));
            }
            Some(_) => {}
            None => hindered = None,
        }
        // A change may be told before this watch began; the time-out makes up for it.
        let _ = tokio::time::timeout(Duration::from_secs(1), work.changed()).await;
    }
}

fn ended(job: Option<jobs::Job>) -> Option<Ended> {
    let Some(job) = job else {
        return Some(Ended::Failed("what it was about was removed".to_owned()));
    };
    let reason = job.error.unwrap_or_default();
    match job.state.as_str() {
        "done" if reason.is_empty() => Some(Ended::Done),
        "done" => Some(Ended::RetriesLater(reason)),
        "failed" => Some(Ended::Failed(reason)),
        "cancelled" => Some(Ended::Failed("it was cancelled".to_owned())),
        "ready" if !reason.is_empty() => Some(Ended::RetriesLater(reason)),
        _ => None,
    }
}

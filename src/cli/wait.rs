//! `--wait`: until queued work has ended, with progress.

use super::failure::Failure;
use super::session::{Session, Workforce};
use crate::jobs::{self, Ended, Workers};
use crate::store::ids::JobId;

/// Work that a command waits for.
pub struct Waiting {
    /// What it is about, for people.
    pub title: String,
    /// The job.
    pub job: JobId,
}

/// Waits for all of it. Where no server works, this process does.
///
/// # Errors
/// If any of it failed; each failure has been said.
pub async fn all(session: &Session, waiting: Vec<Waiting>) -> Result<(), Failure> {
    let workers = match session.workforce {
        Workforce::Server => None,
        Workforce::Start(count) => Some(Workers::start(session.appliance.clone(), count).await?),
    };
    let result = tokio::select! {
        result = each(session, waiting) => result,
        // The work goes on; only the waiting ends with whoever waited.
        () = session.output.closed() => Err(Failure::Told),
    };
    if let Some(workers) = workers {
        workers.stop().await;
    }
    result
}

async fn each(session: &Session, waiting: Vec<Waiting>) -> Result<(), Failure> {
    let total = waiting.len();
    let mut failures = Vec::new();
    session.output.progress(0, total, "");
    for (number, one) in waiting.into_iter().enumerate() {
        let said = match jobs::wait(&session.appliance, one.job).await? {
            Ended::Done => format!("{}: done", one.title),
            Ended::Failed(reason) => {
                failures.push(format!("{}: {reason}", one.title));
                format!("{}: failed", one.title)
            }
            Ended::RetriesLater(reason) => {
                failures.push(format!("{}: {reason} It is tried again later.", one.title));
                format!("{}: not yet", one.title)
            }
        };
        session.output.progress(number + 1, total, said);
    }
    if failures.is_empty() {
        return Ok(());
    }
    for failure in failures {
        session.output.note(format!("error: {failure}"));
    }
    Err(Failure::Told)
}

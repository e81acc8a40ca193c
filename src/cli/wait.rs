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
/// If any of it failed, or the server stops first; each failure has been said.
pub async fn all(session: &Session, waiting: Vec<Waiting>) -> Result<(), Failure> {
    if waiting.is_empty() {
        return Ok(());
    }
    match &session.workforce {
        Workforce::Server(stopping) => {
            let mut stopping = stopping.clone();
            tokio::select! {
                result = each(session, waiting) => result,
                // The work goes on in both cases; only the waiting ends.
                () = session.output.closed() => Err(Failure::Told),
                _ = stopping.wait_for(|stops| *stops) => {
                    Err(Failure::new("the server is stopping: the work goes on when it runs again"))
                }
            }
        }
        Workforce::Start(count) => {
            let workers = Workers::start(session.appliance.clone(), *count).await?;
            let result = each(session, waiting).await;
            workers.stop().await;
            result
        }
    }
}

/// Waits for all of it, whatever comes of it; what failed has been said.
///
/// # Errors
/// If the server stops first.
pub async fn whatever(session: &Session, waiting: Vec<Waiting>) -> Result<(), Failure> {
    match all(session, waiting).await {
        Err(Failure::Told) => Ok(()),
        other => other,
    }
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
                // The reasons of repositories say so themselves.
                let later = if reason.contains("tried again") { "" } else { " It is tried again later." };
                failures.push(format!("{}: {reason}{later}", one.title));
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

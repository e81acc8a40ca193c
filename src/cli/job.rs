//! `job`: the queue of work.

use clap::Subcommand;
use serde_json::json;

use super::args::ListFormat;
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::jobs;
use crate::store::ids::JobId;

/// Commands about the queue.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List what runs, failed and waits, and the newest of what is done
    List(#[command(flatten)] ListFormat),
    /// Do a job again that has ended
    Retry {
        /// Its id
        id: i64,
    },
    /// Cancel a job that waits
    Cancel {
        /// Its id
        id: i64,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::List(format) => list(session, &format).await,
        Command::Retry { id } => Ok(jobs::retry(&session.appliance, &ACTOR, JobId(id)).await?),
        Command::Cancel { id } => Ok(jobs::cancel(&session.appliance, &ACTOR, JobId(id)).await?),
    }
}

async fn list(session: &Session, format: &ListFormat) -> Result<(), Failure> {
    let all = jobs::list(&session.appliance).await?;
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "id": one.job.id,
                    "kind": one.job.kind,
                    "state": one.job.state,
                    "org": one.organization,
                    "package": one.package,
                    "attempt": one.job.attempt,
                    "error": one.job.error,
                    "run_at": one.job.run_at,
                    "created_at": one.job.created_at,
                    "started_at": one.job.started_at,
                    "finished_at": one.job.finished_at,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .into_iter()
        .map(|one| {
            vec![
                one.job.id.to_string(),
                one.job.kind,
                one.job.state,
                one.organization.unwrap_or_default(),
                one.package.unwrap_or_default(),
                one.job.run_at.floor_to_second().rfc3339(),
                one.job.error.unwrap_or_default(),
            ]
        })
        .collect();
    session.output.line(table(&["ID", "KIND", "STATE", "ORG", "PACKAGE", "DUE", "ERROR"], &rows));
    Ok(())
}

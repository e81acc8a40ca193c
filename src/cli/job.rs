//! `job`: the queue of work.

use clap::Subcommand;
use serde_json::json;

use super::args::ListFormat;
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::show;
use crate::admin::jobs::{self, Summary};
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
    /// Cancel a job that waits or runs; what is published stays
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
    let json = |one: &Summary| {
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
    };
    let cells = |one: &Summary| {
        let job = one.job.clone();
        vec![
            job.id.to_string(),
            job.kind,
            job.state,
            one.organization.clone().unwrap_or_default(),
            one.package.clone().unwrap_or_default(),
            job.run_at.floor_to_second().rfc3339(),
            job.error.unwrap_or_default(),
        ]
    };
    let heading = ["ID", "KIND", "STATE", "ORG", "PACKAGE", "DUE", "ERROR"];
    Ok(show(&session.output, format, &all, json, &heading, cells)?)
}

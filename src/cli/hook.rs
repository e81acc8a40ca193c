//! `hook`: the webhooks that synchronizations installed on platforms.

use clap::Subcommand;
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::show;
use super::wait::{self, Waiting};
use crate::admin::platform_hooks::{self, Listed};
use crate::store::ids::SyncId;

/// Commands about webhooks on platforms.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the webhooks on platforms, and how they are
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Install what is missing and mend what changed, now
    Repair {
        /// Only those of the synchronization with this id
        sync: Option<i64>,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            let all = platform_hooks::list(&session.appliance, org.id, None).await?;
            list(session, &all, &format)
        }
        Command::Repair { sync, org } => {
            let org = session.organization(&org).await?;
            let work = platform_hooks::repair(&session.appliance, &ACTOR, org.id, sync.map(SyncId)).await?;
            wait::all(session, work.into_iter().map(|(title, job)| Waiting { title, job }).collect()).await?;
            refuse_troubles(session, &platform_hooks::list(&session.appliance, org.id, sync.map(SyncId)).await?)
        }
    }
}

fn list(session: &Session, all: &[Listed], format: &ListFormat) -> Result<(), Failure> {
    let json = |one: &Listed| {
        json!({
            "id": one.hook.id,
            "sync": one.hook.sync,
            "place": one.place,
            "scope": if one.hook.repository.is_some() { "repository" } else { "organization" },
            "status": one.hook.state,
            "error": one.hook.error,
            "unsigned_since": one.hook.unsigned_since,
            "last_delivery_at": one.hook.last_delivery_at,
            "checked_at": one.hook.checked_at,
        })
    };
    let cells = |one: &Listed| {
        let hook = one.hook.clone();
        vec![
            hook.id.to_string(),
            hook.sync.to_string(),
            one.place.clone(),
            hook.state,
            hook.last_delivery_at.map_or_else(|| "never".to_owned(), |at| at.floor_to_second().rfc3339()),
            hook.error.unwrap_or_default(),
        ]
    };
    let heading = ["ID", "SYNC", "PLACE", "STATUS", "LAST DELIVERY", "ERROR"];
    Ok(show(&session.output, format, all, json, &heading, cells)?)
}

/// Says what is still not well. That a credential may not install the organization's hook is no trouble where repositories
/// have their own.
fn refuse_troubles(session: &Session, all: &[Listed]) -> Result<(), Failure> {
    let has_single =
        |one: &Listed| all.iter().any(|other| other.hook.sync == one.hook.sync && other.hook.repository.is_some());
    let is_trouble = |one: &&Listed| {
        matches!(one.hook.state.as_str(), "failing" | "missing" | "refused")
            && (one.hook.repository.is_some() || !has_single(one))
    };
    let troubles: Vec<&Listed> = all.iter().filter(is_trouble).collect();
    for one in &troubles {
        let error = one.hook.error.as_deref().unwrap_or("it is not well, and the platform does not say why");
        session.output.note(format!("error: {}: {error}", one.place));
    }
    if troubles.is_empty() { Ok(()) } else { Err(Failure::Told) }
}

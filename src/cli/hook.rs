//! `hook`: the webhooks that synchronizations installed on platforms.

use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::show;
use super::wait::{self, Waiting};
use crate::admin::platform_hooks::{self, Listed};
use crate::admin::system_hooks;
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
    /// Make the webhook that an administrator of a self-managed GitLab enters there for all of it, and print what to enter
    System {
        /// The integration, as config.toml names it
        integration: String,
        /// Make another one in the place of the one that there is
        #[arg(long, conflicts_with = "remove")]
        replace: bool,
        /// Forget it
        #[arg(long)]
        remove: bool,
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
        Command::System { integration, remove: true, .. } => {
            Ok(system_hooks::remove(&session.appliance, &ACTOR, &integration).await?)
        }
        Command::System { integration, replace, .. } => system(session, &integration, replace).await,
    }
}

/// What is to be entered is said until somebody has entered it.
async fn system(session: &Session, integration: &str, replace: bool) -> Result<(), Failure> {
    let before = if replace { None } else { system_hooks::standing(&session.appliance, integration).await? };
    if let Some(entered) = before.as_ref().filter(|one| one.is_entered()) {
        let last = entered.hook.last_delivery_at.map(|at| at.floor_to_second().rfc3339()).unwrap_or_default();
        session.output.line(format!("It is entered, and called last at {last}."));
        session.output.note("`--replace` makes another one, and says what to enter.");
        return Ok(());
    }
    if before.is_none() {
        system_hooks::make(&session.appliance, &ACTOR, integration).await?;
    }
    let Some(made) = system_hooks::standing(&session.appliance, integration).await? else { return Ok(()) };
    for (label, value) in
        [("URL", &made.address), ("Secret token", &made.entered.token), ("Signing token", &made.entered.signing_token)]
    {
        session.output.line(format!("{label}: {}", value.expose_secret()));
    }
    session.output.note("Tick push events, tag push events and repository update events. The signing token is for GitLab 19 and later, where the form asks for one.");
    Ok(())
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

//! `sync`: organizations of platforms that are followed here.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::{show, table};
use super::wait::{self, Waiting};
use crate::admin::syncs::{self, New, Promotion, Summary};
use crate::store::ids::{RunId, SyncId};
use crate::store::organizations::Organization;
use crate::store::sync_runs::{self, Run};
use crate::store::syncs::Sync;
use crate::sync::change::Change;
use crate::sync::plan::Plan;
use crate::sync::request::SyncKey;
use crate::sync::run::preview;

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Answer {
    /// They may.
    Yes,
    /// They may not.
    No,
}

/// Which repositories become packages.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Packages {
    /// Every repository with a composer.json
    All,
    /// Only those that are created from now on
    New,
}

/// Commands about synchronizations.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Follow an organization of a platform, and print the synchronization's id
    Add {
        /// The integration, as config.toml names it
        #[arg(long, value_name = "ID")]
        integration: String,
        /// A GitHub organization, the path of a GitLab group, a Bitbucket workspace, or the key of a Data Center project, with
        /// `~` before the name for a person's own
        #[arg(long, value_name = "NAME")]
        remote: String,
        /// The credential that it reads with
        #[arg(long, value_name = "NAME")]
        credential: String,
        /// Make the organization's owners there owners here
        #[arg(long)]
        primary: bool,
        /// Which repositories become packages
        #[arg(long, value_enum, default_value_t = Packages::All)]
        packages: Packages,
        /// Let every member install what the platform shows to everybody: public and internal repositories
        #[arg(long)]
        follow_visibility: bool,
        /// Follow only this project of a Bitbucket Cloud workspace, by its key; may be given several times
        #[arg(long = "project", value_name = "KEY")]
        projects: Vec<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the synchronizations
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show what a run would add, change and remove, and change nothing
    Plan {
        /// The synchronization's id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Read everything now, and change here what is different
    Run {
        /// The synchronization's id
        id: i64,
        /// Return when everything is served
        #[arg(long)]
        wait: bool,
        /// Apply the plan that waits, by its digest
        #[arg(long, value_name = "PLAN")]
        accept: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the runs, newest first, or what one of them changed
    History {
        /// The synchronization's id
        id: i64,
        /// What this run changed
        #[arg(long, value_name = "RUN")]
        run: Option<i64>,
        /// At most so many lines
        #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Make it the one from which the organization has its owners
    Promote {
        /// The synchronization's id
        id: i64,
        /// Only say who would become owner, and who would be none any more
        #[arg(long)]
        preview: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Stop following for a while
    Pause {
        /// The synchronization's id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Go on following
    Resume {
        /// The synchronization's id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Say whether planners of a GitLab group may install its packages: releases of GitLab differ in whether they read code
    Planners {
        /// The synchronization's id
        id: i64,
        /// Whether they may
        #[arg(value_enum)]
        may: Answer,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Say which projects of a Bitbucket Cloud workspace are followed: packages of the others are not shown any more
    Projects {
        /// The synchronization's id
        id: i64,
        /// Their keys
        #[arg(value_name = "KEY", required_unless_present = "all", conflicts_with = "all")]
        projects: Vec<String>,
        /// All of the workspace
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Tell of each repository whether it is a package, and why not
    Repositories {
        /// The synchronization's id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Make a repository a package that is none: one that was there before, or that somebody removed
    Adopt {
        /// The synchronization's id
        id: i64,
        /// The repository's path
        repository: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Remove it with its teams and memberships; its packages stay
    Remove {
        /// The synchronization's id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { integration, remote, credential, primary, packages, follow_visibility, projects, org } => {
            let org = session.organization(&org).await?;
            let packages = match packages {
                Packages::All => syncs::Packages::All,
                Packages::New => syncs::Packages::New,
            };
            let projects = syncs::project_keys(&projects.join(" "))?;
            let new =
                New { integration, remote, credential, primary, packages, follow_visibility, paused: false, projects };
            let id = syncs::add(appliance, &ACTOR, org.id, new).await?;
            session.output.line(id.to_string());
            Ok(())
        }
        Command::List { org, format } => list(session, &session.organization(&org).await?, &format).await,
        Command::Plan { id, org, format } => {
            plan(session, &session.organization(&org).await?, SyncId(id), &format).await
        }
        Command::Run { id, wait, accept, org } => {
            run_now(session, &session.organization(&org).await?, SyncId(id), wait, accept).await
        }
        Command::History { id, run, limit, org, format } => {
            let org = session.organization(&org).await?;
            match run {
                None => history(session, &org, SyncId(id), limit, &format).await,
                Some(run) => changes(session, &org, SyncId(id), (RunId(run), limit), &format).await,
            }
        }
        Command::Promote { id, preview, org } => {
            let org = session.organization(&org).await?;
            let promotion = if preview {
                syncs::promotion(appliance, org.id, SyncId(id)).await?
            } else {
                syncs::promote(appliance, &ACTOR, org.id, SyncId(id)).await?
            };
            tell(session, &promotion, preview);
            Ok(())
        }
        Command::Pause { id, org } => set_paused(session, &session.organization(&org).await?, id, true).await,
        Command::Resume { id, org } => set_paused(session, &session.organization(&org).await?, id, false).await,
        Command::Planners { id, may, org } => {
            let org = session.organization(&org).await?;
            Ok(syncs::set_planners(appliance, &ACTOR, org.id, SyncId(id), may == Answer::Yes).await?)
        }
        // Without `--all` clap asks for one at least.
        Command::Projects { id, projects, all: _, org } => {
            let org = session.organization(&org).await?;
            Ok(syncs::set_projects(appliance, &ACTOR, org.id, SyncId(id), &projects).await?)
        }
        Command::Repositories { id, org, format } => {
            repositories(session, &session.organization(&org).await?, SyncId(id), &format).await
        }
        Command::Adopt { id, repository, org } => {
            let org = session.organization(&org).await?;
            syncs::adopt(appliance, &ACTOR, org.id, SyncId(id), &repository).await?;
            Ok(())
        }
        Command::Remove { id, org } => {
            let org = session.organization(&org).await?;
            Ok(syncs::remove(appliance, &ACTOR, org.id, SyncId(id)).await?)
        }
    }
}

async fn set_paused(session: &Session, org: &Organization, id: i64, paused: bool) -> Result<(), Failure> {
    Ok(syncs::set_paused(&session.appliance, &ACTOR, org.id, SyncId(id), paused).await?)
}

async fn list(session: &Session, org: &Organization, format: &ListFormat) -> Result<(), Failure> {
    let all = syncs::list(&session.appliance, org.id).await?;
    let now = session.appliance.now();
    let json = |one: &Summary| {
        json!({
            "id": one.sync.id,
            "integration": one.sync.integration,
            "remote": one.sync.remote,
            "credential": one.sync.credential_name,
            "primary": one.sync.primary,
            "status": one.sync.status(),
            "error": one.sync.error,
            "last_run_at": one.sync.last_run_at,
            "packages": one.counts.packages,
            "teams": one.counts.teams,
            "members": one.counts.members,
            "held": one.sync.held_digest,
            "confirmed_at": one.sync.confirmed_at,
            "stale_at": one.sync.stale_at,
            "paused_at": one.sync.paused_at,
            "follow_visibility": one.sync.follow_visibility,
            "planners": one.sync.planners,
            "projects": one.sync.project_keys(),
            "suspended_at": one.sync.suspended_at,
            "next_run_at": one.sync.next_run_at,
            "resumes_at": one.sync.resumes_at(now),
        })
    };
    let cells = |one: &Summary| {
        let sync = &one.sync;
        vec![
            sync.id.to_string(),
            syncs::title(sync),
            if sync.primary { "primary".to_owned() } else { String::new() },
            word(sync).to_owned(),
            one.counts.packages.to_string(),
            one.counts.teams.to_string(),
            one.counts.members.to_string(),
            sync.last_run_at.map_or_else(|| "never".to_owned(), |at| at.floor_to_second().rfc3339()),
            sync.error.clone().unwrap_or_default(),
        ]
    };
    let heading = ["ID", "REMOTE", "", "STATUS", "PACKAGES", "TEAMS", "MEMBERS", "LAST RUN", "ERROR"];
    Ok(show(&session.output, format, &all, json, &heading, cells)?)
}

/// How a synchronization stands, in a word.
fn word(sync: &Sync) -> &str {
    match sync {
        Sync { paused_at: Some(_), .. } => "paused",
        Sync { suspended_at: Some(_), running: false, .. } => "suspended",
        _ => sync.status(),
    }
}

async fn plan(session: &Session, org: &Organization, id: SyncId, format: &ListFormat) -> Result<(), Failure> {
    syncs::by_id(&session.appliance, org.id, id).await?;
    let preview = preview(&session.appliance, SyncKey { org: org.id, sync: id }).await?;
    if format.json {
        return Ok(session.output.json(&as_json(&preview))?);
    }
    let rows: Vec<Vec<String>> = preview
        .changes
        .iter()
        .map(|change| cells(change, false))
        .chain(preview.held.iter().map(|change| cells(change, true)))
        .collect();
    if rows.is_empty() {
        session.output.line("A run would change nothing.");
    } else {
        session.output.line(table(&["ACTION", "KIND", "NAME", "DETAIL"], &rows));
    }
    for notice in &preview.notices {
        session.output.note(notice);
    }
    for because in &preview.because {
        session.output.note(because);
    }
    session.output.line(format!("digest: {}", digest(&preview)));
    Ok(())
}

/// What `--accept` takes: of the part that waits, if any does.
fn digest(plan: &Plan) -> String {
    plan.held_digest().unwrap_or_else(|| plan.digest())
}

fn cells(change: &Change, held: bool) -> Vec<String> {
    let action = if held { format!("{} (held)", change.action.as_str()) } else { change.action.as_str().to_owned() };
    vec![action, change.kind.as_str().to_owned(), change.name.clone(), change.detail.clone()]
}

/// As the contract has it (section 5); what would be held is among the rest, and says so.
fn as_json(preview: &Plan) -> Value {
    let of = |action: &str| {
        let one = |change: &Change, held: bool| json!({ "kind": change.kind.as_str(), "name": change.name, "detail": change.detail, "held": held });
        let is_it = |change: &&Change| change.action.as_str() == action;
        let changes = preview.changes.iter().filter(is_it).map(|change| one(change, false));
        changes.chain(preview.held.iter().filter(is_it).map(|change| one(change, true))).collect::<Vec<_>>()
    };
    json!({
        "digest": digest(preview),
        "add": of("add"),
        "change": of("change"),
        "remove": of("remove"),
        "held": preview.because,
        "notices": preview.notices,
    })
}

async fn run_now(
    session: &Session,
    org: &Organization,
    id: SyncId,
    wait: bool,
    accept: Option<String>,
) -> Result<(), Failure> {
    let appliance = &session.appliance;
    let sync = syncs::by_id(appliance, org.id, id).await?;
    let job = match &accept {
        None => syncs::run(appliance, &ACTOR, org.id, id).await?,
        Some(digest) => syncs::accept(appliance, &ACTOR, org.id, id, digest).await?,
    };
    if !wait {
        return Ok(());
    }
    wait::all(session, vec![Waiting { title: syncs::title(&sync), job }]).await?;
    // A package that cannot be read is no failure of the run: `package list` tells of it.
    let updates = syncs::pending_updates(appliance, org.id, id).await?;
    wait::whatever(session, updates.into_iter().map(|(title, job)| Waiting { title, job }).collect()).await?;
    let sync = syncs::by_id(appliance, org.id, id).await?;
    held(session, &sync);
    if accept.is_some() && sync.held_digest.is_some() {
        return Err(Failure::new("what waits is another plan than the one that was accepted, so that it still waits"));
    }
    Ok(())
}

/// Says that something waits for a yes.
fn held(session: &Session, sync: &Sync) {
    if let Some(digest) = &sync.held_digest {
        // The sentence names the command that accepts it.
        let why = sync.error.clone().unwrap_or_else(|| format!("`sync run {} --accept {digest}` applies it", sync.id));
        session.output.note(format!("held: {why}"));
    }
}

fn tell(session: &Session, promotion: &Promotion, preview: bool) {
    let is = if preview { "would be" } else { "is" };
    for name in &promotion.gain {
        session.output.note(format!("{name} {is} an owner now"));
    }
    for name in &promotion.lose {
        session.output.note(format!("{name} {is} no owner by another synchronization any more"));
    }
}

async fn history(
    session: &Session,
    org: &Organization,
    id: SyncId,
    limit: i64,
    format: &ListFormat,
) -> Result<(), Failure> {
    let all = syncs::history(&session.appliance, org.id, id, limit).await?;
    let json = |run: &Run| {
        json!({
            "id": run.id,
            "job": run.job,
            "cause": run.cause,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "outcome": run.outcome,
            "error": run.error,
            "notices": run.notices,
            "requests": run.requests,
            "unmodified": run.unmodified,
            "remaining": run.remaining,
            "resets_at": run.resets_at,
            "added": run.added,
            "changed": run.changed,
            "removed": run.removed,
        })
    };
    let cells = |run: &Run| {
        let took = run.ended_at.since(run.started_at);
        vec![
            run.id.to_string(),
            run.started_at.floor_to_second().rfc3339(),
            format!("{:.1} s", took.as_secs_f64()),
            run.cause.clone(),
            run.outcome.clone(),
            run.added.to_string(),
            run.changed.to_string(),
            run.removed.to_string(),
            run.requests.to_string(),
            run.error.clone().unwrap_or_default(),
        ]
    };
    let heading = ["RUN", "BEGAN", "TOOK", "CAUSE", "OUTCOME", "ADDED", "CHANGED", "REMOVED", "REQUESTS", "ERROR"];
    Ok(show(&session.output, format, &all, json, &heading, cells)?)
}

async fn changes(
    session: &Session,
    org: &Organization,
    id: SyncId,
    (run, limit): (RunId, i64),
    format: &ListFormat,
) -> Result<(), Failure> {
    let all = syncs::changes(&session.appliance, org.id, id, run, limit).await?;
    let json = |one: &sync_runs::Change| json!({ "action": one.action, "kind": one.kind, "name": one.name, "detail": one.detail });
    let cells =
        |one: &sync_runs::Change| vec![one.action.clone(), one.kind.clone(), one.name.clone(), one.detail.clone()];
    Ok(show(&session.output, format, &all, json, &["ACTION", "KIND", "NAME", "DETAIL"], cells)?)
}

async fn repositories(session: &Session, org: &Organization, id: SyncId, format: &ListFormat) -> Result<(), Failure> {
    let all = syncs::repositories(&session.appliance, org.id, id).await?;
    let json = |(remote, one): &(String, crate::store::repositories::Repository)| {
        json!({
            "id": remote,
            "path": one.path,
            "url": one.url,
            "default_branch": one.default_branch,
            "state": one.state,
            "visibility": one.visibility,
            "package": one.package,
            "decision": one.decision.as_str(),
            "reason": if one.reason.is_empty() { Value::Null } else { json!(one.reason) },
            "gone": one.gone,
        })
    };
    let cells = |(_, one): &(String, crate::store::repositories::Repository)| {
        let package = one.package.map_or_else(String::new, |id| id.to_string());
        vec![one.path.clone(), one.decision.as_str().to_owned(), package, one.reason.clone()]
    };
    Ok(show(&session.output, format, &all, json, &["REPOSITORY", "DECISION", "PACKAGE", "REASON"], cells)?)
}

//! `team`: people who see the same packages.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::packages;
use crate::admin::teams::{self, Having, Packages, Summary};
use crate::store::ids::OrgId;

/// Which packages a team is given, or loses.
#[derive(Debug, Args)]
pub struct Which {
    /// Packages: names, ids or addresses
    #[arg(value_name = "PACKAGE", required_unless_present = "all", conflicts_with = "all")]
    packages: Vec<String>,
    /// All packages
    #[arg(long)]
    all: bool,
}

/// Commands about teams.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the teams
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Show who is in a team and which packages it has
    Show {
        /// Its path
        team: String,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Add a team; `web/shop` is one below the team `web`, whose packages its people see as well
    Add {
        /// Its name, or its path
        team: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Give a team another name
    Rename {
        /// Its path
        team: String,
        /// Its new name
        name: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Put a team below another one, or below none
    Move {
        /// Its path
        team: String,
        /// The path of the team that it is to be below [default: none]
        #[arg(long, value_name = "TEAM")]
        under: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Remove a team
    Remove {
        /// Its path
        team: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Let a team's people see packages; with --all those that there are, now and later
    Grant {
        /// Its path
        team: String,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Take packages from a team; with --all whatever it has
    Revoke {
        /// Its path
        team: String,
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Put somebody into a team, who becomes a member of the organization by it
    AddMember {
        /// Its path
        team: String,
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Take somebody out of a team
    RemoveMember {
        /// Its path
        team: String,
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        #[command(flatten)]
        org: OrgArgument,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            list(session, &teams::list(appliance, org.id).await?, &format)?;
        }
        Command::Show { team, org, format } => {
            let org = session.organization(&org).await?;
            show(session, &teams::show(appliance, org.id, &team).await?, &format)?;
        }
        Command::Add { team, org } => {
            let org = session.organization(&org).await?;
            let id = teams::add(appliance, &ACTOR, org.id, &team).await?;
            session.output.line(id.to_string());
        }
        Command::Rename { team, name, org } => {
            let org = session.organization(&org).await?;
            teams::rename(appliance, &ACTOR, org.id, &team, &name).await?;
        }
        Command::Move { team, under, org } => {
            let org = session.organization(&org).await?;
            teams::set_parent(appliance, &ACTOR, org.id, &team, under.as_deref()).await?;
        }
        Command::Remove { team, org } => {
            let org = session.organization(&org).await?;
            teams::remove(appliance, &ACTOR, org.id, &team).await?;
        }
        Command::Grant { team, which, org } => {
            let org = session.organization(&org).await?;
            let which = chosen(session, org.id, &which).await?;
            teams::grant(appliance, &ACTOR, org.id, &team, which).await?;
        }
        Command::Revoke { team, which, org } => {
            let org = session.organization(&org).await?;
            let which = chosen(session, org.id, &which).await?;
            teams::revoke(appliance, &ACTOR, org.id, &team, which).await?;
        }
        Command::AddMember { team, user, org } => {
            let org = session.organization(&org).await?;
            if !teams::add_member(appliance, &ACTOR, org.id, &team, &user).await? {
                session.output.note(format!("{user} is in the team {team} already."));
            }
        }
        Command::RemoveMember { team, user, org } => {
            let org = session.organization(&org).await?;
            teams::remove_member(appliance, &ACTOR, org.id, &team, &user).await?;
        }
    }
    Ok(())
}

async fn chosen(session: &Session, org: OrgId, which: &Which) -> Result<Packages, Failure> {
    if which.all {
        return Ok(Packages::All);
    }
    let mut found = Vec::new();
    for name in &which.packages {
        found.push(packages::find(&session.appliance, org, name).await?);
    }
    Ok(Packages::Some(found))
}

fn list(session: &Session, teams: &[Summary], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = teams.iter().map(json_of).collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = teams
        .iter()
        .map(|one| {
            let packages = match &one.packages {
                Having::All => "all".to_owned(),
                Having::Some(names) => names.len().to_string(),
            };
            let kind = if one.team.synchronized { "synchronized" } else { "local" };
            vec![one.team.path.clone(), kind.to_owned(), one.members.len().to_string(), packages]
        })
        .collect();
    session.output.line(table(&["TEAM", "KIND", "MEMBERS", "PACKAGES"], &rows));
    Ok(())
}

fn show(session: &Session, one: &Summary, format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        session.output.json(&json_of(one))?;
        return Ok(());
    }
    let names = |having: &Having| match having {
        Having::All => "all, now and later".to_owned(),
        Having::Some(names) if names.is_empty() => "none".to_owned(),
        Having::Some(names) => names.join(" "),
    };
    let members: Vec<&str> = one.members.iter().map(|member| member.name.as_str()).collect();
    let kind = if one.team.synchronized { "synchronized, read-only here" } else { "local" };
    let mut rows = vec![
        vec!["team".to_owned(), one.team.path.clone()],
        vec!["kind".to_owned(), kind.to_owned()],
        vec!["members".to_owned(), if members.is_empty() { "none".to_owned() } else { members.join(" ") }],
        vec!["packages".to_owned(), names(&one.packages)],
    ];
    if one.team.parent.is_some() {
        rows.push(vec!["by the teams above".to_owned(), names(&one.inherited)]);
    }
    for row in rows {
        session.output.line(format!("{}: {}", row[0], row[1]));
    }
    Ok(())
}

fn json_of(one: &Summary) -> Value {
    let having = |having: &Having| match having {
        Having::All => json!("all"),
        Having::Some(names) => json!(names),
    };
    let mut members: Vec<&str> = one.members.iter().map(|member| member.name.as_str()).collect();
    // Somebody may be in a synchronized team by several accounts.
    members.dedup();
    json!({
        "name": one.team.name,
        "path": one.team.path,
        "synchronized": one.team.synchronized,
        "members": members,
        "packages": having(&one.packages),
        "inherited": having(&one.inherited),
    })
}

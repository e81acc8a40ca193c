//! `member`: an organization's people.

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::session::{ACTOR, POWER, Session};
use super::table::table;
use crate::access;
use crate::admin::members::{self, Member};

/// What somebody may be made.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// Sees the packages of the own teams, and what was granted
    Member,
    /// Sees all packages, and manages everything but owners and settings
    Admin,
    /// May everything
    Owner,
}

impl From<Role> for access::role::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Admin => Self::Admin,
            Role::Owner => Self::Owner,
        }
    }
}

/// Commands about an organization's people.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the people: members, collaborators, and those who wait for an administrator
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Make somebody a member
    Add {
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        /// As what
        #[arg(long, default_value = "member")]
        role: Role,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Give a member another role
    SetRole {
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        /// The role
        role: Role,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Take back everything that somebody was given: role, local teams, and grants
    Remove {
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Let somebody in whom a synchronization found
    Activate {
        /// A person's name, or INTEGRATION:LOGIN
        user: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Keep somebody out whom a synchronization found
    Deactivate {
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
            list(session, &members::list(appliance, org.id).await?, &format)?;
        }
        Command::Add { user, role, org } => {
            let org = session.organization(&org).await?;
            members::add(appliance, &ACTOR, POWER, org.id, &user, role.into()).await?;
        }
        Command::SetRole { user, role, org } => {
            let org = session.organization(&org).await?;
            members::set_role(appliance, &ACTOR, POWER, org.id, &user, role.into()).await?;
        }
        Command::Remove { user, org } => {
            let org = session.organization(&org).await?;
            if members::remove(appliance, &ACTOR, POWER, org.id, &user).await? {
                session.output.note(format!(
                    "A synchronization found {user} as well, and that still counts: `member deactivate` keeps them out."
                ));
            }
        }
        Command::Activate { user, org } => {
            let org = session.organization(&org).await?;
            members::set_active(appliance, &ACTOR, POWER, org.id, &user, true).await?;
        }
        Command::Deactivate { user, org } => {
            let org = session.organization(&org).await?;
            members::set_active(appliance, &ACTOR, POWER, org.id, &user, false).await?;
        }
    }
    Ok(())
}

fn list(session: &Session, members: &[Member], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = members
            .iter()
            .map(|one| {
                let found: Vec<_> = one
                    .found
                    .iter()
                    .map(|found| {
                        json!({
                            "account": found.account,
                            "role": found.role.as_str(),
                            "active": found.active,
                            "suspended": found.suspended,
                            "expires_at": found.until,
                        })
                    })
                    .collect();
                json!({
                    "name": one.name,
                    "role": one.role.as_str(),
                    "status": one.status.as_str(),
                    "added": one.given.map(access::role::Role::as_str),
                    "found": found,
                    "teams": one.teams,
                    "passes_login_rule": one.passes_login_rule,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = members
        .iter()
        .map(|one| {
            let login = if one.passes_login_rule { "" } else { "not as the rule wants" };
            let cells = [&one.name, one.role.as_str(), one.status.as_str(), &one.teams.join(" "), login];
            cells.map(str::to_owned).to_vec()
        })
        .collect();
    session.output.line(table(&["NAME", "ROLE", "STATUS", "TEAMS", "LOGIN"], &rows));
    Ok(())
}

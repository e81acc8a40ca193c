//! `token`: tokens with which Composer installs packages.

use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::args::{ListFormat, OrgArgument, duration};
use super::failure::Failure;
use super::output;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::packages;
use crate::admin::tokens::{self, Created, Options, Scope, Summary};
use crate::clock::Timestamp;
use crate::store::ids::TokenId;

/// What an organization's token may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Access {
    /// Read packages
    Read,
    /// Read packages, and cause packages to be mirrored
    Update,
}

/// Commands about tokens.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token and print it, once, alone on a line
    Add {
        /// What an organization's token may do
        #[arg(long, required_unless_present = "user")]
        access: Option<Access>,
        /// Open only this package (repeatable) [default: all that there are, now and later]
        #[arg(long = "package", value_name = "NAME")]
        packages: Vec<String>,
        /// Open only what this team may read, whatever that becomes (repeatable)
        #[arg(long = "team", value_name = "TEAM")]
        teams: Vec<String>,
        /// Stand for this person instead of an organization
        #[arg(long, value_name = "NAME", conflicts_with_all = ["access", "packages", "teams", "org"])]
        user: Option<String>,
        /// How long it works, as in `90d` [default: without end]
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List an organization's tokens, or a person's
    List {
        /// The person's name
        #[arg(long, value_name = "NAME", conflicts_with = "org")]
        user: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Revoke a token, from the next request on
    Revoke {
        /// Its id
        id: i64,
        #[command(flatten)]
        org: OrgArgument,
    },
}

impl Command {
    /// Refuses to make a token that would be shown nowhere.
    pub fn require_sense(&self) -> Result<(), Failure> {
        if matches!(self, Self::Add { .. }) && output::is_closed() {
            return Err(Failure::new(
                "standard output is closed, so that nobody would see the token: none was made. Let it be read, as in `packagist-selfhosted token add … > FILE`",
            ));
        }
        Ok(())
    }
}

/// What to do about a token that nobody saw.
fn lost(id: TokenId) -> String {
    format!(
        "token {id} was made and could not be shown, and it is not shown again: revoke it with `token revoke {id}`, and make another one"
    )
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { access, packages, teams, user, expires, description, org } => {
            let options = Options { description, lifetime: expires };
            let created = match (user, access) {
                (Some(user), _) => tokens::add_for_user(appliance, &ACTOR, &user, options).await?,
                (None, Some(access)) => add(session, &org, access, &packages, teams, options).await?,
                (None, None) => return Err(Failure::Usage("give --access or --user".to_owned())),
            };
            session.output.note(format!("Token {}; it is not shown again:", created.id));
            session.output.once(created.text.expose(), lost(created.id));
            Ok(())
        }
        Command::List { user: Some(user), format, .. } => {
            list(session, &tokens::list_of_user(appliance, &user).await?, &format)
        }
        Command::List { user: None, org, format } => {
            let org = session.organization(&org).await?;
            list(session, &tokens::list(appliance, org.id).await?, &format)
        }
        Command::Revoke { id, org } => {
            // Ids are the instance's, so that nobody has to know whose a leaked token is.
            let org = match org.org {
                Some(_) => Some(session.organization(&org).await?.id),
                None => None,
            };
            Ok(tokens::revoke(appliance, &ACTOR, org, TokenId(id)).await?)
        }
    }
}

async fn add(
    session: &Session,
    org: &OrgArgument,
    access: Access,
    names: &[String],
    teams: Vec<String>,
    options: Options,
) -> Result<Created, Failure> {
    let org = session.organization(org).await?;
    let mut scope = Scope { packages: Vec::new(), teams };
    for name in names {
        scope.packages.push(packages::find(&session.appliance, org.id, name).await?);
    }
    let scope = (!scope.packages.is_empty() || !scope.teams.is_empty()).then_some(scope);
    let access = match access {
        Access::Read => tokens::Access::Read,
        Access::Update => tokens::Access::Update,
    };
    Ok(tokens::add(&session.appliance, &ACTOR, org.id, access, scope, options).await?)
}

fn list(session: &Session, tokens: &[Summary], format: &ListFormat) -> Result<(), Failure> {
    if format.json {
        let rows: Vec<_> = tokens
            .iter()
            .map(|Summary { token, scope }| {
                json!({
                    "id": token.id,
                    "kind": token.kind,
                    "access": token.access,
                    "prefix": token.prefix,
                    "last4": token.last4,
                    "description": token.description,
                    "packages": scope.as_ref().map(|scope| &scope.packages),
                    "teams": scope.as_ref().map(|scope| &scope.teams),
                    "expires_at": token.expires_at,
                    "last_used_at": token.last_used_at,
                    "user": token.user,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let date = |at: Option<Timestamp>| at.map(Timestamp::rfc3339).unwrap_or_default();
    let rows: Vec<_> = tokens
        .iter()
        .map(|Summary { token, scope }| {
            vec![
                token.id.to_string(),
                format!("{}…{}", token.prefix, token.last4),
                scope.as_ref().map_or_else(|| "all".to_owned(), |scope| scope.packages.join(" ")),
                scope.as_ref().map(|scope| scope.teams.join(" ")).unwrap_or_default(),
                date(token.expires_at),
                date(token.last_used_at.map(Timestamp::floor_to_second)),
                token.description.clone().unwrap_or_default(),
            ]
        })
        .collect();
    session.output.line(table(&["ID", "TOKEN", "PACKAGES", "TEAMS", "EXPIRES", "LAST USED", "DESCRIPTION"], &rows));
    Ok(())
}

//! `credential`: secrets that open source repositories.

use clap::builder::PossibleValuesParser;
use clap::{Subcommand, builder::TypedValueParser};
use serde_json::json;

use super::args::{ListFormat, OrgArgument};
use super::failure::Failure;
use super::input::{SecretArguments, Source};
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::credentials::{self, Finding, Kind, NewCredential};

/// Commands about credentials.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a credential and print its id
    Add {
        /// Its name
        name: String,
        /// Its type
        #[arg(long = "type", value_name = "TYPE", value_parser = kinds())]
        kind: Kind,
        /// The one host and port that it is sent to [default: the platform's public service]
        #[arg(long, value_name = "HOST[:PORT]")]
        host: Option<String>,
        /// The user name sent with it
        #[arg(long)]
        username: Option<String>,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// List the credentials, without their secrets
    List {
        #[command(flatten)]
        org: OrgArgument,
        #[command(flatten)]
        format: ListFormat,
    },
    /// Try a credential on the repositories of the packages that use it
    Test {
        /// Its name
        name: String,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Give a credential a new secret
    Rotate {
        /// Its name
        name: String,
        #[command(flatten)]
        secret: SecretArguments,
        #[command(flatten)]
        org: OrgArgument,
    },
    /// Remove a credential
    Remove {
        /// Its name
        name: String,
        /// The credential that its packages use from then on
        #[arg(long, value_name = "OTHER")]
        replace_with: Option<String>,
        #[command(flatten)]
        org: OrgArgument,
    },
}

impl Command {
    /// Where its secret is.
    pub fn input(&self) -> Option<Source> {
        match self {
            Self::Add { secret, .. } | Self::Rotate { secret, .. } => Some(secret.source()),
            _ => None,
        }
    }

    /// Refuses a type without the options that it needs.
    pub fn require_sense(&self) -> Result<(), Failure> {
        let Self::Add { kind, host, username, .. } = self else { return Ok(()) };
        let kind = kind.supported()?;
        let needs = kind.needs_host(host.as_deref()).and_then(|()| kind.needs_username(username.as_deref()));
        needs.map_err(|error| Failure::Usage(error.to_string()))
    }
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|word| Kind::parse(&word).ok_or("unknown type"))
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { name, kind, host, username, org, .. } => {
            let org = session.organization(&org).await?;
            let new = NewCredential { name, kind, host, username, secret: session.secret()? };
            let id = credentials::add(appliance, &ACTOR, org.id, new).await?;
            session.output.line(id.to_string());
        }
        Command::List { org, format } => {
            let org = session.organization(&org).await?;
            list(session, org.id, &format).await?;
        }
        Command::Test { name, org } => {
            let org = session.organization(&org).await?;
            test(session, org.id, &name).await?;
        }
        Command::Rotate { name, org, .. } => {
            let org = session.organization(&org).await?;
            credentials::rotate(appliance, &ACTOR, org.id, &name, session.secret()?).await?;
        }
        Command::Remove { name, replace_with, org } => {
            let org = session.organization(&org).await?;
            credentials::remove(appliance, &ACTOR, org.id, &name, replace_with.as_deref()).await?;
        }
    }
    Ok(())
}

async fn test(session: &Session, org: crate::store::ids::OrgId, name: &str) -> Result<(), Failure> {
    let mut bad = false;
    let tell = |finding| match finding {
        Finding::Good(text) => session.output.line(format!("ok: {text}")),
        Finding::Bad(text) => {
            bad = true;
            session.output.line(format!("error: {text}"));
        }
    };
    credentials::test(&session.appliance, &ACTOR, org, name, tell).await?;
    if bad { Err(Failure::Told) } else { Ok(()) }
}

async fn list(session: &Session, org: crate::store::ids::OrgId, format: &ListFormat) -> Result<(), Failure> {
    let now = session.appliance.now();
    let all = credentials::list(&session.appliance, org).await?;
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "name": one.name,
                    "type": one.kind,
                    "host": credentials::host(one),
                    "username": one.username,
                    "expires_at": one.expires_at,
                    "used_by": one.used_by,
                    "status": credentials::status(one, now),
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.kind.clone(),
                credentials::host(one).unwrap_or_default(),
                one.username.clone().unwrap_or_default(),
                one.used_by.to_string(),
                credentials::status(one, now).to_owned(),
            ]
        })
        .collect();
    session.output.line(table(&["NAME", "TYPE", "HOST", "USERNAME", "PACKAGES", "STATUS"], &rows));
    Ok(())
}

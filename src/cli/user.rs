//! `user`: local accounts.

use clap::Subcommand;
use serde_json::{Value, json};

use super::args::ListFormat;
use super::failure::Failure;
use super::input::Source;
use super::session::{ACTOR, Session};
use super::table::table;
use crate::admin::users::{self, NewUser};
use crate::store::accounts;
use crate::store::ids::UserId;

/// Commands about accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an account and print its id
    Add {
        /// Its name
        name: String,
        /// Where the person is reached
        #[arg(long)]
        email: Option<String>,
        /// Let the person administer the instance
        #[arg(long)]
        admin: bool,
        /// Read a password from standard input; without one the person cannot log in with a password
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the accounts
    List(#[command(flatten)] ListFormat),
    /// Let a person administer the server
    Promote {
        /// Its name
        name: String,
    },
    /// Let a person not administer the server any more
    Demote {
        /// Its name
        name: String,
    },
    /// Stop an account and its tokens
    Disable {
        /// Its name
        name: String,
    },
    /// Let a disabled account work again
    Enable {
        /// Its name
        name: String,
    },
    /// Give an account another password, read from standard input
    SetPassword {
        /// Its name
        name: String,
        /// Say that the password comes from standard input, where it is read from anyway
        #[arg(long)]
        password_stdin: bool,
    },
    /// Take away the second factor of somebody who lost it; the password alone opens the account then
    ResetSecondFactor {
        /// Its name
        name: String,
    },
    /// Remove an account with its tokens
    Remove {
        /// Its name
        name: String,
    },
}

impl Command {
    /// Where its secret is.
    pub fn input(&self) -> Option<Source> {
        match self {
            Self::Add { password_stdin: true, .. } | Self::SetPassword { .. } => Some(Source::Stdin),
            _ => None,
        }
    }
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let appliance = &session.appliance;
    match command {
        Command::Add { name, email, admin, password_stdin } => {
            let password = password_stdin.then(|| session.secret()).transpose()?;
            let new = NewUser { name, email, admin, password };
            let id = users::add(appliance, &ACTOR, new).await?;
            session.output.line(id.to_string());
        }
        Command::List(format) => list(session, &format).await?,
        Command::Promote { name } => users::set_admin(appliance, &ACTOR, &name, true).await?,
        Command::Demote { name } => users::set_admin(appliance, &ACTOR, &name, false).await?,
        Command::Disable { name } => users::set_enabled(appliance, &ACTOR, &name, false).await?,
        Command::Enable { name } => users::set_enabled(appliance, &ACTOR, &name, true).await?,
        Command::SetPassword { name, .. } => {
            users::set_password(appliance, &ACTOR, &name, session.secret()?).await?;
        }
        Command::ResetSecondFactor { name } => users::reset_second_factor(appliance, &ACTOR, &name).await?,
        Command::Remove { name } => users::remove(appliance, &ACTOR, &name).await?,
    }
    Ok(())
}

async fn list(session: &Session, format: &ListFormat) -> Result<(), Failure> {
    let all = users::list(&session.appliance).await?;
    let connected = session.appliance.database.read(accounts::connected).await?;
    let integrations = |id: UserId| -> Vec<Value> {
        let own = connected.iter().filter(|(user, ..)| *user == id);
        own.map(|(_, integration, login)| json!({ "integration": integration, "login": login })).collect()
    };
    if format.json {
        let rows: Vec<_> = all
            .iter()
            .map(|user| {
                json!({
                    "name": user.name,
                    "email": user.email,
                    "admin": user.admin,
                    "enabled": user.enabled,
                    "integrations": integrations(user.id),
                    "last_login_at": user.last_login_at,
                })
            })
            .collect();
        session.output.json(&rows)?;
        return Ok(());
    }
    let rows: Vec<_> = all
        .into_iter()
        .map(|user| {
            let role = if user.admin { "administrator" } else { "" };
            let state = if user.enabled { "enabled" } else { "disabled" };
            vec![user.name, user.email.unwrap_or_default(), role.to_owned(), state.to_owned()]
        })
        .collect();
    session.output.line(table(&["NAME", "EMAIL", "ROLE", "STATE"], &rows));
    Ok(())
}

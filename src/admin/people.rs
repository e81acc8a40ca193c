//! People as commands and pages name them: by their name here, or as `integration:login` by an account on a platform.

use rusqlite::Connection;

use super::{Error, Result, users as use_users};
use crate::appliance::Appliance;
use crate::store::members::{self, Person};
use crate::store::users;

/// Somebody who was named.
#[derive(Clone, Debug)]
pub struct Named {
    /// Who it is: the person, where somebody logged in by the account.
    pub person: Person,
    /// The name that everything else shows.
    pub name: String,
}

/// The person with this name.
///
/// # Errors
/// If there is no such person, or accounts on a platform exchanged their logins and it is not known yet who has which.
pub async fn find(appliance: &Appliance, text: &str) -> Result<Named> {
    let text = text.to_owned();
    appliance.database.read(move |db| named(db, &text)).await
}

/// The same in a transaction or a read.
pub(super) fn named(connection: &Connection, text: &str) -> Result<Named> {
    let Some((integration, login)) = text.split_once(':') else {
        let user = use_users::find(connection, text)?;
        return Ok(Named { person: Person::User(user.id), name: user.name });
    };
    let mut found = members::accounts_named(connection, integration, login)?;
    let shown = text.escape_debug();
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(Error::not_found(format!(
            "there is nobody called `{shown}`: INTEGRATION:LOGIN names an account that a synchronization found"
        ))
        .by_command("`member list` shows those of an organization")),
        (Some(_), false) => Err(Error::conflict(format!(
            "several accounts were called `{shown}` one after the other: wait for the next synchronization, or give the person's name here"
        ))),
        (Some(account), true) => match account.user {
            None => {
                let name = format!("{}:{}", account.integration, account.login);
                Ok(Named { person: Person::Account(account.id), name })
            }
            Some(user) => {
                let name = users::by_id(connection, user)?.map(|user| user.name);
                Ok(Named { person: Person::User(user), name: name.unwrap_or_else(|| text.to_owned()) })
            }
        },
    }
}

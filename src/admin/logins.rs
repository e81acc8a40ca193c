//! Signing in: what proves who somebody is, and the session that begins then.
//!
//! An account that does not exist, one that is disabled and a wrong password take the same way and cost the same.

use secrecy::SecretString;
use serde_json::json;

use super::{Actor, Error, Result, Via};
use crate::appliance::Appliance;
use crate::secrets::password;
use crate::store::ids::{AccountId, SessionId};
use crate::store::sessions::{self, New};
use crate::store::users::{self, User};
use crate::store::{self, accounts};

/// Longest name that is looked up, in bytes; longer ones are no name of anybody.
const LONGEST_NAME: usize = 254;

/// What became of a name and a password.
#[derive(Debug)]
pub enum Attempt {
    /// They fit, and open everything.
    Right(User),
    /// They fit, and a second factor is asked for.
    SecondFactor(User),
    /// They do not. Whose account was tried, for the audit log alone.
    Wrong(Option<String>),
}

/// Looks at a name, or e-mail address, and a password. Takes some tens of milliseconds of a thread: whoever calls bounds how
/// many do so at once.
///
/// # Errors
/// If the database cannot be read.
pub async fn attempt(appliance: &Appliance, name: &str, password: SecretString) -> Result<Attempt> {
    let name = name.trim().to_owned();
    let found = appliance.database.read(move |db| find(db, &name)).await?;
    let hash = found.as_ref().and_then(|(_, secrets)| secrets.password.clone());
    let is_right = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => password::verify(&password, &hash),
        None => password::refuse(&password),
    });
    let is_right = is_right.await.map_err(|_| Error::Interrupted)?;
    Ok(match found {
        Some((user, secrets)) if is_right && user.enabled => match secrets.totp_confirmed_at {
            Some(_) => Attempt::SecondFactor(user),
            None => Attempt::Right(user),
        },
        found => Attempt::Wrong(found.map(|(user, _)| user.name)),
    })
}

/// Whether this is the password of somebody who is signed in already. As costly as [`attempt`].
///
/// # Errors
/// If the database cannot be read.
pub async fn is_password(appliance: &Appliance, user: &User, password: SecretString) -> Result<bool> {
    let id = user.id;
    let secrets = appliance.database.read(move |db| users::secrets(db, id)).await?;
    let check = tokio::task::spawn_blocking(move || match secrets.password {
        Some(hash) => password::verify(&password, &hash),
        None => password::refuse(&password),
    });
    check.await.map_err(|_| Error::Interrupted)
}

fn find(connection: &rusqlite::Connection, name: &str) -> store::Result<Option<(User, users::Secrets)>> {
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Ok(None);
    }
    // No name holds an `@`. An address that two people have opens neither.
    let user = match name.contains('@') {
        false => users::by_name(connection, name)?,
        true => {
            Some(users::by_email(connection, name, false)?).filter(|all| all.len() == 1).and_then(|mut all| all.pop())
        }
    };
    user.map(|user| users::secrets(connection, user.id).map(|secrets| (user, secrets))).transpose()
}

/// What a session begins with, beside who begins it.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// SHA-256 of the new cookie's value.
    pub digest: [u8; 32],
    /// By which account of a platform; none for a password.
    pub account: Option<AccountId>,
    /// Where from.
    pub address: String,
    /// The browser's `User-Agent`.
    pub agent: Option<String>,
    /// The session that the browser had until now.
    pub instead_of: Option<SessionId>,
}

/// Begins a session for a person who proved who it is. The browser's former one ends.
///
/// # Errors
/// If the account was disabled or removed meanwhile, or the database cannot be written.
pub async fn begin(appliance: &Appliance, user: &User, beginning: Beginning) -> Result<SessionId> {
    let (id, now) = (user.id, appliance.now());
    let Beginning { digest, account, address, agent, instead_of } = beginning;
    let name = user.name.clone();
    appliance
        .database
        .write(move |tx| {
            let user = users::by_id(tx, id)?.filter(|user| user.enabled).ok_or_else(|| {
                Error::conflict(format!("the account `{name}` is disabled: ask an administrator to enable it"))
            })?;
            if let Some(former) = instead_of {
                tx.execute("DELETE FROM session WHERE id = ?1", [former]).map_err(store::Error::from)?;
            }
            let new = New { digest, user: id, account, address: Some(address.clone()), agent };
            let session = sessions::insert(tx, &new, now)?;
            users::set_logged_in(tx, id, now)?;
            let by = account.map(|account| accounts::by_id(tx, account)).transpose()?.flatten();
            let detail = json!({
                "session": session,
                "by": by.as_ref().map_or("password", |account| account.integration.as_str()),
                "login": by.as_ref().map(|account| account.login.as_str()),
            });
            let actor = Actor::User { name: user.name.clone(), via: Via::Browser, address: Some(address) };
            actor.record(tx, None, "session.log-in", &user.name, detail, now)?;
            Ok(session)
        })
        .await
}

/// Notes that somebody tried in vain. `name`: whose account it was, if there is such a one; what else was typed is nobody's
/// business, because people type their passwords there.
///
/// # Errors
/// If the database cannot be written.
pub async fn note_failure(appliance: &Appliance, name: Option<&str>, address: &str, step: &'static str) -> Result<()> {
    let (now, actor) = (appliance.now(), Actor::Stranger { address: address.to_owned() });
    let subject = name.unwrap_or("(unknown)").to_owned();
    let write = appliance.database.write(move |tx| {
        actor.record(tx, None, "session.refuse", &subject, json!({ "step": step }), now)?;
        Ok(())
    });
    write.await
}

/// Whether the person with this name has a session that began at this address: where the owner is known to be, strangers'
/// attempts at the account do not count.
///
/// # Errors
/// If the database cannot be read.
pub async fn is_at_home(appliance: &Appliance, name: &str, address: &str) -> Result<bool> {
    let (name, address) = (name.trim().to_owned(), address.to_owned());
    let read = appliance.database.read(move |db| {
        let Some((user, _)) = find(db, &name)? else { return Ok::<_, store::Error>(false) };
        Ok(sessions::of_user(db, user.id)?.iter().any(|session| session.address.as_deref() == Some(&*address)))
    });
    Ok(read.await?)
}

//! People and their accounts on platforms.
//!
//! Who comes from a platform is known by (integration, the platform's id) and nothing else: a renamed login stays the same
//! person, a login that somebody else took over is somebody else, and equal names or addresses on two platforms are two people
//! until one of them connects the other account on the profile.

use serde_json::{Value, json};

use super::{Actor, Error, Name, Result, Via, members};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::platform::Identity;
use crate::store::accounts::{self, Account, Recorded, Said};
use crate::store::ids::{AccountId, UserId};
use crate::store::users::{self, User};
use crate::store::{self, Tx, sessions};

/// An integration, as people become known by it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is; this must not change under the same id.
    pub recorded: Recorded,
    /// Whether a first sign-in is taken for that of an account with the same verified address.
    pub link_by_email: bool,
}

/// Why an integration cannot be used: under its id, people are known by another platform.
///
/// # Errors
/// If the database cannot be read, or [`Error::Conflict`], which says what to do.
pub fn require_unchanged(connection: &rusqlite::Connection, id: &str, now: &Recorded) -> Result<()> {
    match accounts::recorded(connection, id)? {
        Some(then) if then != *now => Err(Error::conflict(format!(
            "the integration `{id}` is {} at {} now, and was {} at {} when people became known by it: their accounts would be taken for those of strangers. Give the new platform another id, or set platform and url back",
            now.platform, now.url, then.platform, then.url
        ))),
        _ => Ok(()),
    }
}

/// The person whom a platform has identified: the one its account belongs to, or a new one.
///
/// # Errors
/// If the person's account here is disabled.
pub async fn log_in(
    appliance: &Appliance,
    integration: &Known,
    identity: &Identity,
    address: &str,
) -> Result<(User, AccountId)> {
    let (integration, identity, address) = (integration.clone(), identity.clone(), address.to_owned());
    let now = appliance.now();
    appliance
        .database
        .write(move |tx| {
            let before = accounts::by_subject(tx, &integration.id, &identity.subject)?;
            let account = put(tx, &integration, &identity, now)?;
            let user = match account.user {
                Some(user) => user,
                None => first(tx, &integration, &identity, &account, &address, now)?,
            };
            let user = users::by_id(tx, user)?.ok_or_else(|| Error::conflict("the account was removed: try again"))?;
            if !user.enabled {
                return Err(Error::conflict(format!(
                    "your account here, `{}`, is disabled: ask an administrator to enable it",
                    user.name
                )));
            }
            follow(tx, &user, before.as_ref(), &identity)?;
            accounts::set_logged_in(tx, &account, now)?;
            let actor = Actor::User { name: user.name.clone(), via: Via::Browser, address: Some(address) };
            lift(tx, &account, &actor, now)?;
            Ok((user, account.id))
        })
        .await
}

/// Takes a platform's word that it has an account suspended: as long as it has, nothing that was found for the account counts,
/// for tokens neither, and the sessions that began with it end. An account that nobody knows stays unknown.
///
/// # Errors
/// If the database cannot be written, or the integration is another one by now.
pub async fn suspend(appliance: &Appliance, integration: &Known, subject: &str, address: &str) -> Result<()> {
    let (integration, subject) = (integration.clone(), subject.to_owned());
    let (actor, now) = (Actor::Stranger { address: address.to_owned() }, appliance.now());
    let write = appliance.database.write(move |tx| {
        require_unchanged(tx, &integration.id, &integration.recorded)?;
        let account = accounts::by_subject(tx, &integration.id, &subject)?;
        let Some(account) = account.filter(|account| account.suspended_at.is_none()) else { return Ok(()) };
        accounts::set_suspended(tx, &account, Some(now))?;
        actor.record(tx, None, "account.suspend", &owner(tx, &account)?, detail(&account), now)?;
        Ok(())
    });
    write.await
}

/// Ends the suspension of an account that the platform has just let in.
fn lift(tx: &Tx<'_>, account: &Account, actor: &Actor, now: Timestamp) -> Result<()> {
    // As it was before: the platform's word of now may have been the one that made it somebody's.
    let Some(account) = accounts::by_id(tx, account.id)?.filter(|account| account.suspended_at.is_some()) else {
        return Ok(());
    };
    accounts::set_suspended(tx, &account, None)?;
    actor.record(tx, None, "account.resume", &owner(tx, &account)?, detail(&account), now)?;
    Ok(())
}

/// Whose an account is, as the audit log names it.
fn owner(tx: &Tx<'_>, account: &Account) -> Result<String> {
    let user = account.user.map(|user| users::by_id(tx, user)).transpose()?.flatten();
    Ok(user.map_or_else(|| format!("{}:{}", account.integration, account.login), |user| user.name))
}

/// What the audit log says of an account.
fn detail(account: &Account) -> Value {
    json!({ "integration": account.integration, "login": account.login, "subject": account.subject })
}

/// Makes a platform's account that of a person who is signed in.
///
/// # Errors
/// If it is somebody else's, or the person has another account of this integration.
pub async fn connect(
    appliance: &Appliance,
    actor: &Actor,
    user: &User,
    integration: &Known,
    identity: &Identity,
) -> Result<()> {
    let (integration, identity) = (integration.clone(), identity.clone());
    let (id, name, actor, now) = (user.id, user.name.clone(), actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let platform = &integration.name;
            let account = put(tx, &integration, &identity, now)?;
            match account.user {
                Some(owner) if owner == id => return Ok(()),
                Some(_) => {
                    return Err(Error::conflict(format!(
                        "the account {} of {platform} belongs to somebody else here: if that is you, sign in by it and disconnect it there first",
                        account.login
                    )));
                }
                None => {}
            }
            let others = accounts::of_user(tx, id)?;
            if let Some(other) = others.iter().find(|other| other.integration == integration.id) {
                return Err(Error::conflict(format!(
                    "your account {} of {platform} is connected already: disconnect it first",
                    other.login
                )));
            }
            accounts::connect(tx, account.id, id, now)?;
            lift(tx, &account, &actor, now)?;
            actor.record(tx, None, "account.connect", &name, detail(&account), now)?;
            Ok(())
        })
        .await
}

/// Takes a platform's account from the person it belongs to. The sessions that began with it end.
///
/// # Errors
/// If it is the person's last way in, or not the person's, or an organization would lose its last owner who can get in.
pub async fn disconnect(appliance: &Appliance, actor: &Actor, user: &User, account: AccountId) -> Result<Account> {
    let (id, name, actor, now) = (user.id, user.name.clone(), actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            let all = accounts::of_user(tx, id)?;
            let Some(gone) = all.iter().find(|one| one.id == account) else {
                return Err(Error::not_found("that account is not connected any more"));
            };
            if all.len() == 1 && users::secrets(tx, id)?.password.is_none() {
                return Err(Error::conflict(
                    "this is your last way to sign in: set a password or connect another account first",
                ));
            }
            let owners = members::owners_beside(tx, id, now)?;
            accounts::disconnect(tx, account, id)?;
            members::require_owners(tx, now, &owners)?;
            sessions::remove_by_account(tx, account)?;
            actor.record(tx, None, "account.disconnect", &name, detail(gone), now)?;
            Ok(gone.clone())
        })
        .await
}

/// A person's accounts.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance, user: UserId) -> Result<Vec<Account>> {
    Ok(appliance.database.read(move |db| accounts::of_user(db, user)).await?)
}

fn put(tx: &Tx<'_>, integration: &Known, identity: &Identity, now: Timestamp) -> Result<Account> {
    require_unchanged(tx, &integration.id, &integration.recorded)?;
    accounts::record(tx, &integration.id, &integration.recorded, now)?;
    let email = identity.email.as_ref();
    let said = Said {
        subject: &identity.subject,
        login: &identity.login,
        display_name: identity.display_name.as_deref(),
        email: email.map(|email| email.address.as_str()),
        email_verified: email.is_some_and(|email| email.verified),
    };
    Ok(accounts::put(tx, &integration.id, &said, now)?)
}

/// Whose an account is that nobody signed in by before.
fn first(
    tx: &Tx<'_>,
    integration: &Known,
    identity: &Identity,
    account: &Account,
    address: &str,
    now: Timestamp,
) -> Result<UserId> {
    let detail = detail(account);
    if let Some(user) = by_address(tx, integration, identity)? {
        accounts::connect(tx, account.id, user.id, now)?;
        let actor = Actor::User { name: user.name.clone(), via: Via::Browser, address: Some(address.to_owned()) };
        actor.record(tx, None, "account.connect-by-email", &user.name, detail, now)?;
        return Ok(user.id);
    }
    let name = Name::of_login(&identity.login, |name| users::by_name(tx, name).map(|user| user.is_some()))?;
    let email = identity.email.as_ref().map(|email| email.address.as_str());
    let id = users::insert(tx, name.as_str(), email, false, None, now)?;
    let verified = identity.email.as_ref().is_some_and(|email| email.verified);
    users::set_email(tx, id, email, verified)?;
    accounts::connect(tx, account.id, id, now)?;
    let actor = Actor::User { name: name.to_string(), via: Via::Browser, address: Some(address.to_owned()) };
    actor.record(tx, None, "user.add-by-login", name.as_str(), detail, now)?;
    Ok(id)
}

/// The one account with the same address, where the integration is trusted with that and both addresses are vouched for.
/// Never an administrator's: too much would hang on a platform's word.
fn by_address(tx: &Tx<'_>, integration: &Known, identity: &Identity) -> store::Result<Option<User>> {
    let email = identity.email.as_ref().filter(|email| integration.link_by_email && email.verified);
    let Some(email) = email else { return Ok(None) };
    let mut found = users::by_email(tx, &email.address, true)?;
    if found.len() != 1 {
        return Ok(None);
    }
    let Some(user) = found.pop().filter(|user| user.enabled && !user.admin) else { return Ok(None) };
    let others = accounts::of_user(tx, user.id)?;
    Ok((!others.iter().any(|other| other.integration == integration.id)).then_some(user))
}

/// Display data follow the platform as long as nobody said otherwise here: as long as they are what it said `before`.
fn follow(tx: &Tx<'_>, user: &User, before: Option<&Account>, identity: &Identity) -> store::Result<()> {
    let was = |what: fn(&Account) -> &Option<String>| before.and_then(|account| what(account).as_deref());
    let follows = |here: &Option<String>, was: Option<&str>| here.is_none() || here.as_deref() == was;
    if identity.display_name.is_some() && follows(&user.display_name, was(|account| &account.display_name)) {
        users::set_display_name(tx, user.id, identity.display_name.as_deref())?;
    }
    if let Some(email) = identity.email.as_ref().filter(|_| follows(&user.email, was(|account| &account.email))) {
        users::set_email(tx, user.id, Some(&email.address), email.verified)?;
    }
    Ok(())
}

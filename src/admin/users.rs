//! Local accounts.

use secrecy::SecretString;
use serde_json::json;

use super::{Actor, Error, Name, Result, members, people};
use crate::appliance::Appliance;
use crate::clock::Timestamp;
use crate::secrets::password;
use crate::store::accounts::{self, Account};
use crate::store::ids::{SessionId, UserId};
use crate::store::members::Person;
use crate::store::users::{self, User};
use crate::store::{Tx, sessions, tokens, user_lists};

pub use crate::store::user_lists::Filter;

/// Longest e-mail address, in bytes (RFC 5321, section 4.5.3.1.3).
const LONGEST_EMAIL: usize = 254;
/// Longest name of a person, in characters.
const LONGEST_NAME: usize = 100;

/// What a new account is made of.
#[derive(Debug, Default)]
pub struct NewUser {
    /// Its name.
    pub name: String,
    /// Where the person is reached.
    pub email: Option<String>,
    /// Whether the person administers the instance.
    pub admin: bool,
    /// Its password; without one the person cannot log in with a password.
    pub password: Option<SecretString>,
}

/// An account as lists show it.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The account.
    pub user: User,
    /// The accounts on platforms that the person signs in by.
    pub accounts: Vec<Account>,
}

/// A page of a list of accounts.
#[derive(Clone, Debug)]
pub struct Page {
    /// The accounts, by name.
    pub users: Vec<Listed>,
    /// How many the filter finds.
    pub total: i64,
    /// The name after which the next page begins.
    pub next: Option<String>,
}

/// Up to `size` accounts after the one called `after`.
///
/// # Errors
/// If the database cannot be read.
pub async fn page(appliance: &Appliance, filter: Filter, after: &str, size: usize) -> Result<Page> {
    let (after, limit) = (after.to_owned(), i64::try_from(size + 1).unwrap_or(i64::MAX));
    appliance
        .database
        .read(move |db| {
            let mut found = user_lists::page(db, &filter, &after, limit)?;
            let more = found.len() > size;
            found.truncate(size);
            let next = found.last().filter(|_| more).map(|user| user.name.clone());
            let listed = found.into_iter().map(|user| Ok(Listed { accounts: accounts::of_user(db, user.id)?, user }));
            let users = listed.collect::<Result<_>>()?;
            Ok(Page { users, total: user_lists::count(db, &filter)?, next })
        })
        .await
}

/// An account with what hangs on it.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The account.
    pub user: User,
    /// The accounts on platforms that the person signs in by.
    pub accounts: Vec<Account>,
    /// Browsers in which the person is signed in.
    pub sessions: i64,
    /// User tokens.
    pub tokens: i64,
}

/// The account with this name.
///
/// # Errors
/// If there is no such account.
pub async fn show(appliance: &Appliance, name: &str) -> Result<Detail> {
    let name = name.to_owned();
    let (user, accounts, tokens) = appliance
        .database
        .read(move |db| {
            let user = users::by_name(db, &name)?.ok_or_else(|| Error::not_found("there is no such user"))?;
            let (accounts, tokens) = (accounts::of_user(db, user.id)?, tokens::keys_of_users(db, Some(user.id))?.len());
            Ok::<_, Error>((user, accounts, tokens))
        })
        .await?;
    let sessions = super::sessions::list(appliance, user.id).await?.len();
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    Ok(Detail { user, accounts, sessions: count(sessions), tokens: count(tokens) })
}

/// Every account, by name.
///
/// # Errors
/// If the database cannot be read.
pub async fn list(appliance: &Appliance) -> Result<Vec<User>> {
    Ok(appliance.database.read(users::all).await?)
}

/// Adds an account.
///
/// # Errors
/// If the name is taken, or name, address or password are not acceptable.
pub async fn add(appliance: &Appliance, actor: &Actor, new: NewUser) -> Result<UserId> {
    let (actor, now, new) = (actor.clone(), appliance.now(), prepare(new).await?);
    appliance.database.write(move |tx| insert(tx, &actor, &new, now)).await
}

/// A new account whose parts were found acceptable.
pub(super) struct Prepared {
    pub(super) name: Name,
    email: Option<String>,
    admin: bool,
    hash: Option<String>,
}

/// Checks what a new account is made of, and hashes its password.
pub(super) async fn prepare(new: NewUser) -> Result<Prepared> {
    let name = Name::parse("an account's name", &new.name)?;
    let email = new.email.as_deref().map(email).transpose()?;
    let hash = match new.password {
        Some(password) => Some(hash(password).await?),
        None => None,
    };
    Ok(Prepared { name, email, admin: new.admin, hash })
}

/// Adds an account, with its entry in the audit log.
pub(super) fn insert(tx: &Tx<'_>, actor: &Actor, new: &Prepared, now: Timestamp) -> Result<UserId> {
    let (name, email) = (new.name.as_str(), new.email.as_deref());
    if users::by_name(tx, name)?.is_some() {
        return Err(Error::conflict(format!("there is a user `{name}` already")));
    }
    let id = users::insert(tx, name, email, new.admin, new.hash.as_deref(), now)?;
    actor.record(tx, None, "user.add", name, json!({ "admin": new.admin, "email": email }), now)?;
    Ok(id)
}

/// Says what a person is called, and where it is reached as far as the person says that itself: `email` none leaves the address
/// as it is.
///
/// # Errors
/// If name or address are not acceptable.
pub async fn set_profile(
    appliance: &Appliance,
    actor: &Actor,
    user: &User,
    display_name: &str,
    email: Option<&str>,
) -> Result<()> {
    let display_name = Some(display_name.trim().to_owned()).filter(|name| !name.is_empty());
    if display_name
        .as_deref()
        .is_some_and(|name| name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control))
    {
        return Err(Error::invalid(format!("a name is one line of at most {LONGEST_NAME} characters")));
    }
    let email = match email.map(str::trim) {
        Some("") => Some(None),
        Some(text) => Some(Some(self::email(text)?)),
        None => None,
    };
    let (id, name, actor, now) = (user.id, user.name.clone(), actor.clone(), appliance.now());
    let same_email = email.as_ref().is_none_or(|email| *email == user.email);
    appliance
        .database
        .write(move |tx| {
            users::set_display_name(tx, id, display_name.as_deref())?;
            if let Some(email) = email.as_ref().filter(|_| !same_email) {
                // Nobody else vouches for it, so nobody is recognised by it.
                users::set_email(tx, id, email.as_deref(), false)?;
            }
            let email = email.filter(|_| !same_email);
            actor.record(tx, None, "user.set-profile", &name, json!({ "name": display_name, "email": email }), now)?;
            Ok(())
        })
        .await
}

/// Says whether single keys do something on the person's pages.
///
/// # Errors
/// If the database cannot be written.
pub async fn set_shortcuts(appliance: &Appliance, user: &User, shortcuts: bool) -> Result<()> {
    let id = user.id;
    Ok(appliance.database.write(move |tx| users::set_shortcuts(tx, id, shortcuts)).await?)
}

/// Gives a person another password, as the person asks. All sessions end but the one that asks, which gets another cookie:
/// `keep` is its row and the digest of that.
///
/// # Errors
/// If the password is not acceptable.
pub async fn change_password(
    appliance: &Appliance,
    actor: &Actor,
    user: &User,
    password: SecretString,
    keep: (SessionId, [u8; 32]),
) -> Result<()> {
    let hash = hash(password).await?;
    let (id, name, actor, now) = (user.id, user.name.clone(), actor.clone(), appliance.now());
    appliance
        .database
        .write(move |tx| {
            users::set_password(tx, id, &hash, now)?;
            sessions::remove_all(tx, id, Some(keep.0))?;
            sessions::renew(tx, keep.0, &keep.1, now)?;
            actor.record(tx, None, "user.set-password", &name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// Takes away the second factor of somebody who lost it.
///
/// # Errors
/// If there is no such account, or it has no second factor.
pub async fn reset_second_factor(appliance: &Appliance, actor: &Actor, name: &str) -> Result<()> {
    let name = name.to_owned();
    let user = appliance.database.read(move |db| find(db, &name)).await?;
    super::second_factor::disable(appliance, actor, &user).await
}

/// Stops an account and its tokens, or lets them work again.
///
/// # Errors
/// If there is no such account, or it is the last administrator's, or that of an organization's last owner who can get in.
pub async fn set_enabled(appliance: &Appliance, actor: &Actor, name: &str, enabled: bool) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let user = find(tx, &name)?;
            let owners = members::owners_beside(tx, user.id, now)?;
            if !enabled {
                require_another_administrator(tx, &user, "disabled")?;
            }
            users::set_enabled(tx, user.id, enabled)?;
            members::require_owners(tx, now, &owners)?;
            if !enabled {
                sessions::remove_all(tx, user.id, None)?;
            }
            let action = if enabled { "user.enable" } else { "user.disable" };
            actor.record(tx, None, action, &user.name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// Gives an account another password.
///
/// # Errors
/// If there is no such account, or the password is not acceptable.
pub async fn set_password(appliance: &Appliance, actor: &Actor, name: &str, password: SecretString) -> Result<()> {
    let hash = hash(password).await?;
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let user = find(tx, &name)?;
            users::set_password(tx, user.id, &hash, now)?;
            // Whoever knew the old one is out, and so is everybody who signed in with it.
            sessions::remove_all(tx, user.id, None)?;
            actor.record(tx, None, "user.set-password", &user.name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// Lets a person administer the instance, or not any more. The person's sessions end: what they may do has changed.
///
/// # Errors
/// If there is no such account, or it is the last administrator's, or that of an organization's last owner who can get in.
pub async fn set_admin(appliance: &Appliance, actor: &Actor, name: &str, admin: bool) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let user = find(tx, &name)?;
            if user.admin == admin {
                return Ok(());
            }
            if !admin {
                require_another_administrator(tx, &user, "made an ordinary user")?;
            }
            let owners = members::owners_beside(tx, user.id, now)?;
            users::set_admin(tx, user.id, admin)?;
            // Administrators get in by any way to sign in, others only as the organization wants it.
            members::require_owners(tx, now, &owners)?;
            sessions::remove_all(tx, user.id, None)?;
            let action = if admin { "user.promote" } else { "user.demote" };
            actor.record(tx, None, action, &user.name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// Removes an account with its tokens.
///
/// # Errors
/// If there is no such account, or it is the last administrator's, or that of an organization's last owner who can get in.
pub async fn remove(appliance: &Appliance, actor: &Actor, name: &str) -> Result<()> {
    let (actor, now, name) = (actor.clone(), appliance.now(), name.to_owned());
    appliance
        .database
        .write(move |tx| {
            let user = find(tx, &name)?;
            require_another_administrator(tx, &user, "removed")?;
            let owners = members::owners_beside(tx, user.id, now)?;
            users::remove(tx, user.id)?;
            members::require_owners(tx, now, &owners)?;
            actor.record(tx, None, "user.remove", &user.name, json!({}), now)?;
            Ok(())
        })
        .await
}

/// The account with this name, or with a connected account that `integration:login` names, in a transaction or a read.
pub(super) fn find(connection: &rusqlite::Connection, name: &str) -> Result<User> {
    // No account here has a colon in its name.
    let user = if name.contains(':') {
        let named = people::named(connection, name)?;
        let Person::User(id) = named.person else {
            return Err(Error::conflict(format!(
                "nobody logged in as `{}` yet, so that there is no account here: it begins with the first login",
                named.name
            )));
        };
        users::by_id(connection, id)?
    } else {
        users::by_name(connection, name)?
    };
    user.ok_or_else(|| {
        Error::not_found(format!("there is no user `{}`", name.escape_debug()))
            .by_command("`user list` shows those that there are")
    })
}

/// An instance that nobody administers could be set up by whoever comes first.
fn require_another_administrator(tx: &Tx<'_>, user: &User, what: &str) -> Result<()> {
    if user.admin && user.enabled && users::other_administrators(tx, user.id)? == 0 {
        let refused = Error::conflict(format!(
            "`{}` is the last administrator and cannot be {what} before there is another one",
            user.name
        ));
        return Err(refused.by_command("`user add NAME --admin` adds one"));
    }
    Ok(())
}

/// Hashing takes tens of milliseconds, which async threads must not spend.
async fn hash(password: SecretString) -> Result<String> {
    tokio::task::spawn_blocking(move || password::hash(&password))
        .await
        .map_err(|_| Error::Interrupted)?
        .map_err(|error| Error::invalid(error.to_string()))
}

/// Whether a text is an e-mail address.
pub(super) fn check_email(text: &str) -> Result<()> {
    email(text).map(drop)
}

fn email(text: &str) -> Result<String> {
    let text = text.trim();
    let has_parts = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    if !has_parts || text.len() > LONGEST_EMAIL || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Error::invalid("the e-mail address must look like `ada@example.com`"));
    }
    Ok(text.to_owned())
}

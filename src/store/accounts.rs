//! Accounts on platforms, and the people they belong to. An account is known by (integration, subject) for ever; all else
//! about it follows what the platform says.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{AccountId, UserId};
use super::{Result, Tx, sessions};
use crate::clock::Timestamp;

/// An account on a platform.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its row.
    pub id: AccountId,
    /// The integration that it is known by.
    pub integration: String,
    /// The platform's stable id of it.
    pub subject: String,
    /// What it is called there now.
    pub login: String,
    /// What the person is called there now.
    pub display_name: Option<String>,
    /// Its e-mail address there.
    pub email: Option<String>,
    /// Whether the platform says that the address is the person's.
    pub email_verified: bool,
    /// Since when the platform has it suspended.
    pub suspended_at: Option<Timestamp>,
    /// Whose it is here, once that person signed in by it.
    pub user: Option<UserId>,
    /// Since when.
    pub connected_at: Option<Timestamp>,
    /// When somebody last signed in by it.
    pub last_login_at: Option<Timestamp>,
}

/// What the platform says of an account.
#[derive(Clone, Debug)]
pub struct Said<'a> {
    /// The platform's stable id of it.
    pub subject: &'a str,
    /// What it is called there.
    pub login: &'a str,
    /// What the person is called there.
    pub display_name: Option<&'a str>,
    /// Its e-mail address there, if it is known.
    pub email: Option<&'a str>,
    /// Whether the platform says that the address is the person's.
    pub email_verified: bool,
}

/// What an integration was when people first became known by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// `github`, `gitlab`, `bitbucket-cloud` or `bitbucket-datacenter`.
    pub platform: String,
    /// Its address.
    pub url: String,
}

const SELECT: &str =
    "SELECT id, integration, subject, login, display_name, email, email_verified, suspended_at, user_id,
        connected_at, last_login_at FROM account";

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        integration: row.get(1)?,
        subject: row.get(2)?,
        login: row.get(3)?,
        display_name: row.get(4)?,
        email: row.get(5)?,
        email_verified: row.get(6)?,
        suspended_at: row.get(7)?,
        user: row.get(8)?,
        connected_at: row.get(9)?,
        last_login_at: row.get(10)?,
    })
}

/// What an integration was at its first use; none if it was never used.
///
/// # Errors
/// If the database cannot be read.
pub fn recorded(connection: &Connection, integration: &str) -> Result<Option<Recorded>> {
    Ok(connection
        .prepare_cached("SELECT platform, url FROM integration WHERE id = ?1")?
        .query_row([integration], |row| Ok(Recorded { platform: row.get(0)?, url: row.get(1)? }))
        .optional()?)
}

/// Records what an integration is, unless that is known already.
///
/// # Errors
/// If the database cannot be written.
pub fn record(tx: &Tx<'_>, integration: &str, is: &Recorded, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO integration (id, platform, url, recorded_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute((integration, &is.platform, &is.url, now))?;
    Ok(())
}

/// Takes over what the platform says of an account, which is added if it was not known. Its integration must be recorded.
///
/// # Errors
/// If the database cannot be written.
pub fn put(tx: &Tx<'_>, integration: &str, said: &Said<'_>, now: Timestamp) -> Result<Account> {
    tx.prepare_cached(
        "INSERT INTO account (integration, subject, login, display_name, email, email_verified, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (integration, subject) DO UPDATE SET login = excluded.login,
             display_name = coalesce(excluded.display_name, display_name),
             email_verified = CASE WHEN excluded.email IS NULL THEN email_verified ELSE excluded.email_verified END,
             email = coalesce(excluded.email, email)",
    )?
    .execute((integration, said.subject, said.login, said.display_name, said.email, said.email_verified, now))?;
    let found = by_subject(tx, integration, said.subject)?;
    found.ok_or_else(|| super::Error::Corrupt("an account that was just written is not there".to_owned()))
}

/// The account that the platform knows by this id.
///
/// # Errors
/// If the database cannot be read.
pub fn by_subject(connection: &Connection, integration: &str, subject: &str) -> Result<Option<Account>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE integration = ?1 AND subject = ?2"))?
        .query_row([integration, subject], account)
        .optional()?)
}

/// The account of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(connection: &Connection, id: AccountId) -> Result<Option<Account>> {
    Ok(connection.prepare_cached(&format!("{SELECT} WHERE id = ?1"))?.query_row([id], account).optional()?)
}

/// A person's accounts, by integration.
///
/// # Errors
/// If the database cannot be read.
pub fn of_user(connection: &Connection, user: UserId) -> Result<Vec<Account>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE user_id = ?1 ORDER BY integration, id"))?
        .query_map([user], account)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Every account that belongs to somebody: whose, by which integration, under which login.
///
/// # Errors
/// If the database cannot be read.
pub fn connected(connection: &Connection) -> Result<Vec<(UserId, String, String)>> {
    connection
        .prepare_cached(
            "SELECT user_id, integration, login FROM account WHERE user_id IS NOT NULL ORDER BY integration, id",
        )?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Says whose an account is, from now on.
///
/// # Errors
/// If the database cannot be written.
pub fn connect(tx: &Tx<'_>, id: AccountId, user: UserId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE account SET user_id = ?2, connected_at = ?3 WHERE id = ?1", (id, user, now))?;
    tx.changed(super::database::Change::User(user));
    Ok(())
}

/// Says that an account is nobody's here any more.
///
/// # Errors
/// If the database cannot be written.
pub fn disconnect(tx: &Tx<'_>, id: AccountId, user: UserId) -> Result<()> {
    tx.execute("UPDATE account SET user_id = NULL, connected_at = NULL WHERE id = ?1 AND user_id = ?2", (id, user))?;
    tx.changed(super::database::Change::User(user));
    Ok(())
}

/// Records a sign-in by an account.
///
/// # Errors
/// If the database cannot be written.
pub fn set_logged_in(tx: &Tx<'_>, account: &Account, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE account SET last_login_at = ?2 WHERE id = ?1", (account.id, now))?;
    Ok(())
}

/// Records since when the platform has an account suspended; the sessions that began with it end, and what was found for it
/// counts no more. None: it is not, or not any more.
///
/// # Errors
/// If the database cannot be written.
pub fn set_suspended(tx: &Tx<'_>, account: &Account, since: Option<Timestamp>) -> Result<()> {
    tx.execute("UPDATE account SET suspended_at = ?2 WHERE id = ?1", (account.id, since))?;
    if since.is_some() {
        sessions::remove_by_account(tx, account.id)?;
    }
    account.user.into_iter().for_each(|user| tx.changed(super::database::Change::User(user)));
    Ok(())
}

/// All accounts of an integration that were ever seen.
///
/// # Errors
/// If the database cannot be read.
pub fn of_integration(connection: &Connection, integration: &str) -> Result<Vec<Account>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE integration = ?1"))?
        .query_map([integration], account)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

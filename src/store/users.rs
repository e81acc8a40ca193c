//! Accounts: of the instance, not of one organization.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::UserId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A person's account.
#[derive(Clone, Debug)]
pub struct User {
    /// Its row.
    pub id: UserId,
    /// Its name in commands.
    pub name: String,
    /// Where the person is reached; display data.
    pub email: Option<String>,
    /// Whether the person administers the instance.
    pub admin: bool,
    /// Whether the account and its tokens work.
    pub enabled: bool,
    /// When the person last logged in.
    pub last_login_at: Option<Timestamp>,
    /// What the person is called.
    pub display_name: Option<String>,
    /// Since when the password is what it is; none for a person who has none.
    pub password_set_at: Option<Timestamp>,
    /// Since when the password alone opens nothing.
    pub second_factor_at: Option<Timestamp>,
    /// Whether single keys do something on pages.
    pub shortcuts: bool,
}

impl User {
    /// What the person is called, or the account if nobody said.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.display_name.as_deref().unwrap_or(&self.name)
    }
}

/// What proves who somebody is.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// The password as an argon2id hash.
    pub password: Option<String>,
    /// The sealed secret of the second factor.
    pub totp: Option<Vec<u8>>,
    /// Since when it is in force.
    pub totp_confirmed_at: Option<Timestamp>,
    /// The step of the last code that was taken.
    pub totp_step: i64,
}

// Accounts from before there were dates have a password since they were made.
pub(super) const COLUMNS: &str = "id, name, email, admin, enabled, last_login_at, display_name,
    CASE WHEN password IS NULL THEN NULL ELSE coalesce(password_set_at, created_at) END, totp_confirmed_at, shortcuts";

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        admin: row.get(3)?,
        enabled: row.get(4)?,
        last_login_at: row.get(5)?,
        display_name: row.get(6)?,
        password_set_at: row.get(7)?,
        second_factor_at: row.get(8)?,
        shortcuts: row.get(9)?,
    })
}

/// Adds an account; `password` is an argon2id hash, or none for a person who logs in elsewhere.
///
/// # Errors
/// A conflict if the name is taken.
pub fn insert(
    tx: &Tx<'_>,
    name: &str,
    email: Option<&str>,
    admin: bool,
    password: Option<&str>,
    now: Timestamp,
) -> Result<UserId> {
    tx.execute(
        "INSERT INTO user (name, email, admin, password, created_at, password_set_at)
         VALUES (?1, ?2, ?3, ?4, ?5, CASE WHEN ?4 IS NULL THEN NULL ELSE ?5 END)",
        (name, email, admin, password, now),
    )?;
    let id = UserId(tx.last_insert_rowid());
    tx.changed(Change::User(id));
    Ok(id)
}

/// Every account, by name.
///
/// # Errors
/// If the database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<User>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM user ORDER BY name"))?
        .query_map([], user)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The account with this name.
///
/// # Errors
/// If the database cannot be read.
pub fn by_name(connection: &Connection, name: &str) -> Result<Option<User>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM user WHERE name = ?1"))?
        .query_row([name], user)
        .optional()?)
}

/// The account of this row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(connection: &Connection, id: UserId) -> Result<Option<User>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM user WHERE id = ?1"))?
        .query_row([id], user)
        .optional()?)
}

/// How many enabled administrators there are beside `except`.
///
/// # Errors
/// If the database cannot be read.
pub fn other_administrators(connection: &Connection, except: UserId) -> Result<i64> {
    Ok(connection.query_row(
        "SELECT count(*) FROM user WHERE admin = 1 AND enabled = 1 AND id <> ?1",
        [except],
        |row| row.get(0),
    )?)
}

/// Whether anybody administers the instance, or could once the account is enabled.
///
/// # Errors
/// If the database cannot be read.
pub fn has_administrator(connection: &Connection) -> Result<bool> {
    Ok(connection.query_row("SELECT EXISTS (SELECT 1 FROM user WHERE admin = 1)", [], |row| row.get(0))?)
}

/// Lets an account work, or stops it and its tokens.
///
/// # Errors
/// If the database cannot be written.
pub fn set_enabled(tx: &Tx<'_>, id: UserId, enabled: bool) -> Result<()> {
    tx.execute("UPDATE user SET enabled = ?2 WHERE id = ?1", (id, enabled))?;
    tx.changed(Change::User(id));
    Ok(())
}

/// Lets a person administer the instance, or not any more.
///
/// # Errors
/// If the database cannot be written.
pub fn set_admin(tx: &Tx<'_>, id: UserId, admin: bool) -> Result<()> {
    tx.execute("UPDATE user SET admin = ?2 WHERE id = ?1", (id, admin))?;
    tx.changed(Change::User(id));
    Ok(())
}

/// Gives an account another password, as an argon2id hash.
///
/// # Errors
/// If the database cannot be written.
pub fn set_password(tx: &Tx<'_>, id: UserId, password: &str, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE user SET password = ?2, password_set_at = ?3 WHERE id = ?1", (id, password, now))?;
    Ok(())
}

/// What proves who the person is.
///
/// # Errors
/// If the database cannot be read.
pub fn secrets(connection: &Connection, id: UserId) -> Result<Secrets> {
    Ok(connection
        .prepare_cached("SELECT password, totp, totp_confirmed_at, totp_step FROM user WHERE id = ?1")?
        .query_row([id], |row| {
            Ok(Secrets {
                password: row.get(0)?,
                totp: row.get(1)?,
                totp_confirmed_at: row.get(2)?,
                totp_step: row.get(3)?,
            })
        })
        .optional()?
        .unwrap_or_default())
}

/// Gives an account the sealed secret of a second factor, which is in force once it is confirmed; or takes both away.
///
/// # Errors
/// If the database cannot be written.
pub fn set_totp(tx: &Tx<'_>, id: UserId, sealed: Option<&[u8]>) -> Result<()> {
    tx.execute("UPDATE user SET totp = ?2, totp_confirmed_at = NULL, totp_step = 0 WHERE id = ?1", (id, sealed))?;
    Ok(())
}

/// Puts the second factor in force.
///
/// # Errors
/// If the database cannot be written.
pub fn confirm_totp(tx: &Tx<'_>, id: UserId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE user SET totp_confirmed_at = ?2 WHERE id = ?1", (id, now))?;
    Ok(())
}

/// Uses up the code of a step, and all before it; whether that step was still to be had.
///
/// # Errors
/// If the database cannot be written.
pub fn take_totp_step(tx: &Tx<'_>, id: UserId, step: i64) -> Result<bool> {
    Ok(tx.execute("UPDATE user SET totp_step = ?2 WHERE id = ?1 AND totp_step < ?2", (id, step))? > 0)
}

/// Records a sign-in.
///
/// # Errors
/// If the database cannot be written.
pub fn set_logged_in(tx: &Tx<'_>, id: UserId, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE user SET last_login_at = ?2 WHERE id = ?1", (id, now))?;
    Ok(())
}

/// Says what a person is called.
///
/// # Errors
/// If the database cannot be written.
pub fn set_display_name(tx: &Tx<'_>, id: UserId, display_name: Option<&str>) -> Result<()> {
    tx.execute("UPDATE user SET display_name = ?2 WHERE id = ?1", (id, display_name))?;
    Ok(())
}

/// Says where a person is reached. `verified`: whether somebody else than the person vouches for it.
///
/// # Errors
/// If the database cannot be written.
pub fn set_email(tx: &Tx<'_>, id: UserId, email: Option<&str>, verified: bool) -> Result<()> {
    tx.execute("UPDATE user SET email = ?2, email_verified = ?3 WHERE id = ?1", (id, email, verified))?;
    Ok(())
}

/// Says whether single keys do something on the person's pages.
///
/// # Errors
/// If the database cannot be written.
pub fn set_shortcuts(tx: &Tx<'_>, id: UserId, shortcuts: bool) -> Result<()> {
    tx.execute("UPDATE user SET shortcuts = ?2 WHERE id = ?1", (id, shortcuts))?;
    Ok(())
}

/// The accounts with this e-mail address, without regard to case. `vouched`: only where somebody else than the person said
/// that it is theirs.
///
/// # Errors
/// If the database cannot be read.
pub fn by_email(connection: &Connection, email: &str, vouched: bool) -> Result<Vec<User>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM user WHERE lower(email) = lower(?1) AND email_verified >= ?2 ORDER BY id"
        ))?
        .query_map((email, vouched), user)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The e-mail addresses that somebody vouched for, in lower case, of whoever has no account of an integration. Of one that several
/// people have nobody knows whose it is, and administrators' are left out: too much would hang on a platform's word.
///
/// # Errors
/// If the database cannot be read.
pub fn unconnected_addresses(connection: &Connection, integration: &str, limit: i64) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT one.address FROM (
                 SELECT lower(email) AS address, max(id) AS id, count(*) AS people, max(admin) AS admin,
                     min(enabled) AS enabled
                 FROM user WHERE email IS NOT NULL AND email_verified = 1 GROUP BY 1) one
             WHERE one.people = 1 AND one.admin = 0 AND one.enabled = 1
                 AND NOT EXISTS (SELECT 1 FROM account a WHERE a.user_id = one.id AND a.integration = ?1)
             ORDER BY 1 LIMIT ?2",
        )?
        .query_map((integration, limit), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Removes an account with its tokens.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(tx: &Tx<'_>, id: UserId) -> Result<()> {
    tx.execute("DELETE FROM user WHERE id = ?1", [id])?;
    tx.changed(Change::User(id));
    Ok(())
}

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
}

const COLUMNS: &str = "id, name, email, admin, enabled, last_login_at";

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        admin: row.get(3)?,
        enabled: row.get(4)?,
        last_login_at: row.get(5)?,
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
        "INSERT INTO user (name, email, admin, password, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
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

/// Lets an account work, or stops it and its tokens.
///
/// # Errors
/// If the database cannot be written.
pub fn set_enabled(tx: &Tx<'_>, id: UserId, enabled: bool) -> Result<()> {
    tx.execute("UPDATE user SET enabled = ?2 WHERE id = ?1", (id, enabled))?;
    tx.changed(Change::User(id));
    Ok(())
}

/// Gives an account another password, as an argon2id hash.
///
/// # Errors
/// If the database cannot be written.
pub fn set_password(tx: &Tx<'_>, id: UserId, password: &str) -> Result<()> {
    tx.execute("UPDATE user SET password = ?2 WHERE id = ?1", (id, password))?;
    Ok(())
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

//! GitHub Apps that were made from the pages here, and who is on the way to make one. They are the instance's, as the
//! integrations are.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{GithubAppId, SessionId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// An App that was made here.
#[derive(Clone, Debug)]
pub struct GithubApp {
    /// Its row, by which its secrets are sealed.
    pub id: GithubAppId,
    /// The integration that it is of.
    pub integration: String,
    /// GitHub's number of it.
    pub app: i64,
    /// Its name in addresses.
    pub slug: String,
    /// The account that owns it there.
    pub owner: String,
    /// Its private key, sealed.
    pub private_key: Vec<u8>,
    /// What signs its deliveries, sealed.
    pub webhook_secret: Option<Vec<u8>>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
}

const SELECT: &str = "SELECT id, integration, app_id, slug, owner, private_key, webhook_secret, made_by, made_at
    FROM github_app";

fn github_app(row: &Row<'_>) -> rusqlite::Result<GithubApp> {
    Ok(GithubApp {
        id: row.get(0)?,
        integration: row.get(1)?,
        app: row.get(2)?,
        slug: row.get(3)?,
        owner: row.get(4)?,
        private_key: row.get(5)?,
        webhook_secret: row.get(6)?,
        made_by: row.get(7)?,
        made_at: row.get(8)?,
    })
}

/// All of them.
///
/// # Errors
/// If the database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<GithubApp>> {
    connection
        .prepare_cached(&format!("{SELECT} ORDER BY id"))?
        .query_map([], github_app)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The one of an integration.
///
/// # Errors
/// If the database cannot be read.
pub fn of(connection: &Connection, integration: &str) -> Result<Option<GithubApp>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE integration = ?1"))?
        .query_row([integration], github_app)
        .optional()?)
}

/// Adds an App, still without its secrets. Its integration must be recorded.
///
/// # Errors
/// A conflict if the integration has one.
pub fn insert(
    tx: &Tx<'_>,
    integration: &str,
    (app, slug, owner): (i64, &str, &str),
    made_by: &str,
    now: Timestamp,
) -> Result<GithubAppId> {
    tx.execute(
        "INSERT INTO github_app (integration, app_id, slug, owner, private_key, made_by, made_at)
         VALUES (?1, ?2, ?3, ?4, x'', ?5, ?6)",
        (integration, app, slug, owner, made_by, now),
    )?;
    Ok(GithubAppId(tx.last_insert_rowid()))
}

/// Stores an App's secrets, sealed.
///
/// # Errors
/// If the database cannot be written.
pub fn set_secrets(tx: &Tx<'_>, id: GithubAppId, private_key: &[u8], webhook_secret: Option<&[u8]>) -> Result<()> {
    tx.execute(
        "UPDATE github_app SET private_key = ?2, webhook_secret = ?3 WHERE id = ?1",
        (id, private_key, webhook_secret),
    )?;
    Ok(())
}

/// Forgets the App of an integration; whether there was one.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(tx: &Tx<'_>, integration: &str) -> Result<bool> {
    Ok(tx.execute("DELETE FROM github_app WHERE integration = ?1", [integration])? > 0)
}

/// Remembers that a browser set out to make an App.
///
/// # Errors
/// If the database cannot be written.
pub fn set_out(tx: &Tx<'_>, digest: &[u8; 32], integration: &str, session: SessionId, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO github_app_request (digest, integration, session_id, created_at) VALUES (?1, ?2, ?3, ?4)",
        (digest.as_slice(), integration, session, now),
    )?;
    Ok(())
}

/// Ends what [`set_out`] began, whoever asks; whether it was this integration's and this browser's, and began after `oldest`.
/// What is older is forgotten.
///
/// # Errors
/// If the database cannot be written.
pub fn come_back(
    tx: &Tx<'_>,
    digest: &[u8; 32],
    integration: &str,
    session: SessionId,
    oldest: Timestamp,
) -> Result<bool> {
    tx.execute("DELETE FROM github_app_request WHERE created_at <= ?1", [oldest])?;
    let found: Option<(String, SessionId)> = tx
        .prepare_cached("DELETE FROM github_app_request WHERE digest = ?1 RETURNING integration, session_id")?
        .query_row([digest.as_slice()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.is_some_and(|(own, browser)| own == integration && browser == session))
}

//! Webhooks that tell of a whole platform, which its administrators enter there by hand: the instance's, as the integrations
//! are. Which synchronizations one of their deliveries concerns.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{OrgId, SyncId, SystemHookId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// Such a webhook.
#[derive(Clone, Debug)]
pub struct SystemHook {
    /// Its row, by which its secrets are sealed.
    pub id: SystemHookId,
    /// The integration whose platform calls.
    pub integration: String,
    /// The random part of its address, sealed.
    pub address: Vec<u8>,
    /// What signs deliveries, sealed.
    pub secret: Vec<u8>,
    /// Who made it.
    pub made_by: String,
    /// When.
    pub made_at: Timestamp,
    /// Since when deliveries are signed by the strongest scheme of the platform.
    pub signed_at: Option<Timestamp>,
    /// Since when calls come that are not signed with the secret.
    pub unsigned_since: Option<Timestamp>,
    /// When it last called, signed rightly.
    pub last_delivery_at: Option<Timestamp>,
    /// What that call called itself.
    pub last_event: Option<String>,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
}

const SELECT: &str =
    "SELECT id, integration, address, secret, made_by, made_at, signed_at, unsigned_since, last_delivery_at,
        last_event, removed_at FROM system_hook";

fn hook(row: &Row<'_>) -> rusqlite::Result<SystemHook> {
    Ok(SystemHook {
        id: row.get(0)?,
        integration: row.get(1)?,
        address: row.get(2)?,
        secret: row.get(3)?,
        made_by: row.get(4)?,
        made_at: row.get(5)?,
        signed_at: row.get(6)?,
        unsigned_since: row.get(7)?,
        last_delivery_at: row.get(8)?,
        last_event: row.get(9)?,
        removed_at: row.get(10)?,
    })
}

/// The one of an integration.
///
/// # Errors
/// If the database cannot be read.
pub fn of(connection: &Connection, integration: &str) -> Result<Option<SystemHook>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE integration = ?1 AND removed_at IS NULL"))?
        .query_row([integration], hook)
        .optional()?)
}

/// The one whose address has this digest, be it removed.
///
/// # Errors
/// If the database cannot be read.
pub fn by_digest(connection: &Connection, digest: &[u8; 32]) -> Result<Option<SystemHook>> {
    Ok(connection
        .prepare_cached(&format!("{SELECT} WHERE digest = ?1"))?
        .query_row([digest.as_slice()], hook)
        .optional()?)
}

/// Adds one, still without its sealed texts. Its integration must be recorded.
///
/// # Errors
/// A conflict if the integration has one.
pub fn insert(
    tx: &Tx<'_>,
    integration: &str,
    digest: &[u8; 32],
    made_by: &str,
    now: Timestamp,
) -> Result<SystemHookId> {
    tx.execute(
        "INSERT INTO system_hook (integration, digest, address, secret, made_by, made_at) VALUES (?1, ?2, x'', x'', ?3, ?4)",
        (integration, digest.as_slice(), made_by, now),
    )?;
    Ok(SystemHookId(tx.last_insert_rowid()))
}

/// Stores the sealed random part of its address, and the sealed secret.
///
/// # Errors
/// If the database cannot be written.
pub fn set_sealed(tx: &Tx<'_>, id: SystemHookId, address: &[u8], secret: &[u8]) -> Result<()> {
    tx.execute("UPDATE system_hook SET address = ?2, secret = ?3 WHERE id = ?1", (id, address, secret))?;
    Ok(())
}

/// Removes the one of an integration; its address is answered kindly for a while. Whether there was one.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(tx: &Tx<'_>, integration: &str, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        "UPDATE system_hook SET removed_at = ?2 WHERE integration = ?1 AND removed_at IS NULL",
        (integration, now),
    )?;
    Ok(changed > 0)
}

/// Notes a call that was right, by what it called itself.
///
/// # Errors
/// If the database cannot be written.
pub fn note_call(tx: &Tx<'_>, id: SystemHookId, event: &str, signed: bool, now: Timestamp) -> Result<()> {
    tx.prepare_cached(
        "UPDATE system_hook SET last_delivery_at = ?2, last_event = ?3, unsigned_since = NULL,
             signed_at = CASE WHEN ?4 THEN coalesce(signed_at, ?2) ELSE signed_at END WHERE id = ?1",
    )?
    .execute((id, now, event, signed))?;
    Ok(())
}

/// Notes that calls come that are not signed with the secret.
///
/// # Errors
/// If the database cannot be written.
pub fn note_unsigned(tx: &Tx<'_>, id: SystemHookId, now: Timestamp) -> Result<()> {
    tx.prepare_cached("UPDATE system_hook SET unsigned_since = coalesce(unsigned_since, ?2) WHERE id = ?1")?
        .execute((id, now))?;
    Ok(())
}

/// Forgets those that were removed before an instant.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM system_hook WHERE removed_at < ?1", [before])?;
    Ok(())
}

/// A synchronization that follows something at an integration.
#[derive(Clone, Debug)]
pub struct Follower {
    /// Whose it is.
    pub org: OrgId,
    /// Its row.
    pub sync: SyncId,
    /// What it follows, as people call it there.
    pub remote: String,
    /// The platform's id of that; none before the first run.
    pub remote_id: Option<String>,
}

/// The synchronizations at an integration that are not paused.
///
/// # Errors
/// If the database cannot be read.
pub fn followers(connection: &Connection, integration: &str) -> Result<Vec<Follower>> {
    connection
        .prepare_cached(
            "SELECT s.org_id, s.id, s.remote, s.remote_id FROM sync s
             JOIN organization o ON o.id = s.org_id AND o.removed_at IS NULL
             WHERE s.integration = ?1 AND s.paused_at IS NULL ORDER BY s.id",
        )?
        .query_map([integration], |row| {
            Ok(Follower { org: row.get(0)?, sync: row.get(1)?, remote: row.get(2)?, remote_id: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Whether a synchronization found this repository.
///
/// # Errors
/// If the database cannot be read.
pub fn knows_repository(connection: &Connection, one: &Follower, id: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM repository WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3)",
        )?
        .query_row((one.org, one.sync, id), |row| row.get(0))?)
}

/// Whether a synchronization found this team.
///
/// # Errors
/// If the database cannot be read.
pub fn knows_team(connection: &Connection, one: &Follower, id: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM team WHERE org_id = ?1 AND sync_id = ?2 AND remote_id = ?3)")?
        .query_row((one.org, one.sync, id), |row| row.get(0))?)
}

/// Whether a synchronization read anything of which this stands in the address.
///
/// # Errors
/// If the database cannot be read.
pub fn has_read(connection: &Connection, one: &Follower, part: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM sync_page WHERE org_id = ?1 AND sync_id = ?2 AND instr(url, ?3) > 0)",
        )?
        .query_row((one.org, one.sync, part), |row| row.get(0))?)
}

/// Whether a synchronization found this account anywhere.
///
/// # Errors
/// If the database cannot be read.
pub fn knows_account(connection: &Connection, one: &Follower, integration: &str, subject: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM account a WHERE a.integration = ?3 AND a.subject = ?4 AND (
                 EXISTS (SELECT 1 FROM found_member f WHERE f.account_id = a.id AND f.org_id = ?1 AND f.sync_id = ?2)
                 OR EXISTS (SELECT 1 FROM package_grant g WHERE g.account_id = a.id AND g.org_id = ?1 AND g.sync_id = ?2)
                 OR EXISTS (SELECT 1 FROM team_member m JOIN team t ON t.org_id = m.org_id AND t.id = m.team_id
                     WHERE m.account_id = a.id AND t.org_id = ?1 AND t.sync_id = ?2)))",
        )?
        .query_row((one.org, one.sync, integration, subject), |row| row.get(0))?)
}

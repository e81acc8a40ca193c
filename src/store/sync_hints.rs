//! What events say that the next run of a synchronization has to look at. A hint is never believed: it names what to read.

use rusqlite::Connection;

use super::ids::{OrgId, SyncId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Its row; later ones have higher ones.
    pub id: i64,
    /// What to look at: JSON.
    pub touch: String,
}

/// Adds a hint.
///
/// # Errors
/// If the database cannot be written.
pub fn insert(org: OrgId, tx: &Tx<'_>, sync: SyncId, touch: &str, now: Timestamp) -> Result<()> {
    tx.prepare_cached("INSERT INTO sync_hint (org_id, sync_id, touch, created_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((org, sync, touch, now))?;
    Ok(())
}

/// The hints for a synchronization, oldest first.
///
/// # Errors
/// If the database cannot be read.
pub fn of(org: OrgId, connection: &Connection, sync: SyncId) -> Result<Vec<Hint>> {
    connection
        .prepare_cached("SELECT id, touch FROM sync_hint WHERE org_id = ?1 AND sync_id = ?2 ORDER BY id")?
        .query_map((org, sync), |row| Ok(Hint { id: row.get(0)?, touch: row.get(1)? }))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Forgets the hints up to this one, which a run has looked at.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_until(org: OrgId, tx: &Tx<'_>, sync: SyncId, last: i64) -> Result<()> {
    tx.execute("DELETE FROM sync_hint WHERE org_id = ?1 AND sync_id = ?2 AND id <= ?3", (org, sync, last))?;
    Ok(())
}

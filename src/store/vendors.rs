//! The vendors that an organization owns: names under them are never left to public repositories.

use rusqlite::Connection;

use super::database::Change;
use super::ids::OrgId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// The organization's vendors, in order.
///
/// # Errors
/// If the database cannot be read.
pub fn all(org: OrgId, connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT name FROM vendor WHERE org_id = ?1 ORDER BY name")?
        .query_map([org], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Whether the organization owns `vendor`.
///
/// # Errors
/// If the database cannot be read.
pub fn is_owned(org: OrgId, connection: &Connection, vendor: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM vendor WHERE org_id = ?1 AND name = ?2)")?
        .query_row((org, vendor), |row| row.get(0))?)
}

/// Makes `vendor` the organization's; whether it was not before.
///
/// # Errors
/// If the database cannot be written.
pub fn add(org: OrgId, tx: &Tx<'_>, vendor: &str, now: Timestamp) -> Result<bool> {
    let added = tx
        .prepare_cached("INSERT INTO vendor (org_id, name, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute((org, vendor, now))?;
    if added > 0 {
        tx.changed(Change::Organization(org));
    }
    Ok(added > 0)
}

/// Gives `vendor` up; whether it was owned.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, vendor: &str) -> Result<bool> {
    let removed = tx.execute("DELETE FROM vendor WHERE org_id = ?1 AND name = ?2", (org, vendor))?;
    if removed > 0 {
        tx.changed(Change::Organization(org));
    }
    Ok(removed > 0)
}

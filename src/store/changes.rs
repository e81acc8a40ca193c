//! What `metadata/changes.json` tells a mirror.

use rusqlite::Connection;

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A change of a file.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// Whose file it was.
    pub package: PackageId,
    /// The name, or the name with `~dev`.
    pub file: String,
    /// `update` or `delete`.
    pub kind: String,
    /// When: microseconds since the epoch.
    pub at: Timestamp,
}

/// Records a change; an older one of the same file is superseded.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, package: PackageId, file: &str, kind: &str, now: Timestamp) -> Result<()> {
    tx.prepare_cached("DELETE FROM change WHERE org_id = ?1 AND file = ?2")?.execute((org, file))?;
    tx.prepare_cached("INSERT INTO change (org_id, package_id, file, kind, at) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((org, package, file, kind, now))?;
    Ok(())
}

/// The changes in `[since, until)`, oldest first, at most `limit`.
///
/// # Errors
/// If the database cannot be read.
pub fn between(
    org: OrgId,
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
    limit: i64,
) -> Result<Vec<FileChange>> {
    connection
        .prepare_cached(
            "SELECT package_id, file, kind, at FROM change
             WHERE org_id = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, id LIMIT ?4",
        )?
        .query_map((org, since, until, limit), |row| {
            Ok(FileChange { package: row.get(0)?, file: row.get(1)?, kind: row.get(2)?, at: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Forgets the changes of all organizations before `before`.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute("DELETE FROM change WHERE at < ?1", [before])?;
    Ok(())
}

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
    /// When, by the clock.
    pub time: Timestamp,
}

/// Records a change; an older one of the same file is superseded. Changes are dated in the order of their commits,
/// also when the clock steps back, so that whoever has read up to an instant misses none.
///
/// # Errors
/// If the database cannot be written.
pub fn record(org: OrgId, tx: &Tx<'_>, package: PackageId, file: &str, kind: &str, now: Timestamp) -> Result<()> {
    let at = end(org, tx)?.map_or(now, |end| end.max(now));
    tx.prepare_cached(
        "INSERT INTO change (org_id, package_id, file, kind, at, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (org_id, file) DO UPDATE SET
             package_id = excluded.package_id, kind = excluded.kind, at = excluded.at, time = excluded.time",
    )?
    .execute((org, package, file, kind, at, now))?;
    Ok(())
}

/// The unit in which mirrors count, in microseconds: two changes of different units are never told apart wrongly.
pub const UNIT: i64 = 100;

/// The instant before which no change will be recorded any more, on a whole [`UNIT`]; none if none ever was.
///
/// # Errors
/// If the database cannot be read.
pub fn end(org: OrgId, connection: &Connection) -> Result<Option<Timestamp>> {
    let last: Option<Timestamp> = connection
        .prepare_cached("SELECT max(at) FROM change WHERE org_id = ?1")?
        .query_row([org], |row| row.get(0))?;
    Ok(last.map(|last| Timestamp::from_micros((last.as_micros() / UNIT + 1) * UNIT)))
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
            "SELECT package_id, file, kind, time FROM change
             WHERE org_id = ?1 AND at >= ?2 AND at < ?3 ORDER BY at, id LIMIT ?4",
        )?
        .query_map((org, since, until, limit), |row| {
            Ok(FileChange { package: row.get(0)?, file: row.get(1)?, kind: row.get(2)?, time: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Forgets the changes of all organizations before `before`, but never an organization's last: from it the next is dated.
///
/// # Errors
/// If the database cannot be written.
pub fn prune(tx: &Tx<'_>, before: Timestamp) -> Result<()> {
    tx.execute(
        "DELETE FROM change WHERE at < ?1
             AND at < (SELECT max(newest.at) FROM change newest WHERE newest.org_id = change.org_id)",
        [before],
    )?;
    Ok(())
}

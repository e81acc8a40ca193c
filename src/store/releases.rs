//! The newest releases of an organization.

use rusqlite::{Connection, Row};

use super::Result;
use super::ids::{OrgId, PackageId};
use crate::clock::Timestamp;

/// A released version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// Whose it is.
    pub package: PackageId,
    /// The package's name.
    pub name: String,
    /// The version as people write it.
    pub version: String,
    /// Its date: seconds since the epoch.
    pub released_at: i64,
    /// When somebody told of it; none where nobody did.
    pub announced_at: Option<Timestamp>,
    /// When it came to be served.
    pub served_at: Option<Timestamp>,
}

fn release(row: &Row<'_>) -> rusqlite::Result<Release> {
    Ok(Release {
        package: row.get(0)?,
        name: row.get(1)?,
        version: row.get(2)?,
        released_at: row.get(3)?,
        announced_at: row.get(4)?,
        served_at: row.get(5)?,
    })
}

/// The newest releases since an instant, newest first: of the packages in `visible` (a JSON array of ids), or of all.
///
/// # Errors
/// If the database cannot be read.
pub fn newest(
    org: OrgId,
    connection: &Connection,
    visible: Option<&str>,
    since: Timestamp,
    limit: i64,
) -> Result<Vec<Release>> {
    connection
        .prepare_cached(
            "SELECT l.package_id, l.name, v.version, v.released_at, v.announced_at, v.served_at
             FROM version v INDEXED BY version_released
             JOIN listing l ON l.org_id = v.org_id AND l.id = v.listing_id
             WHERE v.org_id = ?1 AND v.dev = 0 AND v.released_at >= ?2 AND l.current = 1
                 AND (?3 IS NULL OR l.package_id IN (SELECT value FROM json_each(?3)))
             ORDER BY v.released_at DESC LIMIT ?4",
        )?
        .query_map((org, since.as_seconds(), visible, limit), release)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How long versions took from being announced to being served, since an instant: of the packages in `visible`, or of all;
/// in microseconds, shortest first.
///
/// # Errors
/// If the database cannot be read.
pub fn lags(org: OrgId, connection: &Connection, visible: Option<&str>, since: Timestamp) -> Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT max(u.ended_at - u.asked_at, 0) FROM update_run u
             WHERE u.org_id = ?1 AND u.cause = 'hook' AND u.outcome = 'changed' AND u.ended_at >= ?2
                 AND (?3 IS NULL OR u.package_id IN (SELECT value FROM json_each(?3)))
             ORDER BY 1",
        )?
        .query_map((org, since, visible), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

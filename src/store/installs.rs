//! How often which version was installed, by day.

use rusqlite::Connection;

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};

/// Counts installations of a version on a day (days since the epoch).
///
/// # Errors
/// If the database cannot be written, or the package is gone.
pub fn add(org: OrgId, tx: &Tx<'_>, package: PackageId, version: &str, day: i64, installs: i64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO install (org_id, package_id, version_normalized, day, installs)
         SELECT org_id, id, ?3, ?4, ?5 FROM package WHERE org_id = ?1 AND id = ?2
         ON CONFLICT DO UPDATE SET installs = installs + excluded.installs",
    )?
    .execute((org, package, version, day, installs))?;
    Ok(())
}

/// How often the package was installed in all.
///
/// # Errors
/// If the database cannot be read.
pub fn total(org: OrgId, connection: &Connection, package: PackageId) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT coalesce(sum(installs), 0) FROM install WHERE org_id = ?1 AND package_id = ?2")?
        .query_row((org, package), |row| row.get(0))?)
}

//! How often which version was installed, by day.

use rusqlite::Connection;

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};

/// Counts installations of a version on a day (days since the epoch). What is no version of the package is not counted:
/// clients may claim anything.
///
/// # Errors
/// If the database cannot be written.
pub fn add(org: OrgId, tx: &Tx<'_>, package: PackageId, version: &str, day: i64, installs: i64) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO install (org_id, package_id, version_normalized, day, installs)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM version v
             JOIN listing l ON l.org_id = v.org_id AND l.id = v.listing_id
             WHERE l.org_id = ?1 AND l.package_id = ?2 AND v.version_normalized = ?3)
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

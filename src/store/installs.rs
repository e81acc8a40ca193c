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
    let counted = tx
        .prepare_cached(
            "INSERT INTO install (org_id, package_id, version_normalized, day, installs)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM version v
             JOIN listing l ON l.org_id = v.org_id AND l.id = v.listing_id
             WHERE l.org_id = ?1 AND l.package_id = ?2 AND v.version_normalized = ?3)
         ON CONFLICT DO UPDATE SET installs = installs + excluded.installs",
        )?
        .execute((org, package, version, day, installs))?;
    if counted > 0 {
        tx.prepare_cached("UPDATE package SET recent_installs = recent_installs + ?3 WHERE org_id = ?1 AND id = ?2")?
            .execute((org, package, installs))?;
    }
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

/// How often anything of the organization was installed on each day since one (days since the epoch): of the packages in
/// `visible` (a JSON array of ids), or of all. Days without are left out.
///
/// # Errors
/// If the database cannot be read.
pub fn by_day(org: OrgId, connection: &Connection, visible: Option<&str>, since: i64) -> Result<Vec<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT day, sum(installs) FROM install INDEXED BY install_day
             WHERE org_id = ?1 AND day >= ?2
                 AND (?3 IS NULL OR package_id IN (SELECT value FROM json_each(?3)))
             GROUP BY day ORDER BY day",
        )?
        .query_map((org, since, visible), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How often a package was installed on each day since one. Days without are left out.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId, since: i64) -> Result<Vec<(i64, i64)>> {
    connection
        .prepare_cached(
            "SELECT day, sum(installs) FROM install
             WHERE org_id = ?1 AND package_id = ?2 AND day >= ?3 GROUP BY day ORDER BY day",
        )?
        .query_map((org, package, since), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The last day on which a package was installed (days since the epoch).
///
/// # Errors
/// If the database cannot be read.
pub fn last_day(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT max(day) FROM install WHERE org_id = ?1 AND package_id = ?2")?
        .query_row((org, package), |row| row.get(0))?)
}

/// Counts anew, for every package of every organization, what was installed since a day: what lists sort by.
///
/// # Errors
/// If the database cannot be written.
pub fn count_recent(tx: &Tx<'_>, since: i64) -> Result<()> {
    tx.execute(
        "UPDATE package SET recent_installs = recent.installs FROM (
             SELECT p.id, coalesce(sum(i.installs), 0) AS installs FROM package p
             LEFT JOIN install i ON i.org_id = p.org_id AND i.package_id = p.id AND i.day >= ?1
             GROUP BY p.id) AS recent
         WHERE package.id = recent.id AND package.recent_installs <> recent.installs",
        [since],
    )?;
    Ok(())
}

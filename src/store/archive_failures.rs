//! The last archive of each package that could not be built.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// An archive that could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveFailure {
    /// The commit.
    pub reference: String,
    /// Why.
    pub error: String,
    /// When.
    pub failed_at: Timestamp,
}

/// The package's last failure since that commit's archive was built.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<ArchiveFailure>> {
    Ok(connection
        .prepare_cached(
            "SELECT reference, error, failed_at FROM archive_failure WHERE org_id = ?1 AND package_id = ?2",
        )?
        .query_row((org, package), |row| {
            Ok(ArchiveFailure { reference: row.get(0)?, error: row.get(1)?, failed_at: row.get(2)? })
        })
        .optional()?)
}

/// Remembers a failure in place of an earlier one; a package that was removed meanwhile has none.
///
/// # Errors
/// If the database cannot be written.
pub fn put(org: OrgId, tx: &Tx<'_>, package: PackageId, failure: &ArchiveFailure) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO archive_failure (org_id, package_id, reference, error, failed_at)
         SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM package WHERE org_id = ?1 AND id = ?2)
         ON CONFLICT (org_id, package_id) DO UPDATE SET reference = excluded.reference,
             error = excluded.error, failed_at = excluded.failed_at",
    )?
    .execute((org, package, &failure.reference, &failure.error, failure.failed_at))?;
    Ok(())
}

/// Forgets the failure of a commit whose archive was built.
///
/// # Errors
/// If the database cannot be written.
pub fn clear(org: OrgId, tx: &Tx<'_>, package: PackageId, reference: &str) -> Result<()> {
    tx.prepare_cached("DELETE FROM archive_failure WHERE org_id = ?1 AND package_id = ?2 AND reference = ?3")?
        .execute((org, package, reference))?;
    Ok(())
}

/// An archive that could not be built, with its package.
#[derive(Clone, Debug)]
pub struct OfPackage {
    /// The package.
    pub package: PackageId,
    /// Its name.
    pub name: String,
    /// What happened.
    pub failure: ArchiveFailure,
}

/// The organization's newest archives that could not be built, one a package, newest first.
///
/// # Errors
/// If the database cannot be read.
pub fn newest(org: OrgId, connection: &Connection, limit: i64) -> Result<Vec<OfPackage>> {
    connection
        .prepare_cached(
            "SELECT f.package_id, coalesce(p.name, p.url), f.reference, f.error, f.failed_at FROM archive_failure f
             JOIN package p ON p.org_id = f.org_id AND p.id = f.package_id
             WHERE f.org_id = ?1 ORDER BY f.failed_at DESC LIMIT ?2",
        )?
        .query_map((org, limit), |row| {
            let failure = ArchiveFailure { reference: row.get(2)?, error: row.get(3)?, failed_at: row.get(4)? };
            Ok(OfPackage { package: row.get(0)?, name: row.get(1)?, failure })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

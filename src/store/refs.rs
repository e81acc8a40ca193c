//! The remote's refs as last listed, with the reason where one is no version.

use rusqlite::Connection;

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};

/// A ref of the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ref {
    /// In full: `refs/tags/…` or `refs/heads/…`.
    pub name: String,
    /// The object it names.
    pub target: String,
    /// Why it is no version; none if it is one.
    pub reason: Option<String>,
}

/// Replaces what is known about the package's refs.
///
/// # Errors
/// If the database cannot be written.
pub fn replace(org: OrgId, tx: &Tx<'_>, package: PackageId, refs: &[Ref]) -> Result<()> {
    tx.prepare_cached("DELETE FROM ref WHERE org_id = ?1 AND package_id = ?2")?.execute((org, package))?;
    let mut insert =
        tx.prepare_cached("INSERT INTO ref (org_id, package_id, name, target, reason) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for known in refs {
        insert.execute((org, package, &known.name, &known.target, &known.reason))?;
    }
    Ok(())
}

/// The package's refs that are no version, by name.
///
/// # Errors
/// If the database cannot be read.
pub fn skipped(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<Ref>> {
    connection
        .prepare_cached(
            "SELECT name, target, reason FROM ref
             WHERE org_id = ?1 AND package_id = ?2 AND reason IS NOT NULL ORDER BY name",
        )?
        .query_map((org, package), |row| Ok(Ref { name: row.get(0)?, target: row.get(1)?, reason: row.get(2)? }))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

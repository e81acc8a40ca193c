//! What the latest version of each package needs, and so who needs a package.

use rusqlite::Connection;

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};

/// Something that a package needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The name of what is needed.
    pub target: String,
    /// Whether only for the package's own development.
    pub dev: bool,
    /// Which versions will do.
    pub range: String,
}

/// A package that needs another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// Which it is.
    pub package: PackageId,
    /// Its name.
    pub name: String,
    /// Whether it needs it only for its own development.
    pub dev: bool,
    /// Which versions will do.
    pub range: String,
}

/// Replaces what is known of a package's needs.
///
/// # Errors
/// If the database cannot be written.
pub fn replace(org: OrgId, tx: &Tx<'_>, package: PackageId, needs: &[Requirement]) -> Result<()> {
    tx.prepare_cached("DELETE FROM requirement WHERE org_id = ?1 AND package_id = ?2")?.execute((org, package))?;
    let mut insert = tx.prepare_cached(
        "INSERT OR IGNORE INTO requirement (org_id, package_id, target, dev, range) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for need in needs {
        insert.execute((org, package, &need.target, need.dev, &need.range))?;
    }
    Ok(())
}

/// The packages whose latest version needs the name, by name.
///
/// # Errors
/// If the database cannot be read.
pub fn dependents(org: OrgId, connection: &Connection, name: &str) -> Result<Vec<Dependent>> {
    connection
        .prepare_cached(
            "SELECT p.id, p.name, min(r.dev), r.range FROM requirement r
             JOIN package p ON p.org_id = r.org_id AND p.id = r.package_id
             WHERE r.org_id = ?1 AND r.target = ?2 AND p.name IS NOT NULL
             GROUP BY p.id ORDER BY p.name",
        )?
        .query_map((org, name), |row| {
            Ok(Dependent { package: row.get(0)?, name: row.get(1)?, dev: row.get(2)?, range: row.get(3)? })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

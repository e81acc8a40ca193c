//! The READMEs of packages, as their repositories have them: what is shown of one is made of it when it is asked for.

use rusqlite::{Connection, OptionalExtension};

use super::Result;
use super::Tx;
use super::ids::{OrgId, PackageId};

/// A package's README.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readme {
    /// The file's name, which tells how it is written.
    pub name: String,
    /// What identifies its content.
    pub blob: String,
    /// How large the file is, in bytes.
    pub size: i64,
    /// Its text; none if it is too long to be kept.
    pub text: Option<String>,
}

/// The package's README.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, package: PackageId) -> Result<Option<Readme>> {
    Ok(connection
        .prepare_cached("SELECT name, blob, size, text FROM readme WHERE org_id = ?1 AND package_id = ?2")?
        .query_row((org, package), |row| {
            Ok(Readme { name: row.get(0)?, blob: row.get(1)?, size: row.get(2)?, text: row.get(3)? })
        })
        .optional()?)
}

/// Sets the package's README, or that it has none.
///
/// # Errors
/// If the database cannot be written.
pub fn set(org: OrgId, tx: &Tx<'_>, package: PackageId, readme: Option<&Readme>) -> Result<()> {
    match readme {
        None => {
            tx.prepare_cached("DELETE FROM readme WHERE org_id = ?1 AND package_id = ?2")?.execute((org, package))?
        }
        Some(readme) => tx
            .prepare_cached(
                "INSERT INTO readme (org_id, package_id, name, blob, size, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET name = excluded.name, blob = excluded.blob, size = excluded.size,
                     text = excluded.text
                 WHERE name <> excluded.name OR blob <> excluded.blob",
            )?
            .execute((org, package, &readme.name, &readme.blob, readme.size, &readme.text))?,
    };
    Ok(())
}

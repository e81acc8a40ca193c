//! The names under which packages are and were published.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{ListingId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A name of a package.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Its row.
    pub id: ListingId,
    /// Whose name it is.
    pub package: PackageId,
    /// The name.
    pub name: String,
    /// Whether the package has it now; a former one is abandoned in favour of the current.
    pub current: bool,
}

const COLUMNS: &str = "id, package_id, name, current";

fn listing(row: &Row<'_>) -> rusqlite::Result<Listing> {
    Ok(Listing { id: row.get(0)?, package: row.get(1)?, name: row.get(2)?, current: row.get(3)? })
}

/// The listing with this name, current or former.
///
/// # Errors
/// If the database cannot be read.
pub fn by_name(org: OrgId, connection: &Connection, name: &str) -> Result<Option<Listing>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM listing WHERE org_id = ?1 AND name = ?2"))?
        .query_row((org, name), listing)
        .optional()?)
}

/// A package's names, the current one first.
///
/// # Errors
/// If the database cannot be read.
pub fn of_package(org: OrgId, connection: &Connection, id: PackageId) -> Result<Vec<Listing>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM listing WHERE org_id = ?1 AND package_id = ?2 ORDER BY current DESC, name"
        ))?
        .query_map((org, id), listing)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Says since when the package has the name by itself; none: somebody decided it, so that nobody takes it by coming first.
///
/// # Errors
/// If the database cannot be written.
pub fn set_named(org: OrgId, tx: &Tx<'_>, id: ListingId, at: Option<Timestamp>) -> Result<()> {
    let at = at.map_or(0, Timestamp::as_micros);
    tx.execute("UPDATE listing SET named_at = ?3 WHERE org_id = ?1 AND id = ?2", (org, id, at))?;
    Ok(())
}

/// Gives the package this name; what it was called before becomes a former name.
///
/// # Errors
/// A conflict if another package has or had the name.
pub fn make_current(org: OrgId, tx: &Tx<'_>, package: PackageId, name: &str) -> Result<ListingId> {
    tx.execute(
        "UPDATE listing SET current = 0 WHERE org_id = ?1 AND package_id = ?2 AND name <> ?3",
        (org, package, name),
    )?;
    tx.execute(
        "INSERT INTO listing (org_id, package_id, name, current) SELECT ?1, ?2, ?3, 1
         WHERE NOT EXISTS (SELECT 1 FROM listing WHERE org_id = ?1 AND package_id = ?2 AND name = ?3)",
        (org, package, name),
    )?;
    tx.execute(
        "UPDATE listing SET current = 1 WHERE org_id = ?1 AND package_id = ?2 AND name = ?3",
        (org, package, name),
    )?;
    Ok(tx.query_row(
        "SELECT id FROM listing WHERE org_id = ?1 AND package_id = ?2 AND name = ?3",
        (org, package, name),
        |row| row.get(0),
    )?)
}

//! What the catalog holds of each published name, in one query.

use rusqlite::{Connection, Row};

use super::Result;
use super::documents::Document;
use super::ids::{OrgId, PackageId};
use crate::composer::name::PackageName;

/// A published name with its documents.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: PackageName,
    /// Whether the package has the name now.
    pub current: bool,
    /// The package.
    pub package: PackageId,
    /// What it is for.
    pub description: Option<String>,
    /// Composer's package type.
    pub kind: Option<String>,
    /// Whether it is abandoned: JSON.
    pub abandoned: Option<String>,
    /// The current name of the package.
    pub successor: Option<String>,
    /// Whether its repository is gone: only its archives are served.
    pub retired: bool,
    /// Whether the name is blocked.
    pub blocked: bool,
    /// The document of releases.
    pub stable: Option<Document>,
    /// The document of branches.
    pub dev: Option<Document>,
}

fn document(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Document>> {
    let body: Option<Vec<u8>> = row.get(at)?;
    body.map(|body| Ok(Document { body, last_modified: row.get(at + 1)? })).transpose()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        name: row.get(0)?,
        current: row.get(1)?,
        package: row.get(2)?,
        description: row.get(3)?,
        kind: row.get(4)?,
        abandoned: row.get(5)?,
        successor: row.get(6)?,
        stable: document(row, 7)?,
        dev: document(row, 9)?,
        retired: row.get(12)?,
        blocked: row.get(13)?,
    })
}

/// Whether only this row is to blame: it holds what this release does not understand. Everything else is an error of the
/// database.
fn is_of_the_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
    )
}

/// The names of one package, or of all the organization's. What this release does not understand is logged and left out,
/// so that one such row never takes the others along.
///
/// # Errors
/// If the database cannot be read.
pub fn entries(org: OrgId, connection: &Connection, package: Option<PackageId>) -> Result<Vec<Entry>> {
    let one = if package.is_some() { "AND l.package_id = ?2" } else { "AND ?2 IS NULL" };
    connection
        .prepare_cached(&format!(
            "SELECT l.name, l.current, l.package_id, p.description, p.type, p.abandoned, p.name,
                 s.body, s.last_modified, d.body, d.last_modified, l.id, p.retired_at IS NOT NULL,
                 p.vcs = 'blocked'
             FROM listing l
             JOIN package p ON p.org_id = l.org_id AND p.id = l.package_id
             LEFT JOIN document s ON s.org_id = l.org_id AND s.listing_id = l.id AND s.dev = 0
             LEFT JOIN document d ON d.org_id = l.org_id AND d.listing_id = l.id AND d.dev = 1
             WHERE l.org_id = ?1 {one}"
        ))?
        .query_map((org, package), |row| match entry(row) {
            Err(error) if is_of_the_row(&error) => {
                let listing: i64 = row.get(11)?;
                tracing::error!(
                    organization.id = org.0,
                    listing.id = listing,
                    error = %error,
                    "A published name cannot be read and is not served: update or remove its package."
                );
                Ok(None)
            }
            entry => entry.map(Some),
        })?
        .filter_map(rusqlite::Result::transpose)
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The ids of the organization's packages, published or not.
///
/// # Errors
/// If the database cannot be read.
pub fn package_ids(org: OrgId, connection: &Connection) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached("SELECT id FROM package WHERE org_id = ?1 ORDER BY id")?
        .query_map([org], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

//! Organizations: found by slug, so these functions take no id.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::OrgId;
use super::{Result, Tx};
use crate::clock::Timestamp;

/// One Composer repository with its packages, credentials and tokens.
#[derive(Clone, Debug)]
pub struct Organization {
    /// Its row.
    pub id: OrgId,
    /// Its name in addresses and commands.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

const COLUMNS: &str = "id, slug, name";

fn organization(row: &Row<'_>) -> rusqlite::Result<Organization> {
    Ok(Organization { id: row.get(0)?, slug: row.get(1)?, name: row.get(2)? })
}

/// Adds an organization.
///
/// # Errors
/// A conflict if the slug is taken, now or formerly.
pub fn insert(tx: &Tx<'_>, slug: &str, name: &str, now: Timestamp) -> Result<OrgId> {
    tx.prepare_cached("INSERT INTO organization (slug, name, created_at) VALUES (?1, ?2, ?3)")?
        .execute((slug, name, now))?;
    let id = OrgId(tx.last_insert_rowid());
    tx.changed(Change::Organization(id));
    Ok(id)
}

/// Every organization, by slug.
///
/// # Errors
/// If the database cannot be read.
pub fn all(connection: &Connection) -> Result<Vec<Organization>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization ORDER BY slug"))?
        .query_map([], organization)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The organization with this slug.
///
/// # Errors
/// If the database cannot be read.
pub fn by_slug(connection: &Connection, slug: &str) -> Result<Option<Organization>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization WHERE slug = ?1"))?
        .query_row([slug], organization)
        .optional()?)
}

/// The organization's row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection) -> Result<Option<Organization>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization WHERE id = ?1"))?
        .query_row([org], organization)
        .optional()?)
}

/// Whether a slug is or was somebody else's than `except`'s.
///
/// # Errors
/// If the database cannot be read.
pub fn is_taken(connection: &Connection, slug: &str, except: Option<OrgId>) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM organization WHERE slug = ?1 AND id IS NOT ?2)
                 OR EXISTS (SELECT 1 FROM former_slug WHERE slug = ?1 AND org_id IS NOT ?2)",
        )?
        .query_row((slug, except), |row| row.get(0))?)
}

/// The addresses that an organization had before it was renamed.
///
/// # Errors
/// If the database cannot be read.
pub fn former_slugs(org: OrgId, connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT slug FROM former_slug WHERE org_id = ?1 ORDER BY slug")?
        .query_map([org], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Gives an organization another slug and name; the old slug stays an address of it.
///
/// # Errors
/// A conflict if the slug is taken.
pub fn rename(org: OrgId, tx: &Tx<'_>, slug: &str, name: &str) -> Result<()> {
    tx.execute(
        "INSERT OR IGNORE INTO former_slug (slug, org_id) SELECT slug, id FROM organization WHERE id = ?1",
        [org],
    )?;
    tx.execute("DELETE FROM former_slug WHERE slug = ?1 AND org_id = ?2", (slug, org))?;
    tx.execute("UPDATE organization SET slug = ?2, name = ?3 WHERE id = ?1", (org, slug, name))?;
    tx.changed(Change::Organization(org));
    Ok(())
}

/// Removes an organization with everything in it.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, now: Timestamp) -> Result<()> {
    tx.execute("UPDATE hook SET removed_at = coalesce(removed_at, ?2) WHERE org_id = ?1", (org, now))?;
    tx.execute("DELETE FROM package WHERE org_id = ?1", [org])?;
    tx.execute("DELETE FROM organization WHERE id = ?1", [org])?;
    tx.changed(Change::Organization(org));
    tx.changed(Change::Tokens(org));
    tx.changed(Change::Hooks);
    Ok(())
}

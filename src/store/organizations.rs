//! Organizations: found by slug, so some of these functions take no id.
//!
//! Removing one with thousands of packages takes many transactions, or everybody else would have to wait for it. So it is
//! hidden first: nothing here finds it any more but [`removals`], and its slugs are free.

use rusqlite::{Connection, OptionalExtension, Row};

use super::database::Change;
use super::ids::{OrgId, PackageId};
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
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization WHERE removed_at IS NULL ORDER BY slug"))?
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
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization WHERE slug = ?1 AND removed_at IS NULL"))?
        .query_row([slug], organization)
        .optional()?)
}

/// The organization's row.
///
/// # Errors
/// If the database cannot be read.
pub fn by_id(org: OrgId, connection: &Connection) -> Result<Option<Organization>> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM organization WHERE id = ?1 AND removed_at IS NULL"))?
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

/// Hides an organization that is being removed: for everybody it is gone, and its slugs are free; whether it was there.
/// What it held stays until all that is [`left`] was removed, and then [`remove_rest`] says that it is done.
///
/// # Errors
/// If the database cannot be written.
pub fn hide(org: OrgId, tx: &Tx<'_>, now: Timestamp) -> Result<bool> {
    // No name that somebody can choose has a space.
    let hidden = tx.execute(
        "UPDATE organization SET slug = 'removed ' || id, removed_at = ?2 WHERE id = ?1 AND removed_at IS NULL",
        (org, now),
    )?;
    tx.execute("DELETE FROM former_slug WHERE org_id = ?1", [org])?;
    tx.changed(Change::Organization(org));
    tx.changed(Change::Tokens(org));
    tx.changed(Change::Hooks);
    Ok(hidden > 0)
}

/// The organizations of the instance that are being removed, and since when.
///
/// # Errors
/// If the database cannot be read.
pub fn removals(connection: &Connection) -> Result<Vec<(OrgId, Timestamp)>> {
    connection
        .prepare_cached("SELECT id, removed_at FROM organization WHERE removed_at IS NOT NULL ORDER BY id")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Up to `limit` packages of a hidden organization, to be removed next.
///
/// # Errors
/// If the database cannot be read.
pub fn left(org: OrgId, connection: &Connection, limit: i64) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached(
            "SELECT p.id FROM package p JOIN organization o ON o.id = p.org_id AND o.removed_at IS NOT NULL
             WHERE p.org_id = ?1 ORDER BY p.id LIMIT ?2",
        )?
        .query_map((org, limit), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// What a hidden organization may have thousands of rows in beside its packages.
const LARGE: [&str; 9] = [
    "DELETE FROM package_grant WHERE id IN (SELECT id FROM package_grant WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM team_member WHERE id IN (SELECT id FROM team_member WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM found_member WHERE org_id = ?1 AND (sync_id, account_id) IN
         (SELECT sync_id, account_id FROM found_member WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM change WHERE id IN (SELECT id FROM change WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM document_date WHERE org_id = ?1 AND (name, dev) IN
         (SELECT name, dev FROM document_date WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM root_date WHERE org_id = ?1 AND digest IN
         (SELECT digest FROM root_date WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM job_line WHERE (job_id, number) IN (SELECT l.job_id, l.number FROM job_line l
         JOIN job j ON j.id = l.job_id WHERE j.org_id = ?1 LIMIT ?2)",
    "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE org_id = ?1 LIMIT ?2)",
    "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE org_id = ?1 LIMIT ?2)",
];

/// Removes about `limit` more rows of a hidden organization that has no packages any more, and at last the organization;
/// whether that is done.
///
/// # Errors
/// If the database cannot be written.
pub fn remove_rest(org: OrgId, tx: &Tx<'_>, limit: usize) -> Result<bool> {
    let mut room = limit;
    for statement in LARGE {
        let gone = tx.prepare_cached(statement)?.execute((org, i64::try_from(room).unwrap_or(i64::MAX)))?;
        room = room.saturating_sub(gone);
        if room == 0 {
            return Ok(false);
        }
    }
    tx.execute("DELETE FROM organization WHERE id = ?1 AND removed_at IS NOT NULL", [org])?;
    Ok(true)
}

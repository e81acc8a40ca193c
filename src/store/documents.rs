//! Rendered p2 documents and their dates.

use rusqlite::{Connection, OptionalExtension};

use super::ids::{ListingId, OrgId, PackageId};
use super::{Result, Tx};

/// A rendered document.
#[derive(Clone, Debug)]
pub struct Document {
    /// The JSON, gzipped.
    pub body: Vec<u8>,
    /// Its date: seconds since the epoch.
    pub last_modified: i64,
}

/// The date that the next rendering of a file gets: now, but later than any before.
///
/// # Errors
/// If the database cannot be written.
pub fn next_date(org: OrgId, tx: &Tx<'_>, name: &str, dev: bool, now: i64) -> Result<i64> {
    Ok(tx
        .prepare_cached(
            "INSERT INTO document_date (org_id, name, dev, last_modified) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (org_id, name, dev)
             DO UPDATE SET last_modified = max(excluded.last_modified, last_modified + 1)
             RETURNING last_modified",
        )?
        .query_row((org, name, dev, now), |row| row.get(0))?)
}

/// Stores a rendering. `render_key`: what the bytes depend on beside the versions.
///
/// # Errors
/// If the database cannot be written.
pub fn put(
    org: OrgId,
    tx: &Tx<'_>,
    listing: ListingId,
    dev: bool,
    document: &Document,
    render_key: &str,
) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO document (org_id, listing_id, dev, body, last_modified, render_key)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (org_id, listing_id, dev) DO UPDATE SET body = excluded.body,
             last_modified = excluded.last_modified, render_key = excluded.render_key",
    )?
    .execute((org, listing, dev, &document.body, document.last_modified, render_key))?;
    Ok(())
}

/// Marks a rendering whose bytes came out the same under another key.
///
/// # Errors
/// If the database cannot be written.
pub fn set_render_key(org: OrgId, tx: &Tx<'_>, listing: ListingId, dev: bool, render_key: &str) -> Result<()> {
    tx.prepare_cached("UPDATE document SET render_key = ?4 WHERE org_id = ?1 AND listing_id = ?2 AND dev = ?3")?
        .execute((org, listing, dev, render_key))?;
    Ok(())
}

/// The rendering of a name's document.
///
/// # Errors
/// If the database cannot be read.
pub fn of_listing(org: OrgId, connection: &Connection, listing: ListingId, dev: bool) -> Result<Option<Document>> {
    Ok(connection
        .prepare_cached("SELECT body, last_modified FROM document WHERE org_id = ?1 AND listing_id = ?2 AND dev = ?3")?
        .query_row((org, listing, dev), |row| Ok(Document { body: row.get(0)?, last_modified: row.get(1)? }))
        .optional()?)
}

/// Whether the package has a document that was rendered under another key than `render_key`.
///
/// # Errors
/// If the database cannot be read.
pub fn is_outdated(org: OrgId, connection: &Connection, package: PackageId, render_key: &str) -> Result<bool> {
    Ok(connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM document d
             JOIN listing l ON l.org_id = d.org_id AND l.id = d.listing_id
             WHERE l.org_id = ?1 AND l.package_id = ?2 AND d.render_key <> ?3)",
        )?
        .query_row((org, package, render_key), |row| row.get(0))?)
}

/// The packages with a document that was rendered under another key than `render_key`.
///
/// # Errors
/// If the database cannot be read.
pub fn outdated(org: OrgId, connection: &Connection, render_key: &str) -> Result<Vec<PackageId>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT l.package_id FROM document d
             JOIN listing l ON l.org_id = d.org_id AND l.id = d.listing_id
             WHERE d.org_id = ?1 AND d.render_key <> ?2",
        )?
        .query_map((org, render_key), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

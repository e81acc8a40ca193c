//! Published versions.

use rusqlite::{Connection, Row};

use super::ids::{ListingId, OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;

/// A published version as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As people write it.
    pub version: String,
    /// As Composer compares it.
    pub version_normalized: NormalizedVersion,
    /// The commit.
    pub reference: String,
    /// The ref it comes from, in full.
    pub git_ref: String,
    /// When it was released: seconds since the epoch.
    pub released_at: Option<i64>,
    /// Whether it belongs to the `~dev` document.
    pub dev: bool,
    /// Whether it is the default branch.
    pub default_branch: bool,
    /// The JSON object of the metadata, without dist.
    pub metadata: String,
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        version: row.get(0)?,
        version_normalized: row.get(1)?,
        reference: row.get(2)?,
        git_ref: row.get(3)?,
        released_at: row.get(4)?,
        dev: row.get(5)?,
        default_branch: row.get(6)?,
        metadata: row.get(7)?,
    })
}

/// The versions published under a name, in no order.
///
/// # Errors
/// If the database cannot be read.
pub fn of_listing(org: OrgId, connection: &Connection, id: ListingId) -> Result<Vec<Version>> {
    connection
        .prepare_cached(
            "SELECT version, version_normalized, reference, ref, released_at, dev, default_branch, metadata
             FROM version WHERE org_id = ?1 AND listing_id = ?2",
        )?
        .query_map((org, id), version)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The distinct references that versions of the package name now, under any of its names.
///
/// # Errors
/// If the database cannot be read.
pub fn references(org: OrgId, connection: &Connection, id: PackageId) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT v.reference FROM version v
             JOIN listing l ON l.org_id = v.org_id AND l.id = v.listing_id
             WHERE l.org_id = ?1 AND l.package_id = ?2",
        )?
        .query_map((org, id), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// When a version's commit came to be served, and when somebody told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When whoever pushed told us; none where nobody did.
    pub announced_at: Option<Timestamp>,
    /// When it is served.
    pub served_at: Timestamp,
}

/// Publishes a version, or replaces what it was. When it arrived is told of its commit: other metadata of the same does not
/// change it.
///
/// # Errors
/// If the database cannot be written.
pub fn put(org: OrgId, tx: &Tx<'_>, listing: ListingId, version: &Version, arrival: Arrival) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO version (org_id, listing_id, version_normalized, version, reference, ref,
             released_at, dev, default_branch, metadata, announced_at, served_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (org_id, listing_id, version_normalized) DO UPDATE SET
             announced_at = CASE WHEN reference = excluded.reference THEN announced_at ELSE excluded.announced_at END,
             served_at = CASE WHEN reference = excluded.reference THEN served_at ELSE excluded.served_at END,
             version = excluded.version, reference = excluded.reference, ref = excluded.ref,
             released_at = excluded.released_at, dev = excluded.dev,
             default_branch = excluded.default_branch, metadata = excluded.metadata",
    )?
    .execute((
        org,
        listing,
        &version.version_normalized,
        &version.version,
        &version.reference,
        &version.git_ref,
        version.released_at,
        version.dev,
        version.default_branch,
        &version.metadata,
        arrival.announced_at,
        arrival.served_at,
    ))?;
    Ok(())
}

/// Withdraws a version.
///
/// # Errors
/// If the database cannot be written.
pub fn remove(org: OrgId, tx: &Tx<'_>, listing: ListingId, version: &NormalizedVersion) -> Result<()> {
    tx.prepare_cached("DELETE FROM version WHERE org_id = ?1 AND listing_id = ?2 AND version_normalized = ?3")?
        .execute((org, listing, version))?;
    Ok(())
}

//! The versions of a package as pages list them: without their metadata, with what became of their archives.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::Result;
use super::ids::{ListingId, OrgId, PackageId};
use crate::clock::Timestamp;
use crate::composer::version::NormalizedVersion;

/// A version in a list.
#[derive(Clone, Debug)]
pub struct Line {
    /// As people write it.
    pub version: String,
    /// As Composer compares it.
    pub version_normalized: NormalizedVersion,
    /// The commit.
    pub reference: String,
    /// Its date: seconds since the epoch.
    pub released_at: Option<i64>,
    /// Whether it belongs to the `~dev` document.
    pub dev: bool,
    /// Whether it is the default branch.
    pub default_branch: bool,
    /// When somebody told of it.
    pub announced_at: Option<Timestamp>,
    /// When it came to be served.
    pub served_at: Option<Timestamp>,
    /// Bytes of its archive, once that was built.
    pub archive: Option<i64>,
    /// Whether its archive was purged for good.
    pub forgotten: bool,
}

const SELECT: &str = "SELECT v.version, v.version_normalized, v.reference, v.released_at, v.dev, v.default_branch,
        v.announced_at, v.served_at, CASE WHEN d.digest IS NOT NULL THEN d.size END, d.forgotten_at IS NOT NULL
    FROM version v LEFT JOIN dist d ON d.org_id = v.org_id AND d.package_id = ?2 AND d.reference = v.reference";

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        version: row.get(0)?,
        version_normalized: row.get(1)?,
        reference: row.get(2)?,
        released_at: row.get(3)?,
        dev: row.get(4)?,
        default_branch: row.get(5)?,
        announced_at: row.get(6)?,
        served_at: row.get(7)?,
        archive: row.get(8)?,
        forgotten: row.get::<_, Option<bool>>(9)?.unwrap_or_default(),
    })
}

/// The versions published under a name, in no order.
///
/// # Errors
/// If the database cannot be read.
pub fn of_listing(org: OrgId, connection: &Connection, package: PackageId, listing: ListingId) -> Result<Vec<Line>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE v.org_id = ?1 AND v.listing_id = ?3"))?
        .query_map((org, package, listing), line)?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The metadata of a version, JSON, by what people write.
///
/// # Errors
/// If the database cannot be read.
pub fn metadata(
    org: OrgId,
    connection: &Connection,
    listing: ListingId,
    version: &NormalizedVersion,
) -> Result<Option<String>> {
    Ok(connection
        .prepare_cached(
            "SELECT metadata FROM version WHERE org_id = ?1 AND listing_id = ?2 AND version_normalized = ?3",
        )?
        .query_row((org, listing, version), |row| row.get(0))
        .optional()?)
}

/// How often each version was installed since a day (days since the epoch), by its normalized form.
///
/// # Errors
/// If the database cannot be read.
pub fn installs(
    org: OrgId,
    connection: &Connection,
    package: PackageId,
    since: i64,
) -> Result<HashMap<NormalizedVersion, i64>> {
    connection
        .prepare_cached(
            "SELECT version_normalized, sum(installs) FROM install
             WHERE org_id = ?1 AND package_id = ?2 AND day >= ?3 GROUP BY version_normalized",
        )?
        .query_map((org, package, since), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// How many versions an organization's packages have: those in `visible` (a JSON array of ids), or all.
///
/// # Errors
/// If the database cannot be read.
pub fn count(org: OrgId, connection: &Connection, visible: Option<&str>) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT coalesce(sum(versions), 0) FROM package
             WHERE org_id = ?1 AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))",
        )?
        .query_row((org, visible), |row| row.get(0))?)
}

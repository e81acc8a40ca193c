//! The instance in figures, for the page that tells its administrators how it is.

use rusqlite::Connection;

use super::Result;
use crate::clock::Timestamp;

/// How much there is of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Organizations.
    pub organizations: i64,
    /// Packages.
    pub packages: i64,
    /// Published versions.
    pub versions: i64,
    /// People with an account.
    pub users: i64,
    /// Stored archives, equal ones counted once.
    pub archives: i64,
    /// Their bytes.
    pub archive_bytes: i64,
}

/// An organization with packages that need somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// Its slug.
    pub slug: String,
    /// What it is called.
    pub name: String,
    /// Packages whose last update failed.
    pub failed: i64,
    /// Packages that wait for somebody's decision.
    pub held: i64,
    /// Since when the first of them.
    pub since: Option<Timestamp>,
}

/// A credential that does not open what it is for any more, or soon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its organization's slug.
    pub slug: String,
    /// What that is called.
    pub organization: String,
    /// Its name.
    pub name: String,
    /// `refused` where the other side says so.
    pub status: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// Counts everything.
///
/// # Errors
/// If the database cannot be read.
pub fn amounts(connection: &Connection) -> Result<Amounts> {
    Ok(connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM organization WHERE removed_at IS NULL),
                 (SELECT count(*) FROM package WHERE retired_at IS NULL),
                 (SELECT coalesce(sum(versions), 0) FROM package),
                 (SELECT count(*) FROM user),
                 count(*), coalesce(sum(size), 0)
             FROM (SELECT max(size) AS size FROM dist WHERE digest IS NOT NULL GROUP BY digest)",
        )?
        .query_row([], |row| {
            Ok(Amounts {
                organizations: row.get(0)?,
                packages: row.get(1)?,
                versions: row.get(2)?,
                users: row.get(3)?,
                archives: row.get(4)?,
                archive_bytes: row.get(5)?,
            })
        })?)
}

/// The organizations with packages that failed or are held, the most first.
///
/// # Errors
/// If the database cannot be read.
pub fn failing(connection: &Connection) -> Result<Vec<Failing>> {
    connection
        .prepare_cached(
            "SELECT o.slug, o.name, sum(p.outcome = 'failed'), sum(p.outcome = 'held'), min(p.failing_since)
             FROM package p JOIN organization o ON o.id = p.org_id AND o.removed_at IS NULL
             WHERE p.outcome IN ('failed', 'held') GROUP BY o.id ORDER BY count(*) DESC, o.slug",
        )?
        .query_map([], |row| {
            Ok(Failing {
                slug: row.get(0)?,
                name: row.get(1)?,
                failed: row.get(2)?,
                held: row.get(3)?,
                since: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Up to `limit` credentials that are refused, or end before `soon`; those that end first, first. Of tokens that replace
/// themselves, those that did so in vain, or end before `very_soon`.
///
/// # Errors
/// If the database cannot be read.
pub fn credentials(
    connection: &Connection,
    (soon, very_soon): (Timestamp, Timestamp),
    limit: i64,
) -> Result<Vec<Credential>> {
    connection
        .prepare_cached(
            "SELECT o.slug, o.name, c.name, c.status, c.expires_at
             FROM credential c JOIN organization o ON o.id = c.org_id AND o.removed_at IS NULL
             WHERE c.status = 'refused' OR c.expires_at < ?2 OR (c.expires_at < ?1 AND (c.self_rotate = 0 OR EXISTS (
                 SELECT 1 FROM self_rotation r WHERE r.org_id = c.org_id AND r.credential_id = c.id)))
             ORDER BY c.expires_at IS NULL, c.expires_at, o.slug, c.name LIMIT ?3",
        )?
        .query_map((soon, very_soon, limit), |row| {
            Ok(Credential {
                slug: row.get(0)?,
                organization: row.get(1)?,
                name: row.get(2)?,
                status: row.get(3)?,
                expires_at: row.get(4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// The newest migration that the database has, by its number.
///
/// # Errors
/// If the database cannot be read.
pub fn schema(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("SELECT max(version) FROM refinery_schema_history", [], |row| row.get(0))?)
}

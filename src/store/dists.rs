//! Which commits may be asked for as archives, and which archives are stored.

use rusqlite::{Connection, OptionalExtension, Row};

use super::ids::{OrgId, PackageId};
use super::{Result, Tx};
use crate::clock::Timestamp;

/// A commit's archive.
#[derive(Clone, Debug)]
pub struct Dist {
    /// The commit.
    pub reference: String,
    /// Whether it was ever a version's.
    pub published: bool,
    /// SHA-256 of the stored archive; none while it is not built. A purged one keeps it, so that its file can be removed
    /// again if that failed.
    pub digest: Option<Vec<u8>>,
    /// Its size in bytes.
    pub size: Option<i64>,
    /// When it was purged for good.
    pub forgotten_at: Option<Timestamp>,
}

fn dist(row: &Row<'_>) -> rusqlite::Result<Dist> {
    Ok(Dist {
        reference: row.get(0)?,
        published: row.get(1)?,
        digest: row.get(2)?,
        size: row.get(3)?,
        forgotten_at: row.get(4)?,
    })
}

/// The archive that an address names by `key`.
///
/// # Errors
/// If the database cannot be read.
pub fn by_key(org: OrgId, connection: &Connection, package: PackageId, key: &str) -> Result<Option<Dist>> {
    Ok(connection
        .prepare_cached(
            "SELECT reference, published, digest, size, forgotten_at FROM dist
             WHERE org_id = ?1 AND package_id = ?2 AND key = ?3",
        )?
        .query_row((org, package, key), dist)
        .optional()?)
}

/// The commits of the package, and of the packages in its directories, that were ever a version's and are not purged.
///
/// # Errors
/// If the database cannot be read.
pub fn published(org: OrgId, connection: &Connection, package: PackageId) -> Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT d.reference FROM reach r JOIN dist d ON d.org_id = r.org_id AND d.package_id = r.reached_id
             WHERE r.org_id = ?1 AND r.package_id = ?2 AND d.published = 1 AND d.forgotten_at IS NULL",
        )?
        .query_map((org, package), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Records that a commit is a version's, so that its archive is kept from now on.
///
/// # Errors
/// If the database cannot be written.
pub fn publish(org: OrgId, tx: &Tx<'_>, package: PackageId, key: &str, reference: &str) -> Result<()> {
    tx.prepare_cached(
        "INSERT INTO dist (org_id, package_id, key, reference, published) VALUES (?1, ?2, ?3, ?4, 1)
         ON CONFLICT (org_id, package_id, key) DO UPDATE SET published = 1 WHERE published = 0",
    )?
    .execute((org, package, key, reference))?;
    Ok(())
}

/// Records a built archive. A commit that was never a version's is added as cache. False, and nothing is recorded, if the
/// commit was purged or the package removed while it was built.
///
/// # Errors
/// If the database cannot be written.
pub fn set_built(
    org: OrgId,
    tx: &Tx<'_>,
    package: PackageId,
    key: &str,
    archive: (&str, &[u8; 32], i64),
    now: Timestamp,
) -> Result<bool> {
    let (reference, digest, size) = archive;
    let changed = tx
        .prepare_cached(
            "INSERT INTO dist (org_id, package_id, key, reference, published, digest, size, built_at)
             SELECT ?1, ?2, ?3, ?4, 0, ?5, ?6, ?7
             WHERE EXISTS (SELECT 1 FROM package WHERE org_id = ?1 AND id = ?2)
             ON CONFLICT (org_id, package_id, key) DO UPDATE SET digest = excluded.digest,
                 size = excluded.size, built_at = excluded.built_at WHERE forgotten_at IS NULL",
        )?
        .execute((org, package, key, reference, digest.as_slice(), size, now))?;
    Ok(changed > 0)
}

/// Purges a commit's archive for good; the digest it was stored under, also if it was purged before.
///
/// # Errors
/// If the database cannot be written.
pub fn forget(
    org: OrgId,
    tx: &Tx<'_>,
    package: PackageId,
    key: &str,
    reference: &str,
    now: Timestamp,
) -> Result<Option<Vec<u8>>> {
    tx.execute(
        "INSERT INTO dist (org_id, package_id, key, reference, published, forgotten_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5)
         ON CONFLICT (org_id, package_id, key) DO UPDATE SET
             forgotten_at = coalesce(forgotten_at, excluded.forgotten_at)",
        (org, package, key, reference, now),
    )?;
    Ok(by_key(org, tx, package, key)?.and_then(|dist| dist.digest))
}

/// The stored archives of a package, or of the whole organization.
///
/// # Errors
/// If the database cannot be read.
pub fn digests(org: OrgId, connection: &Connection, package: Option<PackageId>) -> Result<Vec<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT DISTINCT digest FROM dist
             WHERE org_id = ?1 AND (?2 IS NULL OR package_id = ?2) AND digest IS NOT NULL",
        )?
        .query_map((org, package), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()
        .map_err(Into::into)
}

/// Bytes of the package's stored archives.
///
/// # Errors
/// If the database cannot be read.
pub fn stored(org: OrgId, connection: &Connection, package: PackageId) -> Result<i64> {
    Ok(connection
        .prepare_cached(
            "SELECT coalesce(sum(size), 0) FROM dist
             WHERE org_id = ?1 AND package_id = ?2 AND digest IS NOT NULL AND forgotten_at IS NULL",
        )?
        .query_row((org, package), |row| row.get(0))?)
}

/// Whether any organization still has an archive stored under this digest that was not purged: bytes are shared.
///
/// # Errors
/// If the database cannot be read.
pub fn is_used(connection: &Connection, digest: &[u8]) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM dist WHERE digest = ?1 AND forgotten_at IS NULL)")?
        .query_row([digest], |row| row.get(0))?)
}

/// Archives of commits that were never a version's: the package's oldest beyond `keep` are taken
/// out of the books, but never that of `latest`; their digests.
///
/// # Errors
/// If the database cannot be written.
pub fn evict_cache(org: OrgId, tx: &Tx<'_>, package: PackageId, latest: &str, keep: i64) -> Result<Vec<Vec<u8>>> {
    // By name, because a clock that was set back makes the latest look old.
    let mut statement = tx.prepare_cached(
        "DELETE FROM dist WHERE org_id = ?1 AND package_id = ?2 AND published = 0
             AND forgotten_at IS NULL AND key NOT IN
             (SELECT key FROM dist WHERE org_id = ?1 AND package_id = ?2 AND published = 0
              AND forgotten_at IS NULL ORDER BY key = ?3 DESC, built_at DESC LIMIT ?4)
         RETURNING digest",
    )?;
    let digests = statement
        .query_map((org, package, latest, keep), |row| row.get::<_, Option<Vec<u8>>>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(digests.into_iter().flatten().collect())
}
